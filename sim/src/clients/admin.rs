//! An administrator: creates topics, grows, alters, uses and deletes them, and deletes records of those that are there all along.

use std::time::Duration;

use gracchus_core::offset::Offset;
use gracchus_net::client::WireError;
use kafka_wire::create_partitions_request::CreatePartitionsTopic;
use kafka_wire::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_wire::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_wire::delete_topics_request::DeleteTopicState;
use kafka_wire::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_wire::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
};
use kafka_wire_core::StrBytes;
use madsim::time::sleep;

use super::consumer::{EARLIEST, LATEST, list_offset};
use super::{Client, Lost, Outcome, Surroundings, Topic, Wire, topic_key};
use crate::plan::TopicPlan;

/// How long an administrator lets the node take, in milliseconds.
const ADMIN_TIMEOUT_MS: i32 = 10_000;
/// Topics that come and go.
const PASSING_TOPICS: u64 = 3;

pub(super) async fn run(client: &mut Client) {
    while let Some(mut wire) = client.connect().await {
        let Err(Lost) = work(client, &mut wire).await else { return };
        client.surroundings.count("admin", Outcome::Unknown);
    }
}

async fn work(client: &mut Client, wire: &mut Wire) -> Result<(), Lost> {
    while !client.surroundings.is_stopping() {
        client.rest().await;
        let name = format!("passing-{}", client.draw.below(PASSING_TOPICS));
        match client.draw.below(12) {
            0 | 1 => {
                let partitions = client.draw.pick(&[1, 2, 4]);
                let plan = TopicPlan { name, partitions, configs: Vec::new() };
                create_topic(&client.surroundings, wire, &plan).await?;
            }
            2 => delete_topic(client, wire, &name).await?,
            3 => create_partitions(client, wire, &name).await?,
            4 => alter(client, wire, &name).await?,
            5 => delete_records(client, wire).await?,
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
    topic.replication_factor = 1;
    for (name, value) in &plan.configs {
        let mut config = CreatableTopicConfig::default();
        config.name = StrBytes::from(name.as_str());
        config.value = Some(StrBytes::from(value.as_str()));
        topic.configs.push(config);
    }
    let mut request = CreateTopicsRequest::default();
    request.topics.push(topic);
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    let response = wire.ask(wire.version::<CreateTopicsRequest>()?, &request).await?;
    let error = WireError(response.topics.first().expect("what was asked is answered").error_code);
    count(surroundings, "create topic", error).await;
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
    let response = wire.ask(version, &request).await?;
    let error = WireError(response.responses.first().expect("what was asked is answered").error_code);
    count(&client.surroundings, "delete topic", error).await;
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
    let response = wire.ask(wire.version::<CreatePartitionsRequest>()?, &request).await?;
    let error = WireError(response.results.first().expect("what was asked is answered").error_code);
    count(&client.surroundings, "create partitions", error).await;
    Ok(())
}

async fn alter(client: &mut Client, wire: &mut Wire, name: &str) -> Result<(), Lost> {
    let mut config = AlterableConfig::default();
    config.name = StrBytes::from(client.draw.pick(&["retention.ms", "max.message.bytes"]));
    config.value = Some(StrBytes::from("1000000"));
    let mut resource = AlterConfigsResource::default();
    resource.resource_type = 2;
    resource.resource_name = StrBytes::from(name);
    resource.configs.push(config);
    let mut request = IncrementalAlterConfigsRequest::default();
    request.resources.push(resource);
    let response = wire.ask(wire.version::<IncrementalAlterConfigsRequest>()?, &request).await?;
    let error = WireError(response.responses.first().expect("what was asked is answered").error_code);
    count(&client.surroundings, "alter configs", error).await;
    Ok(())
}

async fn delete_records(client: &mut Client, wire: &mut Wire) -> Result<(), Lost> {
    let (topic, index) = client.pick_partition();
    let earliest = list_offset(&client.surroundings, wire, &topic, index, EARLIEST).await?;
    let latest = list_offset(&client.surroundings, wire, &topic, index, LATEST).await?;
    let (Some(Offset(earliest)), Some(Offset(latest))) = (earliest, latest) else { return Ok(()) };
    let length = u64::try_from(latest - earliest).unwrap_or_default();
    let mut partition = DeleteRecordsPartition::default();
    partition.partition_index = index;
    partition.offset = earliest + i64::try_from(client.draw.below(length / 2 + 1)).expect("within the log");
    let mut asked = DeleteRecordsTopic::default();
    asked.name = topic.key.name.clone();
    asked.partitions.push(partition);
    let mut request = DeleteRecordsRequest::default();
    request.topics.push(asked);
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    let response = wire.ask(wire.version::<DeleteRecordsRequest>()?, &request).await?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first()).expect("what was asked is answered");
    count(&client.surroundings, "delete records", WireError(answer.error_code)).await;
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
        Some(Topic { key, partitions: i32::try_from(topic.partitions.len()).ok()? })
    });
    Ok(topics.collect())
}

async fn count(surroundings: &Surroundings, operation: &'static str, error: WireError) {
    if error == WireError::NONE {
        surroundings.count(operation, Outcome::Done);
    } else {
        surroundings.count(operation, Outcome::Refused);
        sleep(Duration::from_millis(5)).await;
    }
}
