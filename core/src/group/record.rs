//! The records of `__consumer_offsets`, in Kafka's own schemas (`OffsetCommitKey`, `GroupMetadataKey` and their values), for the tools that read
//! them. Those of groups of the consumer protocol are in [`super::consumer`].
//!
//! A key says by its version what the record is about. Values are written in the highest version that is not compact, as Kafka's are, and read
//! in all.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::consumer::ConsumerRecord;
use super::wire::{CorruptRecord, Reader, Writer};
use crate::epoch::LeaderEpoch;
use crate::ids::{PartitionIndex, TopicId, TopicName};
use crate::offset::Offset;
use crate::time::Timestamp;

const OFFSET_KEY_OLD: i16 = 0;
const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const OFFSET_VALUE: i16 = 3;
const EXPIRING_OFFSET_VALUE: i16 = 1;
const GROUP_VALUE: i16 = 3;
/// The first version of both values that is compact, which is the last that there is.
const COMPACT_FROM: i16 = 4;

/// Something that a group's coordinator has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupRecord {
    /// How far a group has come in a partition; none takes that back.
    Offset {
        /// The group.
        group: String,
        /// The partition's topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionIndex,
        /// How far it has come.
        committed: Option<CommittedOffset>,
    },
    /// What a group of the classic protocol is; none takes the group back.
    Classic {
        /// The group.
        group: String,
        /// What it is.
        kept: Option<KeptGroup>,
    },
    /// A fact about a group of the consumer protocol.
    Consumer {
        /// The group.
        group: String,
        /// The fact.
        record: ConsumerRecord,
    },
}

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedOffset {
    /// The next record to be read.
    pub offset: Offset,
    /// The epoch of the record before it, if that was said (KIP-320).
    pub leader_epoch: Option<LeaderEpoch>,
    /// Whatever the client wanted to have kept with it.
    pub metadata: String,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// When it expires, if whoever committed it has said so: old clients do.
    pub expires_at: Option<Timestamp>,
    /// The topic that was meant, of whatever name, if that was said.
    pub topic_id: Option<TopicId>,
}

/// A group of the classic protocol, as its log keeps it: with members since their last assignment, or without any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptGroup {
    /// What its members are: `consumer`, `connect`, or whatever they say.
    pub protocol_type: String,
    /// Counts rebalances.
    pub generation: i32,
    /// What its members have agreed on.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: Option<String>,
    /// Since when it is as it is.
    pub since: Timestamp,
    /// Its members.
    pub members: Vec<KeptMember>,
}

/// A member as its group's log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptMember {
    /// Its id, which the coordinator gave it.
    pub member_id: String,
    /// Its own name for itself, if it is a static member (KIP-345).
    pub instance_id: Option<String>,
    /// Its client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// How long a rebalance waits for it, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// What it had to say for the protocol that was chosen.
    pub subscription: Bytes,
    /// What the leader assigned to it.
    pub assignment: Bytes,
}

impl GroupRecord {
    /// The record's key and value; none for a tombstone.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        match self {
            Self::Offset { group, topic, partition, committed } => {
                let mut key = Writer::versioned(OFFSET_KEY);
                key.string(group);
                key.string(topic.as_str());
                key.int32(partition.0);
                (key.finish(), committed.as_ref().map(CommittedOffset::encode))
            }
            Self::Classic { group, kept } => {
                let mut key = Writer::versioned(GROUP_KEY);
                key.string(group);
                (key.finish(), kept.as_ref().map(KeptGroup::encode))
            }
            Self::Consumer { group, record } => record.encode(group),
        }
    }

    /// Reads a record; none if it is of a kind that this release does not know.
    ///
    /// # Errors
    /// [`CorruptRecord`].
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, CorruptRecord> {
        let (kind, mut key) = Reader::versioned(key, i16::MAX)?;
        Ok(match kind {
            OFFSET_KEY_OLD | OFFSET_KEY => {
                let (group, topic, partition) = (key.string()?, key.string()?, key.int32()?);
                let committed = value.map(CommittedOffset::decode).transpose()?;
                Some(Self::Offset { group, topic: TopicName::from(topic.as_str()), partition: PartitionIndex(partition), committed })
            }
            GROUP_KEY => Some(Self::Classic { group: key.string()?, kept: value.map(KeptGroup::decode).transpose()? }),
            _ => ConsumerRecord::decode(kind, &mut key, value)?.map(|(group, record)| Self::Consumer { group, record }),
        })
    }
}

