//! Brokers: registration, heartbeats, fencing and unfencing (KIP-631).
//!
//! A broker that registers anew has died in between: what it led goes to others, and it leads again only once it is unfenced. A node's data
//! folder is locked, so that a second process with the same folder means that the first is gone.

use super::Controller;
use super::elections;
use crate::boundary::{Heartbeat, Registration};
use crate::error::ErrorCode;
use crate::ids::NodeId;
use crate::metadata::MetadataRecord;
use crate::time::{Monotonic, Wait};

/// Part of a session by which the controller may be late to look at the sessions: past that it was standing still itself, and nobody could
/// have told it anything.
const LATE_PART: u64 = 4;

impl Controller {
    /// Registers a broker that has started. It stays fenced until it has opened its logs.
    ///
    /// # Errors
    /// DUPLICATE_BROKER_REGISTRATION: a node of that number is alive and has another data folder.
    pub fn register_broker(&mut self, node: NodeId, broker: Registration, now: Monotonic) -> Result<Vec<MetadataRecord>, ErrorCode> {
        let Registration { incarnation, directory, rack, endpoints } = broker;
        let mut records = Vec::new();
        if let Some(former) = self.image().brokers.get(&node) {
            if former.incarnation == incarnation {
                // Its first call was answered, and the answer was lost.
                return Ok(records);
            }
            if former.directory != directory && !former.is_fenced {
                return Err(ErrorCode::DuplicateBrokerRegistration);
            }
            if !former.is_fenced {
                records.extend(elections::without(self.image(), node));
            }
        }
        self.sessions.renew(node, now, self.session_timeout);
        records.push(MetadataRecord::RegisterBroker { node, incarnation, directory, rack, endpoints });
        Ok(records)
    }

    /// A broker lives, and may lead once it is ready.
    ///
    /// # Errors
    /// STALE_BROKER_EPOCH: it is another registration that holds.
    pub fn heartbeat(&mut self, node: NodeId, heartbeat: &Heartbeat, now: Monotonic) -> Result<Vec<MetadataRecord>, ErrorCode> {
        let broker = self.image().brokers.get(&node).filter(|broker| broker.broker_epoch == heartbeat.broker_epoch);
        let broker = broker.ok_or(ErrorCode::StaleBrokerEpoch)?;
        let (is_fenced, has_applied) = (broker.is_fenced, heartbeat.applied.0 > broker.broker_epoch.0);
        self.sessions.renew(node, now, self.session_timeout);
        if is_fenced && heartbeat.is_ready && has_applied && !heartbeat.is_stopping {
            return Ok(self.unfence_broker(node));
        }
        if !is_fenced && heartbeat.is_stopping {
            return Ok(self.fence_broker(node));
        }
        Ok(Vec::new())
    }

    /// Lets a broker lead what it can. Every partition gets a new leader epoch, also where the leader is the one it had: what that one
    /// appended in its former life may be gone, and no epoch may stand for two histories.
    fn unfence_broker(&self, node: NodeId) -> Vec<MetadataRecord> {
        let mut records = vec![MetadataRecord::UnfenceBroker { node }];
        records.extend(elections::with(self.image(), node));
        records
    }

    fn fence_broker(&mut self, node: NodeId) -> Vec<MetadataRecord> {
        self.sessions.end(node);
        let mut records = vec![MetadataRecord::FenceBroker { node }];
        records.extend(elections::without(self.image(), node));
        records
    }

    /// Fences the brokers whose sessions have ended. The controller's own node lives as long as the controller does.
    pub fn fence_silent(&mut self, me: NodeId, now: Monotonic) -> Vec<MetadataRecord> {
        let is_late = self.next_session_end(me).is_some_and(|end| now.since(end) > Wait(self.session_timeout.0 / LATE_PART));
        if is_late {
            self.sessions.extend(now, self.session_timeout);
            return Vec::new();
        }
        let silent: Vec<NodeId> = self.sessions.ended(now).into_iter().filter(|node| *node != me).collect();
        let mut records = Vec::new();
        for node in silent {
            let is_fenced = self.image().brokers.get(&node).is_none_or(|broker| broker.is_fenced);
            if is_fenced {
                self.sessions.end(node);
            } else {
                records.extend(self.fence_broker(node));
            }
        }
        records
    }

    /// When the next session ends.
    #[must_use]
    pub fn next_session_end(&self, me: NodeId) -> Option<Monotonic> {
        self.sessions.next_end(me)
    }

    /// The connection to a broker is lost: it has a little time to show that it lives.
    pub fn connection_lost(&mut self, node: NodeId, patience: Wait, now: Monotonic) {
        self.sessions.shorten(node, now.after(patience));
    }
}
