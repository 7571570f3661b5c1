//! A consumer of one partition or several: it reads on from where it begins, and now and then begins anew somewhere else. One that stands in a
//! rack goes to the replica that a leader names to it, and back to the leader when that one refuses (KIP-392).

use std::collections::BTreeMap;

use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_net::client::fetch_request;

use super::leaders::Left;
use super::offsets::{EARLIEST, LATEST, list_offset};
use super::reading::{Position, fetch_once};
use super::{Client, Lost, Outcome, Topic, TopicKind, Wire};
use crate::plan::ConsumerStart;

/// Chance in a million, at each fetch, that a record is looked for by time.
const TIME_LOOKUPS_PER_MILLION: u32 = 60_000;

pub(super) struct Consumer {
    client: Client,
    start: ConsumerStart,
    seek: u32,
    rack: Option<String>,
    positions: Vec<Position>,
    /// Where replicas are that leaders have named.
    preferred: BTreeMap<TopicPartition, NodeId>,
}

impl Consumer {
    pub(super) fn new(client: Client, start: ConsumerStart, seek: u32, rack: Option<String>) -> Self {
        Self { client, start, seek, rack, positions: Vec::new(), preferred: BTreeMap::new() }
    }

    pub(super) async fn run(mut self) {
        while let Some(mut wire) = self.client.connect().await {
            let worked = self.work(&mut wire).await;
            match self.client.leave(worked).await {
                Left::ForGood => return,
                Left::ForAnother => {}
                Left::Lost => self.client.surroundings.count("fetch", Outcome::Unknown),
            }
        }
    }

    async fn work(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        while !self.client.surroundings.is_stopping() && !self.client.is_moving() {
            if self.positions.is_empty() {
                self.begin(wire).await?;
            } else {
                self.fetch(wire).await?;
                if self.client.draw.chance(self.seek) {
                    self.positions.clear();
                }
            }
            self.client.rest().await;
        }
        Ok(())
    }

    async fn begin(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        for (topic, index) in self.client.pick_partitions() {
            if let Some(next) = self.start_of(wire, &topic, index).await? {
                self.positions.push(Position { topic, index, next });
            }
        }
        Ok(())
    }

    async fn start_of(&mut self, wire: &mut Wire, topic: &Topic, index: i32) -> Result<Option<Offset>, Lost> {
        if topic.kind == TopicKind::Passing {
            // ListOffsets goes by the name, under which there may be another by now. Nothing is ever deleted from it.
            return Ok(Some(Offset::ZERO));
        }
        let earliest = list_offset(&self.client.surroundings, wire, topic, index, EARLIEST).await?;
        let latest = list_offset(&self.client.surroundings, wire, topic, index, LATEST).await?;
        let (Some(earliest), Some(latest)) = (earliest, latest) else { return Ok(None) };
        Ok(Some(match self.start {
            ConsumerStart::Earliest => earliest,
            ConsumerStart::Latest => latest,
            ConsumerStart::Anywhere => {
                let length = u64::try_from(latest.since(earliest)).unwrap_or_default();
                earliest.plus(i64::try_from(self.client.draw.below(length + 1)).expect("within the log"))
            }
            ConsumerStart::Timestamp => {
                let found = self.client.look_up_time(wire, topic, index).await?;
                found.filter(|offset| offset.0 >= 0).unwrap_or(latest)
            }
        }))
    }

    async fn fetch(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let positions = std::mem::take(&mut self.positions);
        let (here, elsewhere): (Vec<Position>, Vec<Position>) = positions.into_iter().partition(|position| self.is_served_here(position));
        let Some(next) = here.first().or(elsewhere.first()).map(|position| position.topic.partition(position.index)) else { return Ok(()) };
        if here.is_empty() {
            self.positions = elsewhere;
            match self.preferred.get(&next) {
                Some(node) => self.client.move_to(*node),
                None => self.client.move_on(Some(next)),
            }
            return Ok(());
        }
        self.positions = here.clone();
        let fetched = self.fetch_here(wire).await;
        // What is lost with a connection is read again.
        self.positions = if fetched == Err(Lost) { here } else { std::mem::take(&mut self.positions) };
        self.positions.extend(elsewhere);
        fetched
    }

    /// Whether this node has what is wanted: as a replica that was named, or as the leader.
    fn is_served_here(&self, position: &Position) -> bool {
        let partition = position.topic.partition(position.index);
        match self.preferred.get(&partition) {
            Some(node) => *node == self.client.node,
            None => self.client.is_led_here(partition),
        }
    }

    async fn fetch_here(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let bytes_max = self.client.draw.pick(&[1, 2_000, 50_000, 1 << 20]);
        let mut request = fetch_request(
            self.client.draw.pick(&[0, 50, 500]),
            self.client.draw.pick(&[0, 1, 1, 5_000]),
            self.client.draw.pick(&[1, 10_000, 1 << 20]),
            self.positions.iter().map(|position| position.wanted(bytes_max)),
        );
        request.rack_id = self.rack.clone().unwrap_or_default().into();
        let fetched = fetch_once(&self.client.surroundings, wire, self.positions.clone(), &request).await?;
        self.positions = fetched.following;
        for position in fetched.out_of_range {
            // A follower may have yet to fetch what its leader has served.
            if self.preferred.remove(&position.topic.partition(position.index)).is_some() {
                self.positions.push(position);
            }
        }
        self.preferred.extend(fetched.preferred);
        if fetched.is_astray {
            // What a replica could not serve the leader may.
            self.preferred.retain(|_, node| *node != self.client.node);
            self.client.move_on(None);
        }
        // Whoever watches a partition asks by time now and then.
        if let Some(position) = self.positions.first().filter(|position| position.topic.kind != TopicKind::Passing).cloned()
            && self.client.draw.chance(TIME_LOOKUPS_PER_MILLION)
        {
            self.client.look_up_time(wire, &position.topic, position.index).await?;
        }
        Ok(())
    }
}