impl CommittedOffset {
    fn encode(&self) -> Vec<u8> {
        if let Some(expires_at) = self.expires_at {
            // Only that version says when an offset expires.
            let mut value = Writer::versioned(EXPIRING_OFFSET_VALUE);
            value.int64(self.offset.0);
            value.string(&self.metadata);
            value.int64(self.committed_at.0);
            value.int64(expires_at.0);
            return value.finish();
        }
        let mut value = Writer::versioned(OFFSET_VALUE);
        value.int64(self.offset.0);
        value.int32(self.leader_epoch.map_or(-1, |epoch| epoch.0));
        value.string(&self.metadata);
        value.int64(self.committed_at.0);
        value.finish()
    }

    fn decode(value: &[u8]) -> Result<Self, CorruptRecord> {
        let (version, mut value) = Reader::versioned(value, COMPACT_FROM)?;
        let offset = Offset(value.int64()?);
        let leader_epoch = if version >= 3 { value.int32()? } else { -1 };
        let (metadata, committed_at) = (value.string()?, Timestamp(value.int64()?));
        let expires_at = if version == 1 { value.int64()? } else { -1 };
        let mut topic_id = None;
        value.tagged(|tag, field| {
            if tag == 0 {
                topic_id = Some(field.topic_id()?);
            }
            Ok(())
        })?;
        Ok(Self {
            offset,
            leader_epoch: (leader_epoch >= 0).then_some(LeaderEpoch(leader_epoch)),
            metadata,
            committed_at,
            expires_at: (expires_at >= 0).then_some(Timestamp(expires_at)),
            topic_id,
        })
    }
}

impl KeptGroup {
    fn encode(&self) -> Vec<u8> {
        let mut value = Writer::versioned(GROUP_VALUE);
        value.string(&self.protocol_type);
        value.int32(self.generation);
        value.nullable_string(self.protocol.as_deref());
        value.nullable_string(self.leader.as_deref());
        value.int64(self.since.0);
        value.count(self.members.len());
        for member in &self.members {
            value.string(&member.member_id);
            value.nullable_string(member.instance_id.as_deref());
            value.string(&member.client_id);
            value.string(&member.client_host);
            value.int32(member.rebalance_timeout_ms);
            value.int32(member.session_timeout_ms);
            value.bytes(&member.subscription);
            value.bytes(&member.assignment);
        }
        value.finish()
    }

    fn decode(value: &[u8]) -> Result<Self, CorruptRecord> {
        let (version, mut value) = Reader::versioned(value, COMPACT_FROM)?;
        let (protocol_type, generation) = (value.string()?, value.int32()?);
        let (protocol, leader) = (value.nullable_string()?, value.nullable_string()?);
        let since = Timestamp(if version >= 2 { value.int64()? } else { -1 });
        let members = value.array(|value| KeptMember::decode(version, value))?;
        value.tagged(|_, _| Ok(()))?;
        Ok(Self { protocol_type, generation, protocol, leader, since, members })
    }
}

