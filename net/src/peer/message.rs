//! Messages with their records.

use bytes::Bytes;
use gracchus_core::boundary::{LogSlice, PeerMessage, Records};
use serde::{Deserialize, Serialize};

use super::{LENGTH_BYTES, MessageTooLarge, PeerError, append_frame, set_length};
use crate::kafka::Piece;
use crate::limits::PEER_FRAME_BYTES_MAX;
use crate::records::split_batches;

/// A frame without a message.
pub const BEAT: [u8; LENGTH_BYTES] = [0; LENGTH_BYTES];

/// What came in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A sign of life.
    Beat,
    /// A message.
    Message(Box<PeerMessage>),
}

/// What precedes the sections.
#[derive(Deserialize)]
struct Head {
    message: PeerMessage,
    /// Their lengths, one for each set of records in the message.
    sections: Vec<u32>,
}

#[derive(Deserialize)]
enum Versioned {
    V1(Head),
}

/// As [`Versioned`], to be written without a copy.
#[derive(Serialize)]
enum VersionedRef<'a> {
    V1(HeadRef<'a>),
}

#[derive(Serialize)]
struct HeadRef<'a> {
    message: &'a PeerMessage,
    sections: &'a [u32],
}

/// Takes out what the store is to send, one for each set of records in the message: whoever sends it finds out where that is and how long.
///
/// # Panics
/// When the message has records in memory, which only one that came from another node has.
pub fn take_slices(message: &mut PeerMessage) -> Vec<Option<LogSlice>> {
    let take = |records: &mut Records| match records {
        Records::Slice(slice) => slice.take(),
        Records::Metadata(_) | Records::Data(_) => panic!("records in memory are never sent on"),
    };
    message.records_mut().map(take).collect()
}

/// The message as a frame, given the length in bytes of each of its slices: 0 for one that is void or was none.
///
/// # Errors
/// [`MessageTooLarge`].
pub fn encode_message(message: &PeerMessage, slice_bytes: &[u64]) -> Result<Vec<Piece>, MessageTooLarge> {
    let payload_bytes: u64 = slice_bytes.iter().sum();
    let too_large = |bytes| MessageTooLarge { bytes };
    if payload_bytes > PEER_FRAME_BYTES_MAX.into() {
        return Err(too_large(payload_bytes));
    }
    let sections: Vec<u32> = slice_bytes.iter().map(|&bytes| u32::try_from(bytes).expect("their sum is bounded")).collect();
    let mut start = Vec::with_capacity(64);
    append_frame(&mut start, &VersionedRef::V1(HeadRef { message, sections: &sections }));
    let bytes = (start.len() - LENGTH_BYTES) as u64 + payload_bytes;
    let length = u32::try_from(bytes).ok().filter(|&length| length <= PEER_FRAME_BYTES_MAX).ok_or(too_large(bytes))?;
    set_length(&mut start, 0, length);
    let slices = slice_bytes.iter().enumerate().filter(|(_, bytes)| **bytes > 0).map(|(at, _)| Piece::Slice(at));
    Ok(std::iter::once(Piece::Bytes(start.into())).chain(slices).collect())
}

/// Reads a frame, without its length.
///
/// # Errors
/// [`PeerError`]: nothing that the other node says can be relied on.
pub fn decode_frame(frame: &Bytes) -> Result<Frame, PeerError> {
    if frame.is_empty() {
        return Ok(Frame::Beat);
    }
    let (Versioned::V1(Head { mut message, sections }), rest) = postcard::take_from_bytes(frame).map_err(PeerError::Malformed)?;
    let mut rest = frame.slice(frame.len() - rest.len()..);
    let records = message.records_mut().count();
    let named_bytes: u64 = sections.iter().map(|&bytes| u64::from(bytes)).sum();
    let found_bytes = rest.len() as u64;
    if sections.len() != records || named_bytes != found_bytes {
        return Err(PeerError::Sections { sections: sections.len(), records, named_bytes, found_bytes });
    }
    let is_metadata = matches!(message, PeerMessage::Metadata(_));
    for (records, bytes) in message.records_mut().zip(sections) {
        if *records != Records::Slice(None) {
            return Err(PeerError::RecordsInHead);
        }
        let batches = split_batches(rest.split_to(usize::try_from(bytes).expect("so many bytes are there")))?;
        *records = if is_metadata {
            Records::Metadata(batches.into_iter().map(|batch| batch.payload.bytes().clone()).collect())
        } else {
            Records::Data(batches)
        };
    }
    Ok(Frame::Message(Box::new(message)))
}

