//! What the log keeps of a group of the consumer protocol, in Kafka's own schemas (`ConsumerGroupMetadataKey` and its like). Values are of
//! version 0, which is compact.
//!
//! A member is spread over three records, so that what changes often is small. What Kafka kept of topics before 4.1 (kind 4) is passed over: a
//! group finds out by itself that they have changed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::member::Standing;
use super::{Assigned, Partitions};
use crate::epoch::GroupEpoch;
use crate::group::wire::{CorruptRecord, Reader, Writer};
use crate::ids::{PartitionIndex, TopicId, TopicName, TopicPartition};
use crate::time::Timestamp;

const GROUP_KEY: i16 = 3;
const MEMBER_KEY: i16 = 5;
const TARGET_EPOCH_KEY: i16 = 6;
const TARGET_KEY: i16 = 7;
const CURRENT_KEY: i16 = 8;
const PATTERN_KEY: i16 = 16;

const VALUE: i16 = 0;

/// Of a group: what its topics looked like. Of a member: what it does as one of the classic protocol. Of partitions: since when they are assigned.
const TAG: u32 = 0;

/// A fact about a group; one without content takes the fact back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumerRecord {
    /// The group's epoch, and the group itself.
    Group(Option<KeptEpoch>),
    /// What a member subscribes to.
    Member(String, Option<KeptSubscriber>),
    /// The epoch that partitions are assigned for.
    TargetEpoch(Option<GroupEpoch>),
    /// What a member is to get.
    Target(String, Option<Partitions>),
    /// What a member has.
    Current(String, Option<KeptCurrent>),
    /// The topics that a regular expression stands for.
    Pattern(String, Option<KeptMatch>),
}

/// The epoch of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEpoch {
    /// The epoch.
    pub epoch: GroupEpoch,
    /// What the topics that are subscribed to looked like by then.
    pub topics_hash: i64,
}

/// What a member subscribes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSubscriber {
    /// Its own name for itself, if it is a static member (KIP-345).
    pub instance_id: Option<String>,
    /// Its rack.
    pub rack_id: Option<String>,
    /// Its client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// The topics that it names.
    pub topics: BTreeSet<TopicName>,
    /// A regular expression for more of them.
    pub pattern: Option<String>,
    /// How long it may take to give up partitions, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// The assignor that it would rather have.
    pub assignor: Option<String>,
    /// What it does as a member of the classic protocol, if it is one.
    pub classic: Option<KeptClassic>,
}

/// A member of the classic protocol in a group of the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptClassic {
    /// How long it may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// What it can do, the best first, with what it has to say for each.
    pub protocols: Vec<(String, Bytes)>,
}

/// What a member has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCurrent {
    /// The epoch that it has come to.
    pub epoch: GroupEpoch,
    /// The one before: what it says if it has not been told of this one.
    pub previous_epoch: GroupEpoch,
    /// What it waits for.
    pub standing: Standing,
    /// What it may use.
    pub assigned: Assigned,
    /// What it is to give up.
    pub revoking: Assigned,
}

/// The topics that a regular expression stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptMatch {
    /// The topics.
    pub topics: BTreeSet<TopicName>,
    /// When that was found.
    pub found_at: Timestamp,
}

impl ConsumerRecord {
    /// The record's key and value; none for a tombstone.
    pub(in crate::group) fn encode(&self, group: &str) -> (Vec<u8>, Option<Vec<u8>>) {
        let key = |kind, of: Option<&str>| {
            let mut key = Writer::versioned(kind);
            key.string(group);
            of.into_iter().for_each(|of| key.string(of));
            key.finish()
        };
        match self {
            Self::Group(kept) => (key(GROUP_KEY, None), kept.as_ref().map(KeptEpoch::encode)),
            Self::Member(member, kept) => (key(MEMBER_KEY, Some(member)), kept.as_ref().map(KeptSubscriber::encode)),
            Self::TargetEpoch(epoch) => (key(TARGET_EPOCH_KEY, None), epoch.map(encode_target_epoch)),
            Self::Target(member, partitions) => (key(TARGET_KEY, Some(member)), partitions.as_ref().map(encode_target)),
            Self::Current(member, kept) => (key(CURRENT_KEY, Some(member)), kept.as_ref().map(KeptCurrent::encode)),
            Self::Pattern(pattern, kept) => (key(PATTERN_KEY, Some(pattern)), kept.as_ref().map(KeptMatch::encode)),
        }
    }

