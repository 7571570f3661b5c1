//! Fetch: positions in, batches out.

use bytes::Bytes;
use gracchus_core::record::{BatchHeader, CorruptBatch};
use kafka_wire::fetch_request::{FetchPartition, FetchTopic};
use kafka_wire::{FetchRequest, FetchResponse};

use super::{TopicKey, WireError};

/// Where to go on reading a partition.
#[derive(Clone, Debug)]
pub struct FetchPosition {
    /// The topic.
    pub topic: TopicKey,
    /// The partition's number.
    pub partition: i32,
    /// The next offset wanted.
    pub offset: i64,
    /// The leader epoch that the client believes in, or -1.
    pub leader_epoch: i32,
    /// How many bytes of this partition to answer with; the first batch comes whole all the same.
    pub bytes_max: i32,
}

/// What was read of a partition.
#[derive(Clone, Debug)]
pub struct FetchedPartition {
    /// The topic: by name or id, whichever the version carries.
    pub topic: TopicKey,
    /// The partition's number.
    pub partition: i32,
    /// Whether it was read.
    pub error: WireError,
    /// The replica that the leader would have this client read from (KIP-392).
    pub preferred_read_replica: Option<i32>,
    /// The offset behind the last committed record.
    pub high_watermark: i64,
    /// The partition's first offset.
    pub log_start_offset: i64,
    /// Batches as they lie in the log, the last one perhaps cut short.
    pub records: Bytes,
}

/// A request outside of any fetch session: it waits `wait_ms_max` for `bytes_min` bytes and is answered with about `bytes_max`.
#[must_use]
pub fn fetch_request(wait_ms_max: i32, bytes_min: i32, bytes_max: i32, positions: impl IntoIterator<Item = FetchPosition>) -> FetchRequest {
    let mut request = FetchRequest::default();
    request.max_wait_ms = wait_ms_max;
    request.min_bytes = bytes_min;
    request.max_bytes = bytes_max;
    request.session_epoch = -1;
    for position in positions {
        let mut wanted = FetchPartition::default();
        wanted.partition = position.partition;
        wanted.current_leader_epoch = position.leader_epoch;
        wanted.fetch_offset = position.offset;
        wanted.partition_max_bytes = position.bytes_max;
        let topic = position.topic;
        let known = request.topics.iter_mut().find(|known| known.topic == topic.name && known.topic_id == topic.id);
        if let Some(known) = known {
            known.partitions.push(wanted);
        } else {
            let mut added = FetchTopic::default();
            added.topic = topic.name;
            added.topic_id = topic.id;
            added.partitions.push(wanted);
            request.topics.push(added);
        }
    }
    request
}

/// The answer, partition by partition.
pub fn fetched_partitions(response: FetchResponse) -> impl Iterator<Item = FetchedPartition> {
    response.responses.into_iter().flat_map(|topic| {
        let key = TopicKey { name: topic.topic, id: topic.topic_id };
        topic.partitions.into_iter().map(move |partition| FetchedPartition {
            topic: key.clone(),
            partition: partition.partition_index,
            error: WireError(partition.error_code),
            preferred_read_replica: Some(partition.preferred_read_replica).filter(|node| *node >= 0),
            high_watermark: partition.high_watermark,
            log_start_offset: partition.log_start_offset,
            records: partition.records.unwrap_or_default(),
        })
    })
}

impl FetchedPartition {
    /// The whole batches; a last one that was cut short is left out.
    #[must_use]
    pub fn batches(&self) -> Batches {
        Batches { rest: self.records.clone() }
    }
}

/// The whole batches at the start of some bytes, each with its header. Checksums are not checked.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
}

impl Iterator for Batches {
    type Item = Result<(BatchHeader, Bytes), CorruptBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match BatchHeader::parse(&self.rest) {
            Ok(header) => {
                let batch_bytes = usize::try_from(header.batch_bytes).expect("a batch that is in memory has a length that fits");
                Some(Ok((header, self.rest.split_to(batch_bytes))))
            }
            Err(CorruptBatch::Short { .. }) => {
                self.rest.clear();
                None
            }
            Err(corrupt) => {
                self.rest.clear();
                Some(Err(corrupt))
            }
        }
    }
}
