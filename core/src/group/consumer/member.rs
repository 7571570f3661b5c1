//! A member of a group of the consumer protocol: what it subscribes to, what it is to get and what it has.

use serde::{Deserialize, Serialize};

use super::record::{KeptCurrent, KeptSubscriber};
use super::{Assigned, ConsumerBounds, Partitions};
use crate::epoch::GroupEpoch;
use crate::time::Wait;

/// A member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerMember {
    /// What it subscribes to, and who it is.
    pub(in crate::group) said: KeptSubscriber,
    /// What it is to get.
    pub(in crate::group) target: Partitions,
    /// What it has.
    pub(in crate::group) current: KeptCurrent,
}

/// What a member waits for before it has what it is to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Nothing: it has what its epoch assigns to it.
    #[default]
    Stable,
    /// It has not said that it has given up what it is to give up.
    Unrevoked,
    /// Others have not given up what it is to get.
    Unreleased,
    /// A later release knows.
    Unknown,
}

impl Standing {
    /// Kafka's number for it.
    pub(super) fn number(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::Unrevoked => 1,
            Self::Unreleased => 2,
            Self::Unknown => 127,
        }
    }

    pub(super) fn numbered(number: i8) -> Self {
        match number {
            0 => Self::Stable,
            1 => Self::Unrevoked,
            2 => Self::Unreleased,
            _ => Self::Unknown,
        }
    }
}

impl Default for KeptCurrent {
    /// Of a member that joins.
    fn default() -> Self {
        Self {
            epoch: GroupEpoch::NONE,
            previous_epoch: GroupEpoch::LEAVING,
            standing: Standing::Stable,
            assigned: Assigned::new(),
            revoking: Assigned::new(),
        }
    }
}

impl ConsumerMember {
    /// What it has, in full.
    #[must_use]
    pub fn current(&self) -> &KeptCurrent {
        &self.current
    }

    /// What it is to get.
    #[must_use]
    pub fn target(&self) -> &Partitions {
        &self.target
    }

    /// Its own name for itself, if it is a static member.
    #[must_use]
    pub fn instance_id(&self) -> Option<&String> {
        self.said.instance_id.as_ref()
    }

    /// Whether it is a static member that means to come back.
    pub(in crate::group) fn is_away(&self) -> bool {
        self.current.epoch == GroupEpoch::AWAY
    }

    /// Whether it is of the classic protocol.
    pub(in crate::group) fn is_classic(&self) -> bool {
        self.said.classic.is_some()
    }

    /// Whether it has what `epoch` assigns to it.
    pub(super) fn has_come_to(&self, epoch: GroupEpoch) -> bool {
        self.current.standing == Standing::Stable && self.current.epoch == epoch
    }

    /// How long it may be silent.
    pub(in crate::group) fn session(&self, bounds: &ConsumerBounds) -> Wait {
        self.said.classic.as_ref().map_or_else(|| bounds.session(), |classic| Wait::from_ms(classic.session_timeout_ms.into()))
    }

    /// How long it may take to do as it is told.
    pub(in crate::group) fn patience(&self) -> Wait {
        Wait::from_ms(self.said.rebalance_timeout_ms.into())
    }
}
