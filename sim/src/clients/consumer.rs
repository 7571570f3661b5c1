//! A consumer of one partition at a time: it reads on from where it begins, and now and then begins anew somewhere else.

use std::time::Duration;

use gracchus_core::offset::Offset;
use gracchus_core::record::check_crc;
use gracchus_net::client::{FetchPosition, FetchedPartition, WireError, fetch_request, fetched_partitions};
use kafka_wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_wire::{FetchRequest, ListOffsetsRequest};
use madsim::time::sleep;

use super::{Client, Lost, Outcome, Surroundings, Topic, Wire, client_time};
use crate::checkers::Violation;
use crate::history::{RecordId, read_records};
use crate::plan::ConsumerStart;

pub(super) struct Consumer {
    client: Client,
    start: ConsumerStart,
    seek: u32,
    position: Option<(Topic, i32, Offset)>,
}

impl Consumer {
    pub(super) fn new(client: Client, start: ConsumerStart, seek: u32) -> Self {
        Self { client, start, seek, position: None }
    }

    pub(super) async fn run(mut self) {
        while let Some(mut wire) = self.client.connect().await {
            let Err(Lost) = self.work(&mut wire).await else { return };
            self.client.surroundings.count("fetch", Outcome::Unknown);
        }
    }

    async fn work(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        while !self.client.surroundings.is_stopping() {
            match self.position.clone() {
                None => self.begin(wire).await?,
                Some((topic, index, position)) => {
                    let next = self.fetch(wire, &topic, index, position).await?;
                    let moves_on = self.client.draw.chance(self.seek);
                    self.position = next.filter(|_| !moves_on).map(|next| (topic, index, next));
                }
            }
            self.client.rest().await;
        }
        Ok(())
    }

    async fn begin(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let (topic, index) = self.client.pick_partition();
        let earliest = list_offset(&self.client.surroundings, wire, &topic, index, EARLIEST).await?;
        let latest = list_offset(&self.client.surroundings, wire, &topic, index, LATEST).await?;
        let (Some(earliest), Some(latest)) = (earliest, latest) else { return Ok(()) };
        let start = match self.start {
            ConsumerStart::Earliest => earliest,
            ConsumerStart::Latest => latest,
            ConsumerStart::Anywhere => {
                let length = u64::try_from(latest.since(earliest)).unwrap_or_default();
                earliest.plus(i64::try_from(self.client.draw.below(length + 1)).expect("within the log"))
            }
            ConsumerStart::Timestamp => {
                let age_ms = i64::try_from(self.client.draw.below(20_000)).expect("a small number");
                let found = list_offset(&self.client.surroundings, wire, &topic, index, client_time().0 - age_ms).await?;
                found.filter(|offset| offset.0 >= 0).unwrap_or(latest)
            }
        };
        self.position = Some((topic, index, start));
        Ok(())
    }

    /// Fetches once, and says where to go on; nowhere, if the position is of no use.
    async fn fetch(&mut self, wire: &mut Wire, topic: &Topic, index: i32, position: Offset) -> Result<Option<Offset>, Lost> {
        let bytes_max = self.client.draw.pick(&[1, 2_000, 50_000, 1 << 20]);
        let wanted = FetchPosition { topic: topic.key.clone(), partition: index, offset: position.0, leader_epoch: -1, bytes_max };
        let request = fetch_request(
            self.client.draw.pick(&[0, 50, 500]),
            self.client.draw.pick(&[0, 1, 1, 5_000]),
            self.client.draw.pick(&[1, 10_000, 1 << 20]),
            [wanted],
        );
        fetch_once(&self.client.surroundings, wire, topic, index, position, &request).await
    }
}

pub(super) const EARLIEST: i64 = -2;
pub(super) const LATEST: i64 = -1;

/// Asks for an offset; none if the node would not say.
pub(super) async fn list_offset(
    surroundings: &Surroundings,
    wire: &mut Wire,
    topic: &Topic,
    index: i32,
    timestamp: i64,
) -> Result<Option<Offset>, Lost> {
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
    let response = wire.ask(wire.version::<ListOffsetsRequest>()?, &request).await?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first()).expect("what was asked is answered");
    if WireError(answer.error_code) == WireError::NONE {
        surroundings.count("list offsets", Outcome::Done);
        return Ok(Some(Offset(answer.offset)));
    }
    surroundings.count("list offsets", Outcome::Refused);
    sleep(Duration::from_millis(20)).await;
    Ok(None)
}

/// Fetches from `position`, checks what comes, and says where to go on; nowhere, if the position is of no use.
pub(super) async fn fetch_once(
    surroundings: &Surroundings,
    wire: &mut Wire,
    topic: &Topic,
    index: i32,
    position: Offset,
    request: &FetchRequest,
) -> Result<Option<Offset>, Lost> {
    let power_losses = surroundings.recorder.tell(|checkers| Ok(checkers.power_losses())).unwrap_or_default();
    let read_flips = surroundings.read_flips();
    let response = wire.ask(wire.old_version::<FetchRequest>()?, request).await?;
    let fetched = fetched_partitions(response).next().filter(|fetched| fetched.error == WireError::NONE);
    let Some(fetched) = fetched else {
        surroundings.count("fetch", Outcome::Refused);
        sleep(Duration::from_millis(20)).await;
        return Ok(None);
    };
    surroundings.count("fetch", Outcome::Done);
    if surroundings.read_flips() != read_flips {
        // What stands outside of a batch's checksum, its base offset say, may be the one bit that is wrong.
        return Ok(Some(position));
    }
    let partition = topic.partition(index);
    if surroundings.is_excused(partition) {
        return Ok(None);
    }
    let read = surroundings.recorder.tell(|checkers| {
        let (records, next) =
            read(&fetched, position).map_err(|what| Violation::safety("ServesWhatWasWritten", format!("{partition}: {what}")))?;
        checkers.read(partition, &records, power_losses)?;
        Ok((records, next))
    });
    Ok(read.map(|(_, next)| next))
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
