//! `gracchus group delete-offsets`.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_net::client::WireError;
use kafka_wire::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_wire::{OffsetDeleteRequest, OffsetDeleteResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::{say, settle, write_json};
use super::named::{Named, OneGroup, parse_named};
use super::{TopicPartition, committed, coordinator, described};

/// Delete what a group has committed of some topics.
///
/// Whoever reads them in its name later begins where auto.offset.reset says. Topics that members of the group subscribe to are refused.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus group delete-offsets readers --topic orders
  gracchus group delete-offsets readers --topic orders:0,1 --topic audit")]
pub struct DeleteOffsetsArgs {
    #[command(flatten)]
    group: OneGroup,
    /// A topic, or some of its partitions; may be given more than once.
    #[arg(long = "topic", required = true, value_name = "TOPIC[:PARTITION,...]", value_parser = parse_named)]
    topics: Vec<Named>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Deleted {
    topic: String,
    partition: i32,
    /// What was committed.
    offset: i64,
}

pub(super) async fn run(args: DeleteOffsetsArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let group = args.group.name();
    described::describe_existing(&mut cluster, group).await?;
    let mut committed = committed::read(&mut cluster, group).await?;
    let mut failures = Vec::new();
    let mut wanted = BTreeSet::new();
    for named in &args.topics {
        let is_wanted = |(topic, partition): &&TopicPartition| {
            *topic == named.topic && (named.partitions.is_empty() || named.partitions.contains(partition))
        };
        let before = wanted.len();
        wanted.extend(committed.keys().filter(is_wanted).cloned());
        if wanted.len() == before {
            failures.push(CliError::failure(format!("group {group} has committed nothing of topic {}", named.topic)));
        }
    }
    let refusals = if wanted.is_empty() { Refusals::new() } else { delete(&mut cluster, group, &wanted).await? };
    let mut deleted = Vec::new();
    for id in wanted {
        let (offset, refusal) = (committed.remove(&id).unwrap_or_default(), refusals.get(&id).cloned());
        let (topic, partition) = id;
        match refusal {
            None => deleted.push(Deleted { topic, partition, offset }),
            Some(refusal) => failures.push(refusal.failed(&format!("the offset of {topic}-{partition} was not deleted"))),
        }
    }
    if args.json {
        write_json(&deleted)?;
    } else {
        for Deleted { topic, partition, offset } in &deleted {
            say(&format!("deleted the offset of {topic}-{partition}, {offset}"))?;
        }
    }
    settle(failures)
}

type Refusals = BTreeMap<TopicPartition, Refusal>;

async fn delete(cluster: &mut Cluster, group: &str, wanted: &BTreeSet<TopicPartition>) -> Result<Refusals, CliError> {
    let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
    for (topic, partition) in wanted {
        let mut entry = OffsetDeleteRequestPartition::default();
        entry.partition_index = *partition;
        topics.entry(topic).or_default().push(entry);
    }
    let mut request = OffsetDeleteRequest::default();
    request.group_id = StrBytes::from(group);
    for (name, partitions) in topics {
        let mut topic = OffsetDeleteRequestTopic::default();
        topic.name = StrBytes::from(name);
        topic.partitions = partitions;
        request.topics.push(topic);
    }
    let (_, answer) = coordinator::ask(cluster, group, (&request, i16::MAX), read).await?;
    answer.map_err(|refusal| match refusal.error {
        WireError::NON_EMPTY_GROUP => CliError::failure(format!(
            "the offsets of group {group} were not deleted: it has members of which nobody knows what they read. Stop them first"
        )),
        _ => refusal.failed(&format!("the offsets of group {group} were not deleted")),
    })
}

fn read(response: OffsetDeleteResponse) -> Result<Refusals, Refusal> {
    Refusal::check(response.error_code, None)?;
    let mut refusals = Refusals::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let Err(refusal) = Refusal::check(partition.error_code, None) else { continue };
            let refusal = match refusal.error {
                WireError::GROUP_SUBSCRIBED_TO_TOPIC => Refusal { message: Some("members of the group read it".to_owned()), ..refusal },
                _ => refusal,
            };
            refusals.insert((topic.name.as_str().to_owned(), partition.partition_index), refusal);
        }
    }
    Ok(refusals)
}
