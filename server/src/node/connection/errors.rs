//! Finds the errors in an answer.

use gracchus_core::boundary::{ByPartition, FetchResponse, Response, TopicMetadata};
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
        Response::UnregisterBroker(unregistered) => unregistered.error.as_ref().map(code).into_iter().for_each(found),
    }
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
