//! Fetch: what comes is held against what was written, and an error against what explains it.

use std::time::Duration;

use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::record::check_crc;
use gracchus_net::client::{FetchPosition, FetchedPartition, WireError, fetched_partitions};
use kafka_wire::FetchRequest;
use madsim::time::sleep;

use super::{Lost, Outcome, Surroundings, Topic, TopicKind, Wire};
use crate::checkers::{Asked, Checkers, Question, Violation};
use crate::history::{RecordId, read_records};

/// Where a consumer goes on reading a partition.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) topic: Topic,
    pub(super) index: i32,
    pub(super) next: Offset,
}

impl Position {
    pub(super) fn wanted(&self, bytes_max: i32) -> FetchPosition {
        FetchPosition { topic: self.topic.key.clone(), partition: self.index, offset: self.next.0, leader_epoch: -1, bytes_max }
    }
}

/// What comes of a fetch.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Where to go on: a position that is of no use is left out.
    pub(super) following: Vec<Position>,
    /// What the node does not have.
    pub(super) out_of_range: Vec<Position>,
    /// Replicas that the leader named to this consumer (KIP-392).
    pub(super) preferred: Vec<(TopicPartition, NodeId)>,
    /// Whether a position is for another node to serve, as it seems.
    pub(super) is_astray: bool,
}

/// Fetches from the positions that the request names, checks what comes, and says where to go on.
pub(super) async fn fetch_once(
    surroundings: &Surroundings,
    wire: &mut Wire,
    positions: Vec<Position>,
    request: &FetchRequest,
) -> Result<Fetched, Lost> {
    let version = wire.version_about::<FetchRequest>(positions.iter().map(|position| &position.topic))?;
    let asked: Vec<Asked> = positions.iter().map(|position| surroundings.ask(wire, position.topic.subject(position.index))).collect();
    let read_flips = surroundings.read_flips();
    let response = wire.ask(version, request).await?;
    // What stands outside of a batch's checksum, its base offset say, may be the one bit that is wrong.
    let is_flipped = surroundings.read_flips() != read_flips;
    let fetched: Vec<FetchedPartition> = fetched_partitions(response).collect();
    let (mut following, mut preferred, mut out_of_range) = (Vec::new(), Vec::new(), Vec::new());
    let (mut has_refused, mut is_astray) = (false, false);
    for (position, asked) in positions.into_iter().zip(&asked) {
        let is_of = |fetched: &&FetchedPartition| fetched.partition == position.index && position.topic.is_meant_by(&fetched.topic);
        let fetched = fetched.iter().find(is_of).expect("what was asked is answered");
        if fetched.error != WireError::NONE {
            has_refused = true;
            refused(surroundings, &position, asked, version, fetched.error);
            if fetched.error == WireError::OFFSET_OUT_OF_RANGE {
                out_of_range.push(position);
            } else if surroundings.is_cluster() && fetched.error.wants_metadata() {
                is_astray = true;
                // The same records are there at the next leader; a topic that has gone is not.
                following.extend((position.topic.kind != TopicKind::Passing).then_some(position));
            }
        } else if is_flipped {
            surroundings.count("fetch", Outcome::Done);
            following.push(position);
        } else {
            surroundings.count("fetch", Outcome::Done);
            let named = fetched.preferred_read_replica.map(|node| (position.topic.partition(position.index), NodeId(node)));
            preferred.extend(named);
            following.extend(check(surroundings, position, asked, fetched));
        }
    }
    if has_refused {
        sleep(Duration::from_millis(20)).await;
    }
    Ok(Fetched { following, out_of_range, preferred, is_astray })
}

fn refused(surroundings: &Surroundings, position: &Position, asked: &Asked, version: i16, error: WireError) {
    surroundings.count("fetch", Outcome::Refused);
    surroundings.refused(asked, Question::Fetch { position: position.next, version }, error);
    if position.topic.kind == TopicKind::Passing {
        surroundings.forget_passing(&position.topic);
    }
}

fn check(surroundings: &Surroundings, position: Position, asked: &Asked, fetched: &FetchedPartition) -> Option<Position> {
    let Position { topic, index, next } = position;
    let partition = topic.partition(index);
    if surroundings.is_excused(partition) {
        return None;
    }
    let read = surroundings.recorder.tell(|checkers: &mut Checkers| {
        let (records, next) = read(fetched, next).map_err(|what| Violation::safety("ServesWhatWasWritten", format!("{partition}: {what}")))?;
        if fetched.log_start_offset >= 0 {
            checkers.saw_log_start(asked, Offset(fetched.log_start_offset), Some(Offset(fetched.high_watermark)))?;
        }
        if checkers.may_serve_what_is_gone(partition, asked.node) {
            checkers.read_what_may_be_gone(partition, &records)?;
        } else {
            checkers.read(partition, &records, asked.power_losses)?;
        }
        Ok(next)
    });
    read.map(|next| Position { topic, index, next })
}

/// The records of an answer, and the position behind them; or how they do not follow each other from `position` on.
pub(super) fn read(fetched: &FetchedPartition, position: Offset) -> Result<(Vec<(Offset, RecordId)>, Offset), String> {
    let mut records = Vec::new();
    let mut next = position;
    for batch in fetched.batches() {
        let (header, bytes) = batch.map_err(|corrupt| format!("what follows {next} is no batch: {corrupt:?}"))?;
        check_crc(&bytes).map_err(|corrupt| format!("the batch at {next} is not what was written: {corrupt:?}"))?;
        let is_first = records.is_empty();
        if header.base_offset > next || (!is_first && header.base_offset != next) || header.next_offset() <= next {
            return Err(format!("the batch of {} to {} follows {next}", header.base_offset, header.last_offset()));
        }
        if header.last_offset().0 >= fetched.high_watermark {
            return Err(format!("{} is served, and the high watermark is {}", header.last_offset(), fetched.high_watermark));
        }
        records.extend(read_records(&header, &bytes)?);
        next = header.next_offset();
    }
    Ok((records, next))
}
