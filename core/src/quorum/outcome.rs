//! What a member is told with every event, and what follows from one.

use serde::{Deserialize, Serialize};

use super::QuorumMessage;
use crate::boundary::ElectionState;
use crate::ids::NodeId;
use crate::rng::Random;
use crate::time::{Monotonic, Wait};

/// What the broker has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// Epoch and vote are to be put on disk.
    pub keep: Option<ElectionState>,
    /// Messages to members, to be sent now.
    pub messages: Vec<(NodeId, QuorumMessage)>,
}

/// The time, and where random waits come from.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Now.
    pub now: Monotonic,
    /// The node's random numbers.
    pub random: &'a mut Random,
}

impl Moment<'_> {
    /// A random time from now until `wait` later.
    pub(super) fn after_up_to(&mut self, wait: Wait) -> Monotonic {
        let ms = u32::try_from(wait.as_ms()).unwrap_or(u32::MAX);
        let waited = if ms == 0 { 0 } else { self.random.below(ms) };
        self.now.after(Wait::from_ms(i64::from(waited)))
    }
}

/// How patient a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumTimeouts {
    /// An election is given up after this, or up to twice as long (`controller.quorum.election.timeout.ms`).
    pub election: Wait,
    /// A leader that has not answered for this long is taken for dead (`controller.quorum.fetch.timeout.ms`).
    pub fetch: Wait,
    /// Who has lost an election waits this long at most before it stands again (`controller.quorum.election.backoff.max.ms`).
    pub backoff_max: Wait,
}

impl QuorumTimeouts {
    /// A leader resigns that no majority has fetched from for this long.
    pub(super) fn check_quorum(&self) -> Wait {
        Wait(self.fetch.0.saturating_mul(3) / 2)
    }

    /// When a leader that is not heard any more is taken for dead.
    pub(super) fn fetch_deadline(&self, now: Monotonic) -> Monotonic {
        now.after(self.fetch)
    }

    /// How often a leader tells silent voters that it leads.
    pub(super) fn announcement(&self) -> Wait {
        Wait(self.fetch.0 / 4)
    }

    /// How long a follower waits at most after a hint that its leader is gone: so short that nobody notices, and drawn so that two seldom ask
    /// at the same time.
    pub(super) fn hint_wait_max(&self) -> Wait {
        Wait(self.fetch.0 / 20)
    }
}

impl Default for QuorumTimeouts {
    fn default() -> Self {
        Self { election: Wait::from_ms(1_000), fetch: Wait::from_ms(2_000), backoff_max: Wait::from_ms(1_000) }
    }
}
