//! `gracchus group describe`.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs};
use super::super::error::CliError;
use super::super::offsets::Bound;
use super::super::output::{settle, write_json};
use super::described::{self, Group, Kind, Member};
use super::{TopicPartition, committed, list, log_offsets};

/// Show groups: how far each has come in every partition, and who reads it.
///
/// COMMITTED is where the group reads on, END is behind the last record that is committed in the log, and LAG is what lies between: the records
/// that the group has not finished. A dash stands for what there is not: nothing was committed, or nobody reads the partition, or it can't
/// be asked.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus group describe readers
  gracchus group describe readers --members     who is in it, and what each reads
  gracchus group describe --state               all groups, a line each
  gracchus group describe --json | jq '.[] | {group, lag}'")]
pub struct DescribeArgs {
    /// Names of the groups; all of them otherwise.
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// The groups, as kafka-consumer-groups.sh is told them.
    #[arg(long = "group", value_name = "GROUP", conflicts_with = "groups")]
    also: Vec<String>,
    /// Show the members and what each reads.
    #[arg(long, conflicts_with = "state")]
    members: bool,
    /// Show what each group does, on a line.
    #[arg(long)]
    state: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Described {
    group: String,
    #[serde(rename = "type")]
    kind: Kind,
    state: String,
    assignor: Option<String>,
    group_epoch: Option<i32>,
    assignment_epoch: Option<i32>,
    coordinator: Coordinator,
    members: Vec<Member>,
    /// All that can be told of it; none where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<Vec<Partition>>,
}

#[derive(Debug, Serialize)]
struct Coordinator {
    id: i32,
    address: String,
}

#[derive(Debug, Serialize)]
struct Partition {
    topic: String,
    partition: i32,
    committed_offset: Option<i64>,
    end_offset: Option<i64>,
    lag: Option<i64>,
    member: Option<String>,
    client: Option<String>,
    host: Option<String>,
}

pub(super) async fn run(args: DescribeArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let named: BTreeSet<String> = args.groups.into_iter().chain(args.also).collect();
    let (are_named, mut failures) = (!named.is_empty(), Vec::new());
    let names = if are_named {
        named
    } else {
        let (listed, refused) = list::groups(&mut cluster, &[], &[]).await?;
        failures.extend(refused);
        listed.into_keys().collect()
    };
    let mut described = Vec::new();
    for name in names {
        match described::describe(&mut cluster, &name).await? {
            Some(group) if args.members || args.state => described.push(Described::new(name, group)),
            Some(group) => described.push(with_partitions(&mut cluster, name, group, &mut failures).await?),
            // One that was listed may have gone since.
            None if are_named => failures.push(described::no_group(&name)),
            None => {}
        }
    }
    if args.json {
        write_json(&described)?;
    } else if args.state {
        words::states(&described).map_err(CliError::output)?;
    } else if args.members {
        words::members(&described).map_err(CliError::output)?;
    } else {
        words::partitions(&described).map_err(CliError::output)?;
    }
    settle(failures)
}

impl Described {
    fn new(name: String, group: Group) -> Self {
        let Group { kind, state, assignor, epochs, coordinator, members } = group;
        Self {
            group: name,
            kind,
            state,
            assignor: Some(assignor).filter(|name| !name.is_empty()),
            group_epoch: epochs.map(|(group_epoch, _)| group_epoch),
            assignment_epoch: epochs.map(|(_, assignment_epoch)| assignment_epoch),
            coordinator: Coordinator { id: coordinator.node, address: coordinator.address },
            members,
            lag: None,
            partitions: None,
        }
    }
}

/// A group with the partitions that it has committed offsets of, or that its members read.
async fn with_partitions(cluster: &mut Cluster, name: String, group: Group, failures: &mut Vec<CliError>) -> Result<Described, CliError> {
    let committed = committed::read(cluster, &name).await?;
    let members = group.members.iter().enumerate();
    let readers: BTreeMap<TopicPartition, usize> = members.flat_map(|(at, member)| member.partitions().map(move |id| (id, at))).collect();
    let all: BTreeSet<TopicPartition> = committed.keys().chain(readers.keys()).cloned().collect();
    let ends = log_offsets::look_up(cluster, &all, Bound::Latest).await?;
    failures.extend(ends.failures());
    let partitions = all.into_iter().map(|id| {
        let (committed_offset, end_offset) = (committed.get(&id).copied(), ends.found.get(&id).copied());
        let reader = readers.get(&id).and_then(|at| group.members.get(*at));
        let (topic, partition) = id;
        Partition {
            topic,
            partition,
            committed_offset,
            end_offset,
            lag: end_offset.zip(committed_offset).map(|(end, committed)| end - committed),
            member: reader.map(|member| member.member.clone()),
            client: reader.map(|member| member.client.clone()),
            host: reader.map(|member| member.host.clone()),
        }
    });
    let partitions: Vec<Partition> = partitions.collect();
    let lag = partitions.iter().filter_map(|partition| partition.lag).sum();
    Ok(Described { lag: Some(lag), partitions: Some(partitions), ..Described::new(name, group) })
}
