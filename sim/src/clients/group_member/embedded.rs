//! What consumers of the classic protocol say to each other through their coordinator: Kafka's `ConsumerProtocolSubscription` and
//! `ConsumerProtocolAssignment`, version 0. Those of the eager kind have given up all they had before they join, and say of it nothing.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gracchus_core::ids::TopicPartition;

use crate::clients::Topic;

const VERSION: i16 = 0;
/// The length of bytes that are none.
const NO_BYTES: i32 = -1;

/// Says that somebody subscribes to these topics.
pub(super) fn subscription(topics: &[Topic]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(VERSION);
    put_count(&mut bytes, topics.len());
    topics.iter().for_each(|topic| put_name(&mut bytes, topic));
    bytes.put_i32(NO_BYTES);
    bytes.freeze()
}

/// Says that somebody gets these partitions.
pub(super) fn assignment(partitions: &[(&Topic, i32)]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(VERSION);
    put_count(&mut bytes, partitions.len());
    for (topic, index) in partitions {
        put_name(&mut bytes, topic);
        put_count(&mut bytes, 1);
        bytes.put_i32(*index);
    }
    bytes.put_i32(NO_BYTES);
    bytes.freeze()
}

/// The partitions that somebody gets, of these topics. Nothing says that it gets none.
pub(super) fn read_assignment(mut bytes: Bytes, topics: &[Topic]) -> Vec<TopicPartition> {
    let mut assigned = Vec::new();
    if bytes.is_empty() {
        return assigned;
    }
    bytes.advance(2);
    for _ in 0..bytes.get_i32() {
        let name_bytes = usize::try_from(bytes.get_i16()).expect("a name has a length");
        let name = bytes.split_to(name_bytes);
        let topic = topics.iter().find(|topic| topic.key.name.as_str().as_bytes() == name);
        for _ in 0..bytes.get_i32() {
            let index = bytes.get_i32();
            assigned.extend(topic.map(|topic| topic.partition(index)));
        }
    }
    assigned
}

fn put_count(bytes: &mut BytesMut, count: usize) {
    bytes.put_i32(i32::try_from(count).expect("topics and partitions are few"));
}

fn put_name(bytes: &mut BytesMut, topic: &Topic) {
    let name = topic.key.name.as_str();
    bytes.put_i16(i16::try_from(name.len()).expect("names are short"));
    bytes.put_slice(name.as_bytes());
}
