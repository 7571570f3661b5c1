//! Control records: what brokers write into a log for each other. Their keys say which kind, a control batch holds one of them.
//!
//! ```text
//! key:     version i16 = 0, kind i16
//! COMMIT and ABORT (KIP-98):  version i16 = 0, coordinator epoch i32
//! LEADER_CHANGE (KIP-595):    version i16, leader i32, voters, granting voters; a flexible message, with directory ids from version 1 (KIP-853)
//! ```
//!
//! A reader takes what it knows from later versions and passes over the rest.

use bytes::Buf;
use serde::{Deserialize, Serialize};

use super::header::CorruptBatch;
use super::records::Record;
use super::varint::{read_u32, write_u64};
use crate::ids::{DirectoryId, NodeId, Uuid};

const KEY_VERSION: i16 = 0;
const MARKER_VERSION: i16 = 0;
const LEADER_CHANGE_VERSION: i16 = 1;
const ABORT: i16 = 0;
const COMMIT: i16 = 1;
const LEADER_CHANGE: i16 = 2;

/// A control record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlRecord {
    /// The transaction of the batch's producer ends, its records in this partition are valid.
    Commit(EndTransaction),
    /// The transaction of the batch's producer ends, its records in this partition are void.
    Abort(EndTransaction),
    /// A leader of the metadata quorum begins its epoch.
    LeaderChange(LeaderChange),
    /// A kind that is not ours, by its number.
    Other(i16),
}

/// The end of a transaction, as its coordinator declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndTransaction {
    /// Fences coordinators that were superseded.
    pub coordinator_epoch: i32,
}

/// Who leads the metadata quorum, and by whose votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderChange {
    /// The leader.
    pub leader: NodeId,
    /// All that may vote.
    pub voters: Vec<Voter>,
    /// Those who voted for it.
    pub granting_voters: Vec<Voter>,
}

/// A voter of the metadata quorum (KIP-853).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Voter {
    /// The node.
    pub node: NodeId,
    /// Its data folder, zero where it is not known.
    pub directory: DirectoryId,
}

impl ControlRecord {
    /// Reads a record of a control batch.
    ///
    /// # Errors
    /// [`CorruptBatch::Record`] when key or value are not as their kind demands.
    pub fn parse(record: &Record<'_>) -> Result<Self, CorruptBatch> {
        Self::read(record.key, record.value).ok_or(CorruptBatch::Record)
    }

    fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Option<Self> {
        let mut key = key?;
        let version = key.try_get_i16().ok()?;
        let kind = key.try_get_i16().ok()?;
        if version < KEY_VERSION {
            return None;
        }
        match kind {
            ABORT => read_marker(value?).map(Self::Abort),
            COMMIT => read_marker(value?).map(Self::Commit),
            LEADER_CHANGE => read_leader_change(value?).map(Self::LeaderChange),
            other => Some(Self::Other(other)),
        }
    }

    /// Key and value, as the record carries them.
    ///
    /// # Panics
    /// For [`Other`](Self::Other), of which nothing but its number is known.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let (kind, value) = match self {
            Self::Abort(end) => (ABORT, encode_marker(*end)),
            Self::Commit(end) => (COMMIT, encode_marker(*end)),
            Self::LeaderChange(change) => (LEADER_CHANGE, encode_leader_change(change)),
            Self::Other(kind) => panic!("control records of kind {kind} are not ours to write"),
        };
        ([KEY_VERSION.to_be_bytes(), kind.to_be_bytes()].concat(), value)
    }
}

fn read_marker(mut value: &[u8]) -> Option<EndTransaction> {
    let version = value.try_get_i16().ok()?;
    let coordinator_epoch = value.try_get_i32().ok()?;
    (version >= MARKER_VERSION).then_some(EndTransaction { coordinator_epoch })
}

fn encode_marker(end: EndTransaction) -> Vec<u8> {
    [&MARKER_VERSION.to_be_bytes()[..], &end.coordinator_epoch.to_be_bytes()].concat()
}

fn read_leader_change(mut value: &[u8]) -> Option<LeaderChange> {
    let version = value.try_get_i16().ok()?;
    if version < 0 {
        return None;
    }
    let leader = NodeId(value.try_get_i32().ok()?);
    let voters = read_voters(&mut value, version)?;
    let granting_voters = read_voters(&mut value, version)?;
    Some(LeaderChange { leader, voters, granting_voters })
}

fn read_voters(value: &mut &[u8], version: i16) -> Option<Vec<Voter>> {
    // A flexible message's arrays carry their length plus one; 0 is null, which these may not be.
    let count = read_u32(value)?.checked_sub(1)?;
    (0..count).map(|_| read_voter(value, version)).collect()
}

fn read_voter(value: &mut &[u8], version: i16) -> Option<Voter> {
    let node = NodeId(value.try_get_i32().ok()?);
    let directory = if version >= 1 { Uuid(value.try_get_u128().ok()?.to_be_bytes()) } else { Uuid::ZERO };
    skip_tagged_fields(value)?;
    Some(Voter { node, directory: DirectoryId(directory) })
}

fn skip_tagged_fields(value: &mut &[u8]) -> Option<()> {
    for _ in 0..read_u32(value)? {
        let _tag = read_u32(value)?;
        let length = usize::try_from(read_u32(value)?).ok()?;
        *value = value.get(length..)?;
    }
    Some(())
}

