//! Control records against kafka-protocol's messages.

use bytes::{Bytes, BytesMut};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{DirectoryId, NodeId, Uuid};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, ControlRecord, EndTransaction, HEADER_BYTES, LeaderChange, Records, Voter};
use gracchus_core::time::Timestamp;
use kafka_protocol::messages::leader_change_message::Voter as OracleVoter;
use kafka_protocol::messages::{EndTxnMarker, LeaderChangeMessage};
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn the_oracle_reads_our_leader_changes(change in leader_change()) {
        let (key, value) = ControlRecord::LeaderChange(change.clone()).encode();
        prop_assert_eq!(key, [0, 0, 0, 2]);
        let mut value = Bytes::from(value);
        let read = LeaderChangeMessage::decode(&mut value, 1).expect("the oracle reads what we write");
        prop_assert!(value.is_empty());
        prop_assert_eq!(read, oracle(&change, 1));
    }

    #[test]
    fn we_read_the_oracles_leader_changes(change in leader_change(), version in 0..=1i16) {
        let mut value = BytesMut::new();
        oracle(&change, version).encode(&mut value, version).expect("the oracle writes");
        let known = if version == 0 { without_directories(&change) } else { change };
        prop_assert_eq!(read(2, &value), Some(ControlRecord::LeaderChange(known)));
    }

    #[test]
    fn markers_are_the_oracles_behind_their_version(coordinator_epoch in any::<i32>(), commits in any::<bool>()) {
        let mut expected = BytesMut::from(&[0, 0][..]);
        EndTxnMarker::default().with_coordinator_epoch(coordinator_epoch).encode(&mut expected, 0).expect("the oracle writes");
        let end = EndTransaction { coordinator_epoch };
        let marker = if commits { ControlRecord::Commit(end) } else { ControlRecord::Abort(end) };
        let (_, value) = marker.encode();
        prop_assert_eq!(&value[..], &expected[..]);
        prop_assert_eq!(read(u8::from(commits), &expected), Some(marker));
    }

    #[test]
    fn random_values_never_panic(kind in 0..8u8, value in vec(any::<u8>(), 0..100)) {
        let _ = read(kind, &value);
    }
}

fn leader_change() -> impl Strategy<Value = LeaderChange> {
    let voter =
        || (0..i32::MAX, any::<[u8; 16]>()).prop_map(|(node, directory)| Voter { node: NodeId(node), directory: DirectoryId(Uuid(directory)) });
    // More than 127 voters take a length of two bytes.
    (0..i32::MAX, prop_oneof![vec(voter(), 0..5), vec(voter(), 120..140)], vec(voter(), 0..5))
        .prop_map(|(leader, voters, granting_voters)| LeaderChange { leader: NodeId(leader), voters, granting_voters })
}

fn oracle(change: &LeaderChange, version: i16) -> LeaderChangeMessage {
    let voter = |voter: &Voter| {
        let directory = if version == 0 { Uuid::ZERO } else { voter.directory.0 };
        OracleVoter::default()
            .with_voter_id(voter.node.0)
            .with_voter_directory_id(directory.0.to_vec().try_into().expect("a directory id has 16 bytes"))
    };
    LeaderChangeMessage::default()
        .with_version(version)
        .with_leader_id(change.leader.0.into())
        .with_voters(change.voters.iter().map(voter).collect())
        .with_granting_voters(change.granting_voters.iter().map(voter).collect())
}

fn without_directories(change: &LeaderChange) -> LeaderChange {
    let forget = |voters: &[Voter]| voters.iter().map(|voter| Voter { directory: DirectoryId::default(), ..*voter }).collect();
    LeaderChange { leader: change.leader, voters: forget(&change.voters), granting_voters: forget(&change.granting_voters) }
}

/// Reads a control record by way of a batch.
fn read(kind: u8, value: &[u8]) -> Option<ControlRecord> {
    let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::FIRST).control();
    builder.append(Timestamp(0), Some(&[0, 0, 0, kind]), Some(value), &[]);
    let batch = builder.build();
    let record = Records::new(batch.get(HEADER_BYTES..)?).next()?.ok()?;
    ControlRecord::parse(&record).ok()
}
