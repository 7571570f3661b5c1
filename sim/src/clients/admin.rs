//! An administrator: creates topics, grows, alters, uses and deletes them, and deletes records of those that are there all along.

use std::time::Duration;

use gracchus_core::offset::Offset;
use gracchus_net::client::WireError;
use kafka_wire::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_wire::create_partitions_request::CreatePartitionsTopic;
use kafka_wire::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_wire::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_wire::delete_topics_request::DeleteTopicState;
use kafka_wire::elect_leaders_request::TopicPartitions;
use kafka_wire::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_wire::metadata_request::MetadataRequestTopic;
use kafka_wire::{
    AlterPartitionReassignmentsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    ElectLeadersRequest, IncrementalAlterConfigsRequest, MetadataRequest,
};
use kafka_wire_core::StrBytes;
use madsim::time::sleep;

use super::leaders::Left;
use super::offsets::{EARLIEST, LATEST, list_offset};
use super::{Client, Lost, Outcome, Surroundings, Topic, TopicKind, Wire, topic_key};
use crate::checkers::{Asked, Question, Subject};
use crate::plan::TopicPlan;
use crate::platform::lock;

/// How long an administrator lets the node take, in milliseconds.
const ADMIN_TIMEOUT_MS: i32 = 10_000;

/// What a node whose clock is fast lets pass of that at least.
const DELETION_PATIENCE: Duration = Duration::from_millis(9_900);
/// Topics that come and go.
const PASSING_TOPICS: u64 = 3;
/// Chance in a million that a reassignment is taken back.
const CANCELS_PER_MILLION: u32 = 150_000;
/// What their names begin with.
const PASSING: &str = "passing-";
/// Chance in a million that all records of a partition are deleted, whatever there are.
const DELETES_ALL_PER_MILLION: u32 = 60_000;

pub(super) async fn run(client: &mut Client) {
    while let Some(mut wire) = client.connect().await {
        let worked = work(client, &mut wire).await;
        match client.leave(worked).await {
            Left::ForGood => return,
            Left::ForAnother => {}
            Left::Lost => client.surroundings.count("admin", Outcome::Unknown),
        }
    }
}

async fn work(client: &mut Client, wire: &mut Wire) -> Result<(), Lost> {
    while !client.surroundings.is_stopping() && !client.is_moving() {
        if !client.rest().await {
            return Ok(());
        }
        let name = format!("{PASSING}{}", client.draw.below(PASSING_TOPICS));
        match client.draw.below(14) {
            0 | 1 => {
                let partitions = client.draw.pick(&[1, 2, 4]);
                let replicas = if client.surroundings.is_cluster() { client.draw.pick(&[1, 2, 3]) } else { 1 };
                let plan = TopicPlan { name, partitions, replicas, configs: Vec::new(), is_altered: false };
                create_topic(&client.surroundings, wire, &plan).await?;
            }
            2 => delete_topic(client, wire, &name).await?,
            3 => create_partitions(client, wire, &name).await?,
            4 => {
                let setting = client.draw.pick(&["retention.ms", "max.message.bytes"]);
                alter(client, wire, Altered { topic: &name, is_passing: true, setting, value: "1000000" }).await?;
            }
            5 => delete_records(client, wire).await?,
            6 | 7 => alter_durability(client, wire).await?,
            8 if client.surroundings.is_cluster() => reassign(client, wire).await?,
            9 if client.surroundings.is_cluster() => elect_preferred(client, wire).await?,
            _ => {
                describe(&client.surroundings, wire).await?;
            }
        }
    }
    Ok(())
}

/// Creates a topic. True if it exists afterwards.
pub(super) async fn create_topic(surroundings: &Surroundings, wire: &mut Wire, plan: &TopicPlan) -> Result<bool, Lost> {
    let mut topic = CreatableTopic::default();
    topic.name = StrBytes::from(plan.name.as_str());
    topic.num_partitions = plan.partitions;
    topic.replication_factor = plan.replicas;
    for (name, value) in &plan.configs {
        let mut config = CreatableTopicConfig::default();
        config.name = StrBytes::from(name.as_str());
        config.value = Some(StrBytes::from(value.as_str()));
        topic.configs.push(config);
    }
    let mut request = CreateTopicsRequest::default();
    request.topics.push(topic);
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    let asked = surroundings.ask(wire, Subject::Topics);
    let response = wire.ask(wire.version::<CreateTopicsRequest>()?, &request).await?;
    let error = WireError(response.topics.first().expect("what was asked is answered").error_code);
    settle(surroundings, "create topic", &asked, Question::CreateTopic, error).await;
    Ok(matches!(error, WireError::NONE | WireError::TOPIC_ALREADY_EXISTS))
}

