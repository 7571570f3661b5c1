//! What a run does before and after: it makes the topics, and when all is healed it asks each partition for a write, a read, and its whole log.

use std::sync::Mutex;
use std::time::Duration;

use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::record::Codec;
use gracchus_net::client::{
    Acks, FetchPosition, PartitionBatch, WireError, fetch_request, fetched_partitions, produce_request, produced_partitions,
};
use kafka_wire::{FetchRequest, ProduceRequest};
use madsim::time::sleep;

use super::offsets::{EARLIEST, LATEST, list_offset};
use super::reading::read;
use super::{Client, Lost, Topic, TopicKind, Wire, admin, client_time};
use crate::checkers::{Checkers, SessionKind, Violation};
use crate::history::{Batch, RecordId};
use crate::plan::TopicPlan;
use crate::platform::clock::simulated_time;
use crate::platform::lock;

/// How long a fetch waits for a record, in milliseconds.
const FETCH_WAIT_MS: i32 = 2_500;
/// How soon after the acknowledgement of a write a fetch that waits for it has to return, in milliseconds.
const FETCH_WAKE_MS_MAX: u64 = 1_000;
/// Bytes of a log that are asked for at once: a connection with a small window and a long way takes seconds for more.
const READ_BYTES: i32 = 64 << 10;
/// Times that are looked for in a log that was read as a whole.
const TIME_LOOKUPS: u32 = 3;

