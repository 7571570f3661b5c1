//! What consumers of the classic protocol say to each other through their coordinator: Kafka's `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment`. Those of the eager kind have given up all they had before they join, and say of it nothing (version 0); those of
//! the cooperative kind say what they have (version 1).

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gracchus_core::ids::TopicPartition;

use crate::clients::Topic;

const VERSION: i16 = 0;
/// The first version of a subscription that says what its member has.
const VERSION_WITH_OWNED: i16 = 1;
/// The length of bytes that are none.
const NO_BYTES: i32 = -1;

/// Says that somebody subscribes to these topics and, one of the cooperative kind, has these partitions of them.
pub(super) fn subscription(topics: &[Topic], owned: Option<&BTreeSet<TopicPartition>>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(if owned.is_some() { VERSION_WITH_OWNED } else { VERSION });
    put_count(&mut bytes, topics.len());
    topics.iter().for_each(|topic| put_name(&mut bytes, topic));
    bytes.put_i32(NO_BYTES);
    if let Some(owned) = owned {
        let all = topics.iter().flat_map(|topic| (0..topic.partitions).map(move |index| (topic, index)));
        let owned: Vec<(&Topic, i32)> = all.filter(|(topic, index)| owned.contains(&topic.partition(*index))).collect();
        put_partitions(&mut bytes, &owned);
    }
    bytes.freeze()
}

/// What somebody who subscribes says to have, of these topics.
pub(super) fn read_owned(mut bytes: Bytes, topics: &[Topic]) -> Vec<TopicPartition> {
    if bytes.get_i16() < VERSION_WITH_OWNED {
        return Vec::new();
    }
    for _ in 0..bytes.get_i32() {
        get_name(&mut bytes);
    }
    bytes.advance(4);
    get_partitions(&mut bytes, topics)
}

/// Says that somebody gets these partitions.
pub(super) fn assignment(partitions: &[(&Topic, i32)]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(VERSION);
    put_partitions(&mut bytes, partitions);
    bytes.put_i32(NO_BYTES);
    bytes.freeze()
}

/// The partitions that somebody gets, of these topics. Nothing says that it gets none.
pub(super) fn read_assignment(mut bytes: Bytes, topics: &[Topic]) -> Vec<TopicPartition> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.advance(2);
    get_partitions(&mut bytes, topics)
}

fn put_partitions(bytes: &mut BytesMut, partitions: &[(&Topic, i32)]) {
    put_count(bytes, partitions.len());
    for (topic, index) in partitions {
        put_name(bytes, topic);
        put_count(bytes, 1);
        bytes.put_i32(*index);
    }
}

fn get_partitions(bytes: &mut Bytes, topics: &[Topic]) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for _ in 0..bytes.get_i32() {
        let name = get_name(bytes);
        let topic = topics.iter().find(|topic| topic.key.name.as_str().as_bytes() == name);
        for _ in 0..bytes.get_i32() {
            let index = bytes.get_i32();
            partitions.extend(topic.map(|topic| topic.partition(index)));
        }
    }
    partitions
}

fn get_name(bytes: &mut Bytes) -> Bytes {
    let name_bytes = usize::try_from(bytes.get_i16()).expect("a name has a length");
    bytes.split_to(name_bytes)
}

fn put_count(bytes: &mut BytesMut, count: usize) {
    bytes.put_i32(i32::try_from(count).expect("topics and partitions are few"));
}

fn put_name(bytes: &mut BytesMut, topic: &Topic) {
    let name = topic.key.name.as_str();
    bytes.put_i16(i16::try_from(name.len()).expect("names are short"));
    bytes.put_slice(name.as_bytes());
}