#[cfg(test)]
mod tests {
    use gracchus_core::boundary::{FetchedMetadata, FetchedPartitions, FetchedReplica, Generation, Unfetched};
    use gracchus_core::epoch::{LeaderEpoch, QuorumEpoch};
    use gracchus_core::ids::{IncarnationId, LogId, NodeId, PartitionIndex, TopicId, TopicPartition, Uuid};
    use gracchus_core::offset::Offset;
    use gracchus_core::quorum::{Known, QuorumMessage};
    use gracchus_core::record::{BatchBuilder, BatchHeader, HEADER_BYTES};
    use gracchus_core::time::Timestamp;

    use super::*;

    fn batch(base_offset: i64, value: &[u8]) -> Bytes {
        let mut builder = BatchBuilder::new(Offset(base_offset), LeaderEpoch(3));
        builder.append(Timestamp(5), None, Some(value), &[]);
        builder.build()
    }

    fn slice() -> LogSlice {
        LogSlice { log: LogId::Metadata, generation: Generation(0), from: Offset(0), upto: Offset(2), bytes_max: 100 }
    }

    fn metadata() -> PeerMessage {
        let (quorum_epoch, offset) = (QuorumEpoch(3), Offset(0));
        let result = Ok(Records::Slice(Some(slice())));
        PeerMessage::Metadata(FetchedMetadata { quorum_epoch, fetch_offset: offset, high_watermark: offset, result })
    }

    fn partitions() -> PeerMessage {
        let replica = |partition, result| FetchedReplica {
            producers: None,
            keeps_want: result == Ok(Records::Slice(None)),
            id: TopicPartition { topic: TopicId(Uuid([9; 16])), partition: PartitionIndex(partition) },
            leader_epoch: LeaderEpoch(3),
            fetch_offset: Offset(0),
            high_watermark: Offset(0),
            log_start: Offset(0),
            result,
        };
        PeerMessage::Partitions(FetchedPartitions {
            incarnation: IncarnationId(Uuid([1; 16])),
            session: 1,
            sequence: 2,
            partitions: vec![
                replica(0, Ok(Records::Slice(Some(slice())))),
                replica(1, Err(Unfetched::OutOfRange)),
                replica(2, Ok(Records::Slice(None))),
                replica(3, Ok(Records::Slice(Some(slice())))),
            ],
        })
    }