async fn delete_topic(client: &mut Client, wire: &mut Wire, name: &str) -> Result<(), Lost> {
    let version = wire.version::<DeleteTopicsRequest>()?;
    let mut request = DeleteTopicsRequest::default();
    if version >= 6 {
        let mut topic = DeleteTopicState::default();
        topic.name = Some(StrBytes::from(name));
        request.topics.push(topic);
    } else {
        request.topic_names.push(StrBytes::from(name));
    }
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    let asked = client.surroundings.ask(wire, Subject::Topics);
    let response = wire.ask(version, &request).await?;
    let error = WireError(response.responses.first().expect("what was asked is answered").error_code);
    settle(&client.surroundings, "delete topic", &asked, Question::DeleteTopic, error).await;
    Ok(())
}

async fn create_partitions(client: &mut Client, wire: &mut Wire, name: &str) -> Result<(), Lost> {
    let mut topic = CreatePartitionsTopic::default();
    topic.name = StrBytes::from(name);
    topic.count = client.draw.pick(&[2, 3, 5, 6]);
    topic.assignments = None;
    let mut request = CreatePartitionsRequest::default();
    request.topics.push(topic);
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    let asked = client.surroundings.ask(wire, Subject::Topics);
    let response = wire.ask(wire.version::<CreatePartitionsRequest>()?, &request).await?;
    let error = WireError(response.results.first().expect("what was asked is answered").error_code);
    settle(&client.surroundings, "create partitions", &asked, Question::CreatePartitions, error).await;
    Ok(())
}

/// A setting of a topic that is given a value.
struct Altered<'a> {
    topic: &'a str,
    is_passing: bool,
    setting: &'a str,
    value: &'a str,
}

async fn alter(client: &mut Client, wire: &mut Wire, altered: Altered<'_>) -> Result<(), Lost> {
    let mut config = AlterableConfig::default();
    config.name = StrBytes::from(altered.setting);
    config.value = Some(StrBytes::from(altered.value));
    let mut resource = AlterConfigsResource::default();
    resource.resource_type = 2;
    resource.resource_name = StrBytes::from(altered.topic);
    resource.configs.push(config);
    let mut request = IncrementalAlterConfigsRequest::default();
    request.resources.push(resource);
    let asked = client.surroundings.ask(wire, Subject::Topics);
    let response = wire.ask(wire.version::<IncrementalAlterConfigsRequest>()?, &request).await?;
    let error = WireError(response.responses.first().expect("what was asked is answered").error_code);
    let question = Question::AlterTopic { is_passing: altered.is_passing };
    settle(&client.surroundings, "alter configs", &asked, question, error).await;
    Ok(())
}

/// Makes a topic `flushed` that was `replicated`, or the other way round, while it is written to.
async fn alter_durability(client: &mut Client, wire: &mut Wire) -> Result<(), Lost> {
    let altered: Vec<Topic> = client.surroundings.topics().into_iter().filter(|topic| topic.kind == TopicKind::Altered).collect();
    if altered.is_empty() {
        return Ok(());
    }
    let topic = client.draw.pick(&altered);
    let value = client.draw.pick(&["flushed", "replicated"]);
    alter(client, wire, Altered { topic: topic.key.name.as_str(), is_passing: false, setting: "durability", value }).await
}

async fn delete_records(client: &mut Client, wire: &mut Wire) -> Result<(), Lost> {
    let (topic, index) = client.pick_lasting();
    let earliest = list_offset(&client.surroundings, wire, &topic, index, EARLIEST).await?;
    let latest = list_offset(&client.surroundings, wire, &topic, index, LATEST).await?;
    let (Some(earliest), Some(latest)) = (earliest, latest) else { return Ok(()) };
    let length = u64::try_from(latest.since(earliest)).unwrap_or_default();
    let part = earliest.plus(i64::try_from(client.draw.below(length / 2 + 1)).expect("within the log"));
    let before = if client.draw.chance(DELETES_ALL_PER_MILLION) { latest } else { part };
    let mut partition = DeleteRecordsPartition::default();
    partition.partition_index = index;
    partition.offset = before.0;
    let mut wanted = DeleteRecordsTopic::default();
    wanted.name = topic.key.name.clone();
    wanted.partitions.push(partition);
    let mut request = DeleteRecordsRequest::default();
    request.topics.push(wanted);
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    let asked = client.surroundings.ask(wire, topic.subject(index));
    let response = wire.ask(wire.version::<DeleteRecordsRequest>()?, &request).await?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first()).expect("what was asked is answered");
    let error = WireError(answer.error_code);
    settle(&client.surroundings, "delete records", &asked, Question::DeleteRecords { before, patience: DELETION_PATIENCE }, error).await;
    if error == WireError::NONE {
        let log_start = Offset(answer.low_watermark);
        client.surroundings.recorder.tell(|checkers| checkers.deleted(&asked, before, log_start));
    }
    Ok(())
}

