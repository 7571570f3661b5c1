//! The wire between nodes: what one sends the other understands, and what nobody sends is an error, never a panic.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use bytes::Bytes;
use gracchus_core::boundary::{
    CallId, ControllerCall, ControllerCommand, FetchMetadata, FetchMetadataSnapshot, FetchPartitions, FetchedMetadata, FetchedMetadataSnapshot,
    FetchedPartitions, FetchedReplica, Heartbeat, Lane, MetadataInSnapshot, PeerMessage, Records, Unfetched, WantedPartition,
};
use gracchus_core::epoch::{BrokerEpoch, LeaderEpoch, QuorumEpoch};
use gracchus_core::ids::{DirectoryId, IncarnationId, NodeId, PartitionIndex, TopicId, TopicPartition, Uuid};
use gracchus_core::metadata::SnapshotId;
use gracchus_core::offset::Offset;
use gracchus_core::quorum::{Known, LogEnd, QuorumMessage, Vote, VoteRequest};
use gracchus_core::record::Voter;
use gracchus_core::replica::{EpochEnd, Positions};
use gracchus_net::kafka::Piece;
use gracchus_net::peer::{Answer, Frame, Hello, Refusal, decode_frame, encode_message};
use gracchus_proptests::batches::batch;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

/// A message as it leaves, and the batches that stand where each of its slices was.
#[derive(Clone, Debug)]
struct Sent {
    message: PeerMessage,
    sections: Vec<Vec<Bytes>>,
}

fn offset() -> impl Strategy<Value = Offset> {
    any::<i64>().prop_map(Offset)
}

fn leader_epoch() -> impl Strategy<Value = LeaderEpoch> {
    any::<i32>().prop_map(LeaderEpoch)
}

fn quorum_epoch() -> impl Strategy<Value = QuorumEpoch> {
    (0..i32::MAX).prop_map(QuorumEpoch)
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<i32>().prop_map(NodeId)
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid)
}

fn partition() -> impl Strategy<Value = TopicPartition> {
    let parts = (uuid(), any::<i32>());
    parts.prop_map(|(topic, partition)| TopicPartition { topic: TopicId(topic), partition: PartitionIndex(partition) })
}

fn epoch_end() -> impl Strategy<Value = EpochEnd> {
    (leader_epoch(), offset()).prop_map(|(leader_epoch, end_offset)| EpochEnd { leader_epoch, end_offset })
}

fn voter() -> impl Strategy<Value = Voter> {
    (node(), uuid()).prop_map(|(node, directory)| Voter { node, directory: DirectoryId(directory) })
}

fn quorum_message() -> impl Strategy<Value = QuorumMessage> {
    let log_end = (leader_epoch(), offset()).prop_map(|(leader_epoch, end_offset)| LogEnd { leader_epoch, end_offset });
    let vote = (quorum_epoch(), voter(), voter(), log_end, any::<bool>()).prop_map(|(quorum_epoch, candidate, voter, log_end, is_pre_vote)| {
        QuorumMessage::Vote(VoteRequest { quorum_epoch, candidate, voter, log_end, is_pre_vote })
    });
    let voted = (quorum_epoch(), quorum_epoch(), uuid(), any::<bool>()).prop_map(|(quorum_epoch, asked_epoch, directory, is_granted)| {
        let known = Known { quorum_epoch, leader: None };
        QuorumMessage::Voted(Vote { known, asked_epoch, is_granted, is_pre_vote: !is_granted, directory: DirectoryId(directory) })
    });
    let known = (quorum_epoch(), option::of(node())).prop_map(|(quorum_epoch, leader)| QuorumMessage::Known(Known { quorum_epoch, leader }));
    let end = (quorum_epoch(), vec(node(), 0..5)).prop_map(|(quorum_epoch, successors)| QuorumMessage::End { quorum_epoch, successors });
    prop_oneof![vote, voted, known, end]
}

fn fetch_metadata() -> impl Strategy<Value = FetchMetadata> {
    (quorum_epoch(), uuid(), [offset(), offset(), offset()], option::of(leader_epoch())).prop_map(
        |(quorum_epoch, directory, [fetch_offset, durable_offset, high_watermark], last_fetched_epoch)| FetchMetadata {
            quorum_epoch,
            directory: DirectoryId(directory),
            fetch_offset,
            last_fetched_epoch,
            durable_offset,
            high_watermark,
        },
    )
}

