//! Messages as what a platform sends: their heads from memory, their records from files.

use std::ops::Range;

use bytes::Bytes;
use gracchus_core::boundary::{LogSlice, PeerMessage, ReadFailure, StorageError};
use gracchus_core::limits::REPLICA_ANSWER_BYTES;
use gracchus_net::kafka::Piece;
use gracchus_net::peer::{encode_message, take_slices};

use super::super::shared::Shared;
use crate::platform::{FileOf, Part, Platform};
use crate::store::Share;

/// Parts that leave together.
pub(super) struct Gathered<P: Platform> {
    pub(super) parts: Vec<Part<FileOf<P>>>,
    pub(super) bytes: u64,
}

impl<P: Platform> Gathered<P> {
    pub(super) fn new() -> Self {
        Self { parts: Vec::new(), bytes: 0 }
    }

    fn push_bytes(&mut self, bytes: Bytes) {
        self.bytes += bytes.len() as u64;
        self.parts.push(Part::Bytes(bytes));
    }

    /// Adds a message. Where the store can't give its records it goes without: the other node asks again.
    pub(super) async fn push(&mut self, shared: &Shared<P>, mut message: PeerMessage) {
        let slices = take_slices(&mut message);
        let files = resolve(shared, &slices).await;
        let mut lengths: Vec<u64> = files.iter().map(|ranges| length(ranges)).collect();
        let encoded = encode_message(&message, &lengths).or_else(|error| {
            let now = shared.platform.now().monotonic;
            shared.complaints.write(now, || format!("{error}, and goes without its records"));
            lengths.fill(0);
            encode_message(&message, &lengths)
        });
        // Without records it is as long as what was decided or asked, which has come in one frame or goes into one batch.
        for piece in encoded.expect("a message without records is short") {
            match piece {
                Piece::Bytes(bytes) => self.push_bytes(bytes),
                Piece::Slice(at) => {
                    let ranges = files.get(at).expect("the encoder names slices that it was given");
                    self.bytes += length(ranges);
                    self.parts.extend(ranges.iter().map(|(file, range)| Part::File(file.clone(), range.clone())));
                }
            }
        }
    }
}

/// Where the records of a slice are.
type Ranges<P> = Vec<(FileOf<P>, Range<u64>)>;

/// Looks up where the slices are, in their order; nowhere, for one that is void.
async fn resolve<P: Platform>(shared: &Shared<P>, slices: &[Option<LogSlice>]) -> Vec<Ranges<P>> {
    let wanted: Vec<LogSlice> = slices.iter().filter_map(|slice| *slice).collect();
    if wanted.is_empty() {
        return slices.iter().map(|_| Vec::new()).collect();
    }
    let mut found = shared.store.resolve(&wanted, Share::Each(REPLICA_ANSWER_BYTES)).await.into_iter();
    let mut ranges_of = |slice: &LogSlice| {
        let ranges = found.next().expect("every slice is answered");
        ranges.unwrap_or_else(|failure| {
            // A log that has changed since is no fault: who asked asks again.
            if let ReadFailure::Storage(error) = failure {
                unreadable(shared, slice, &error);
            }
            Vec::new()
        })
    };
    slices.iter().map(|slice| slice.as_ref().map(&mut ranges_of).unwrap_or_default()).collect()
}

fn unreadable<P: Platform>(shared: &Shared<P>, slice: &LogSlice, error: &StorageError) {
    let now = shared.platform.now().monotonic;
    shared.complaints.write(now, || format!("{} could not be read for another node from offset {}: {error:?}", slice.log, slice.from));
}

fn length<File>(ranges: &[(File, Range<u64>)]) -> u64 {
    ranges.iter().map(|(_, range)| range.end - range.start).sum()
}
