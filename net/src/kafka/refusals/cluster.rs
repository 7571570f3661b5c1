//! What an operator does to a cluster of several nodes.

use kafka_wire::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
    DescribeQuorumRequest, DescribeQuorumResponse, ElectLeadersRequest, ElectLeadersResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, UnregisterBrokerRequest, UnregisterBrokerResponse, UpdateFeaturesRequest, UpdateFeaturesResponse,
    alter_replica_log_dirs_response, elect_leaders_request, elect_leaders_response,
};

use super::{each, filled, say, unsupported};

/// The first version of ElectLeaders with an error of its own, not only one a partition.
const ELECT_ERROR_FROM: i16 = 1;

pub(super) fn alter_log_dirs(asked: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse {
    use alter_replica_log_dirs_response::{AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult};
    let topics = asked.dirs.into_iter().flat_map(|directory| directory.topics);
    let results = topics.map(|topic| {
        let partitions =
            each(topic.partitions, |index| filled!(AlterReplicaLogDirPartitionResult { partition_index: index, error_code: unsupported() }));
        filled!(AlterReplicaLogDirTopicResult { topic_name: topic.name, partitions: partitions })
    });
    filled!(AlterReplicaLogDirsResponse { results: results.collect() })
}

pub(super) fn elect_leaders(asked: ElectLeadersRequest, version: i16) -> ElectLeadersResponse {
    let mut answer = filled!(ElectLeadersResponse { replica_election_results: each(asked.topic_partitions.unwrap_or_default(), unelected) });
    if version >= ELECT_ERROR_FROM {
        answer.error_code = unsupported();
    }
    answer
}

fn unelected(topic: elect_leaders_request::TopicPartitions) -> elect_leaders_response::ReplicaElectionResult {
    let partitions = each(topic.partitions, |index| {
        filled!(elect_leaders_response::PartitionResult {
            partition_id: index,
            error_code: unsupported(),
            error_message: say("This broker does not elect leaders on request yet."),
        })
    });
    filled!(elect_leaders_response::ReplicaElectionResult { topic: topic.topic, partition_result: partitions })
}

pub(super) fn alter_reassignments(_: AlterPartitionReassignmentsRequest) -> AlterPartitionReassignmentsResponse {
    let message = say("This broker does not reassign partitions yet.");
    filled!(AlterPartitionReassignmentsResponse { error_code: unsupported(), error_message: message })
}

/// None is under way, since none can be begun.
pub(super) fn list_reassignments(_: ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}

pub(super) fn describe_quorum(_: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let message = say("This broker does not describe its quorum yet.");
    filled!(DescribeQuorumResponse { error_code: unsupported(), error_message: message })
}

pub(super) fn update_features(_: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    let message = say("This broker does not update features yet.");
    filled!(UpdateFeaturesResponse { error_code: unsupported(), error_message: message })
}

pub(super) fn unregister(_: UnregisterBrokerRequest) -> UnregisterBrokerResponse {
    let message = say("This broker does not unregister brokers yet.");
    filled!(UnregisterBrokerResponse { error_code: unsupported(), error_message: message })
}
