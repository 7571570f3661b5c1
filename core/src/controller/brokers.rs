//! Brokers: registration, heartbeats, fencing and unfencing (KIP-631).
//!
//! A broker that registers anew has died in between: what it led goes to others, and it leads again only once it is unfenced. A node's data
//! folder is locked, so that a second process with the same folder means that the first is gone.

use std::collections::BTreeSet;

use super::Controller;
use super::elections::{Change, Electorate};
use crate::boundary::{Heartbeat, Registration};
use crate::config::BrokerConfigs;
use crate::epoch::BrokerEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{NodeId, TopicPartition};
use crate::limits::LOST_BROKER_MS;
use crate::metadata::MetadataRecord;
use crate::time::{Monotonic, Wait};

/// Part of a session by which the controller may be late to look at the sessions: past that it was standing still itself, and nobody could
/// have told it anything.
const LATE_PART: u64 = 4;

impl Controller {
    /// Registers a broker that has started. It stays fenced until it has opened its logs.
    ///
    /// # Errors
    /// DUPLICATE_BROKER_REGISTRATION: a node of that number is alive and has another data folder. Unless that one sends a heartbeat soon, it is
    /// not, and asking again helps.
    pub fn register_broker(
        &mut self,
        node: NodeId,
        broker: Registration,
        defaults: &BrokerConfigs,
        now: Monotonic,
    ) -> Result<Vec<MetadataRecord>, ErrorCode> {
        let Registration { incarnation, directory, rack, was_unclean, endpoints } = broker;
        let mut records = Vec::new();
        if let Some(former) = self.image().brokers.get(&node) {
            if former.incarnation == incarnation {
                // Its first call was answered, and the answer was lost.
                return Ok(records);
            }
            if former.directory != directory && !former.is_fenced {
                let heartbeat = Wait::from_ms(defaults.whole("broker.heartbeat.interval.ms"));
                self.sessions.challenge(node, now.after(heartbeat).after(Wait::from_ms(LOST_BROKER_MS)));
                return Err(ErrorCode::DuplicateBrokerRegistration);
            }
            let change = match was_unclean {
                _ if former.directory != directory => Change::GoesEmpty,
                true => Change::GoesUncleanly,
                false => Change::Goes,
            };
            records.extend(Electorate::new(self.image(), defaults).with(node, change).settle_all());
        }
        self.sessions.renew(node, now, self.session_timeout);
        records.push(MetadataRecord::RegisterBroker { node, incarnation, directory, rack, endpoints });
        Ok(records)
    }

    /// Forgets a broker: what it led is led by others. One that runs registers again when it starts anew.
    ///
    /// # Errors
    /// BROKER_ID_NOT_REGISTERED.
    pub fn unregister_broker(&mut self, node: NodeId, defaults: &BrokerConfigs) -> Result<Vec<MetadataRecord>, ApiError> {
        if !self.image().brokers.contains_key(&node) {
            return Err(ApiError::new(ErrorCode::BrokerIdNotRegistered, format!("Broker ID {node} is not currently registered")));
        }
        self.sessions.end(node);
        let mut records = Electorate::new(self.image(), defaults).with(node, Change::Goes).settle_all();
        records.push(MetadataRecord::UnregisterBroker { node });
        Ok(records)
    }

    /// Copies that a broker can't use: others lead. What the broker holds is not relied on where it is damaged; otherwise it may lead again
    /// once it has started anew.
    ///
    /// # Errors
    /// STALE_BROKER_EPOCH: it is another registration that holds.
    pub fn replicas_failed(
        &self,
        node: NodeId,
        broker_epoch: BrokerEpoch,
        partitions: &[TopicPartition],
        are_damaged: bool,
        defaults: &BrokerConfigs,
    ) -> Result<Vec<MetadataRecord>, ErrorCode> {
        let broker = self.image().brokers.get(&node).filter(|broker| broker.broker_epoch == broker_epoch);
        broker.ok_or(ErrorCode::StaleBrokerEpoch)?;
        let change = if are_damaged { Change::GoesEmpty } else { Change::Goes };
        let named: BTreeSet<TopicPartition> = partitions.iter().copied().collect();
        Ok(Electorate::new(self.image(), defaults).with(node, change).settle_some(named))
    }

