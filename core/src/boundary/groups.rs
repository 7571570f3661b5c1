//! What clients ask of a group's coordinator, and are answered: the classic protocol and committed offsets. The consumer protocol is in
//! [`super::consumer_groups`].
//!
//! What differs between versions is `net`'s: the core answers with the errors of the latest.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::consumer_groups::{ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use super::request::TopicRef;
use crate::epoch::LeaderEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::ids::PartitionIndex;
use crate::offset::Offset;

/// Something of partitions, by topic as in the request.
pub type ByTopic<T> = Vec<(TopicRef, Vec<T>)>;

/// A partition, and why nothing was done about it, if nothing was.
pub type PartitionOutcome = (PartitionIndex, Option<ErrorCode>);

/// What is asked of the coordinator of one group, which may change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant is documented by its struct")]
pub enum GroupRequest {
    JoinGroup(JoinGroupRequest),
    SyncGroup(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    LeaveGroup(LeaveGroupRequest),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest),
    OffsetCommit(OffsetCommitRequest),
    OffsetDelete(OffsetDeleteRequest),
}

impl GroupRequest {
    /// The group.
    #[must_use]
    pub fn group(&self) -> &str {
        match self {
            Self::JoinGroup(asked) => &asked.group,
            Self::SyncGroup(asked) => &asked.member.group,
            Self::Heartbeat(asked) => &asked.member.group,
            Self::LeaveGroup(asked) => &asked.group,
            Self::ConsumerGroupHeartbeat(asked) => &asked.group,
            Self::OffsetCommit(asked) => &asked.member.group,
            Self::OffsetDelete(asked) => &asked.group,
        }
    }
}

/// What is answered about groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant is documented by its struct")]
pub enum GroupResponse {
    JoinGroup(JoinGroupResponse),
    SyncGroup(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse),
    OffsetCommit(OffsetCommitResponse),
    OffsetDelete(OffsetDeleteResponse),
    OffsetFetch(OffsetFetchResponse),
    ListGroups(ListGroupsResponse),
    DescribeGroups(DescribeGroupsResponse),
    ConsumerGroupDescribe(ConsumerGroupDescribeResponse),
    DeleteGroups(DeleteGroupsResponse),
}

/// JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinGroupRequest {
    /// The group.
    pub group: String,
    /// How long the member may be silent, in milliseconds.
    pub session_timeout_ms: i32,
    /// How long a rebalance waits for it, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Its id; empty if it has none.
    pub member_id: String,
    /// Its own name for itself, if it is a static member (KIP-345).
    pub instance_id: Option<String>,
    /// What it is.
    pub protocol_type: String,
    /// What it can do, the best first, with what it has to say for each.
    pub protocols: Vec<(String, Bytes)>,
    /// Whether it joins with an id that it was given first (KIP-394).
    pub needs_member_id: bool,
    /// Whether it understands that it need not assign, though it is the leader (KIP-814).
    pub may_skip_assignment: bool,
}

/// The answer to JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinGroupResponse {
    /// What has come of it; or why nothing has.
    pub result: Result<Joined, ErrorCode>,
    /// The member's id, the one to join with upon MEMBER_ID_REQUIRED.
    pub member_id: String,
}

/// A generation of a group, as a member of it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The generation.
    pub generation: i32,
    /// What the members are.
    pub protocol_type: String,
    /// What they have agreed on.
    pub protocol: String,
    /// The member that assigns.
    pub leader: String,
    /// Whether the leader need not assign anew (KIP-814).
    pub skip_assignment: bool,
    /// All members; told to the leader alone.
    pub members: Vec<JoinedMember>,
}

/// A member, as its leader is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its own name for itself.
    pub instance_id: Option<String>,
    /// What it has to say for the protocol.
    pub subscription: Bytes,
}

/// Who speaks for a group: a member of some generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The group.
    pub group: String,
    /// The generation that it knows; negative without one.
    pub generation: i32,
    /// Its id.
    pub member_id: String,
    /// Its own name for itself.
    pub instance_id: Option<String>,
}

/// SyncGroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroupRequest {
    /// Who asks.
    pub member: Membership,
    /// What it takes the group to be, if it says that.
    pub protocol_type: Option<String>,
    /// What it takes to be agreed on, if it says that.
    pub protocol: Option<String>,
    /// What each member gets; from the leader.
    pub assignments: Vec<(String, Bytes)>,
}

/// The answer to SyncGroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroupResponse {
    /// What the member is, does and gets.
    pub result: Result<Synced, ErrorCode>,
}

/// What a member gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// What it is.
    pub protocol_type: String,
    /// What it does.
    pub protocol: String,
    /// What it gets.
    pub assignment: Bytes,
}

/// Heartbeat of the classic protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatRequest {
    /// Who lives.
    pub member: Membership,
}

/// The answer to Heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatResponse {
    /// What the member has to do, if anything.
    pub error: Option<ErrorCode>,
}

