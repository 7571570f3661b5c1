//! What an operator does to a cluster of several nodes.

use kafka_wire::{
    AddRaftVoterRequest, AddRaftVoterResponse, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, RemoveRaftVoterRequest,
    RemoveRaftVoterResponse, alter_replica_log_dirs_response,
};

use super::{each, filled, say, unsupported};

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

pub(super) fn add_voter(_: AddRaftVoterRequest) -> AddRaftVoterResponse {
    let message = say("This broker does not add voters to its quorum yet.");
    filled!(AddRaftVoterResponse { error_code: unsupported(), error_message: message })
}

pub(super) fn remove_voter(_: RemoveRaftVoterRequest) -> RemoveRaftVoterResponse {
    let message = say("This broker does not remove voters from its quorum yet.");
    filled!(RemoveRaftVoterResponse { error_code: unsupported(), error_message: message })
}
