//! What a client is told whose command nobody decides.

use crate::boundary::{
    AlterConfigsResponse, AlterPartitionReassignmentsResponse, ControllerCommand, CreatePartitionsResponse, CreateTopicsResponse,
    DeleteTopicsResponse, DeletedTopic, DescribeQuorumResponse, ElectLeadersResponse, ListPartitionReassignmentsResponse, RaftVoterResponse,
    Response, TopicRef, UnregisterBrokerResponse, UpdateFeaturesResponse,
};
use crate::error::{ApiError, ErrorCode};
use crate::ids::{PartitionIndex, TopicId};

/// The answer to a client's command that says `code` of everything in it. None for a command that no client gives.
pub(super) fn refusal(command: ControllerCommand, code: ErrorCode) -> Option<Response> {
    let error = || ApiError::from(code);
    let response = match command {
        ControllerCommand::CreateTopics(request) => {
            let topics = request.topics.into_iter().map(|topic| (topic.name, Err(error()))).collect();
            Response::CreateTopics(CreateTopicsResponse { topics })
        }
        ControllerCommand::CreatePartitions(request) => {
            let topics = request.topics.into_iter().map(|topic| (topic.name, Some(error()))).collect();
            Response::CreatePartitions(CreatePartitionsResponse { topics })
        }
        ControllerCommand::DeleteTopics(request) => {
            let refused = request.topics.into_iter().map(|topic| match topic {
                TopicRef::Name(name) => DeletedTopic { name: Some(name), id: TopicId::default(), error: Some(error()) },
                TopicRef::Id(id) => DeletedTopic { name: None, id, error: Some(error()) },
            });
            Response::DeleteTopics(DeleteTopicsResponse { topics: request.misnamed.into_iter().chain(refused).collect() })
        }
        ControllerCommand::AlterConfigs(request) => {
            let resources = request.resources.into_iter().map(|(resource, _)| (resource, Some(error()))).collect();
            Response::AlterConfigs(AlterConfigsResponse { resources })
        }
        ControllerCommand::IncrementalAlterConfigs(request) => {
            let resources = request.resources.into_iter().map(|(resource, _)| (resource, Some(error()))).collect();
            Response::AlterConfigs(AlterConfigsResponse { resources })
        }
        ControllerCommand::AlterPartitionReassignments(request) => {
            let may_change_replication_factor = request.may_change_replication_factor;
            let error = Some(code);
            Response::AlterPartitionReassignments(AlterPartitionReassignmentsResponse {
                error,
                partitions: Vec::new(),
                may_change_replication_factor,
            })
        }
        ControllerCommand::ListPartitionReassignments(_) => {
            Response::ListPartitionReassignments(ListPartitionReassignmentsResponse { result: Err(code) })
        }
        ControllerCommand::ElectLeaders(request) => {
            let refused = |index: PartitionIndex| (index, Some(error()));
            let topics = request.partitions.unwrap_or_default().into_iter();
            let partitions = topics.map(|(topic, indexes)| (topic, indexes.into_iter().map(refused).collect())).collect();
            Response::ElectLeaders(ElectLeadersResponse { error: Some(code), partitions })
        }
        ControllerCommand::DescribeQuorum(request) => {
            Response::DescribeQuorum(DescribeQuorumResponse { partitions: request.partitions, result: Err(code) })
        }
        ControllerCommand::UpdateFeatures(request) => {
            let features = request.updates.into_iter().map(|update| update.feature).collect();
            Response::UpdateFeatures(UpdateFeaturesResponse { error: Some(error()), features })
        }
        ControllerCommand::UnregisterBroker(_) => Response::UnregisterBroker(UnregisterBrokerResponse { error: Some(error()) }),
        ControllerCommand::AddRaftVoter(_) | ControllerCommand::RemoveRaftVoter(_) => {
            Response::RaftVoter(RaftVoterResponse { result: Err(error()) })
        }
        ControllerCommand::AutoCreateTopics(_)
        | ControllerCommand::Register(_)
        | ControllerCommand::Heartbeat(_)
        | ControllerCommand::AlterPartitions(_)
        | ControllerCommand::ReplicasFailed { .. }
        | ControllerCommand::AllocateProducerIds => return None,
    };
    Some(response)
}