fn snapshot_id() -> impl Strategy<Value = SnapshotId> {
    (offset(), leader_epoch()).prop_map(|(end_offset, leader_epoch)| SnapshotId { end_offset, leader_epoch })
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![Just(Lane::Control), Just(Lane::Records), Just(Lane::Metadata)]
}

fn wanted() -> impl Strategy<Value = WantedPartition> {
    let at = [offset(), offset(), offset()].prop_map(|[fetch_offset, written_offset, durable_offset]| Positions {
        fetch_offset,
        written_offset,
        durable_offset,
    });
    (partition(), leader_epoch(), at, option::of(leader_epoch()), [offset(), offset(), offset()]).prop_map(
        |(id, leader_epoch, at, last_fetched_epoch, [high_watermark, log_start, start_heard])| WantedPartition {
            id,
            leader_epoch,
            at,
            last_fetched_epoch,
            high_watermark,
            log_start,
            start_heard,
            bytes_max: 1 << 20,
        },
    )
}

fn call() -> impl Strategy<Value = ControllerCall> {
    let heartbeat = (any::<i64>(), offset(), any::<bool>(), any::<bool>()).prop_map(|(broker_epoch, applied, is_ready, is_stopping)| {
        ControllerCommand::Heartbeat(Heartbeat { broker_epoch: BrokerEpoch(broker_epoch), applied, is_ready, is_stopping })
    });
    let command = prop_oneof![heartbeat, Just(ControllerCommand::AllocateProducerIds)];
    (any::<u64>(), uuid(), command).prop_map(|(id, incarnation, command)| ControllerCall {
        id: CallId(id),
        incarnation: IncarnationId(incarnation),
        command,
    })
}

fn without_records() -> impl Strategy<Value = Sent> {
    let fetch_partitions = (uuid(), any::<([u64; 2], bool)>(), vec(wanted(), 0..4), vec(partition(), 0..4)).prop_map(
        |(incarnation, ([session, taken], begins), wanted, dropped)| {
            let (incarnation, broker_epoch) = (IncarnationId(incarnation), BrokerEpoch(7));
            PeerMessage::FetchPartitions(FetchPartitions { incarnation, broker_epoch, session, begins, taken, wanted, dropped })
        },
    );
    let in_snapshot =
        (quorum_epoch(), snapshot_id()).prop_map(|(quorum_epoch, id)| PeerMessage::MetadataInSnapshot(MetadataInSnapshot { quorum_epoch, id }));
    let fetch_snapshot =
        (quorum_epoch(), uuid(), snapshot_id(), any::<(u64, u32)>()).prop_map(|(quorum_epoch, directory, id, (position, bytes_max))| {
            let directory = DirectoryId(directory);
            PeerMessage::FetchMetadataSnapshot(FetchMetadataSnapshot { quorum_epoch, directory, id, position, bytes_max })
        });
    let snapshot = (quorum_epoch(), snapshot_id(), any::<[u64; 2]>(), vec(any::<u8>(), 0..50)).prop_map(
        |(quorum_epoch, id, [position, snapshot_bytes], piece)| {
            let piece = piece.into();
            PeerMessage::MetadataSnapshot(FetchedMetadataSnapshot { quorum_epoch, id, position, snapshot_bytes, piece })
        },
    );
    let message = prop_oneof![
        in_snapshot,
        fetch_snapshot,
        snapshot,
        quorum_message().prop_map(PeerMessage::Quorum),
        fetch_metadata().prop_map(PeerMessage::FetchMetadata),
        call().prop_map(PeerMessage::Call),
        fetch_partitions,
    ];
    message.prop_map(|message| Sent { message, sections: Vec::new() })
}

fn batches() -> impl Strategy<Value = Vec<Bytes>> {
    vec(batch().prop_map(|content| content.build()), 0..3)
}

fn metadata() -> impl Strategy<Value = Sent> {
    let result = prop_oneof![batches().prop_map(Ok), epoch_end().prop_map(Err)];
    (quorum_epoch(), offset(), offset(), result).prop_map(|(quorum_epoch, fetch_offset, high_watermark, result)| {
        let sections = result.clone().into_iter().collect();
        let result = result.map(|_| Records::Slice(None));
        Sent { message: PeerMessage::Metadata(FetchedMetadata { quorum_epoch, fetch_offset, high_watermark, result }), sections }
    })
}

/// What is told of a partition: which, in which epoch, where, and what.
type Replica = (TopicPartition, LeaderEpoch, [Offset; 3], Result<Vec<Bytes>, Unfetched>);