    /// Reads what stands behind the kind of a key: the group, and the fact; none if it is of a kind that is not about this.
    pub(in crate::group) fn decode(kind: i16, key: &mut Reader<'_>, value: Option<&[u8]>) -> Result<Option<(String, Self)>, CorruptRecord> {
        let mut named = || Ok::<_, CorruptRecord>((key.string()?, key.string()?));
        Ok(Some(match kind {
            GROUP_KEY => (key.string()?, Self::Group(value.map(KeptEpoch::decode).transpose()?)),
            TARGET_EPOCH_KEY => (key.string()?, Self::TargetEpoch(value.map(decode_target_epoch).transpose()?)),
            MEMBER_KEY => {
                let (group, member) = named()?;
                (group, Self::Member(member, value.map(KeptSubscriber::decode).transpose()?))
            }
            TARGET_KEY => {
                let (group, member) = named()?;
                (group, Self::Target(member, value.map(decode_target).transpose()?))
            }
            CURRENT_KEY => {
                let (group, member) = named()?;
                (group, Self::Current(member, value.map(KeptCurrent::decode).transpose()?))
            }
            PATTERN_KEY => {
                let (group, pattern) = named()?;
                (group, Self::Pattern(pattern, value.map(KeptMatch::decode).transpose()?))
            }
            _ => return Ok(None),
        }))
    }
}

/// A value's reader, past its version: what later versions add is tagged, or is not known here.
fn open(value: &[u8]) -> Result<Reader<'_>, CorruptRecord> {
    Reader::versioned(value, VALUE).map(|(_, reader)| reader)
}

impl KeptEpoch {
    fn encode(&self) -> Vec<u8> {
        let mut value = Writer::compact(VALUE);
        value.int32(self.epoch.0);
        match self.topics_hash {
            0 => value.untagged(),
            hash => value.tagged(TAG, |field| field.int64(hash)),
        }
        value.finish()
    }

    fn decode(value: &[u8]) -> Result<Self, CorruptRecord> {
        let mut value = open(value)?;
        let mut kept = Self { epoch: group_epoch(&mut value, GroupEpoch::NONE)?, topics_hash: 0 };
        value.tagged(|tag, field| {
            if tag == TAG {
                kept.topics_hash = field.int64()?;
            }
            Ok(())
        })?;
        Ok(kept)
    }
}

impl KeptSubscriber {
    fn encode(&self) -> Vec<u8> {
        let mut value = Writer::compact(VALUE);
        value.nullable_string(self.instance_id.as_deref());
        value.nullable_string(self.rack_id.as_deref());
        value.string(&self.client_id);
        value.string(&self.client_host);
        value.count(self.topics.len());
        self.topics.iter().for_each(|topic| value.string(topic.as_str()));
        value.nullable_string(self.pattern.as_deref());
        value.int32(self.rebalance_timeout_ms);
        value.nullable_string(self.assignor.as_deref());
        match &self.classic {
            Some(classic) => value.tagged(TAG, |field| classic.encode(field)),
            None => value.untagged(),
        }
        value.finish()
    }

    fn decode(value: &[u8]) -> Result<Self, CorruptRecord> {
        let mut value = open(value)?;
        let mut kept = Self {
            instance_id: value.nullable_string()?,
            rack_id: value.nullable_string()?,
            client_id: value.string()?,
            client_host: value.string()?,
            topics: value.array(topic_name)?.into_iter().collect(),
            // Some clients take a subscription back by an empty one.
            pattern: value.nullable_string()?.filter(|pattern| !pattern.is_empty()),
            rebalance_timeout_ms: value.int32()?,
            assignor: value.nullable_string()?,
            classic: None,
        };
        value.tagged(|tag, field| {
            if tag == TAG {
                kept.classic = KeptClassic::decode(field)?;
            }
            Ok(())
        })?;
        Ok(kept)
    }
}

impl KeptClassic {
    /// A struct that may be null begins with a byte that says whether it is (KIP-893).
    fn encode(&self, field: &mut Writer) {
        field.int8(1);
        field.int32(self.session_timeout_ms);
        field.count(self.protocols.len());
        for (name, subscription) in &self.protocols {
            field.string(name);
            field.bytes(subscription);
            field.untagged();
        }
        field.untagged();
    }

    fn decode(field: &mut Reader<'_>) -> Result<Option<Self>, CorruptRecord> {
        if field.int8()? < 0 {
            return Ok(None);
        }
        let session_timeout_ms = field.int32()?;
        let protocols = field.array(|field| {
            let protocol = (field.string()?, field.bytes()?);
            field.tagged(|_, _| Ok(()))?;
            Ok(protocol)
        })?;
        field.tagged(|_, _| Ok(()))?;
        Ok(Some(Self { session_timeout_ms, protocols }))
    }
}

