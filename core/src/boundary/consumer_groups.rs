//! What members of groups of the consumer protocol say to their coordinator (KIP-848), and are told.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::ids::{PartitionIndex, TopicId, TopicName, TopicPartition};

/// ConsumerGroupHeartbeat: all that such a member ever sends. What is none has not changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerGroupHeartbeatRequest {
    /// The group.
    pub group: String,
    /// The member's id; empty if it is to be given one.
    pub member_id: String,
    /// The epoch that the member has come to; 0 to join, -1 to leave, -2 to leave for a while as a static member.
    pub member_epoch: i32,
    /// Its own name for itself, if it is a static member (KIP-345).
    pub instance_id: Option<String>,
    /// Its rack.
    pub rack_id: Option<String>,
    /// How long it may take to give up partitions, in milliseconds.
    pub rebalance_timeout_ms: Option<i32>,
    /// The topics that it subscribes to by name.
    pub topics: Option<Vec<TopicName>>,
    /// A regular expression for more of them; empty for none.
    pub pattern: Option<String>,
    /// The assignor that it would rather have.
    pub assignor: Option<String>,
    /// The partitions that it has, by topic.
    pub owned: Option<Vec<(TopicId, Vec<PartitionIndex>)>>,
    /// Whether it has to have made its id itself (KIP-1082).
    pub has_own_id: bool,
}

/// The answer to ConsumerGroupHeartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerGroupHeartbeatResponse {
    /// Where the member stands; or why it has no place in the group.
    pub result: Result<Heard, ApiError>,
}

/// What a member is told that was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Its id.
    pub member_id: String,
    /// Its epoch, or what it said when it left.
    pub member_epoch: i32,
    /// When it is to be heard of again, in milliseconds.
    pub heartbeat_interval_ms: i32,
    /// The partitions that it may use, if they have changed or it may not know them.
    pub assignment: Option<BTreeSet<TopicPartition>>,
}

/// ConsumerGroupDescribe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerGroupDescribeRequest {
    /// The groups.
    pub groups: Vec<String>,
}

/// The answer to ConsumerGroupDescribe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerGroupDescribeResponse {
    /// By group, as in the request.
    pub groups: Vec<(String, Result<DescribedConsumerGroup, ApiError>)>,
}

/// A group of the consumer protocol in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedConsumerGroup {
    /// Kafka's name for what it is doing.
    pub state: String,
    /// Its epoch.
    pub group_epoch: i32,
    /// The epoch that partitions were last assigned for.
    pub assignment_epoch: i32,
    /// The assignor.
    pub assignor: String,
    /// Its members.
    pub members: Vec<DescribedConsumer>,
}

/// A member in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedConsumer {
    /// Its id.
    pub member_id: String,
    /// Its own name for itself.
    pub instance_id: Option<String>,
    /// Its rack.
    pub rack_id: Option<String>,
    /// The epoch that it has come to.
    pub member_epoch: i32,
    /// Its client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// The topics that it names.
    pub topics: Vec<TopicName>,
    /// The regular expression that it subscribes by.
    pub pattern: Option<String>,
    /// What it has.
    pub assigned: Vec<DescribedPartitions>,
    /// What it is to get.
    pub target: Vec<DescribedPartitions>,
    /// Whether it is of the classic protocol.
    pub is_classic: bool,
}

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedPartitions {
    /// The topic's id.
    pub topic_id: TopicId,
    /// Its name.
    pub topic: TopicName,
    /// The partitions.
    pub partitions: Vec<PartitionIndex>,
}
