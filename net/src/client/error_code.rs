//! Error codes as they come off the wire.

use std::fmt;

/// An error code of an answer: 0 for none. A newer broker may send one that has no name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WireError(pub i16);

impl WireError {
    /// No error.
    pub const NONE: Self = Self(0);
    /// The offset lies outside the log.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// No such topic or partition, as far as this broker knows.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The partition has no leader at the moment.
    pub const LEADER_NOT_AVAILABLE: Self = Self(5);
    /// Another broker leads the partition.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// The time allowed is over.
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    /// Who asks is no member of the group.
    pub const UNKNOWN_MEMBER_ID: Self = Self(25);
    /// The API is not served at the version asked for.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The topic exists already.
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    /// Another broker is the controller.
    pub const NOT_CONTROLLER: Self = Self(41);
    /// The batch was appended before.
    pub const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    /// The group has members.
    pub const NON_EMPTY_GROUP: Self = Self(68);
    /// There is no such group, or it is of another type.
    pub const GROUP_ID_NOT_FOUND: Self = Self(69);
    /// The leader epoch asked with has passed.
    pub const FENCED_LEADER_EPOCH: Self = Self(74);
    /// The leader epoch asked with is not known yet.
    pub const UNKNOWN_LEADER_EPOCH: Self = Self(75);
    /// The partition is led as an election would have it.
    pub const ELECTION_NOT_NEEDED: Self = Self(84);
    /// Members of the group read the topic.
    pub const GROUP_SUBSCRIBED_TO_TOPIC: Self = Self(86);
    /// No topic has this id, as far as this broker knows.
    pub const UNKNOWN_TOPIC_ID: Self = Self(100);
    /// The id belongs to another topic of that name.
    pub const INCONSISTENT_TOPIC_ID: Self = Self(103);