/// A member that leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaver {
    /// Its id; empty if it is named by the other.
    pub member_id: String,
    /// Its own name for itself.
    pub instance_id: Option<String>,
}

/// LeaveGroup (KIP-345: many at once).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveGroupRequest {
    /// The group.
    pub group: String,
    /// Who leaves it.
    pub members: Vec<Leaver>,
}

/// The answer to LeaveGroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveGroupResponse {
    /// Each member, and why it could not; or why none could.
    pub result: Result<Vec<(Leaver, Option<ErrorCode>)>, ErrorCode>,
}

/// OffsetCommit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetCommitRequest {
    /// Who commits; without a generation and an id whoever may, as long as the group has no members.
    pub member: Membership,
    /// Whether it knows that a member of the consumer protocol has an epoch (KIP-848).
    pub knows_member_epochs: bool,
    /// How long to keep the offsets in milliseconds, if that is said: old clients do.
    pub retention_ms: Option<i64>,
    /// What is committed, by topic.
    pub topics: ByTopic<PartitionCommit>,
}

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCommit {
    /// The partition.
    pub partition: PartitionIndex,
    /// The next record to be read.
    pub offset: Offset,
    /// The epoch of the record before it (KIP-320).
    pub leader_epoch: Option<LeaderEpoch>,
    /// Whatever is to be kept with it.
    pub metadata: String,
}

/// The answer to OffsetCommit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetCommitResponse {
    /// Why a partition's offset was not kept, if it was not, by topic as in the request.
    pub topics: ByTopic<PartitionOutcome>,
}

/// OffsetFetch (KIP-709: many groups at once).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetFetchRequest {
    /// What is asked of each group.
    pub groups: Vec<OffsetsWanted>,
    /// Whether topics are to be told by their ids.
    pub by_id: bool,
    /// Whether an error is to be told of each partition, for want of one that is about the whole.
    pub tells_each: bool,
}

/// What is asked of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetsWanted {
    /// The group.
    pub group: String,
    /// The partitions, by topic; none asks for all that there are.
    pub topics: Option<ByTopic<PartitionIndex>>,
    /// The member that asks, if it says that (KIP-848).
    pub member_id: Option<String>,
    /// The epoch that it has come to; negative without one.
    pub member_epoch: i32,
}

/// The answer to OffsetFetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetFetchResponse {
    /// By group, as in the request.
    pub groups: Vec<(String, Result<ByTopic<FetchedOffset>, ErrorCode>)>,
    /// As in the request.
    pub tells_each: bool,
}

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: PartitionIndex,
    /// The offset, its epoch and what was kept with it; none if nothing was committed.
    pub result: Result<Option<(Offset, Option<LeaderEpoch>, String)>, ErrorCode>,
}

/// OffsetDelete (KIP-496).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetDeleteRequest {
    /// The group.
    pub group: String,
    /// The partitions, by topic.
    pub topics: ByTopic<PartitionIndex>,
}

/// The answer to OffsetDelete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetDeleteResponse {
    /// Why a partition's offset was not deleted, if it was not; or why none was.
    pub result: Result<ByTopic<PartitionOutcome>, ErrorCode>,
}

/// ListGroups: those that this node coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListGroupsRequest {
    /// The states that are asked for (KIP-518), in any case; all, if there is none.
    pub states: Vec<String>,
    /// The types that are asked for (KIP-848), in any case; all, if there is none.
    pub types: Vec<String>,
}

/// The answer to ListGroups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListGroupsResponse {
    /// Why it is not all, if it is not.
    pub error: Option<ErrorCode>,
    /// The groups.
    pub groups: Vec<ListedGroup>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedGroup {
    /// Its name.
    pub group: String,
    /// What its members are; empty if it never had any.
    pub protocol_type: String,
    /// Kafka's name for what it is doing.
    pub state: String,
    /// Kafka's name for its protocol.
    pub kind: String,
}

/// DescribeGroups, of the classic protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeGroupsRequest {
    /// The groups.
    pub groups: Vec<String>,
}

/// The answer to DescribeGroups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeGroupsResponse {
    /// By group, as in the request.
    pub groups: Vec<(String, Result<DescribedGroup, ApiError>)>,
}

/// A group of the classic protocol in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedGroup {
    /// Kafka's name for what it is doing.
    pub state: String,
    /// What its members are; empty if it never had any.
    pub protocol_type: String,
    /// What they have agreed on; empty without that.
    pub protocol: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: String,
    /// Its own name for itself.
    pub instance_id: Option<String>,
    /// Its client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// What it had to say for the protocol; empty while there is no agreement.
    pub subscription: Bytes,
    /// What it has; empty while that is not settled.
    pub assignment: Bytes,
}

/// DeleteGroups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteGroupsRequest {
    /// The groups.
    pub groups: Vec<String>,
}

/// The answer to DeleteGroups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteGroupsResponse {
    /// Why a group was not deleted, if it was not, as in the request.
    pub groups: Vec<(String, Option<ErrorCode>)>,
}
