//! What consumers of the classic protocol say to each other through their coordinator: Kafka's `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment`, of any version. A later version begins as the ones before it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::consumer::Partitions;
use super::wire::{CorruptRecord, Reader, Writer};
use crate::ids::{PartitionIndex, TopicId, TopicName, TopicPartition};
use crate::metadata::Image;

/// The first version of a subscription that tells what its member has (KIP-429).
const OWNED_FROM: i16 = 1;
/// The first that tells of which generation that is.
const GENERATION_FROM: i16 = 2;
/// The first that tells the member's rack.
const RACK_FROM: i16 = 3;

/// What a consumer subscribes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    /// Its version: the consumer is answered in the same.
    pub(super) version: i16,
    pub(super) topics: Vec<TopicName>,
    /// The partitions that it has not given up.
    owned: Vec<(TopicName, Vec<i32>)>,
    pub(super) rack_id: Option<String>,
}

impl Subscription {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, CorruptRecord> {
        let (version, mut reader) = Reader::versioned(bytes, i16::MAX)?;
        let mut parsed = Self { version, topics: reader.array(topic_name)?, owned: Vec::new(), rack_id: None };
        // Some clients say a later version and end early.
        if reader.is_at_end() {
            return Ok(parsed);
        }
        reader.nullable_bytes()?;
        if version >= OWNED_FROM && !reader.is_at_end() {
            parsed.owned = reader.array(topic_partitions)?;
        }
        if version >= GENERATION_FROM && !reader.is_at_end() {
            reader.int32()?;
        }
        if version >= RACK_FROM && !reader.is_at_end() {
            parsed.rack_id = reader.nullable_string()?;
        }
        Ok(parsed)
    }

    /// The partitions that it has, of topics that there are. One of the eager kind has given up all before it joins.
    pub(super) fn owned(&self, image: &Image) -> Partitions {
        by_id(&self.owned, image)
    }
}

/// What an assignment gives, of topics that there are; nothing, if it is empty.
pub(super) fn parse_assignment(bytes: &[u8], image: &Image) -> Result<Partitions, CorruptRecord> {
    if bytes.is_empty() {
        return Ok(Partitions::new());
    }
    let (_, mut reader) = Reader::versioned(bytes, i16::MAX)?;
    Ok(by_id(&reader.array(topic_partitions)?, image))
}

/// An assignment of these partitions, in a subscription's version.
pub(super) fn assignment<'a>(partitions: impl Iterator<Item = &'a TopicPartition>, version: i16, image: &Image) -> Bytes {
    let mut topics: BTreeMap<TopicId, Vec<PartitionIndex>> = BTreeMap::new();
    for id in partitions.filter(|id| image.topics.contains_key(&id.topic)) {
        topics.entry(id.topic).or_default().push(id.partition);
    }
    let mut value = Writer::versioned(version);
    value.count(topics.len());
    for (topic, partitions) in topics {
        value.string(image.topics.get(&topic).map(|topic| topic.name.as_str()).unwrap_or_default());
        value.count(partitions.len());
        partitions.iter().for_each(|index| value.int32(index.0));
    }
    value.null_bytes();
    value.finish().into()
}

fn topic_name(reader: &mut Reader<'_>) -> Result<TopicName, CorruptRecord> {
    Ok(TopicName::from(reader.string()?.as_str()))
}

fn topic_partitions(reader: &mut Reader<'_>) -> Result<(TopicName, Vec<i32>), CorruptRecord> {
    Ok((topic_name(reader)?, reader.array(Reader::int32)?))
}

fn by_id(named: &[(TopicName, Vec<i32>)], image: &Image) -> Partitions {
    let known = named.iter().filter_map(|(name, indexes)| Some((*image.topic_ids.get(name)?, indexes)));
    let of_topic = |(topic, indexes): (TopicId, &Vec<i32>)| {
        let indexes = indexes.clone().into_iter();
        indexes.map(move |index| TopicPartition { topic, partition: PartitionIndex(index) })
    };
    known.flat_map(of_topic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Java's `ConsumerProtocol` writes it.
    const SUBSCRIPTION: &[u8] = b"\0\x03\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x02\0\0\0\x07\0\x01r";

    fn image() -> Image {
        let mut image = Image::default();
        let topic = crate::metadata::Topic { name: TopicName::from("t"), partitions: BTreeMap::new(), was_replicated: false };
        image.topics.insert(TopicId::default(), topic);
        image.topic_ids.insert(TopicName::from("t"), TopicId::default());
        image
    }

    #[test]
    fn a_subscription_is_understood() {
        let parsed = Subscription::parse(SUBSCRIPTION).unwrap();
        assert_eq!((parsed.version, parsed.topics.len(), parsed.rack_id.as_deref()), (3, 1, Some("r")));
        let owned = parsed.owned(&image());
        assert_eq!(owned.iter().map(|id| id.partition.0).collect::<Vec<_>>(), [2]);
        assert!(parsed.owned(&Image::default()).is_empty(), "the topic is gone");
        assert!(Subscription::parse(b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff").is_ok(), "it ends early");
        assert!(Subscription::parse(b"\0\x03\0\0\0\x02\0\x01t").is_err());
        assert!(Subscription::parse(b"").is_err());
    }

    #[test]
    fn an_assignment_is_written_as_it_is_read() {
        let id = TopicPartition { topic: TopicId::default(), partition: PartitionIndex(2) };
        let written = assignment([id].iter(), 1, &image());
        assert_eq!(&written[..], b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x02\xff\xff\xff\xff");
        assert_eq!(parse_assignment(&written, &image()), Ok([id].into()));
        assert_eq!(parse_assignment(b"", &image()), Ok(Partitions::new()));
        assert!(parse_assignment(b"\0", &image()).is_err());
    }
}