impl Client {
    /// Creates the topics and learns their ids, trying again until it succeeds.
    pub async fn set_up(&mut self, plans: &[TopicPlan]) -> Vec<Topic> {
        loop {
            if let Some(mut wire) = self.connect().await
                && let Ok(topics) = self.try_set_up(&mut wire, plans).await
                && topics.len() == plans.len()
            {
                return topics;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn try_set_up(&mut self, wire: &mut Wire, plans: &[TopicPlan]) -> Result<Vec<Topic>, Lost> {
        for plan in plans {
            while !admin::create_topic(&self.surroundings, wire, plan).await? {
                sleep(Duration::from_millis(20)).await;
            }
        }
        let mut topics = admin::describe(&self.surroundings, wire).await?;
        // There may be others: of groups, and such as come and go.
        topics.retain_mut(|topic| {
            let plan = plans.iter().find(|plan| plan.name == topic.key.name.as_str());
            topic.kind = if plan.is_some_and(|plan| plan.is_altered) { TopicKind::Altered } else { TopicKind::Lasting };
            plan.is_some()
        });
        Ok(topics)
    }

    /// Asks each partition for all that it is there for, and says on the way which one it is at. Until the first has served, the node may
    /// still be coming up; from then on it has to answer whatever it is asked.
    pub async fn serve_all(&mut self, topics: &[Topic], at: &Mutex<String>) {
        let mut has_served = false;
        for topic in topics {
            self.serve_topic(topic, at, &mut has_served).await;
        }
        for topic in self.passing().await {
            self.serve_topic(&topic, at, &mut has_served).await;
        }
    }

    async fn serve_topic(&mut self, topic: &Topic, at: &Mutex<String>, has_served: &mut bool) {
        for index in 0..topic.partitions {
            let need_not = |checkers: &mut Checkers| Ok(checkers.need_not_serve(topic.partition(index)));
            if self.surroundings.recorder.tell(need_not).unwrap_or_default() {
                continue;
            }
            *lock(at) = format!("{}-{index}", topic.key.name.as_str());
            loop {
                match self.connect_and_serve(topic, index).await {
                    Ok(true) => break,
                    // In a cluster it may be turned to another node.
                    Err(Lost) if *has_served && !self.surroundings.is_cluster() => {
                        let what = format!("{} did not answer, and all is well", topic.partition(index));
                        self.surroundings.recorder.tell::<()>(|_| Err(Violation::liveness("AnswersEach", what)));
                        return;
                    }
                    Ok(false) | Err(Lost) => sleep(Duration::from_millis(100)).await,
                }
                if topic.kind == TopicKind::Passing && !self.passing().await.iter().any(|known| known.key == topic.key) {
                    // A request to delete it was still under way.
                    return;
                }
            }
            *has_served = true;
        }
    }

    /// The topics that come and go, and are there at the end.
    async fn passing(&mut self) -> Vec<Topic> {
        while let Some(mut wire) = self.connect().await {
            if let Ok(topics) = admin::describe(&self.surroundings, &mut wire).await {
                return topics.into_iter().filter(|topic| topic.kind == TopicKind::Passing).collect();
            }
        }
        Vec::new()
    }

    /// The node that serves a partition, as some node says; that one, if it does not know.
    async fn find_leader(&mut self, partition: TopicPartition) -> Result<NodeId, Lost> {
        if self.surroundings.is_cluster() {
            self.connect().await.ok_or(Lost)?;
        }
        Ok(self.leader_of(partition).unwrap_or(self.node))
    }

    /// Writes to a partition, has a reader wait for that, and reads the whole log. False if the node would not.
    async fn connect_and_serve(&mut self, topic: &Topic, index: i32) -> Result<bool, Lost> {
        let node = self.find_leader(topic.partition(index)).await?;
        let mut writing = Wire::open(self, node).await?;
        let mut reading = Wire::open(self, node).await?;
        if !self.write_and_wait(&mut writing, &mut reading, topic, index).await? {
            return Ok(false);
        }
        let log_start = list_offset(&self.surroundings, &mut reading, topic, index, EARLIEST).await?;
        let log_end = list_offset(&self.surroundings, &mut reading, topic, index, LATEST).await?;
        let (Some(log_start), Some(log_end)) = (log_start, log_end) else { return Ok(false) };
        let Some(records) = self.read_whole(&mut reading, topic, index, log_start, log_end).await? else { return Ok(false) };
        let partition = topic.partition(index);
        self.surroundings.recorder.tell(|checkers| checkers.read_whole(partition, log_start, &records, log_end));
        // With the whole log known there is one right answer to each.
        for _ in 0..TIME_LOOKUPS {
            self.look_up_time(&mut reading, topic, index).await?;
        }
        Ok(true)
    }

    /// A fetch at the log's end waits while a batch is written, and has to return with it.
    async fn write_and_wait(&mut self, writing: &mut Wire, reading: &mut Wire, topic: &Topic, index: i32) -> Result<bool, Lost> {
        let Some(position) = list_offset(&self.surroundings, reading, topic, index, LATEST).await? else { return Ok(false) };
        let wanted = FetchPosition { topic: topic.key.clone(), partition: index, offset: position.0, leader_epoch: -1, bytes_max: 1 << 20 };
        let asked = simulated_time();
        reading.send(reading.version::<FetchRequest>()?, &fetch_request(FETCH_WAIT_MS, 1, 1 << 20, [wanted])).await?;
        let is_written = self.probe_produce(writing, topic, index).await?;
        let acked = simulated_time();
        let fetched = fetched_partitions(reading.receive::<FetchRequest>().await?).next().filter(|fetched| fetched.error == WireError::NONE);
        let Some(fetched) = fetched.filter(|_| is_written) else { return Ok(false) };
        let partition = topic.partition(index);
        let is_in_time = acked - asked < Duration::from_millis(FETCH_WAKE_MS_MAX);
        let late = simulated_time() - acked;
        self.surroundings.recorder.tell(|checkers| {
            let (records, _) = read(&fetched, position).map_err(|what| unserved(partition, &what))?;
            if is_in_time && (records.is_empty() || late > Duration::from_millis(FETCH_WAKE_MS_MAX)) {
                let what = format!("{partition}: a fetch at {position} came back {late:?} after a write, with {} records", records.len());
                return Err(Violation::liveness("WakesFetches", what));
            }
            let power_losses = checkers.power_losses();
            checkers.read(partition, &records, power_losses)
        });
        Ok(true)
    }

    async fn probe_produce(&mut self, wire: &mut Wire, topic: &Topic, index: i32) -> Result<bool, Lost> {
        let partition = topic.partition(index);
        let timestamp = client_time();
        let made = self.surroundings.recorder.tell(|checkers| {
            let session = checkers.open_session(SessionKind::Plain);
            Ok((checkers.write(session, partition, 1, timestamp), checkers.power_losses()))
        });
        let Some((first, power_losses)) = made else { return Ok(false) };
        let batch = Batch { first, count: 1, timestamp, codec: Codec::None };
        let request =
            produce_request(Acks::All, 5_000, [PartitionBatch { topic: topic.key.clone(), partition: index, batch: batch.build(None) }]);
        let response = wire.ask(wire.version::<ProduceRequest>()?, &request).await?;
        let produced = produced_partitions(response).next().expect("an answer to one batch is about one partition");
        if produced.error != WireError::NONE {
            return Ok(false);
        }
        let told = |checkers: &mut Checkers| checkers.acked(partition, &batch, Offset(produced.base_offset), power_losses, Acks::All);
        self.surroundings.recorder.tell(told);
        Ok(true)
    }

    /// All records from `log_start` to `log_end`; none if the node would not give them.
    async fn read_whole(
        &mut self,
        wire: &mut Wire,
        topic: &Topic,
        index: i32,
        log_start: Offset,
        log_end: Offset,
    ) -> Result<Option<Vec<(Offset, RecordId)>>, Lost> {
        let mut records = Vec::new();
        let mut position = log_start;
        let partition = topic.partition(index);
        while position < log_end {
            let wanted =
                FetchPosition { topic: topic.key.clone(), partition: index, offset: position.0, leader_epoch: -1, bytes_max: READ_BYTES };
            let request = fetch_request(500, 1, READ_BYTES, [wanted]);
            let response = wire.ask(wire.version::<FetchRequest>()?, &request).await?;
            let fetched = fetched_partitions(response).next().filter(|fetched| fetched.error == WireError::NONE);
            let Some(fetched) = fetched else { return Ok(None) };
            let step = self.surroundings.recorder.tell(|checkers| {
                let (read, next) = read(&fetched, position).map_err(|what| unserved(partition, &what))?;
                let power_losses = checkers.power_losses();
                checkers.read(partition, &read, power_losses)?;
                Ok((read, next))
            });
            let Some((read, next)) = step else { return Ok(None) };
            if next == position {
                return Ok(None);
            }
            // What a client sent without waiting for an answer may still come in: it is no part of the log that was asked for.
            records.extend(read.into_iter().filter(|(offset, _)| *offset < log_end));
            position = next;
        }
        Ok(Some(records))
    }
}

fn unserved(partition: TopicPartition, what: &str) -> Violation {
    Violation::safety("ServesWhatWasWritten", format!("{partition}: {what}"))
}
