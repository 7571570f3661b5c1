//! Produce and Fetch.

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchHeader};
use gracchus_core::time::Timestamp;
use kafka_protocol::messages as wire;

use super::{Draw, encode, epoch, index, name_and_id, number, text, topic_ref};

pub(super) fn produce(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let acks = match draw.below(4) {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        2 => Ok(Acks::All),
        _ => Err(7),
    };
    let request = ProduceRequest {
        transactional_id: draw.option(Draw::text),
        acks,
        timeout_ms: draw.i32(),
        topics: draw.list(|draw| ProduceTopic {
            topic: topic_ref(version >= 13, draw),
            partitions: draw.list(|draw| ProducePartition { partition: index(draw), batch: Ok(batch(draw)) }),
        }),
    };
    let mut message = wire::ProduceRequest::default();
    message.transactional_id = request.transactional_id.as_deref().map(|id| wire::TransactionalId(text(id)));
    message.acks = match acks {
        Ok(Acks::None) => 0,
        Ok(Acks::Leader) => 1,
        Ok(Acks::All) => -1,
        Err(unknown) => unknown,
    };
    message.timeout_ms = request.timeout_ms;
    for topic in &request.topics {
        let mut data = wire::produce_request::TopicProduceData::default();
        (data.name, data.topic_id) = name_and_id(&topic.topic);
        for partition in &topic.partitions {
            let bytes = partition.batch.as_ref().expect("samples are sound").payload.bytes().clone();
            data.partition_data
                .push(wire::produce_request::PartitionProduceData::default().with_index(partition.partition.0).with_records(Some(bytes)));
        }
        message.topic_data.push(data);
    }
    (encode(&message, version), Request::Produce(request))
}

fn batch(draw: &mut Draw<'_>) -> Batch {
    let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
    for _ in 0..=draw.below(3) {
        let (key, value) = (draw.option(Draw::text), draw.text());
        builder.append(Timestamp(i64::from(draw.i16())), key.as_deref().map(str::as_bytes), Some(value.as_bytes()), &[]);
    }
    let bytes = builder.build();
    Batch { header: BatchHeader::parse(&bytes).expect("it was built"), payload: Payload::new(bytes) }
}

pub(super) fn fetch(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let by_id = version >= 13;
    let has_session = version >= 7;
    let request = FetchRequest {
        wait_ms_max: draw.i32(),
        bytes_min: draw.i32(),
        bytes_max: draw.i32(),
        read_committed: draw.flag(),
        session_id: if has_session { draw.i32() } else { 0 },
        session_epoch: if has_session { draw.i32() } else { -1 },
        topics: draw.list(|draw| FetchTopic {
            topic: topic_ref(by_id, draw),
            partitions: draw.list(|draw| FetchPartition {
                partition: index(draw),
                current_leader_epoch: epoch(version >= 9, draw),
                fetch_offset: Offset(draw.i64()),
                last_fetched_epoch: epoch(version >= 12, draw),
                partition_bytes_max: draw.i32(),
            }),
        }),
        forgotten: if has_session { draw.list(|draw| (topic_ref(by_id, draw), draw.list(index))) } else { Vec::new() },
        rack: (version >= 11).then(|| draw.text()),
    };
    let mut message = wire::FetchRequest::default();
    message.max_wait_ms = request.wait_ms_max;
    message.min_bytes = request.bytes_min;
    message.max_bytes = request.bytes_max;
    message.isolation_level = i8::from(request.read_committed);
    message.session_id = request.session_id;
    message.session_epoch = request.session_epoch;
    message.rack_id = text(request.rack.as_deref().unwrap_or_default());
    message.topics = request.topics.iter().map(|topic| fetch_topic(topic, version)).collect();
    for (topic, partitions) in &request.forgotten {
        let mut forgotten = wire::fetch_request::ForgottenTopic::default();
        (forgotten.topic, forgotten.topic_id) = name_and_id(topic);
        forgotten.partitions = partitions.iter().map(|index| index.0).collect();
        message.forgotten_topics_data.push(forgotten);
    }
    (encode(&message, version), Request::Fetch(request))
}

fn fetch_topic(topic: &FetchTopic, version: i16) -> wire::fetch_request::FetchTopic {
    let mut message = wire::fetch_request::FetchTopic::default();
    (message.topic, message.topic_id) = name_and_id(&topic.topic);
    for partition in &topic.partitions {
        let mut wanted = wire::fetch_request::FetchPartition::default();
        wanted.partition = partition.partition.0;
        wanted.current_leader_epoch = number(partition.current_leader_epoch);
        wanted.fetch_offset = partition.fetch_offset.0;
        wanted.last_fetched_epoch = number(partition.last_fetched_epoch);
        wanted.partition_max_bytes = partition.partition_bytes_max;
        // A follower's, which are passed over.
        if version >= 17 {
            wanted.replica_directory_id = uuid::Uuid::from_u128(1);
        }
        message.partitions.push(wanted);
    }
    message
}
