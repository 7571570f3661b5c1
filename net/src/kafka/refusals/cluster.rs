//! What an operator does to a cluster of several nodes.

use kafka_wire::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, alter_replica_log_dirs_response};

use super::{each, filled, unsupported};

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
