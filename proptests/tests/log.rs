//! A log's epochs and positions against lists that hold an entry for every offset.

use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::limits::RECENT_POSITIONS_MAX;
use gracchus_core::log::{EpochCache, Positions};
use gracchus_core::offset::Offset;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Something that happens to a log.
#[derive(Clone, Debug)]
enum Action {
    /// Batches of so many records and bytes are appended, in an epoch so much later.
    Append {
        epochs: i32,
        batches: Vec<(u8, u32)>,
    },
    Truncate(Index),
    Trim(Index),
}

fn action() -> impl Strategy<Value = Action> {
    let batches = prop_oneof![20 => vec((1..10u8, 61..5_000u32), 0..10), 1 => vec((1..10u8, 61..5_000u32), 300)];
    prop_oneof![
        8 => (0..3i32, batches).prop_map(|(epochs, batches)| Action::Append { epochs, batches }),
        1 => any::<Index>().prop_map(Action::Truncate),
        1 => any::<Index>().prop_map(Action::Trim),
    ]
}

/// Epoch, batch and place of an offset.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: i64,
    epoch: i32,
    /// The byte where its batch starts.
    byte: u64,
}

#[derive(Debug)]
struct Log {
    epochs: EpochCache,
    positions: Positions,
    places: Vec<Place>,
    start: i64,
    end: i64,
    end_byte: u64,
    epoch: i32,
    /// From here on positions are exact.
    exact_from: i64,
}

impl Log {
    fn new() -> Self {
        let (epochs, positions) = (EpochCache::new(), Positions::new(Offset::ZERO));
        Self { epochs, positions, places: Vec::new(), start: 0, end: 0, end_byte: 0, epoch: 0, exact_from: 0 }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Append { epochs, batches } => {
                self.epoch += epochs;
                self.epochs.assign(LeaderEpoch(self.epoch), Offset(self.end));
                for (records, bytes) in batches {
                    self.append(records.into(), bytes);
                }
            }
            Action::Truncate(index) => {
                self.end = self.offset(index);
                self.epochs.truncate_from_end(Offset(self.end));
                self.positions.truncate(Offset(self.end));
                self.end_byte = self.places.iter().find(|place| place.offset == self.end).map_or(self.end_byte, |place| place.byte);
                self.places.retain(|place| place.offset < self.end);
            }
            Action::Trim(index) => {
                self.start = self.offset(index);
                self.epochs.trim_from_start(Offset(self.start));
                self.positions.trim(Offset(self.start));
                self.places.retain(|place| place.offset >= self.start);
            }
        }
        self.exact_from = self.exact_from.max(self.start);
    }

    fn append(&mut self, records: i64, bytes: u32) {
        self.places.extend((self.end..self.end + records).map(|offset| Place { offset, epoch: self.epoch, byte: self.end_byte }));
        self.end += records;
        self.end_byte += u64::from(bytes);
        self.positions.append(Offset(self.end), bytes);
        let mut starts: Vec<_> = self.places.iter().rev().map(|place| (place.byte, place.offset)).collect();
        starts.dedup_by_key(|&mut (byte, _)| byte);
        if let Some(&(byte, _)) = starts.get(RECENT_POSITIONS_MAX - 1) {
            let first = self.places.iter().find(|place| place.byte == byte).map_or(self.end, |place| place.offset);
            self.exact_from = self.exact_from.max(first);
        }
    }

    /// Any batch's start, or the end.
    fn offset(&self, index: Index) -> i64 {
        let mut offsets: Vec<_> = self.places.iter().map(|place| (place.byte, place.offset)).collect();
        offsets.dedup_by_key(|&mut (byte, _)| byte);
        offsets.push((self.end_byte, self.end));
        index.get(&offsets).1
    }

    fn check_epochs(&self) -> Result<(), TestCaseError> {
        for place in &self.places {
            prop_assert_eq!(self.epochs.epoch_of(Offset(place.offset)), Some(LeaderEpoch(place.epoch)));
        }
        // An epoch that has been assigned and wrote nothing yet is known too, as that of the offsets to come.
        let latest = self.epochs.latest().map_or(-1, |latest| latest.leader_epoch.0);
        for requested in 0..=self.epoch + 1 {
            let floor = self.places.iter().rev().find(|place| place.epoch <= requested).map(|place| place.epoch);
            let next = self.places.iter().find(|place| place.epoch > requested).map(|place| place.offset);
            let expected = if requested > latest {
                None
            } else if requested == latest {
                Some((requested, self.end))
            } else {
                let end = next.unwrap_or(self.end);
                Some((floor.unwrap_or(requested), end))
            };
            let found = self.epochs.end_of(LeaderEpoch(requested), Offset(self.end)).map(|(epoch, end)| (epoch.0, end.0));
            prop_assert_eq!(found, expected, "requested {} of {:?}", requested, self.epochs);
        }
        Ok(())
    }

    fn check_positions(&self) -> Result<(), TestCaseError> {
        let total = self.places.first().map_or(0, |first| self.end_byte - first.byte);
        let mut before = u64::MAX;
        for place in &self.places {
            let counted = self.positions.bytes_between(Offset(place.offset), Offset(self.end));
            prop_assert!(counted <= before, "bytes ascend");
            before = counted;
            if place.offset >= self.exact_from {
                prop_assert_eq!(counted, self.end_byte - place.byte, "from {} to {}", place.offset, self.end);
            }
        }
        if self.exact_from == self.start {
            prop_assert_eq!(self.positions.bytes(), total);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn epochs_and_positions_agree_with_the_batches(actions in vec(action(), 1..30)) {
        let mut log = Log::new();
        for action in actions {
            log.act(action);
            log.check_epochs()?;
            log.check_positions()?;
        }
    }
}