impl KeptCurrent {
    fn encode(&self) -> Vec<u8> {
        let mut value = Writer::compact(VALUE);
        value.int32(self.epoch.0);
        value.int32(self.previous_epoch.0);
        value.int8(self.standing.number());
        encode_assigned(&mut value, &self.assigned);
        encode_assigned(&mut value, &self.revoking);
        value.untagged();
        value.finish()
    }

    fn decode(value: &[u8]) -> Result<Self, CorruptRecord> {
        let mut value = open(value)?;
        let (epoch, previous_epoch) = (group_epoch(&mut value, GroupEpoch::AWAY)?, group_epoch(&mut value, GroupEpoch::AWAY)?);
        let standing = Standing::numbered(value.int8()?);
        let (assigned, revoking) = (decode_assigned(&mut value, epoch)?, decode_assigned(&mut value, epoch)?);
        value.tagged(|_, _| Ok(()))?;
        Ok(Self { epoch, previous_epoch, standing, assigned, revoking })
    }
}

impl KeptMatch {
    /// Kafka keeps the version of the metadata too, which means nothing beyond its own log.
    fn encode(&self) -> Vec<u8> {
        let mut value = Writer::compact(VALUE);
        value.count(self.topics.len());
        self.topics.iter().for_each(|topic| value.string(topic.as_str()));
        value.int64(0);
        value.int64(self.found_at.0);
        value.untagged();
        value.finish()
    }

    fn decode(value: &[u8]) -> Result<Self, CorruptRecord> {
        let mut value = open(value)?;
        let topics = value.array(topic_name)?.into_iter().collect();
        value.int64()?;
        let found_at = Timestamp(value.int64()?);
        value.tagged(|_, _| Ok(()))?;
        Ok(Self { topics, found_at })
    }
}

fn topic_name(value: &mut Reader<'_>) -> Result<TopicName, CorruptRecord> {
    Ok(TopicName::from(value.string()?.as_str()))
}

fn encode_target_epoch(epoch: GroupEpoch) -> Vec<u8> {
    let mut value = Writer::compact(VALUE);
    value.int32(epoch.0);
    value.untagged();
    value.finish()
}

fn decode_target_epoch(value: &[u8]) -> Result<GroupEpoch, CorruptRecord> {
    let mut value = open(value)?;
    let epoch = group_epoch(&mut value, GroupEpoch::NONE)?;
    value.tagged(|_, _| Ok(()))?;
    Ok(epoch)
}

fn group_epoch(value: &mut Reader<'_>, least: GroupEpoch) -> Result<GroupEpoch, CorruptRecord> {
    let epoch = GroupEpoch(value.int32()?);
    if epoch < least { Err(CorruptRecord) } else { Ok(epoch) }
}

fn encode_target(partitions: &Partitions) -> Vec<u8> {
    let mut value = Writer::compact(VALUE);
    let by_topic = by_topic(partitions.iter().map(|partition| (partition, ())));
    value.count(by_topic.len());
    for (topic, partitions) in by_topic {
        value.topic_id(topic);
        value.count(partitions.len());
        partitions.iter().for_each(|(partition, ())| value.int32(partition.0));
        value.untagged();
    }
    value.untagged();
    value.finish()
}

fn decode_target(value: &[u8]) -> Result<Partitions, CorruptRecord> {
    let mut value = open(value)?;
    let topics = value.array(|value| {
        let (topic, partitions) = (value.topic_id()?, value.array(Reader::int32)?);
        value.tagged(|_, _| Ok(()))?;
        Ok((topic, partitions))
    })?;
    value.tagged(|_, _| Ok(()))?;
    let of_topic = |(topic, partitions): (TopicId, Vec<i32>)| {
        partitions.into_iter().map(move |partition| TopicPartition { topic, partition: PartitionIndex(partition) })
    };
    Ok(topics.into_iter().flat_map(of_topic).collect())
}

/// Partitions, each with the epoch since which it is assigned (KIP-1251).
fn encode_assigned(value: &mut Writer, assigned: &Assigned) {
    let by_topic = by_topic(assigned.iter().map(|(partition, since)| (partition, *since)));
    value.count(by_topic.len());
    for (topic, partitions) in by_topic {
        value.topic_id(topic);
        value.count(partitions.len());
        partitions.iter().for_each(|(partition, _)| value.int32(partition.0));
        value.tagged(TAG, |field| {
            field.count(partitions.len());
            partitions.iter().for_each(|(_, since)| field.int32(since.0));
        });
    }
}

