//! The metadata quorum as its leader describes it (KIP-595, KIP-836, KIP-853).

use std::collections::BTreeMap;

use gracchus_core::ids::CLUSTER_METADATA_TOPIC;
use gracchus_net::client::WireError;
use kafka_wire::describe_quorum_request::{PartitionData, TopicData};
use kafka_wire::describe_quorum_response::{Node, ReplicaState};
use kafka_wire::{DescribeQuorumRequest, DescribeQuorumResponse};
use kafka_wire_core::{StrBytes, Uuid};

use super::super::cluster::{Cluster, Refusal};
use super::super::error::CliError;
use super::super::text::show_id;
use crate::config::HostPort;

/// The quorum.
#[derive(Debug)]
pub(super) struct Quorum {
    /// Who leads: the controller.
    pub(super) leader: i32,
    /// In which epoch.
    pub(super) quorum_epoch: i32,
    /// All of the metadata log below is committed.
    pub(super) high_watermark: i64,
    /// Who votes.
    pub(super) voters: Vec<Member>,
    /// Who follows without a vote.
    pub(super) observers: Vec<Member>,
    /// Where controllers serve, as far as the leader knows.
    pub(super) addresses: BTreeMap<i32, String>,
}

/// A member of the quorum. What its leader does not know of it is none.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The node.
    pub(super) node: i32,
    /// The id of its data folder.
    pub(super) directory: Option<String>,
    /// Where its log ends.
    pub(super) log_end_offset: Option<i64>,
    /// When it last fetched by the leader's clock, in milliseconds since 1970; for the leader it is the time of the answer.
    pub(super) fetched_at_ms: Option<i64>,
    /// When it last held all that the leader had, in milliseconds since 1970.
    pub(super) caught_up_at_ms: Option<i64>,
}

/// Asks the quorum's leader, through whichever broker answers.
pub(super) async fn describe(cluster: &mut Cluster) -> Result<Quorum, CliError> {
    let answer = cluster.ask(&request(), read).await?;
    answer.map_err(|refusal| refusal.failed("the metadata quorum can't be described"))
}

fn request() -> DescribeQuorumRequest {
    let mut topic = TopicData::default();
    topic.topic_name = StrBytes::from(CLUSTER_METADATA_TOPIC);
    topic.partitions.push(PartitionData::default());
    let mut request = DescribeQuorumRequest::default();
    request.topics.push(topic);
    request
}

fn read(response: DescribeQuorumResponse) -> Result<Quorum, Refusal> {
    Refusal::check(response.error_code, response.error_message.as_ref())?;
    let partition = response.topics.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
    let partition = partition.ok_or(Refusal { error: WireError::UNKNOWN_TOPIC_OR_PARTITION, message: None })?;
    Refusal::check(partition.error_code, partition.error_message.as_ref())?;
    Ok(Quorum {
        leader: partition.leader_id,
        quorum_epoch: partition.leader_epoch,
        high_watermark: partition.high_watermark,
        voters: members(partition.current_voters),
        observers: members(partition.observers),
        addresses: response.nodes.into_iter().filter_map(address).collect(),
    })
}

fn members(states: Vec<ReplicaState>) -> Vec<Member> {
    let known = |number: i64| (number >= 0).then_some(number);
    let mut members: Vec<_> = states
        .into_iter()
        .map(|state| Member {
            node: state.replica_id,
            directory: (state.replica_directory_id != Uuid::default()).then(|| show_id(state.replica_directory_id)),
            log_end_offset: known(state.log_end_offset),
            fetched_at_ms: known(state.last_fetch_timestamp),
            caught_up_at_ms: known(state.last_caught_up_timestamp),
        })
        .collect();
    members.sort_by_key(|member| member.node);
    members
}

/// By the first of its listeners.
fn address(node: Node) -> Option<(i32, String)> {
    let listener = node.listeners.into_iter().next()?;
    let address = HostPort { host: listener.host.into_string(), port: listener.port };
    Some((node.node_id, address.to_string()))
}