/// Gives a partition to other nodes, in another order or as many as it had; or takes that back.
async fn reassign(client: &mut Client, wire: &mut Wire) -> Result<(), Lost> {
    let topics = client.surroundings.topics();
    let (topic, index) = client.pick_of(&topics);
    let mut described = MetadataRequestTopic::default();
    described.name = Some(topic.key.name.clone());
    let mut request = MetadataRequest::default();
    request.topics = Some(vec![described]);
    let response = wire.ask(wire.version::<MetadataRequest>()?, &request).await?;
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    let Some(held) = partitions.into_iter().find(|partition| partition.partition_index == index) else { return Ok(()) };
    let factor = held.replica_nodes.len().min(client.surroundings.servers.len());
    let mut left: Vec<i32> = client.surroundings.servers.iter().map(|node| node.0).collect();
    let mut target = Vec::new();
    while target.len() < factor {
        let at = usize::try_from(client.draw.below(left.len() as u64)).expect("nodes are few");
        target.push(left.remove(at));
    }
    let mut partition = ReassignablePartition::default();
    partition.partition_index = index;
    partition.replicas = (!client.draw.chance(CANCELS_PER_MILLION)).then_some(target);
    let mut reassigned = ReassignableTopic::default();
    reassigned.name = topic.key.name.clone();
    reassigned.partitions.push(partition);
    let version = wire.version::<AlterPartitionReassignmentsRequest>()?;
    let mut request = AlterPartitionReassignmentsRequest::default();
    request.allow_replication_factor_change = version < 1;
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    request.topics.push(reassigned);
    let asked = client.surroundings.ask(wire, Subject::Topics);
    let response = wire.ask(version, &request).await?;
    let answer = response.responses.first().and_then(|topic| topic.partitions.first()).map(|partition| partition.error_code);
    let error = WireError(answer.unwrap_or(response.error_code));
    settle(&client.surroundings, "reassign", &asked, Question::Reassign, error).await;
    Ok(())
}

/// Has preferred replicas lead what they can.
async fn elect_preferred(client: &mut Client, wire: &mut Wire) -> Result<(), Lost> {
    let topics = client.surroundings.topics();
    let (topic, index) = client.pick_of(&topics);
    let mut wanted = TopicPartitions::default();
    wanted.topic = topic.key.name.clone();
    wanted.partitions.push(index);
    let mut request = ElectLeadersRequest::default();
    request.topic_partitions = Some(vec![wanted]);
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    let asked = client.surroundings.ask(wire, Subject::Topics);
    let response = wire.ask(wire.version::<ElectLeadersRequest>()?, &request).await?;
    let answer = response.replica_election_results.first().and_then(|topic| topic.partition_result.first());
    let error = WireError(answer.map_or(response.error_code, |partition| partition.error_code));
    settle(&client.surroundings, "elect preferred", &asked, Question::ElectPreferred, error).await;
    Ok(())
}

/// The topics that there are.
pub(super) async fn describe(surroundings: &Surroundings, wire: &mut Wire) -> Result<Vec<Topic>, Lost> {
    let mut request = MetadataRequest::default();
    request.topics = None;
    let response = wire.ask(wire.version::<MetadataRequest>()?, &request).await?;
    surroundings.count("metadata", Outcome::Done);
    let topics = response.topics.into_iter().filter_map(|topic| {
        let key = topic_key(topic.name?.as_str(), topic.topic_id);
        let kind = if key.name.as_str().starts_with(PASSING) { TopicKind::Passing } else { TopicKind::Lasting };
        Some(Topic { key, partitions: i32::try_from(topic.partitions.len()).ok().filter(|count| *count > 0)?, kind })
    });
    let topics: Vec<Topic> = topics.collect();
    *lock(&surroundings.passing) = topics.iter().filter(|topic| topic.kind == TopicKind::Passing).cloned().collect();
    Ok(topics)
}

/// Counts an operation by its outcome, and tells of an error.
async fn settle(surroundings: &Surroundings, operation: &'static str, asked: &Asked, question: Question, error: WireError) {
    if error == WireError::NONE {
        surroundings.count(operation, Outcome::Done);
    } else {
        surroundings.count(operation, Outcome::Refused);
        surroundings.refused(asked, question, error);
        sleep(Duration::from_millis(5)).await;
    }
}
