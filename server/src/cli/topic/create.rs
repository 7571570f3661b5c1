//! `gracchus topic create`.

use gracchus_net::client::WireError;
use kafka_wire::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_wire::{CreateTopicsRequest, CreateTopicsResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::{say, settle, write_json};
use super::super::text::show_id;
use super::{Setting, parse_setting};

/// Make topics.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus topic create orders
  gracchus topic create orders --partitions 12 --config cleanup.policy=compact
  gracchus topic create audit --config durability=flushed --config retention.ms=-1")]
pub struct CreateArgs {
    /// Names of the topics.
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// How many partitions; the cluster's default otherwise.
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// How many copies of each partition; the cluster's default otherwise.
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,
    /// A setting of the topic; may be given more than once.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = parse_setting)]
    config: Vec<Setting>,
    /// Leave a topic that exists as it is.
    #[arg(long)]
    if_not_exists: bool,
    /// Only check whether it could be done.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Created {
    topic: String,
    id: String,
    partitions: i32,
    replication_factor: i16,
    created: bool,
}

pub(super) async fn run(args: CreateArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let mut made = Vec::new();
    let mut failures = Vec::new();
    // One request a topic: a retry of one that was made would say that it exists.
    for name in &args.topics {
        match cluster.ask(&request(&args, name, cluster.timeout_ms()), read).await? {
            Ok(topic) => made.push(Created { created: !args.dry_run, ..topic }),
            Err(refusal) if args.if_not_exists && refusal.error == WireError::TOPIC_ALREADY_EXISTS => {
                made.push(existing(&mut cluster, name).await?)
            }
            Err(refusal) => failures.push(refusal.failed(&format!("topic {name} was not created"))),
        }
    }
    if args.json {
        write_json(&made)?;
    } else {
        for topic in &made {
            say(&in_words(topic, args.dry_run))?;
        }
    }
    settle(failures)
}

fn in_words(topic: &Created, dry_run: bool) -> String {
    let Created { topic: name, id, partitions, replication_factor, created } = topic;
    let plural = if *partitions == 1 { "" } else { "s" };
    let shape = format!("{partitions} partition{plural}, replication factor {replication_factor}");
    if *created {
        format!("created topic {name} ({shape}, id {id})")
    } else if dry_run {
        format!("topic {name} could be created ({shape})")
    } else {
        format!("topic {name} exists already ({shape}, id {id})")
    }
}

fn request(args: &CreateArgs, name: &str, timeout_ms: i32) -> CreateTopicsRequest {
    let mut topic = CreatableTopic::default();
    topic.name = StrBytes::from(name);
    topic.num_partitions = args.partitions.unwrap_or(-1);
    topic.replication_factor = args.replication_factor.unwrap_or(-1);
    topic.configs = args.config.iter().map(setting).collect();
    let mut request = CreateTopicsRequest::default();
    request.topics.push(topic);
    request.timeout_ms = timeout_ms;
    request.validate_only = args.dry_run;
    request
}

fn setting(setting: &Setting) -> CreatableTopicConfig {
    let mut config = CreatableTopicConfig::default();
    config.name = setting.name.clone();
    config.value = Some(setting.value.clone());
    config
}

fn read(response: CreateTopicsResponse) -> Result<Created, Refusal> {
    let topic = response.topics.into_iter().next().unwrap_or_default();
    Refusal::check(topic.error_code, topic.error_message.as_ref())?;
    Ok(Created {
        topic: topic.name.into_string(),
        id: show_id(topic.topic_id),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        created: true,
    })
}

async fn existing(cluster: &mut Cluster, name: &str) -> Result<Created, CliError> {
    let metadata = cluster.metadata(Some(&[name.to_owned()]), false).await?;
    let topic = metadata.topics.into_iter().next().unwrap_or_default();
    let replicas = topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len());
    Ok(Created {
        topic: name.to_owned(),
        id: show_id(topic.topic_id),
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
        created: false,
    })
}