/// The same. Who kept no epoch with a partition has it assigned for the member's.
fn decode_assigned(value: &mut Reader<'_>, epoch: GroupEpoch) -> Result<Assigned, CorruptRecord> {
    let topics = value.array(|value| {
        let (topic, partitions) = (value.topic_id()?, value.array(Reader::int32)?);
        let mut since = Vec::new();
        value.tagged(|tag, field| {
            if tag == TAG {
                since = field.array(Reader::int32)?;
            }
            Ok(())
        })?;
        Ok((topic, partitions, since))
    })?;
    let mut assigned = Assigned::new();
    for (topic, partitions, since) in topics {
        let since = since.into_iter().map(GroupEpoch).chain(std::iter::repeat(epoch));
        assigned.extend(partitions.into_iter().map(|index| TopicPartition { topic, partition: PartitionIndex(index) }).zip(since));
    }
    Ok(assigned)
}

fn by_topic<'a, T>(partitions: impl Iterator<Item = (&'a TopicPartition, T)>) -> BTreeMap<TopicId, Vec<(PartitionIndex, T)>> {
    let mut topics: BTreeMap<TopicId, Vec<(PartitionIndex, T)>> = BTreeMap::new();
    for (id, with) in partitions {
        topics.entry(id.topic).or_default().push((id.partition, with));
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::GroupRecord;
    use crate::ids::Uuid;

    fn partition(topic: u8, index: i32) -> TopicPartition {
        TopicPartition { topic: TopicId(Uuid([topic; 16])), partition: PartitionIndex(index) }
    }

    fn subscriber() -> KeptSubscriber {
        KeptSubscriber {
            instance_id: Some("one".to_owned()),
            rack_id: None,
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
            topics: [TopicName::from("t")].into(),
            pattern: Some("a.*".to_owned()),
            rebalance_timeout_ms: 258,
            assignor: Some("range".to_owned()),
            classic: None,
        }
    }

    fn current() -> KeptCurrent {
        KeptCurrent {
            epoch: GroupEpoch(5),
            previous_epoch: GroupEpoch(4),
            standing: Standing::Unrevoked,
            assigned: [(partition(1, 0), GroupEpoch(3)), (partition(1, 1), GroupEpoch(5))].into(),
            revoking: [(partition(2, 7), GroupEpoch(2))].into(),
        }
    }

    fn all() -> Vec<ConsumerRecord> {
        let member = || "m".to_owned();
        let classic = KeptClassic { session_timeout_ms: 10, protocols: vec![("range".to_owned(), Bytes::from_static(b"topics"))] };
        vec![
            ConsumerRecord::Group(Some(KeptEpoch { epoch: GroupEpoch(5), topics_hash: -7 })),
            ConsumerRecord::Member(member(), Some(subscriber())),
            ConsumerRecord::Member(member(), Some(KeptSubscriber { classic: Some(classic), ..KeptSubscriber::default() })),
            ConsumerRecord::TargetEpoch(Some(GroupEpoch(5))),
            ConsumerRecord::Target(member(), Some([partition(1, 0), partition(2, 3)].into())),
            ConsumerRecord::Current(member(), Some(current())),
            ConsumerRecord::Pattern("a.*".to_owned(), Some(KeptMatch { topics: [TopicName::from("abc")].into(), found_at: Timestamp(9) })),
            ConsumerRecord::Group(None),
            ConsumerRecord::Member(member(), None),
            ConsumerRecord::TargetEpoch(None),
            ConsumerRecord::Target(member(), None),
            ConsumerRecord::Current(member(), None),
            ConsumerRecord::Pattern("a.*".to_owned(), None),
        ]
    }

    fn kept(record: ConsumerRecord) -> GroupRecord {
        GroupRecord::Consumer { group: "g".to_owned(), record }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for record in all().into_iter().map(kept) {
            let (key, value) = record.encode();
            assert_eq!(GroupRecord::decode(&key, value.as_deref()), Ok(Some(record)));
        }
    }

    #[test]
    fn what_is_cut_short_is_corrupt() {
        for record in all().into_iter().map(kept) {
            let (key, value) = record.encode();
            for length in 2..key.len() {
                assert_eq!(GroupRecord::decode(&key[..length], value.as_deref()), Err(CorruptRecord), "{record:?} {length}");
            }
            for length in 0..value.as_ref().map_or(0, Vec::len) {
                let value = value.as_ref().map(|value| &value[..length]);
                assert_eq!(GroupRecord::decode(&key, value), Err(CorruptRecord), "{record:?} {length}");
            }
        }
    }

    /// Laid out by hand from Kafka 4.3's schemas.
    #[test]
    fn records_have_kafkas_bytes() {
        let golden = |record: ConsumerRecord, key: &[u8], value: &[u8]| {
            let (written, content) = kept(record).encode();
            assert_eq!(written, key);
            assert_eq!(content.unwrap(), value);
        };
        let Ok([group, member, _, target_epoch, target, current, pattern, ..]) = <[_; 13]>::try_from(all()) else {
            panic!("there are thirteen")
        };
        golden(group, &[0, 3, 0, 1, b'g'], &[0, 0, 0, 0, 0, 5, 1, 0, 8, 255, 255, 255, 255, 255, 255, 255, 249]);
        let mut value = vec![0, 0, 4];
        value.extend(b"one");
        value.extend([0, 2, b'c', 3, b'/', b'h', 2, 2, b't', 4, b'a', b'.', b'*', 0, 0, 1, 2, 6]);
        value.extend(b"range");
        value.push(0);
        golden(member, &[0, 5, 0, 1, b'g', 0, 1, b'm'], &value);
        golden(target_epoch, &[0, 6, 0, 1, b'g'], &[0, 0, 0, 0, 0, 5, 0]);
        let mut value = vec![0, 0, 3];
        value.extend([1; 16]);
        value.extend([2, 0, 0, 0, 0, 0]);
        value.extend([2; 16]);
        value.extend([2, 0, 0, 0, 3, 0, 0]);
        golden(target, &[0, 7, 0, 1, b'g', 0, 1, b'm'], &value);
        let mut value = vec![0, 0, 0, 0, 0, 5, 0, 0, 0, 4, 1, 2];
        value.extend([1; 16]);
        value.extend([3, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 9, 3, 0, 0, 0, 3, 0, 0, 0, 5, 2]);
        value.extend([2; 16]);
        value.extend([2, 0, 0, 0, 7, 1, 0, 5, 2, 0, 0, 0, 2, 0]);
        golden(current, &[0, 8, 0, 1, b'g', 0, 1, b'm'], &value);
        let mut value = vec![0, 0, 2, 4];
        value.extend(b"abc");
        value.extend([0; 8]);
        value.extend([0, 0, 0, 0, 0, 0, 0, 9, 0]);
        golden(pattern, &[0, 16, 0, 1, b'g', 0, 3, b'a', b'.', b'*'], &value);
    }

    #[test]
    fn an_epoch_that_none_is_is_corrupt() {
        let read = |kind: u8, value: &[u8]| GroupRecord::decode(&[0, kind, 0, 1, b'g', 0, 1, b'm'], Some(value));
        let [before_none, before_away] = [-1_i32, -3].map(i32::to_be_bytes);
        let with = |epochs: &[[u8; 4]], rest: &[u8]| [&[0, 0], epochs.concat().as_slice(), rest].concat();
        assert_eq!(read(3, &with(&[before_none], &[0])), Err(CorruptRecord));
        assert_eq!(read(6, &with(&[before_none], &[0])), Err(CorruptRecord));
        for epochs in [[before_away, [0; 4]], [[0; 4], before_away]] {
            assert_eq!(read(8, &with(&epochs, &[0, 1, 1, 0])), Err(CorruptRecord));
        }
    }

    #[test]
    fn what_was_kept_of_topics_once_is_passed_over() {
        assert_eq!(GroupRecord::decode(&[0, 4, 0, 1, b'g'], Some(&[0, 0, 1, 0])), Ok(None));
        assert_eq!(GroupRecord::decode(&[0, 4, 0, 1, b'g'], None), Ok(None));
    }

    #[test]
    fn what_kafka_kept_without_epochs_is_assigned_for_the_members() {
        let mut value = vec![0, 0, 0, 0, 0, 5, 0, 0, 0, 4, 0, 2];
        value.extend([1; 16]);
        value.extend([2, 0, 0, 0, 3, 0, 1, 0]);
        let Ok(Some(GroupRecord::Consumer { record: ConsumerRecord::Current(_, Some(kept)), .. })) =
            GroupRecord::decode(&[0, 8, 0, 1, b'g', 0, 1, b'm'], Some(&value))
        else {
            panic!("it is a member's")
        };
        assert_eq!((kept.standing, kept.assigned), (Standing::Stable, [(partition(1, 3), GroupEpoch(5))].into()));
    }
}