fn partitions() -> impl Strategy<Value = Sent> {
    let unfetched = prop_oneof![epoch_end().prop_map(Unfetched::Diverging), Just(Unfetched::OutOfRange)];
    let result = prop_oneof![batches().prop_map(Ok), unfetched.prop_map(Err)];
    let replica = (partition(), leader_epoch(), [offset(), offset(), offset()], result);
    (uuid(), any::<[u64; 2]>(), vec(replica, 0..4)).prop_map(|(incarnation, [session, sequence], replicas)| {
        let sections = replicas.iter().filter_map(|(_, _, _, result): &Replica| result.clone().ok()).collect();
        let replica = |(id, leader_epoch, [fetch_offset, high_watermark, log_start], result): Replica| FetchedReplica {
            keeps_want: fetch_offset == high_watermark,
            producers: matches!(result, Err(Unfetched::OutOfRange)).then(|| Bytes::from_static(b"producers")),
            id,
            leader_epoch,
            fetch_offset,
            high_watermark,
            log_start,
            result: result.map(|_| Records::Slice(None)),
        };
        let partitions = replicas.into_iter().map(replica).collect();
        let fetched = FetchedPartitions { incarnation: IncarnationId(incarnation), session, sequence, partitions };
        Sent { message: PeerMessage::Partitions(fetched), sections }
    })
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![without_records(), metadata(), partitions()]
}

impl Sent {
    /// The frame without its length.
    fn frame(&self) -> Bytes {
        let sections: Vec<Vec<u8>> = self.sections.iter().map(|batches| batches.concat()).collect();
        let lengths: Vec<u64> = sections.iter().map(|section| section.len() as u64).collect();
        let mut bytes = Vec::new();
        for piece in encode_message(&self.message, &lengths).unwrap() {
            match piece {
                Piece::Bytes(piece) => bytes.extend_from_slice(&piece),
                Piece::Slice(at) => bytes.extend_from_slice(&sections[at]),
            }
        }
        bytes.split_off(4).into()
    }

    /// What the other node should see.
    fn expected(&self) -> (PeerMessage, Vec<Vec<Bytes>>) {
        (self.message.clone(), self.sections.clone())
    }
}

/// The message with its records taken out, and these.
fn seen(mut message: PeerMessage) -> (PeerMessage, Vec<Vec<Bytes>>) {
    let sections = message
        .records_mut()
        .map(|records| match std::mem::replace(records, Records::Slice(None)) {
            Records::Slice(slice) => panic!("{slice:?} is not what arrives"),
            Records::Metadata(batches) => batches,
            Records::Data(batches) => batches.into_iter().map(|batch| batch.payload.bytes().clone()).collect(),
        })
        .collect();
    (message, sections)
}

proptest! {
    #[test]
    fn a_message_arrives_as_it_was_sent(sent in sent()) {
        let Frame::Message(message) = decode_frame(&sent.frame()).unwrap() else { panic!("it is a message") };
        prop_assert_eq!(seen(*message), sent.expected());
    }

    #[test]
    fn a_frame_that_is_cut_is_refused(sent in sent(), at in any::<Index>()) {
        let frame = sent.frame();
        let at = at.index(frame.len());
        if at > 0 {
            prop_assert!(decode_frame(&frame.slice(..at)).is_err());
        }
    }

    #[test]
    fn a_frame_with_changed_bytes_is_refused_or_its_batches_are_sound(
        sent in sent(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = sent.frame().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(Frame::Message(message)) = decode_frame(&bytes.into()) {
            let (_, sections) = seen(*message);
            for batch in sections.iter().flatten() {
                prop_assert!(gracchus_core::record::check_crc(batch).is_ok());
            }
        }
    }

    #[test]
    fn any_bytes_at_all_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Hello::decode(&bytes);
        let _ = Answer::decode(&bytes);
        let _ = decode_frame(&bytes.into());
    }

    #[test]
    fn a_handshake_survives_a_round_trip(cluster_id in ".{0,40}", from in node(), to in node(), incarnation in uuid(), lane in lane(), at in option::of((".{0,40}", any::<u16>()))) {
        let hello = Hello { cluster_id: cluster_id.clone(), from, incarnation: IncarnationId(incarnation), to, lane, at };
        prop_assert_eq!(&Hello::decode(&hello.encode()[8..]).unwrap(), &hello);
        for answer in [Answer::Welcome, Answer::Refused(Refusal::OtherCluster(cluster_id)), Answer::Refused(Refusal::OtherNode(to))] {
            prop_assert_eq!(&Answer::decode(&answer.encode()[4..]).unwrap(), &answer);
        }
    }
}