impl KeptMember {
    fn decode(version: i16, value: &mut Reader<'_>) -> Result<Self, CorruptRecord> {
        let member_id = value.string()?;
        let instance_id = if version >= 3 { value.nullable_string()? } else { None };
        let (client_id, client_host) = (value.string()?, value.string()?);
        let rebalance_timeout_ms = if version >= 1 { Some(value.int32()?) } else { None };
        let session_timeout_ms = value.int32()?;
        let (subscription, assignment) = (value.bytes()?, value.bytes()?);
        value.tagged(|_, _| Ok(()))?;
        // Where there is no rebalance timeout it was the session's.
        let rebalance_timeout_ms = rebalance_timeout_ms.unwrap_or(session_timeout_ms);
        Ok(Self { member_id, instance_id, client_id, client_host, rebalance_timeout_ms, session_timeout_ms, subscription, assignment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> CommittedOffset {
        CommittedOffset {
            offset: Offset(42),
            leader_epoch: Some(LeaderEpoch(7)),
            metadata: "where I was".to_owned(),
            committed_at: Timestamp(1_700_000_000_000),
            expires_at: None,
            topic_id: None,
        }
    }

    fn offset(committed: Option<CommittedOffset>) -> GroupRecord {
        GroupRecord::Offset { group: "readers".to_owned(), topic: TopicName::from("orders"), partition: PartitionIndex(3), committed }
    }

    fn kept() -> KeptGroup {
        let member = KeptMember {
            member_id: "consumer-1".to_owned(),
            instance_id: Some("first".to_owned()),
            client_id: "consumer".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            rebalance_timeout_ms: 300_000,
            session_timeout_ms: 45_000,
            subscription: Bytes::from_static(b"topics"),
            assignment: Bytes::from_static(b"partitions"),
        };
        KeptGroup {
            protocol_type: "consumer".to_owned(),
            generation: 5,
            protocol: Some("range".to_owned()),
            leader: Some("consumer-1".to_owned()),
            since: Timestamp(12),
            members: vec![member],
        }
    }

    fn back(record: &GroupRecord) -> Option<GroupRecord> {
        let (key, value) = record.encode();
        GroupRecord::decode(&key, value.as_deref()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let empty = KeptGroup { protocol: None, leader: None, members: Vec::new(), ..kept() };
        for record in [
            offset(Some(committed())),
            offset(Some(CommittedOffset { leader_epoch: None, ..committed() })),
            offset(Some(CommittedOffset { leader_epoch: None, expires_at: Some(Timestamp(77)), ..committed() })),
            offset(None),
            GroupRecord::Classic { group: "readers".to_owned(), kept: Some(kept()) },
            GroupRecord::Classic { group: "readers".to_owned(), kept: Some(empty) },
            GroupRecord::Classic { group: "readers".to_owned(), kept: None },
        ] {
            assert_eq!(back(&record), Some(record));
        }
    }

    /// As `kafka-dump-log.sh` shows them: key version 1 and value version 3.
    #[test]
    fn an_offset_has_kafkas_bytes() {
        let record = GroupRecord::Offset {
            group: "g".to_owned(),
            topic: TopicName::from("t"),
            partition: PartitionIndex(2),
            committed: Some(CommittedOffset { metadata: "m".to_owned(), committed_at: Timestamp(1), ..committed() }),
        };
        let (key, value) = record.encode();
        assert_eq!(key, [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 2]);
        assert_eq!(value.unwrap(), [0, 3, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 7, 0, 1, b'm', 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn older_and_newer_values_are_read() {
        let key = [0, 0, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 2];
        let read = |value: &[u8]| match GroupRecord::decode(&key, Some(value)).unwrap().unwrap() {
            GroupRecord::Offset { committed, .. } => committed.unwrap(),
            GroupRecord::Classic { .. } | GroupRecord::Consumer { .. } => panic!("it is an offset"),
        };
        let with_expiry = [0, 1, 0, 0, 0, 0, 0, 0, 0, 42, 0, 1, b'm', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9];
        let old = read(&with_expiry);
        assert_eq!((old.offset, old.leader_epoch, old.expires_at), (Offset(42), None, Some(Timestamp(9))));
        let mut compact = vec![0, 4, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 7, 2, b'm', 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 16];
        compact.extend([5; 16]);
        compact.extend([9, 1, 0]);
        let new = read(&compact);
        assert_eq!((new.metadata.as_str(), new.topic_id), ("m", Some(TopicId(crate::ids::Uuid([5; 16])))));
    }

    #[test]
    fn what_is_cut_short_is_corrupt() {
        for record in [offset(Some(committed())), GroupRecord::Classic { group: "readers".to_owned(), kept: Some(kept()) }] {
            let (key, value) = record.encode();
            let value = value.unwrap();
            for length in 0..value.len() {
                assert_eq!(GroupRecord::decode(&key, value.get(..length)), Err(CorruptRecord), "{length}");
            }
            for length in 0..key.len() {
                assert_eq!(GroupRecord::decode(key.get(..length).unwrap(), Some(&value)), Err(CorruptRecord), "{length}");
            }
        }
    }

    #[test]
    fn a_count_that_claims_much_sets_nothing_aside() {
        let mut value = Writer::versioned(GROUP_VALUE);
        value.string("consumer");
        value.int32(1);
        value.nullable_string(None);
        value.nullable_string(None);
        value.int64(0);
        value.int32(i32::MAX);
        assert_eq!(GroupRecord::decode(&[0, 2, 0, 1, b'g'], Some(&value.finish())), Err(CorruptRecord));
    }

    #[test]
    fn kinds_of_later_releases_are_passed_over() {
        assert_eq!(GroupRecord::decode(&[0, 99, 1, 2, 3], Some(&[1])), Ok(None));
    }
}
