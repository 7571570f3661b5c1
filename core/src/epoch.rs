//! Epochs: counters that fence. Each kind is a type of its own, and none is ever compared with another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! epoch {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

epoch!(
    /// Of a data partition's leader, given by the controller; stands in every batch. -1 in a batch that no leader has appended yet.
    LeaderEpoch, i32
);
epoch!(
    /// Of the metadata quorum's leader, given by votes.
    QuorumEpoch, i32
);
epoch!(
    /// Of a partition's registration: counts the changes of its leader, its ISR and its replicas (KIP-497).
    PartitionEpoch, i32
);
epoch!(
    /// Of a producer, within its id (KIP-98). Not negative.
    ProducerEpoch, i16
);
epoch!(
    /// Of a broker's registration: the offset of its record in the metadata log (KIP-500).
    BrokerEpoch, i64
);

epoch!(
    /// Of a group of the consumer protocol (KIP-848): counts the changes of who subscribes to what. An assignment and a member have the epoch
    /// of the group that they have come to.
    GroupEpoch, i32
);

impl GroupEpoch {
    /// Of a group that nobody has joined, and of a member that joins.
    pub const NONE: Self = Self(0);
    /// What a member says in the place of its epoch when it leaves.
    pub const LEAVING: Self = Self(-1);
    /// The same of a static member that means to come back; it has this epoch until then.
    pub const AWAY: Self = Self(-2);
    /// The last that there is, which 68 changes a second would reach in a year. A group that has come to it is to begin anew.
    pub const LAST: Self = Self(i32::MAX);

    /// The epoch after this one; of the last it is the last.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl LeaderEpoch {
    /// What a batch carries before a leader has appended it.
    pub const NONE: Self = Self(-1);
    /// The first epoch of a partition.
    pub const FIRST: Self = Self(0);

    /// The epoch after this one.
    ///
    /// # Panics
    /// At 2^31-1, which 68 elections a second would reach in a year.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("leader epochs are exhausted"))
    }
}

impl PartitionEpoch {
    /// Of a partition that was just created.
    pub const FIRST: Self = Self(0);

    /// The epoch after this one.
    ///
    /// # Panics
    /// At 2^31-1.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("partition epochs are exhausted"))
    }
}

impl QuorumEpoch {
    /// Before any election.
    pub const ZERO: Self = Self(0);

    /// The epoch after this one.
    ///
    /// # Panics
    /// At 2^31-1.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("quorum epochs are exhausted"))
    }

    /// The epoch as the metadata log's batches carry it.
    #[must_use]
    pub fn as_leader_epoch(self) -> LeaderEpoch {
        LeaderEpoch(self.0)
    }
}
