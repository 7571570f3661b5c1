//! The bytes of one file, twice: as programs see them (the page cache) and as the disk has them.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::draw::Draw;

/// What a disk writes as a whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// A change that has not reached the disk.
#[derive(Clone, Debug)]
enum Change {
    /// Bytes from a place on; the file grows to hold them.
    Bytes { at: usize, bytes: Bytes },
    /// The file is cut or extended with zeros.
    Length(usize),
}

/// A place in a file's history: all changes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChangeMark(u64);

/// A file's bytes. `durable` with all of `pending` gives `seen`, unless a sync has failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: VecDeque<Change>,
    /// Changes that have left `pending`, counted since the file was made.
    settled: u64,
}

impl Content {
    pub(super) fn length(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// Bytes from a place on, fewer at the file's end.
    pub(super) fn read(&self, at: usize, length: usize) -> &[u8] {
        let from = at.min(self.seen.len());
        let upto = at.saturating_add(length).min(self.seen.len());
        self.seen.get(from..upto).unwrap_or_default()
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        apply_bytes(&mut self.seen, at, bytes);
        // A copy, as a page cache has one: the writer's own memory is the writer's to count.
        self.pending.push_back(Change::Bytes { at, bytes: Bytes::copy_from_slice(bytes) });
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.seen.resize(length, 0);
        self.pending.push_back(Change::Length(length));
    }

    /// Flips a bit for good, on disk and in the cache.
    pub(super) fn rot(&mut self, at: usize, bit: u32) {
        for bytes in [&mut self.seen, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// The changes so far: what a sync that starts here covers.
    pub(super) fn mark(&self) -> ChangeMark {
        ChangeMark(self.settled + self.pending.len() as u64)
    }

    /// The changes before `mark` are on disk.
    pub(super) fn sync(&mut self, mark: ChangeMark) {
        while self.settled < mark.0 {
            let Some(change) = self.pending.pop_front() else { break };
            self.settled += 1;
            match change {
                Change::Bytes { at, bytes } => apply_bytes(&mut self.durable, at, &bytes),
                Change::Length(length) => self.durable.resize(length, 0),
            }
        }
    }

    /// The changes before `mark` stay in the cache and never reach the disk.
    pub(super) fn fail_sync(&mut self, mark: ChangeMark) {
        while self.settled < mark.0 && self.pending.pop_front().is_some() {
            self.settled += 1;
        }
    }

    /// Decides what of the pending changes had reached the disk, and forgets the cache.
    pub(super) fn lose_power(&mut self, draw: &mut Draw) {
        let fate = Fate::draw(draw);
        let pending = std::mem::take(&mut self.pending);
        self.settled += pending.len() as u64;
        let mut stopped = BTreeSet::new();
        for change in pending {
            match change {
                Change::Length(length) => {
                    if fate.keeps(draw) {
                        self.durable.resize(length, 0);
                    }
                }
                Change::Bytes { at, bytes } => {
                    for (sector, place, piece) in sectors(at, &bytes) {
                        // A sector goes to disk as it stands in the cache: it may lack the last changes, never one in between.
                        if stopped.contains(&sector) {
                            continue;
                        }
                        if fate.keeps(draw) {
                            apply_bytes(&mut self.durable, place, &piece);
                        } else {
                            stopped.insert(sector);
                        }
                    }
                }
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

/// How much of a file's pending changes a power loss leaves.
#[derive(Clone, Copy, Debug)]
struct Fate {
    kept_per_million: u32,
}

impl Fate {
    fn draw(draw: &mut Draw) -> Self {
        Self { kept_per_million: draw.pick(&[0, 0, 100_000, 500_000, 900_000, 990_000, 1_000_000, 1_000_000]) }
    }

    fn keeps(self, draw: &mut Draw) -> bool {
        draw.chance(self.kept_per_million)
    }
}

fn apply_bytes(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to.get_mut(at..end).expect("the file was extended").copy_from_slice(bytes);
}

/// Cuts a write at the sectors' borders: the sector's number, the place in the file, the bytes.
fn sectors(at: usize, bytes: &Bytes) -> impl Iterator<Item = (usize, usize, Bytes)> {
    let mut place = at;
    let mut rest = bytes.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(SECTOR_BYTES - place % SECTOR_BYTES));
        let from = place;
        place += piece.len();
        Some((from / SECTOR_BYTES, from, piece))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Stream;

    fn write(content: &mut Content, at: usize, byte: u8, length: usize) {
        content.write(at, &vec![byte; length]);
    }

    #[test]
    fn what_was_synced_survives_whatever_the_draw() {
        for seed in 0..200 {
            let mut content = Content::default();
            write(&mut content, 0, 1, 3000);
            content.sync(content.mark());
            write(&mut content, 3000, 2, 3000);
            content.lose_power(&mut Draw::new(seed, Stream::Disk));
            assert_eq!(content.read(0, 3000), [1; 3000]);
            assert!(content.read(3000, 3000).iter().all(|&byte| byte == 2 || byte == 0));
        }
    }

    #[test]
    fn unsynced_bytes_are_torn_kept_and_lost_at_sectors() {
        let (mut lost, mut kept, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let mut content = Content::default();
            write(&mut content, 0, 7, 4096);
            content.lose_power(&mut Draw::new(seed, Stream::Disk));
            let sevens = content.read(0, 4096).iter().filter(|&&byte| byte == 7).count();
            assert_eq!(sevens % SECTOR_BYTES, 0);
            match sevens {
                0 => lost += 1,
                4096 => kept += 1,
                _ => torn += 1,
            }
        }
        assert!(lost > 20 && kept > 20 && torn > 20, "{lost} {kept} {torn}");
    }

    #[test]
    fn a_sector_never_has_a_later_write_without_an_earlier_one() {
        for seed in 0..200 {
            let mut content = Content::default();
            write(&mut content, 0, 1, 100);
            write(&mut content, 100, 2, 100);
            content.lose_power(&mut Draw::new(seed, Stream::Disk));
            if content.read(100, 100).first() == Some(&2) {
                assert_eq!(content.read(0, 100), [1; 100]);
            }
        }
    }

    #[test]
    fn a_failed_sync_is_not_mended_by_a_later_one() {
        let mut content = Content::default();
        write(&mut content, 0, 1, 600);
        content.fail_sync(content.mark());
        write(&mut content, 600, 2, 600);
        content.sync(content.mark());
        assert_eq!(content.read(0, 600), [1; 600]);
        content.lose_power(&mut Draw::new(0, Stream::Disk));
        assert_eq!(content.read(0, 600), [0; 600]);
        assert_eq!(content.read(600, 600), [2; 600]);
    }
}
