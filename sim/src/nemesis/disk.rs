//! Disk faults under way: several may overlap, and each ends by itself.

use std::collections::BTreeMap;

use crate::plan::DiskFaultKind;
use crate::platform::disk::{DiskFaultCounts, DiskFaults, SimDisk};

/// A fault under way.
#[derive(Debug)]
struct Active {
    kind: DiskFaultKind,
    /// For one that fills the disk: the room that there is for files in all.
    capacity_bytes: u64,
    /// What had taken effect when it began.
    before: DiskFaultCounts,
}

/// What a disk is up to all along, and what has come over it.
#[derive(Debug)]
pub(super) struct ActiveFaults {
    sound: DiskFaults,
    active: BTreeMap<u64, Active>,
    next: u64,
}

impl ActiveFaults {
    pub(super) fn new(sound: DiskFaults) -> Self {
        Self { sound, active: BTreeMap::new(), next: 0 }
    }

    /// Begins one and says by which number to end it.
    pub(super) fn begin(&mut self, kind: DiskFaultKind, disk: &SimDisk) -> u64 {
        let capacity_bytes = match kind {
            DiskFaultKind::Full { spare_bytes } => disk.used_bytes() + spare_bytes,
            DiskFaultKind::Slow { .. }
            | DiskFaultKind::SyncFailures { .. }
            | DiskFaultKind::WriteErrors { .. }
            | DiskFaultKind::ReadErrors { .. }
            | DiskFaultKind::ReadFlips { .. } => self.sound.capacity_bytes,
        };
        let number = self.next;
        self.next += 1;
        self.active.insert(number, Active { kind, capacity_bytes, before: disk.fault_counts() });
        disk.set_faults(self.faults());
        number
    }

    /// Ends one. Its kind, if it is under way and has taken effect.
    pub(super) fn end(&mut self, number: u64, disk: &SimDisk) -> Option<&'static str> {
        let ended = self.active.remove(&number)?;
        disk.set_faults(self.faults());
        let (name, count): (_, fn(&DiskFaultCounts) -> u64) = match ended.kind {
            DiskFaultKind::Slow { .. } => ("slow disk", |counts| counts.slow),
            DiskFaultKind::SyncFailures { .. } => ("sync failures", |counts| counts.sync_failures),
            DiskFaultKind::WriteErrors { .. } => ("write errors", |counts| counts.write_errors),
            DiskFaultKind::ReadErrors { .. } => ("read errors", |counts| counts.read_errors),
            DiskFaultKind::ReadFlips { .. } => ("bit flips on read", |counts| counts.read_flips),
            DiskFaultKind::Full { .. } => ("full disk", |counts| counts.full + counts.short_space_told),
        };
        (count(&disk.fault_counts()) > count(&ended.before)).then_some(name)
    }

    /// Ends all, and says which kinds have taken effect.
    pub(super) fn end_all(&mut self, disk: &SimDisk) -> Vec<&'static str> {
        let numbers: Vec<u64> = self.active.keys().copied().collect();
        numbers.into_iter().filter_map(|number| self.end(number, disk)).collect()
    }

    fn faults(&self) -> DiskFaults {
        let mut faults = self.sound.clone();
        for Active { kind, capacity_bytes, .. } in self.active.values() {
            faults.capacity_bytes = faults.capacity_bytes.min(*capacity_bytes);
            let (rate, per_million) = match kind {
                DiskFaultKind::Slow { per_million, ms_max } => {
                    faults.slow_ms_max = faults.slow_ms_max.max(*ms_max);
                    (&mut faults.slow, *per_million)
                }
                DiskFaultKind::SyncFailures { per_million } => (&mut faults.sync_failure, *per_million),
                DiskFaultKind::WriteErrors { per_million } => (&mut faults.write_error, *per_million),
                DiskFaultKind::ReadErrors { per_million } => (&mut faults.read_error, *per_million),
                DiskFaultKind::ReadFlips { per_million } => (&mut faults.read_flip, *per_million),
                DiskFaultKind::Full { .. } => continue,
            };
            *rate = per_million.max(*rate);
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_one_fault_leaves_the_others_under_way() {
        let disk = SimDisk::new(1, DiskFaults::default());
        let mut faults = ActiveFaults::new(DiskFaults::default());
        let syncs = faults.begin(DiskFaultKind::SyncFailures { per_million: 7 }, &disk);
        let full = faults.begin(DiskFaultKind::Full { spare_bytes: 300 }, &disk);
        assert_eq!((disk.faults().sync_failure, disk.faults().capacity_bytes), (7, 300));
        assert_eq!(faults.end(syncs, &disk), None);
        assert_eq!((disk.faults().sync_failure, disk.faults().capacity_bytes), (0, 300));
        faults.end(full, &disk);
        assert_eq!(disk.faults(), DiskFaults::default());
    }
}
