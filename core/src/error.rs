//! Kafka's own error names, as answers carry them. The numbers belong to the wire and live in `net`.

use serde::{Deserialize, Serialize};

/// An error that a client can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Kafka's own (org.apache.kafka.common.protocol.Errors), each documented there")]
pub enum ErrorCode {
    UnknownServerError,
    OffsetOutOfRange,
    CorruptMessage,
    UnknownTopicOrPartition,
    InvalidFetchSize,
    LeaderNotAvailable,
    NotLeaderOrFollower,
    RequestTimedOut,
    BrokerNotAvailable,
    ReplicaNotAvailable,
    MessageTooLarge,
    CoordinatorLoadInProgress,
    CoordinatorNotAvailable,
    NotCoordinator,
    InvalidTopicException,
    RecordListTooLarge,
    NotEnoughReplicas,
    NotEnoughReplicasAfterAppend,
    InvalidRequiredAcks,
    TopicAuthorizationFailed,
    InvalidTimestamp,
    IllegalSaslState,
    UnsupportedVersion,
    TopicAlreadyExists,
    InvalidPartitions,
    InvalidReplicationFactor,
    InvalidReplicaAssignment,
    InvalidConfig,
    NotController,
    InvalidRequest,
    UnsupportedForMessageFormat,
    PolicyViolation,
    OutOfOrderSequenceNumber,
    DuplicateSequenceNumber,
    InvalidProducerEpoch,
    InvalidTxnState,
    InvalidProducerIdMapping,
    ConcurrentTransactions,
    TransactionalIdAuthorizationFailed,
    SecurityDisabled,
    KafkaStorageError,
    LogDirNotFound,
    UnknownProducerId,
    DelegationTokenAuthDisabled,
    FetchSessionIdNotFound,
    InvalidFetchSessionEpoch,
    ListenerNotFound,
    TopicDeletionDisabled,
    FencedLeaderEpoch,
    UnknownLeaderEpoch,
    UnsupportedCompressionType,
    StaleBrokerEpoch,
    DuplicateBrokerRegistration,
    OffsetNotAvailable,
    InvalidRecord,
    ThrottlingQuotaExceeded,
    InconsistentTopicId,
    UnknownTopicId,
    ProducerFenced,
    ResourceNotFound,
    InvalidUpdateVersion,
    FeatureUpdateFailed,
    MismatchedEndpointType,
    UnsupportedEndpointType,
    NoReassignmentInProgress,
    ElectionNotNeeded,
    PreferredLeaderNotAvailable,
    EligibleLeadersNotAvailable,
    BrokerIdNotRegistered,
    InconsistentClusterId,
    DuplicateVoter,
    VoterNotFound,
    OffsetMetadataTooLarge,
    IllegalGeneration,
    InconsistentGroupProtocol,
    InvalidGroupId,
    UnknownMemberId,
    InvalidSessionTimeout,
    RebalanceInProgress,
    NonEmptyGroup,
    GroupIdNotFound,
    MemberIdRequired,
    GroupMaxSizeReached,
    FencedInstanceId,
    GroupSubscribedToTopic,
    FencedMemberEpoch,
    UnreleasedInstanceId,
    UnsupportedAssignor,
    StaleMemberEpoch,
    InvalidRegularExpression,
}

/// An error with the words that go with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Kafka's name for it.
    pub code: ErrorCode,
    /// What a person should know, or nothing beyond the name.
    pub message: Option<String>,
}

impl ApiError {
    /// An error with a message of its own.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None }
    }
}
