//! A producer without sequences, a batch at a time. One that retries may write a batch twice; one that does not may lose it.

use std::time::Duration;

use gracchus_core::offset::Offset;
use gracchus_net::client::{Acks, PartitionBatch, WireError, produce_request, produced_partitions};
use kafka_wire::ProduceRequest;
use madsim::time::sleep;

use super::{Client, Lost, Outcome, Topic, Wire, client_time};
use crate::checkers::{Checkers, SessionKind};
use crate::history::{Batch, Session};

pub(super) struct PlainProducer {
    client: Client,
    acks: Acks,
    retries: bool,
    records_max: u32,
    /// The batch whose outcome is not known, if it is to be sent again.
    open: Option<(Batch, Topic, i32)>,
}

impl PlainProducer {
    pub(super) fn new(client: Client, acks: i16, retries: bool, records_max: u32) -> Self {
        let acks = match acks {
            0 => Acks::None,
            1 => Acks::Leader,
            _ => Acks::All,
        };
        Self { client, acks, retries, records_max, open: None }
    }

    pub(super) async fn run(mut self) {
        let Some(session) = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.open_session(SessionKind::Plain))) else { return };
        while let Some(mut wire) = self.client.connect().await {
            let Err(Lost) = self.work(&mut wire, session).await else { return };
            self.client.surroundings.count("produce", Outcome::Unknown);
            if !self.retries {
                self.open = None;
            }
        }
    }

    async fn work(&mut self, wire: &mut Wire, session: Session) -> Result<(), Lost> {
        while !self.client.surroundings.is_stopping() {
            let (batch, topic, index) = match self.open.take() {
                Some(open) => open,
                None => {
                    self.client.rest().await;
                    let Some(made) = self.make(session) else { return Ok(()) };
                    made
                }
            };
            self.open = Some((batch, topic.clone(), index));
            self.produce(wire, batch, &topic, index).await?;
        }
        Ok(())
    }

    fn make(&mut self, session: Session) -> Option<(Batch, Topic, i32)> {
        let (topic, index) = self.client.pick_partition();
        let partition = topic.partition(index);
        let count = 1 + u32::try_from(self.client.draw.below(self.records_max.into())).expect("few");
        let first = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.write(session, partition, count)))?;
        Some((Batch { first, count, timestamp: client_time() }, topic, index))
    }

    async fn produce(&mut self, wire: &mut Wire, batch: Batch, topic: &Topic, index: i32) -> Result<(), Lost> {
        let version = wire.old_version::<ProduceRequest>()?;
        let power_losses = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.power_losses())).unwrap_or_default();
        let request =
            produce_request(self.acks, 5_000, [PartitionBatch { topic: topic.key.clone(), partition: index, batch: batch.build(None) }]);
        if self.acks == Acks::None {
            wire.send_unanswered(version, &request).await?;
            self.client.surroundings.count("produce without acks", Outcome::Done);
            self.open = None;
            return Ok(());
        }
        let response = wire.ask(version, &request).await?;
        let produced = produced_partitions(response).next().expect("an answer to one batch is about one partition");
        if produced.error != WireError::NONE {
            self.client.surroundings.count("produce", Outcome::Refused);
            sleep(Duration::from_millis(20)).await;
            if !self.retries {
                self.open = None;
            }
            return Ok(());
        }
        self.open = None;
        self.client.surroundings.count("produce", Outcome::Done);
        let partition = topic.partition(index);
        let told = |checkers: &mut Checkers| checkers.acked(partition, &batch, Offset(produced.base_offset), power_losses);
        self.client.surroundings.recorder.tell(told);
        Ok(())
    }
}