    /// The frame without its length, with these bytes where the slices were.
    fn frame(message: &PeerMessage, slices: &[&[u8]]) -> Bytes {
        let mut message = message.clone();
        assert_eq!(take_slices(&mut message).len(), slices.len());
        let lengths: Vec<u64> = slices.iter().map(|slice| slice.len() as u64).collect();
        let pieces = encode_message(&message, &lengths).unwrap();
        let bytes: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.to_vec(),
                Piece::Slice(at) => slices[*at].to_vec(),
            })
            .collect();
        let (length, body) = bytes.split_first_chunk().unwrap();
        assert_eq!(usize::try_from(u32::from_be_bytes(*length)).unwrap(), body.len());
        body.to_vec().into()
    }

    fn message(frame: &Bytes) -> PeerMessage {
        match decode_frame(frame).unwrap() {
            Frame::Message(message) => *message,
            Frame::Beat => panic!("it has a message"),
        }
    }

    #[test]
    fn a_message_without_records_keeps_its_bytes_between_releases() {
        let said = PeerMessage::Quorum(QuorumMessage::Known(Known { quorum_epoch: QuorumEpoch(3), leader: Some(NodeId(2)) }));
        let frame = frame(&said, &[]);
        assert_eq!(frame, [0, 0, 3, 6, 1, 4, 0].as_slice());
        assert_eq!(message(&frame), said);
    }

    #[test]
    fn nothing_at_all_is_a_beat() {
        assert_eq!(decode_frame(&Bytes::new()).unwrap(), Frame::Beat);
    }

    #[test]
    fn metadata_arrives_as_whole_batches() {
        let batches = [batch(0, b"a"), batch(1, b"bc")];
        let frame = frame(&metadata(), &[&batches.concat()]);
        let PeerMessage::Metadata(fetched) = message(&frame) else { panic!("it is metadata") };
        assert_eq!(fetched.result, Ok(Records::Metadata(batches.to_vec())));
    }

    #[test]
    fn each_partition_gets_its_own_batches() {
        let (first, last) = (batch(0, b"a"), batch(7, b"b"));
        let frame = frame(&partitions(), &[&first, &[], &last]);
        let PeerMessage::Partitions(fetched) = message(&frame) else { panic!("it is partitions") };
        let found: Vec<_> = fetched
            .partitions
            .iter()
            .map(|replica| match &replica.result {
                Ok(Records::Data(batches)) => batches.iter().map(|batch| batch.payload.bytes().clone()).collect(),
                Ok(Records::Slice(_) | Records::Metadata(_)) => panic!("records of partitions are data"),
                Err(_) => vec![Bytes::new()],
            })
            .collect();
        assert_eq!(found, [vec![first], vec![Bytes::new()], vec![], vec![last]]);
    }

    #[test]
    fn a_damaged_batch_is_refused() {
        let sound = batch(0, b"a");
        for at in [16, 17, 30, HEADER_BYTES, sound.len() - 1] {
            let mut bytes = sound.to_vec();
            bytes[at] ^= 1;
            assert!(matches!(decode_frame(&frame(&metadata(), &[&bytes])), Err(PeerError::Batch(_))), "byte {at}");
        }
        assert!(matches!(decode_frame(&frame(&metadata(), &[&sound[..sound.len() - 1]])), Err(PeerError::Batch(_))));
    }

    #[test]
    fn a_batch_whose_records_are_not_its_own_is_refused() {
        let sound = batch(0, b"a");
        let header = BatchHeader { record_count: 2, last_offset_delta: 1, ..BatchHeader::parse(&sound).unwrap() };
        let forged = gracchus_core::record::assemble(&header, &sound[HEADER_BYTES..]);
        assert!(matches!(decode_frame(&frame(&metadata(), &[&forged])), Err(PeerError::Batch(_))));
    }

    #[test]
    fn sections_that_the_head_does_not_name_are_refused() {
        let sound = batch(0, b"a");
        let longer = Bytes::from([&frame(&metadata(), &[&sound])[..], b"x"].concat());
        assert!(matches!(decode_frame(&longer), Err(PeerError::Sections { .. })));
        let mut named = metadata();
        take_slices(&mut named);
        let pieces = encode_message(&named, &[sound.len() as u64, 1]).unwrap();
        let Piece::Bytes(start) = &pieces[0] else { panic!("a frame starts with its head") };
        let frame = Bytes::from([&start[LENGTH_BYTES..], &sound, b"x"].concat());
        assert!(matches!(decode_frame(&frame), Err(PeerError::Sections { sections: 2, records: 1, .. })));
    }

    #[test]
    fn records_in_the_head_are_refused() {
        let mut start = Vec::new();
        append_frame(&mut start, &VersionedRef::V1(HeadRef { message: &metadata(), sections: &[0] }));
        assert!(matches!(decode_frame(&start.split_off(LENGTH_BYTES).into()), Err(PeerError::RecordsInHead)));
    }

    #[test]
    fn what_no_frame_can_carry_is_not_encoded() {
        let mut message = metadata();
        take_slices(&mut message);
        for bytes in [u64::from(PEER_FRAME_BYTES_MAX), u64::from(u32::MAX) + 1] {
            assert!(encode_message(&message, &[bytes]).is_err());
        }
    }
}
