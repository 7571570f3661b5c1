//! Produce: batches in, where they went out.

use bytes::Bytes;
use kafka_wire::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_wire::{ProduceRequest, ProduceResponse};

use super::{TopicKey, WireError};

/// What an acknowledgement waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// There is none.
    None,
    /// The leader.
    Leader,
    /// The in-sync replicas.
    All,
}

impl Acks {
    /// As requests carry it.
    #[must_use]
    pub fn on_wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// A record batch and the partition that it is for.
#[derive(Clone, Debug)]
pub struct PartitionBatch {
    /// The topic.
    pub topic: TopicKey,
    /// The partition's number.
    pub partition: i32,
    /// One whole batch: brokers refuse more than one a partition.
    pub batch: Bytes,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducedPartition {
    /// The topic: by name or id, whichever the version carries.
    pub topic: TopicKey,
    /// The partition's number.
    pub partition: i32,
    /// Whether it was appended.
    pub error: WireError,
    /// What the broker says about the error.
    pub message: Option<String>,
    /// Offset of the batch's first record.
    pub base_offset: i64,
    /// The partition's first offset.
    pub log_start_offset: i64,
}

/// A request for the batches, which name each partition once at most. The broker gives up waiting for acknowledgements after `timeout_ms`.
#[must_use]
pub fn produce_request(acks: Acks, timeout_ms: i32, batches: impl IntoIterator<Item = PartitionBatch>) -> ProduceRequest {
    let mut request = ProduceRequest::default();
    request.acks = acks.on_wire();
    request.timeout_ms = timeout_ms;
    for PartitionBatch { topic, partition, batch } in batches {
        let mut data = PartitionProduceData::default();
        data.index = partition;
        data.records = Some(batch);
        let known = request.topic_data.iter_mut().find(|known| known.name == topic.name && known.topic_id == topic.id);
        if let Some(known) = known {
            known.partition_data.push(data);
        } else {
            let mut added = TopicProduceData::default();
            added.name = topic.name;
            added.topic_id = topic.id;
            added.partition_data.push(data);
            request.topic_data.push(added);
        }
    }
    request
}

/// The answer, partition by partition.
pub fn produced_partitions(response: ProduceResponse) -> impl Iterator<Item = ProducedPartition> {
    response.responses.into_iter().flat_map(|topic| {
        let key = TopicKey { name: topic.name, id: topic.topic_id };
        topic.partition_responses.into_iter().map(move |partition| ProducedPartition {
            topic: key.clone(),
            partition: partition.index,
            error: WireError(partition.error_code),
            message: partition.error_message.map(|message| message.as_str().to_owned()),
            base_offset: partition.base_offset,
            log_start_offset: partition.log_start_offset,
        })
    })
}
