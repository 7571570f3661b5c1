//! A group as its coordinator describes it, whichever protocol its members speak.

use gracchus_net::client::WireError;
use kafka_wire::consumer_group_describe_response::Assignment;
use kafka_wire::describe_groups_response::DescribedGroupMember;
use kafka_wire::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    decode_consumer_protocol_assignment,
};
use kafka_wire_core::{DecodeLimits, StrBytes};
use serde::Serialize;

use super::super::cluster::{Cluster, Refusal};
use super::super::error::CliError;
use super::coordinator::{self, Coordinator};
use super::{TopicPartition, list};

/// The state of a group that there is not, in older answers.
const DEAD: &str = "Dead";
/// What consumers call their classic protocol.
const CONSUMER: &str = "consumer";

/// Which protocol a group's members speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// JoinGroup and SyncGroup: the members assign.
    Classic,
    /// ConsumerGroupHeartbeat (KIP-848): the coordinator assigns.
    Consumer,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

/// A group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) kind: Kind,
    pub(super) state: String,
    /// Who assigns: an assignor's name; empty where there is none.
    pub(super) assignor: String,
    /// The group's epoch and that of its assignment, of the consumer protocol.
    pub(super) epochs: Option<(i32, i32)>,
    pub(super) coordinator: Coordinator,
    pub(super) members: Vec<Member>,
}

/// A member of a group.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Member {
    pub(super) member: String,
    pub(super) instance: Option<String>,
    pub(super) client: String,
    pub(super) host: String,
    /// The epoch that it has come to, of the consumer protocol.
    pub(super) epoch: Option<i32>,
    /// What it may read.
    pub(super) assigned: Vec<Share>,
    /// What it is to read in the end, of the consumer protocol.
    pub(super) target: Option<Vec<Share>>,
}

/// Partitions of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Share {
    pub(super) topic: String,
    pub(super) partitions: Vec<i32>,
}

impl Member {
    /// The partitions that it may read, one by one.
    pub(super) fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.assigned.iter().flat_map(|share| share.partitions.iter().map(|partition| (share.topic.clone(), *partition)))
    }
}

/// A group; none if there is no such group.
pub(super) async fn describe(cluster: &mut Cluster, group: &str) -> Result<Option<Group>, CliError> {
    let failed = |refusal: Refusal| refusal.failed(&format!("group {group} can't be described"));
    // A broker that knows nothing of the consumer protocol has only groups of the other.
    if cluster.knows::<ConsumerGroupDescribeRequest>(0) {
        let mut request = ConsumerGroupDescribeRequest::default();
        request.group_ids = vec![StrBytes::from(group)];
        let (coordinator, answer) = coordinator::ask(cluster, group, (&request, i16::MAX), read_consumer).await?;
        match answer {
            Ok(described) => return Ok(Some(described(coordinator))),
            Err(refusal) if matches!(refusal.error, WireError::GROUP_ID_NOT_FOUND | WireError::UNSUPPORTED_VERSION) => {}
            Err(refusal) => return Err(failed(refusal)),
        }
    }
    let mut request = DescribeGroupsRequest::default();
    request.groups = vec![StrBytes::from(group)];
    let (coordinator, answer) = coordinator::ask(cluster, group, (&request, i16::MAX), read_classic).await?;
    match answer {
        Ok(described) => Ok(described.map(|described| described(coordinator))),
        Err(refusal) if refusal.error == WireError::GROUP_ID_NOT_FOUND => Ok(None),
        Err(refusal) => Err(failed(refusal)),
    }
}

/// A group; a failure, if there is no such group.
pub(super) async fn describe_existing(cluster: &mut Cluster, group: &str) -> Result<Group, CliError> {
    describe(cluster, group).await?.ok_or_else(|| no_group(group))
}

/// What is said of a group that there is not.
pub(super) fn no_group(group: &str) -> CliError {
    CliError::failure(format!("group {group} does not exist. `gracchus group list` shows what there is"))
}

fn read_consumer(response: ConsumerGroupDescribeResponse) -> Result<impl FnOnce(Coordinator) -> Group, Refusal> {
    let group = response.groups.into_iter().next().unwrap_or_default();
    Refusal::check(group.error_code, group.error_message.as_ref())?;
    let members = group.members.into_iter().map(|member| Member {
        member: member.member_id.into_string(),
        instance: member.instance_id.map(StrBytes::into_string),
        client: member.client_id.into_string(),
        host: host(&member.client_host),
        epoch: Some(member.member_epoch),
        assigned: shares(member.assignment),
        target: Some(shares(member.target_assignment)),
    });
    let members = members.collect();
    Ok(move |coordinator| Group {
        kind: Kind::Consumer,
        state: list::state(&group.group_state),
        assignor: group.assignor_name.into_string(),
        epochs: Some((group.group_epoch, group.assignment_epoch)),
        coordinator,
        members,
    })
}

fn read_classic(response: DescribeGroupsResponse) -> Result<Option<impl FnOnce(Coordinator) -> Group>, Refusal> {
    let group = response.groups.into_iter().next().unwrap_or_default();
    Refusal::check(group.error_code, group.error_message.as_ref())?;
    if group.group_state.as_str() == DEAD {
        return Ok(None);
    }
    let are_consumers = group.protocol_type.as_str() == CONSUMER;
    let members = group.members.into_iter().map(|member| Member {
        assigned: if are_consumers { assigned(&member) } else { Vec::new() },
        member: member.member_id.into_string(),
        instance: member.group_instance_id.map(StrBytes::into_string),
        client: member.client_id.into_string(),
        host: host(&member.client_host),
        epoch: None,
        target: None,
    });
    let members = members.collect();
    Ok(Some(move |coordinator| Group {
        kind: Kind::Classic,
        state: list::state(&group.group_state),
        assignor: group.protocol_data.into_string(),
        epochs: None,
        coordinator,
        members,
    }))
}

/// What a consumer was assigned by another; nothing, if that can't be understood.
fn assigned(member: &DescribedGroupMember) -> Vec<Share> {
    let decoded = decode_consumer_protocol_assignment(member.member_assignment.clone(), DecodeLimits::default());
    let topics = decoded.map(|(_, assignment)| assignment.assigned_partitions).unwrap_or_default();
    sorted(topics.into_iter().map(|topic| Share { topic: topic.topic.into_string(), partitions: topic.partitions }))
}

fn shares(assignment: Assignment) -> Vec<Share> {
    let topics = assignment.topic_partitions.into_iter();
    sorted(topics.map(|topic| Share { topic: topic.topic_name.into_string(), partitions: topic.partitions }))
}

fn sorted(shares: impl Iterator<Item = Share>) -> Vec<Share> {
    let mut shares: Vec<Share> = shares.collect();
    shares.iter_mut().for_each(|share| share.partitions.sort_unstable());
    shares.sort_by(|one, other| one.topic.cmp(&other.topic));
    shares
}

/// Java writes an address with a slash before it.
fn host(told: &StrBytes) -> String {
    told.as_str().trim_start_matches('/').to_owned()
}