fn encode_leader_change(change: &LeaderChange) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&LEADER_CHANGE_VERSION.to_be_bytes());
    out.extend_from_slice(&change.leader.0.to_be_bytes());
    write_voters(&mut out, &change.voters);
    write_voters(&mut out, &change.granting_voters);
    write_no_tagged_fields(&mut out);
    out
}

fn write_voters(out: &mut Vec<u8>, voters: &[Voter]) {
    write_u64(out, voters.len() as u64 + 1);
    for voter in voters {
        out.extend_from_slice(&voter.node.0.to_be_bytes());
        out.extend_from_slice(&voter.directory.0.0);
        write_no_tagged_fields(out);
    }
}

fn write_no_tagged_fields(out: &mut Vec<u8>) {
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, BatchHeader, BatchProducer, HEADER_BYTES, Records};
    use super::*;
    use crate::epoch::{LeaderEpoch, ProducerEpoch};
    use crate::ids::ProducerId;
    use crate::offset::Offset;
    use crate::time::Timestamp;

    fn voter(node: i32) -> Voter {
        Voter { node: NodeId(node), directory: DirectoryId(Uuid([u8::try_from(node).unwrap(); 16])) }
    }

    fn leader_change() -> LeaderChange {
        LeaderChange { leader: NodeId(2), voters: vec![voter(1), voter(2), voter(3)], granting_voters: vec![voter(2), voter(3)] }
    }

    #[test]
    fn a_control_record_survives_a_round_trip_through_a_batch() {
        let end = EndTransaction { coordinator_epoch: 17 };
        for control in [ControlRecord::Commit(end), ControlRecord::Abort(end), ControlRecord::LeaderChange(leader_change())] {
            let producer = BatchProducer { id: ProducerId(4), epoch: ProducerEpoch(1), base_sequence: -1 };
            let mut builder = BatchBuilder::new(Offset(8), LeaderEpoch(2)).control().producer(producer);
            let (key, value) = control.encode();
            builder.append(Timestamp(5), Some(&key), Some(&value), &[]);
            let batch = builder.build();
            assert!(BatchHeader::parse(&batch).unwrap().is_control);
            let record = Records::new(&batch[HEADER_BYTES..]).next().unwrap().unwrap();
            assert_eq!(ControlRecord::parse(&record), Ok(control));
        }
    }

    #[test]
    fn markers_are_kafkas_own_bytes() {
        let (key, value) = ControlRecord::Commit(EndTransaction { coordinator_epoch: 0x0102_0304 }).encode();
        assert_eq!(key, [0, 0, 0, 1]);
        assert_eq!(value, [0, 0, 1, 2, 3, 4]);
        let (key, _) = ControlRecord::Abort(EndTransaction { coordinator_epoch: 0 }).encode();
        assert_eq!(key, [0, 0, 0, 0]);
    }

    #[test]
    fn a_leader_change_is_kafkas_own_bytes() {
        let change = LeaderChange { leader: NodeId(1), voters: vec![voter(1)], granting_voters: vec![] };
        let (key, value) = ControlRecord::LeaderChange(change).encode();
        assert_eq!(key, [0, 0, 0, 2]);
        let expected = [&[0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1][..], &[1; 16], &[0, 1, 0]].concat();
        assert_eq!(value, expected);
    }

    #[test]
    fn a_leader_change_without_directories_is_understood() {
        let value = [0, 0, 0, 0, 0, 7, 2, 0, 0, 0, 7, 0, 1, 0];
        let voter = Voter { node: NodeId(7), directory: DirectoryId::default() };
        let expected = LeaderChange { leader: NodeId(7), voters: vec![voter], granting_voters: vec![] };
        assert_eq!(ControlRecord::read(Some(&[0, 0, 0, 2]), Some(&value)), Some(ControlRecord::LeaderChange(expected)));
    }

    #[test]
    fn tagged_fields_are_passed_over() {
        let value = [0, 0, 0, 0, 0, 7, 2, 0, 0, 0, 7, 1, 5, 3, 9, 9, 9, 1, 0];
        assert!(ControlRecord::read(Some(&[0, 0, 0, 2]), Some(&value)).is_some());
    }

    #[test]
    fn a_kind_that_is_not_ours_is_told_by_its_number() {
        assert_eq!(ControlRecord::read(Some(&[0, 0, 0, 5]), None), Some(ControlRecord::Other(5)));
    }

    #[test]
    fn what_is_cut_off_or_claims_too_much_is_refused() {
        let (key, value) = ControlRecord::LeaderChange(leader_change()).encode();
        // The tagged fields at the end are not read.
        for length in 0..value.len() - 1 {
            assert_eq!(ControlRecord::read(Some(&key), Some(&value[..length])), None, "{length} bytes");
        }
        for length in 0..key.len() {
            assert_eq!(ControlRecord::read(Some(&key[..length]), Some(&value)), None, "{length} bytes");
        }
        assert_eq!(ControlRecord::read(None, Some(&value)), None);
        assert_eq!(ControlRecord::read(Some(&key), None), None);
        let endless = [0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(ControlRecord::read(Some(&key), Some(&endless)), None);
        assert_eq!(ControlRecord::read(Some(&[0, 0, 0, 1]), Some(&[0, 0, 1])), None);
        assert_eq!(ControlRecord::read(Some(&[0, 0, 0, 1]), Some(&[0xff, 0xff, 0, 0, 0, 1])), None);
    }
}
