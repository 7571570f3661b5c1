//! ListOffsets: where a log starts and ends, and where a record is by its time.

use std::time::Duration;

use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;
use gracchus_net::client::WireError;
use kafka_wire::ListOffsetsRequest;
use kafka_wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_wire::list_offsets_response::ListOffsetsPartitionResponse;
use madsim::time::sleep;

use super::{Client, Lost, Outcome, Surroundings, Topic, Wire, client_time};
use crate::checkers::{Asked, Question, TimeTarget};

/// The log's start.
pub(super) const EARLIEST: i64 = -2;
/// Its high watermark.
pub(super) const LATEST: i64 = -1;
/// The record with the largest timestamp (KIP-734).
const MAX_TIMESTAMP: i64 = -3;

/// How long ago the records are at most that are looked for by time, in milliseconds.
const AGE_MS_MAX: u64 = 20_000;

/// Asks for an offset; none if the node would not say. -1 stands for no such record.
pub(super) async fn list_offset(
    surroundings: &Surroundings,
    wire: &mut Wire,
    topic: &Topic,
    index: i32,
    timestamp: i64,
) -> Result<Option<Offset>, Lost> {
    let asked = surroundings.ask(wire, topic.subject(index));
    let read_flips = surroundings.read_flips();
    let response = wire.ask(wire.version::<ListOffsetsRequest>()?, &request(topic, index, timestamp)).await?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first()).expect("what was asked is answered");
    let error = WireError(answer.error_code);
    if error == WireError::NONE {
        surroundings.count("list offsets", Outcome::Done);
        if surroundings.read_flips() == read_flips {
            check(surroundings, &asked, timestamp, answer);
        }
        return Ok(Some(Offset(answer.offset)));
    }
    surroundings.count("list offsets", Outcome::Refused);
    surroundings.refused(&asked, Question::ListOffsets, error);
    sleep(Duration::from_millis(20)).await;
    Ok(None)
}

fn request(topic: &Topic, index: i32, timestamp: i64) -> ListOffsetsRequest {
    let mut partition = ListOffsetsPartition::default();
    partition.partition_index = index;
    partition.current_leader_epoch = -1;
    partition.timestamp = timestamp;
    let mut asked = ListOffsetsTopic::default();
    asked.name = topic.key.name.clone();
    asked.partitions.push(partition);
    let mut request = ListOffsetsRequest::default();
    request.replica_id = -1;
    request.topics.push(asked);
    request
}

fn check(surroundings: &Surroundings, asked: &Asked, timestamp: i64, answer: &ListOffsetsPartitionResponse) {
    let found = (answer.offset >= 0).then_some((Offset(answer.offset), Timestamp(answer.timestamp)));
    surroundings.recorder.tell(|checkers| match timestamp {
        EARLIEST => checkers.saw_log_start(asked, Offset(answer.offset), None),
        LATEST => Ok(()),
        MAX_TIMESTAMP => checkers.found_by_time(asked, TimeTarget::Max, found),
        timestamp => checkers.found_by_time(asked, TimeTarget::AtLeast(Timestamp(timestamp)), found),
    });
}

impl Client {
    /// Looks for a record by its time: one that may have been made lately, or the latest. What is found is checked.
    pub(super) async fn look_up_time(&mut self, wire: &mut Wire, topic: &Topic, index: i32) -> Result<Option<Offset>, Lost> {
        let age_ms = i64::try_from(self.draw.below(AGE_MS_MAX)).expect("a small number");
        let timestamp = if self.draw.chance(250_000) { MAX_TIMESTAMP } else { client_time().0 - age_ms };
        list_offset(&self.surroundings, wire, topic, index, timestamp).await
    }
}
