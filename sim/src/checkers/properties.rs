//! The properties by name: what each says, and where it comes from. A violation names one of them.

/// A property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What has to be true.
    pub definition: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// The property of a name, if there is one.
#[must_use]
pub fn property(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.name == name)
}

/// All of them, by their names.
pub const PROPERTIES: &[Property] = &[
    Property {
        name: "AckedIsDurable",
        definition: "An acknowledgement leaves only after the promised durability holds: all that are in sync, or the leader where the client asked for no more, have the batch on their disks in a flushed topic, and have written it in another.",
        source: "KIP-966; the promise of `durability`",
    },
    Property {
        name: "AcknowledgedIsKept",
        definition: "What was acknowledged is there when all is well again, unless the log's start has passed it or more was lost than is promised to be kept.",
        source: "Jepsen's Kafka workload: lost write, unseen; NoCommittedRecordLostGlobally",
    },
    Property {
        name: "AlteredDurability",
        definition: "What is acknowledged in a topic that has been altered to flushed survives a power loss, from the alteration's acknowledgement on.",
        source: "The promise of `durability`",
    },
    Property { name: "AnswersEach", definition: "Once all is healed a node that has served answers whoever asks.", source: "Liveness" },
    Property {
        name: "AssignedCopies",
        definition: "A node has copies of those partitions alone that its committed metadata names.",
        source: "KIP-630, KIP-516",
    },
    Property {
        name: "CommitsKept",
        definition: "An offset that a group has committed, and was told to have, is not lost and does not go back.",
        source: "KAFKA-4682; Jepsen's Kafka workload: lost write",
    },
    Property {
        name: "CompactionKeepsLatest",
        definition: "Compaction takes only what another record of the same key came behind, or what has no value and has stayed its time.",
        source: "KIP-534; KAFKA-10207",
    },
    Property {
        name: "ConsistentRead",
        definition: "What was read or acknowledged at an offset is always read there.",
        source: "The TLA+ specification of Kafka's replication; Jepsen's Kafka workload: inconsistent offsets",
    },
    Property {
        name: "DeletedInSync",
        definition: "An acknowledged DeleteRecords holds on everyone in sync: none of those brings back what was said to be gone.",
        source: "KIP-107",
    },
    Property {
        name: "ElectionSafety",
        definition: "At most one node leads the metadata quorum in an epoch, and at most one a partition in a leader epoch.",
        source: "Raft §5.2; KIP-595; the TLA+ specification of KRaft",
    },
    Property {
        name: "ErrorCodes",
        definition: "A client is told no error but what it asked and what has gone wrong so far explain.",
        source: "The error codes of Apache Kafka",
    },
    Property {
        name: "FailsForAReason",
        definition: "A replica goes out of service, or a node ends unasked, only when the disk has failed it since the process started.",
        source: "KIP-112",
    },
    Property {
        name: "GroupFencing",
        definition: "A commit of a generation counts no more once a member has been told what it gets in a later one, nor one of a member once another has been told to have the partition.",
        source: "KIP-62; KIP-345; KIP-848; KIP-1251",
    },
    Property {
        name: "GroupOwnership",
        definition: "In each generation of a group a partition has one owner at most, and nobody is told to have one that another has not given up, unless that one may be gone.",
        source: "KIP-429; KIP-848",
    },
    Property {
        name: "GroupsServeAgain",
        definition: "Once all is healed somebody can join a group and have offsets kept, within the plan's bound.",
        source: "Liveness",
    },
    Property {
        name: "IsrRules",
        definition: "Fenced brokers are in no ISR, nobody is in ISR and ELR both, an ISR of the minimum leaves the ELR empty, and the leader is in sync.",
        source: "KIP-966 and its TLA+ specification; KIP-841",
    },
    Property {
        name: "LeaderCandidateCompleteness",
        definition: "Everyone in sync or eligible, under the run that is registered, holds all that is committed: on disk in a flushed topic, written in another.",
        source: "The TLA+ specification of KIP-966",
    },
    Property {
        name: "LeaderCompleteness",
        definition: "Who is elected holds all that is committed, from its first step on.",
        source: "Raft §5.4; the TLA+ specifications of KRaft and of Kafka's replication",
    },
    Property {
        name: "LogMatching",
        definition: "A batch that stands at an offset under an epoch is the same wherever it stands, and below the lesser of their high watermarks two replicas have the same batches.",
        source: "Raft §5.3; the TLA+ specification of Kafka's replication",
    },
    Property {
        name: "LogStarts",
        definition: "What clients are told of a log's start never goes back where there is one replica, never passes the high watermark, and never passes what was deleted or retention could have taken.",
        source: "KIP-107",
    },
    Property { name: "MakesTopics", definition: "While all is well, topics are made when they are asked for.", source: "Liveness" },
    Property {
        name: "MetadataCommit",
        definition: "What a leader of the quorum commits a majority of the voters has on disk, and its last entry is of the leader's own epoch.",
        source: "Raft §5.4.2; KIP-595; KIP-853",
    },
    Property {
        name: "MetadataLogMatching",
        definition: "Every node's committed metadata is what the committed records add up to, also where a snapshot stands for them.",
        source: "KIP-630; the TLA+ specification of KRaft",
    },
    Property {
        name: "MinInSync",
        definition: "A leader commits only while as many are in sync as the topic asks for.",
        source: "KIP-966; min.insync.replicas",
    },
    Property {
        name: "Monotonic",
        definition: "High watermarks, log starts and quorum epochs never go back, across restarts too where there was one replica at all times.",
        source: "The TLA+ specifications of KRaft and of Kafka's replication; KIP-207",
    },
    Property {
        name: "NoDuplicate",
        definition: "A record of an idempotent session stands in a partition once.",
        source: "KIP-98; Jepsen's Kafka workload: duplicate",
    },
    Property {
        name: "NoGap",
        definition: "When all is well again the log has every offset from its start to its end, and ends no earlier than it was read.",
        source: "Jepsen's Kafka workload: skipped poll",
    },
    Property {
        name: "NothingUnwritten",
        definition: "Nothing is served that was not written, to that partition, by somebody.",
        source: "Jepsen's Kafka workload",
    },
    Property {
        name: "OffsetsInOrder",
        definition: "Log start, high watermark and log end of a leader stand in this order.",
        source: "The TLA+ specification of Kafka's replication",
    },
    Property { name: "ProducerIds", definition: "No producer id is handed out twice, across restarts and power losses.", source: "KIP-730" },
    Property {
        name: "ReplicationQuorumSuperset",
        definition: "A leader that is not stale, and whose ISR has the minimum, waits for everyone whom the controller takes for in sync or eligible.",
        source: "KIP-497; the TLA+ specification of KIP-966",
    },
    Property {
        name: "SendsInOrder",
        definition: "An idempotent session's records stand in a partition in the order of writing.",
        source: "KIP-98; Jepsen's Kafka workload: nonmonotonic send",
    },
    Property {
        name: "ServesAgain",
        definition: "Once all is healed every partition takes a write and shows its whole log, within the plan's bound.",
        source: "Liveness",
    },
    Property { name: "ServesWhatWasWritten", definition: "A record is served as it was written.", source: "Jepsen's Kafka workload" },
    Property { name: "Stops", definition: "A node that is asked to stop ends.", source: "Liveness" },
    Property {
        name: "TimeLookups",
        definition: "ListOffsets by timestamp answers the first record whose timestamp is at least the one asked for, and by the largest timestamp the first record that has it.",
        source: "KIP-79; KIP-734",
    },
    Property {
        name: "VoterChanges",
        definition: "In a leader's log one change of the voters at most is not committed.",
        source: "KIP-853; the erratum to single-server changes of Raft",
    },
    Property {
        name: "Votes",
        definition: "A member votes once an epoch, its vote is on disk before anybody is told of it, and who leads has the votes of a majority of those who vote by its own log.",
        source: "Raft §5.2; KIP-595; KIP-853",
    },
    Property {
        name: "WakesFetches",
        definition: "A fetch that waits is answered once there are as many bytes as it waits for, or its time is up.",
        source: "Liveness",
    },
    Property {
        name: "WholeAgain",
        definition: "Once all is healed every replica comes into sync and holds what the others do, within the plan's bound.",
        source: "Liveness",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The names in calls that make a violation.
    fn named(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("they can be read").path();
            if path.is_dir() {
                named(&path, names);
            } else if path.file_name().is_some_and(|name| name != "properties.rs") {
                let text = std::fs::read_to_string(&path).expect("sources are text");
                for call in ["Violation::safety(", "Violation::liveness("] {
                    let calls = text.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
                    names.extend(calls.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
                }
            }
        }
    }

    #[test]
    fn each_property_that_is_checked_is_defined_and_each_that_is_defined_is_checked() {
        let mut names = BTreeSet::new();
        named(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
        let defined: BTreeSet<String> = PROPERTIES.iter().map(|property| property.name.to_owned()).collect();
        assert_eq!(names, defined);
        assert!(PROPERTIES.is_sorted_by_key(|property| property.name));
    }
}
