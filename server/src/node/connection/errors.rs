//! Finds the errors in an answer.

use gracchus_core::boundary::{ByPartition, ByTopic, FetchResponse, GroupResponse, PartitionOutcome, Response, TopicMetadata};
use gracchus_core::error::{ApiError, ErrorCode};

/// Calls `found` for every error that `response` tells the client.
pub(super) fn each(response: &Response, found: impl FnMut(ErrorCode)) {
    match response {
        Response::ApiVersions(_) | Response::DescribeLogDirs(_) => {}
        Response::Produce(produce) => {
            let partitions = produce.topics.iter().flat_map(|(_, partitions)| partitions);
            partitions.filter_map(|partition| partition.result.as_ref().err()).map(|failure| failure.error.code).for_each(found);
        }
        Response::Fetch(fetch) => in_fetch(fetch).for_each(found),
        Response::ListOffsets(offsets) => {
            let partitions = offsets.topics.iter().flat_map(|(_, partitions)| partitions);
            partitions.filter_map(|partition| partition.result.err()).for_each(found);
        }
        Response::OffsetForLeaderEpoch(epochs) => {
            let partitions = epochs.topics.iter().flat_map(|(_, partitions)| partitions);
            partitions.filter_map(|partition| partition.result.err()).for_each(found);
        }
        Response::Metadata(metadata) => metadata.topics.iter().flat_map(in_topic).for_each(found),
        Response::DescribeTopicPartitions(described) => described.topics.iter().flat_map(in_topic).for_each(found),
        Response::DescribeCluster(described) => described.result.as_ref().err().map(code).into_iter().for_each(found),
        Response::CreateTopics(created) => created.topics.iter().filter_map(|(_, result)| result.as_ref().err()).map(code).for_each(found),
        Response::DeleteTopics(deleted) => deleted.topics.iter().filter_map(|topic| topic.error.as_ref()).map(code).for_each(found),
        Response::CreatePartitions(created) => created.topics.iter().filter_map(|(_, error)| error.as_ref()).map(code).for_each(found),
        Response::DeleteRecords(deleted) => {
            let partitions = deleted.topics.iter().flat_map(|(_, partitions)| partitions);
            partitions.filter_map(|(_, result)| result.err()).for_each(found);
        }
        Response::DescribeConfigs(described) => {
            described.resources.iter().filter_map(|(_, result)| result.as_ref().err()).map(code).for_each(found);
        }
        Response::AlterConfigs(altered) => altered.resources.iter().filter_map(|(_, error)| error.as_ref()).map(code).for_each(found),
        Response::ListConfigResources(listed) => listed.result.as_ref().err().copied().into_iter().for_each(found),
        Response::RaftVoter(changed) => changed.result.as_ref().err().map(code).into_iter().for_each(found),
        Response::InitProducerId(producer) => producer.result.err().into_iter().for_each(found),
        Response::FindCoordinator(coordinators) => {
            coordinators.coordinators.iter().filter_map(|(_, result)| result.as_ref().err()).map(code).for_each(found);
        }
        Response::AlterPartitionReassignments(altered) => altered.error.into_iter().chain(in_partitions(&altered.partitions)).for_each(found),
        Response::ListPartitionReassignments(listed) => listed.result.as_ref().err().copied().into_iter().for_each(found),
        Response::ElectLeaders(elected) => elected.error.into_iter().chain(in_partitions(&elected.partitions)).for_each(found),
        Response::DescribeQuorum(described) => described.result.as_ref().err().copied().into_iter().for_each(found),
        Response::UpdateFeatures(updated) => updated.error.as_ref().map(code).into_iter().for_each(found),
        Response::Group(answer) => in_groups(answer).for_each(found),
        Response::UnregisterBroker(unregistered) => unregistered.error.as_ref().map(code).into_iter().for_each(found),
    }
}

fn in_groups(answer: &GroupResponse) -> Box<dyn Iterator<Item = ErrorCode> + '_> {
    match answer {
        GroupResponse::JoinGroup(joined) => Box::new(joined.result.as_ref().err().copied().into_iter()),
        GroupResponse::SyncGroup(synced) => Box::new(synced.result.as_ref().err().copied().into_iter()),
        GroupResponse::Heartbeat(heard) => Box::new(heard.error.into_iter()),
        GroupResponse::LeaveGroup(left) => match &left.result {
            Ok(members) => Box::new(members.iter().filter_map(|(_, error)| *error)),
            Err(error) => Box::new(std::iter::once(*error)),
        },
        GroupResponse::OffsetCommit(committed) => Box::new(in_outcomes(&committed.topics)),
        GroupResponse::OffsetDelete(deleted) => match &deleted.result {
            Ok(topics) => Box::new(in_outcomes(topics)),
            Err(error) => Box::new(std::iter::once(*error)),
        },
        GroupResponse::OffsetFetch(fetched) => Box::new(fetched.groups.iter().filter_map(|(_, result)| result.as_ref().err().copied())),
        GroupResponse::ListGroups(listed) => Box::new(listed.error.into_iter()),
        GroupResponse::DescribeGroups(described) => Box::new(described.groups.iter().filter_map(|(_, result)| result.as_ref().err().map(code))),
        GroupResponse::ConsumerGroupHeartbeat(heard) => Box::new(heard.result.as_ref().err().map(code).into_iter()),
        GroupResponse::ConsumerGroupDescribe(described) => {
            Box::new(described.groups.iter().filter_map(|(_, result)| result.as_ref().err().map(code)))
        }
        GroupResponse::DeleteGroups(deleted) => Box::new(deleted.groups.iter().filter_map(|(_, error)| *error)),
    }
}

fn in_outcomes(topics: &ByTopic<PartitionOutcome>) -> impl Iterator<Item = ErrorCode> {
    topics.iter().flat_map(|(_, partitions)| partitions).filter_map(|(_, error)| *error)
}

fn in_fetch(fetch: &FetchResponse) -> impl Iterator<Item = ErrorCode> {
    let partitions = fetch.topics.iter().flat_map(|(_, partitions)| partitions);
    fetch.error.into_iter().chain(partitions.filter_map(|partition| partition.error))
}

fn in_topic(topic: &TopicMetadata) -> impl Iterator<Item = ErrorCode> {
    topic.error.into_iter().chain(topic.partitions.iter().filter_map(|partition| partition.error))
}

fn in_partitions(partitions: &ByPartition<Option<ApiError>>) -> impl Iterator<Item = ErrorCode> {
    let outcomes = partitions.iter().flat_map(|(_, outcomes)| outcomes);
    outcomes.filter_map(|(_, error)| error.as_ref()).map(code)
}

fn code(error: &ApiError) -> ErrorCode {
    error.code
}