    /// Kafka's name for it, if it is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        if self.0 == -1 {
            return Some("UNKNOWN_SERVER_ERROR");
        }
        usize::try_from(self.0).ok().and_then(|code| NAMES.get(code)).copied()
    }

    /// `Err` unless there is none.
    ///
    /// # Errors
    /// The error itself.
    pub fn check(self) -> Result<(), Self> {
        if self == Self::NONE { Ok(()) } else { Err(self) }
    }

    /// Whether the same request may succeed later, by what Kafka's own client holds.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        matches!(
            self.0,
            2 | 3 | 5 | 6 | 7 | 9 | 13..=16 | 19 | 20 | 41 | 51 | 56 | 70..=72 | 74 | 75 | 78 | 80 | 83 | 84 | 88 | 89 | 100 | 103 | 106
        )
    }

    /// Whether the client's view of topics and leaders is out of date.
    #[must_use]
    pub fn wants_metadata(self) -> bool {
        matches!(self.0, 3 | 5 | 6 | 9 | 41 | 56 | 72 | 74 | 75 | 100 | 103)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl std::error::Error for WireError {}

/// The names in `org.apache.kafka.common.protocol.Errors`, each at its code.
#[rustfmt::skip]
const NAMES: [&str; 134] = [
    "NONE", "OFFSET_OUT_OF_RANGE", "CORRUPT_MESSAGE", "UNKNOWN_TOPIC_OR_PARTITION", "INVALID_FETCH_SIZE", "LEADER_NOT_AVAILABLE",
    "NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT", "BROKER_NOT_AVAILABLE", "REPLICA_NOT_AVAILABLE", "MESSAGE_TOO_LARGE",
    "STALE_CONTROLLER_EPOCH", "OFFSET_METADATA_TOO_LARGE", "NETWORK_EXCEPTION", "COORDINATOR_LOAD_IN_PROGRESS",
    "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "INVALID_TOPIC_EXCEPTION", "RECORD_LIST_TOO_LARGE", "NOT_ENOUGH_REPLICAS",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "INVALID_REQUIRED_ACKS", "ILLEGAL_GENERATION", "INCONSISTENT_GROUP_PROTOCOL", "INVALID_GROUP_ID",
    "UNKNOWN_MEMBER_ID", "INVALID_SESSION_TIMEOUT", "REBALANCE_IN_PROGRESS", "INVALID_COMMIT_OFFSET_SIZE", "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "INVALID_TIMESTAMP", "UNSUPPORTED_SASL_MECHANISM", "ILLEGAL_SASL_STATE",
    "UNSUPPORTED_VERSION", "TOPIC_ALREADY_EXISTS", "INVALID_PARTITIONS", "INVALID_REPLICATION_FACTOR", "INVALID_REPLICA_ASSIGNMENT",
    "INVALID_CONFIG", "NOT_CONTROLLER", "INVALID_REQUEST", "UNSUPPORTED_FOR_MESSAGE_FORMAT", "POLICY_VIOLATION",
    "OUT_OF_ORDER_SEQUENCE_NUMBER", "DUPLICATE_SEQUENCE_NUMBER", "INVALID_PRODUCER_EPOCH", "INVALID_TXN_STATE",
    "INVALID_PRODUCER_ID_MAPPING", "INVALID_TRANSACTION_TIMEOUT", "CONCURRENT_TRANSACTIONS", "TRANSACTION_COORDINATOR_FENCED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "SECURITY_DISABLED", "OPERATION_NOT_ATTEMPTED", "KAFKA_STORAGE_ERROR", "LOG_DIR_NOT_FOUND",
    "SASL_AUTHENTICATION_FAILED", "UNKNOWN_PRODUCER_ID", "REASSIGNMENT_IN_PROGRESS", "DELEGATION_TOKEN_AUTH_DISABLED",
    "DELEGATION_TOKEN_NOT_FOUND", "DELEGATION_TOKEN_OWNER_MISMATCH", "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
    "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "DELEGATION_TOKEN_EXPIRED", "INVALID_PRINCIPAL_TYPE", "NON_EMPTY_GROUP",
    "GROUP_ID_NOT_FOUND", "FETCH_SESSION_ID_NOT_FOUND", "INVALID_FETCH_SESSION_EPOCH", "LISTENER_NOT_FOUND", "TOPIC_DELETION_DISABLED",
    "FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH", "UNSUPPORTED_COMPRESSION_TYPE", "STALE_BROKER_EPOCH", "OFFSET_NOT_AVAILABLE",
    "MEMBER_ID_REQUIRED", "PREFERRED_LEADER_NOT_AVAILABLE", "GROUP_MAX_SIZE_REACHED", "FENCED_INSTANCE_ID",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE", "ELECTION_NOT_NEEDED", "NO_REASSIGNMENT_IN_PROGRESS", "GROUP_SUBSCRIBED_TO_TOPIC", "INVALID_RECORD",
    "UNSTABLE_OFFSET_COMMIT", "THROTTLING_QUOTA_EXCEEDED", "PRODUCER_FENCED", "RESOURCE_NOT_FOUND", "DUPLICATE_RESOURCE",
    "UNACCEPTABLE_CREDENTIAL", "INCONSISTENT_VOTER_SET", "INVALID_UPDATE_VERSION", "FEATURE_UPDATE_FAILED",
    "PRINCIPAL_DESERIALIZATION_FAILURE", "SNAPSHOT_NOT_FOUND", "POSITION_OUT_OF_RANGE", "UNKNOWN_TOPIC_ID",
    "DUPLICATE_BROKER_REGISTRATION", "BROKER_ID_NOT_REGISTERED", "INCONSISTENT_TOPIC_ID", "INCONSISTENT_CLUSTER_ID",
    "TRANSACTIONAL_ID_NOT_FOUND", "FETCH_SESSION_TOPIC_ID_ERROR", "INELIGIBLE_REPLICA", "NEW_LEADER_ELECTED",
    "OFFSET_MOVED_TO_TIERED_STORAGE", "FENCED_MEMBER_EPOCH", "UNRELEASED_INSTANCE_ID", "UNSUPPORTED_ASSIGNOR", "STALE_MEMBER_EPOCH",
    "MISMATCHED_ENDPOINT_TYPE", "UNSUPPORTED_ENDPOINT_TYPE", "UNKNOWN_CONTROLLER_ID", "UNKNOWN_SUBSCRIPTION_ID", "TELEMETRY_TOO_LARGE",
    "INVALID_REGISTRATION", "TRANSACTION_ABORTABLE", "INVALID_RECORD_STATE", "SHARE_SESSION_NOT_FOUND", "INVALID_SHARE_SESSION_EPOCH",
    "FENCED_STATE_EPOCH", "INVALID_VOTER_KEY", "DUPLICATE_VOTER", "VOTER_NOT_FOUND", "INVALID_REGULAR_EXPRESSION", "REBOOTSTRAP_REQUIRED",
    "STREAMS_INVALID_TOPOLOGY", "STREAMS_INVALID_TOPOLOGY_EPOCH", "STREAMS_TOPOLOGY_FENCED", "SHARE_SESSION_LIMIT_REACHED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_their_codes() {
        let known = [
            (WireError::OFFSET_OUT_OF_RANGE, "OFFSET_OUT_OF_RANGE"),
            (WireError::NOT_LEADER_OR_FOLLOWER, "NOT_LEADER_OR_FOLLOWER"),
            (WireError::UNSUPPORTED_VERSION, "UNSUPPORTED_VERSION"),
            (WireError::UNKNOWN_MEMBER_ID, "UNKNOWN_MEMBER_ID"),
            (WireError::NON_EMPTY_GROUP, "NON_EMPTY_GROUP"),
            (WireError::GROUP_ID_NOT_FOUND, "GROUP_ID_NOT_FOUND"),
            (WireError::GROUP_SUBSCRIBED_TO_TOPIC, "GROUP_SUBSCRIBED_TO_TOPIC"),
            (WireError::FENCED_LEADER_EPOCH, "FENCED_LEADER_EPOCH"),
            (WireError::ELECTION_NOT_NEEDED, "ELECTION_NOT_NEEDED"),
            (WireError::UNKNOWN_TOPIC_ID, "UNKNOWN_TOPIC_ID"),
            (WireError(129), "REBOOTSTRAP_REQUIRED"),
            (WireError(-1), "UNKNOWN_SERVER_ERROR"),
        ];
        for (error, name) in known {
            assert_eq!(error.name(), Some(name));
        }
        assert_eq!(WireError(9999).to_string(), "error 9999");
    }
}
