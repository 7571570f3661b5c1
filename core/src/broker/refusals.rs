//! What a client is told whose command nobody decides.

use crate::boundary::{
    AlterConfigsResponse, ControllerCommand, CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse, DeletedTopic,
    RaftVoterResponse, Response, TopicRef,
};
use crate::error::{ApiError, ErrorCode};
use crate::ids::TopicId;

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
