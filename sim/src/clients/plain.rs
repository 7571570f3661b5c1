//! A producer without sequences, a request at a time, of one batch or several. One that retries may write a batch twice; one that does not may
//! lose it.

use std::time::Duration;

use gracchus_core::offset::Offset;
use gracchus_core::record::Codec;
use gracchus_net::client::{Acks, PartitionBatch, ProducedPartition, WireError, produce_request, produced_partitions};
use kafka_wire::ProduceRequest;
use madsim::time::sleep;

use super::leaders::Left;
use super::{Client, Lost, Outcome, PRODUCE_PATIENCE, PRODUCE_TIMEOUT_MS, Topic, TopicKind, Wire, client_time, codec_at};
use crate::checkers::{Asked, Checkers, Question, SessionKind};
use crate::history::{Batch, Session};

pub(super) struct PlainProducer {
    client: Client,
    acks: Acks,
    retries: bool,
    records_max: u32,
    codec: Codec,
    /// Batches whose outcome is not known, each of a partition of its own.
    open: Vec<Open>,
}

struct Open {
    batch: Batch,
    topic: Topic,
    index: i32,
    /// How long the batch was when it was sent last.
    sent_bytes: usize,
}

impl PlainProducer {
    pub(super) fn new(client: Client, acks: i16, retries: bool, records_max: u32, codec: Codec) -> Self {
        let acks = match acks {
            0 => Acks::None,
            1 => Acks::Leader,
            _ => Acks::All,
        };
        Self { client, acks, retries, records_max, codec, open: Vec::new() }
    }

    pub(super) async fn run(mut self) {
        let Some(session) = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.open_session(SessionKind::Plain))) else { return };
        while let Some(mut wire) = self.client.connect().await {
            let worked = self.work(&mut wire, session).await;
            match self.client.leave(worked).await {
                Left::ForGood => return,
                Left::ForAnother => continue,
                Left::Lost => {}
            }
            self.client.surroundings.count("produce", Outcome::Unknown);
            if !self.retries {
                self.open.clear();
            }
        }
    }

    async fn work(&mut self, wire: &mut Wire, session: Session) -> Result<(), Lost> {
        while !self.client.surroundings.is_stopping() && !self.client.is_moving() {
            if self.open.is_empty() {
                if !self.client.rest().await {
                    return Ok(());
                }
                for (topic, index) in self.client.pick_partitions() {
                    self.make(session, topic, index);
                }
            }
            self.produce(wire).await?;
        }
        Ok(())
    }

    fn make(&mut self, session: Session, topic: Topic, index: i32) {
        let (partition, timestamp) = (topic.partition(index), client_time());
        let count = 1 + u32::try_from(self.client.draw.below(self.records_max.into())).expect("few");
        let written = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.write(session, partition, count, timestamp)));
        let first = written.expect("writing breaks no property");
        self.open.push(Open { batch: Batch { first, count, timestamp, codec: self.codec }, topic, index, sent_bytes: 0 });
    }

    async fn produce(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let known = |open: &Open| self.client.leader_of(open.topic.partition(open.index)).is_some();
        let is_for_here = |open: &Open| self.client.is_led_here(open.topic.partition(open.index)) || !known(open);
        let (here, elsewhere): (Vec<Open>, Vec<Open>) = std::mem::take(&mut self.open).into_iter().partition(is_for_here);
        let waits_elsewhere = elsewhere.first().map(|open| open.topic.partition(open.index));
        self.open = here;
        let produced = if self.open.is_empty() { Ok(()) } else { self.produce_here(wire).await };
        self.open.extend(elsewhere);
        if waits_elsewhere.is_some() {
            self.client.move_on(waits_elsewhere);
        }
        produced
    }

    async fn produce_here(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let version = wire.version_about::<ProduceRequest>(self.open.iter().map(|open| &open.topic))?;
        let asked: Vec<Asked> = self.open.iter().map(|open| self.client.surroundings.ask(wire, open.topic.subject(open.index))).collect();
        let batches = self.open.iter_mut().map(|open| {
            let batch = Batch { codec: codec_at(version, open.batch.codec), ..open.batch };
            let batch = batch.build(None);
            open.sent_bytes = batch.len();
            PartitionBatch { topic: open.topic.key.clone(), partition: open.index, batch }
        });
        let request = produce_request(self.acks, PRODUCE_TIMEOUT_MS, batches);
        if self.acks == Acks::None {
            wire.send_unanswered(version, &request).await?;
            self.client.surroundings.count("produce without acks", Outcome::Done);
            self.open.clear();
            return Ok(());
        }
        let produced: Vec<ProducedPartition> = produced_partitions(wire.ask(version, &request).await?).collect();
        for (open, asked) in std::mem::take(&mut self.open).into_iter().zip(&asked) {
            let is_of = |produced: &&ProducedPartition| produced.partition == open.index && open.topic.is_meant_by(&produced.topic);
            let produced = produced.iter().find(is_of).expect("what was asked is answered");
            self.answered(open, asked, produced);
        }
        if !self.open.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn answered(&mut self, open: Open, asked: &Asked, produced: &ProducedPartition) {
        let surroundings = &self.client.surroundings;
        if produced.error == WireError::NONE {
            surroundings.count("produce", Outcome::Done);
            let partition = open.topic.partition(open.index);
            let told =
                |checkers: &mut Checkers| checkers.acked(partition, &open.batch, Offset(produced.base_offset), asked.power_losses, self.acks);
            surroundings.recorder.tell(told);
            return;
        }
        surroundings.count("produce", Outcome::Refused);
        let question = Question::Produce { is_behind_another: false, batch_bytes: open.sent_bytes, patience: PRODUCE_PATIENCE };
        surroundings.refused(asked, question, produced.error);
        self.client.heed(produced.error);
        let surroundings = &self.client.surroundings;
        if open.topic.kind == TopicKind::Passing {
            surroundings.forget_passing(&open.topic);
        } else if self.retries && produced.error.is_retriable() {
            self.open.push(open);
        }
    }
}
