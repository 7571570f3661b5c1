//! `gracchus topic describe`.

use std::io::{self, Write};

use kafka_wire::metadata_response::MetadataResponseTopic;
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::offsets::{Bound, list_offsets};
use super::super::output::{settle, write_json};
use super::super::settings::topic_settings;
use super::super::table::{Align, Table};
use super::super::text::{show_id, show_nodes};

/// Where a setting comes from when it is the topic's own.
const SOURCE_TOPIC: i8 = 1;

/// Show topics: leaders, replicas, offsets and settings.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus topic describe orders
  gracchus topic describe orders --all-configs
  gracchus topic describe --json | jq '.[] | {topic, settings}'")]
pub struct DescribeArgs {
    /// Names of the topics; all of them otherwise.
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    /// Every setting, not only the topic's own.
    #[arg(long)]
    all_configs: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Described {
    topic: String,
    id: String,
    internal: bool,
    settings: Vec<Setting>,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: String,
    value: Option<String>,
    default: bool,
}

#[derive(Debug, Serialize)]
struct Partition {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    replicas: Vec<i32>,
    isr: Vec<i32>,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
}

pub(super) async fn run(args: DescribeArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let wanted = (!args.topics.is_empty()).then_some(args.topics.as_slice());
    let metadata = cluster.metadata(wanted, false).await?;
    let mut topics = metadata.topics;
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    let mut described = Vec::new();
    let mut failures = Vec::new();
    for topic in topics {
        let name = topic.name.clone().unwrap_or_default();
        match Refusal::check(topic.error_code, None) {
            Ok(()) => described.push(describe(&mut cluster, topic, args.all_configs).await?),
            Err(refusal) => failures.push(refusal.failed(&format!("topic {name} can't be described"))),
        }
    }
    if args.json {
        write_json(&described)?;
    } else {
        write_words(&described).map_err(CliError::output)?;
    }
    settle(failures)
}

async fn describe(cluster: &mut Cluster, topic: MetadataResponseTopic, all_configs: bool) -> Result<Described, CliError> {
    let name = topic.name.unwrap_or_default().into_string();
    let led: Vec<_> = topic.partitions.iter().filter(|partition| partition.leader_id >= 0).collect();
    let led: Vec<_> = led.iter().map(|partition| (partition.leader_id, partition.partition_index)).collect();
    let starts = list_offsets(cluster, &name, &led, Bound::Earliest).await?;
    let ends = list_offsets(cluster, &name, &led, Bound::Latest).await?;
    let mut partitions: Vec<_> = topic
        .partitions
        .into_iter()
        .map(|partition| Partition {
            partition: partition.partition_index,
            leader: (partition.leader_id >= 0).then_some(partition.leader_id),
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes,
            isr: partition.isr_nodes,
            start_offset: starts.get(&partition.partition_index).copied(),
            end_offset: ends.get(&partition.partition_index).copied(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.partition);
    let settings = settings(cluster, &name, all_configs).await?;
    Ok(Described { topic: name, id: show_id(topic.topic_id), internal: topic.is_internal, settings, partitions })
}

async fn settings(cluster: &mut Cluster, name: &str, all: bool) -> Result<Vec<Setting>, CliError> {
    let described = topic_settings(cluster, &[name.to_owned()], None).await?.remove(name).unwrap_or(Ok(Vec::new()));
    let entries = described.map_err(|refusal| refusal.failed(&format!("the settings of topic {name} can't be read")))?;
    let mut settings: Vec<_> = entries
        .into_iter()
        .map(|entry| Setting {
            name: entry.name.into_string(),
            value: entry.value.map(StrBytes::into_string),
            default: entry.config_source != SOURCE_TOPIC,
        })
        .filter(|setting| all || !setting.default)
        .collect();
    settings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(settings)
}

fn write_words(topics: &[Described]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (at, topic) in topics.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        writeln!(out, "topic {}  (id {}{})", topic.topic, topic.id, if topic.internal { ", internal" } else { "" })?;
        for setting in &topic.settings {
            let mark = if setting.default { "  (default)" } else { "" };
            writeln!(out, "  {}={}{mark}", setting.name, setting.value.as_deref().unwrap_or(""))?;
        }
        partition_table(&topic.partitions).write(&mut out)?;
    }
    Ok(())
}

fn partition_table(partitions: &[Partition]) -> Table {
    let mut table = Table::new(&[
        ("PARTITION", Align::Right),
        ("LEADER", Align::Right),
        ("EPOCH", Align::Right),
        ("REPLICAS", Align::Left),
        ("ISR", Align::Left),
        ("START", Align::Right),
        ("END", Align::Right),
    ]);
    for partition in partitions {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        table.row([
            partition.partition.to_string(),
            number(partition.leader.map(i64::from)),
            partition.leader_epoch.to_string(),
            show_nodes(&partition.replicas),
            show_nodes(&partition.isr),
            number(partition.start_offset),
            number(partition.end_offset),
        ]);
    }
    table
}