    /// What the last controller did not come to: partitions that brokers lead or are in sync with that are fenced.
    #[must_use]
    pub fn unsettled(&self, defaults: &BrokerConfigs) -> Vec<MetadataRecord> {
        let partitions = self.image().topics.iter().flat_map(|(topic, registered)| {
            registered.partitions.keys().map(|partition| TopicPartition { topic: *topic, partition: *partition })
        });
        Electorate::new(self.image(), defaults).settle_some(partitions)
    }

    /// A broker lives, and may lead once it is ready.
    ///
    /// # Errors
    /// STALE_BROKER_EPOCH: it is another registration that holds.
    pub fn heartbeat(
        &mut self,
        node: NodeId,
        heartbeat: &Heartbeat,
        defaults: &BrokerConfigs,
        now: Monotonic,
    ) -> Result<Vec<MetadataRecord>, ErrorCode> {
        let broker = self.image().brokers.get(&node).filter(|broker| broker.broker_epoch == heartbeat.broker_epoch);
        let broker = broker.ok_or(ErrorCode::StaleBrokerEpoch)?;
        let (is_fenced, has_applied) = (broker.is_fenced, heartbeat.applied.0 > broker.broker_epoch.0);
        self.sessions.renew(node, now, self.session_timeout);
        if is_fenced && heartbeat.is_ready && has_applied && !heartbeat.is_stopping {
            return Ok(self.unfence_broker(node, defaults));
        }
        if !is_fenced && heartbeat.is_stopping {
            return Ok(self.fence_broker(node, defaults));
        }
        Ok(Vec::new())
    }

    /// Lets a broker lead what it can. Every partition gets a new leader epoch, also where the leader is the one it had: what that one
    /// appended in its former life may be gone, and no epoch may stand for two histories.
    fn unfence_broker(&self, node: NodeId, defaults: &BrokerConfigs) -> Vec<MetadataRecord> {
        let mut records = vec![MetadataRecord::UnfenceBroker { node }];
        records.extend(Electorate::new(self.image(), defaults).with(node, Change::Comes).settle_all());
        records
    }

    fn fence_broker(&mut self, node: NodeId, defaults: &BrokerConfigs) -> Vec<MetadataRecord> {
        self.sessions.end(node);
        let mut records = vec![MetadataRecord::FenceBroker { node }];
        records.extend(Electorate::new(self.image(), defaults).with(node, Change::Goes).settle_all());
        records
    }

    /// Fences the first broker whose session has ended; none if there is none. The records have to be replayed before the next one is asked
    /// for. The controller's own node lives as long as the controller does.
    pub fn fence_next_silent(&mut self, me: NodeId, defaults: &BrokerConfigs, now: Monotonic) -> Option<Vec<MetadataRecord>> {
        let is_late = self.next_session_end(me).is_some_and(|end| now.since(end) > Wait(self.session_timeout.0 / LATE_PART));
        if is_late {
            self.sessions.extend(now, self.session_timeout);
            return None;
        }
        for node in self.sessions.ended(now).into_iter().filter(|node| *node != me) {
            let late = self.sessions.end_of(node).map(|end| now.since(end)).unwrap_or_default();
            if late > Wait::from_ms(LOST_BROKER_MS / 2) && self.sessions.look_again(node, now.after(Wait::from_ms(LOST_BROKER_MS))) {
                // What it has said meanwhile may wait to be heard.
                continue;
            }
            if self.image().brokers.get(&node).is_some_and(|broker| !broker.is_fenced) {
                return Some(self.fence_broker(node, defaults));
            }
            self.sessions.end(node);
        }
        None
    }

    /// When the next session ends.
    #[must_use]
    pub fn next_session_end(&self, me: NodeId) -> Option<Monotonic> {
        self.sessions.next_end(me)
    }

    /// A broker has said something whose connection was lost.
    pub fn heard_again(&mut self, node: NodeId) {
        self.sessions.restore(node);
    }

    /// The connection to a broker is lost: it has a little time to show that it lives.
    pub fn connection_lost(&mut self, node: NodeId, patience: Wait, now: Monotonic) {
        self.sessions.shorten(node, now.after(patience));
    }
}
