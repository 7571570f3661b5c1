//! `gracchus group reset-offsets`.

mod target;

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs};
use super::super::error::CliError;
use super::super::output::{say, settle, write_json};
use super::super::table::{Align, Table};
use super::TopicPartition;
use super::committed::{self, Offsets};
use super::described::{self, Group};
use super::named::{self, Named, OneGroup, parse_named};
use target::TargetArgs;

/// Set where a group reads on, in partitions of its own or of topics that it has not read yet.
///
/// The group must have no members: stop its consumers first. Without --execute it is only shown what would be. Every offset lies within the
/// log in the end: one that is asked for outside of it becomes its beginning or its end.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus group reset-offsets readers --topic orders --to-earliest            what it would come to
  gracchus group reset-offsets readers --topic orders --to-earliest --execute
  gracchus group reset-offsets readers --topic orders:0,1 --shift-by -100 --execute
  gracchus group reset-offsets readers --all-topics --to-datetime 2026-01-31T12:00:00Z --execute
  gracchus group reset-offsets readers --all-topics --by-duration PT1H30M --execute")]
#[group(id = "what", required = true, multiple = false, args = ["topics", "all_topics"])]
pub struct ResetArgs {
    #[command(flatten)]
    group: OneGroup,
    /// A topic, or some of its partitions; may be given more than once.
    #[arg(long = "topic", value_name = "TOPIC[:PARTITION,...]", value_parser = parse_named)]
    topics: Vec<Named>,
    /// All partitions that the group has committed offsets of.
    #[arg(long)]
    all_topics: bool,
    #[command(flatten)]
    target: TargetArgs,
    /// Do it.
    #[arg(long, conflicts_with = "dry_run")]
    execute: bool,
    /// Only show what would be, which is the default.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    group: &'a str,
    executed: bool,
    partitions: Vec<Reset>,
}

#[derive(Debug, Serialize)]
struct Reset {
    topic: String,
    partition: i32,
    /// What was committed before.
    from: Option<i64>,
    to: i64,
}

pub(super) async fn run(args: ResetArgs) -> Result<(), CliError> {
    let target = args.target.read()?;
    let mut cluster = Cluster::connect(&args.connect).await?;
    let group = args.group.name();
    let is_there = refuse_members(group, described::describe(&mut cluster, group).await?)?;
    if args.all_topics && !is_there {
        return Err(described::no_group(group));
    }
    let committed = committed::read(&mut cluster, group).await?;
    let partitions: BTreeSet<TopicPartition> =
        if args.all_topics { committed.keys().cloned().collect() } else { named::existing(&mut cluster, &args.topics).await? };
    if partitions.is_empty() {
        return Err(CliError::failure(format!("group {group} has committed nothing. Name topics with --topic")));
    }
    let mut wanted = target::resolve(&mut cluster, target, &partitions, &committed).await?;
    let mut failures = Vec::new();
    if args.execute {
        for (id, refusal) in committed::write(&mut cluster, group, &wanted).await? {
            failures.push(refusal.failed(&format!("the offset of {}-{} was not reset", id.0, id.1)));
            wanted.remove(&id);
        }
    }
    report(&args, group, wanted, &committed)?;
    settle(failures)
}

/// Whether there is such a group, which has no members if there is.
fn refuse_members(name: &str, group: Option<Group>) -> Result<bool, CliError> {
    let Some(group) = group else { return Ok(false) };
    if group.state == "Empty" {
        return Ok(true);
    }
    Err(CliError::failure(format!(
        "the offsets of group {name} can't be reset: it is {}. Stop its members first, which `gracchus group describe {name} --members` shows",
        group.state
    )))
}

fn report(args: &ResetArgs, group: &str, wanted: Offsets, committed: &Offsets) -> Result<(), CliError> {
    let resets = wanted.into_iter().map(|(id, to)| {
        let from = committed.get(&id).copied();
        Reset { topic: id.0, partition: id.1, from, to }
    });
    let partitions: Vec<Reset> = resets.collect();
    if args.json {
        return write_json(&Outcome { group, executed: args.execute, partitions });
    }
    let mut table = Table::new(&[("TOPIC", Align::Left), ("PARTITION", Align::Right), ("COMMITTED", Align::Right), ("RESET-TO", Align::Right)]);
    for Reset { topic, partition, from, to } in partitions {
        let from = from.map_or_else(|| "-".to_owned(), |from| from.to_string());
        table.row([topic, partition.to_string(), from, to.to_string()]);
    }
    table.write(&mut io::stdout().lock()).map_err(CliError::output)?;
    if args.execute { Ok(()) } else { say("nothing was changed. --execute does it") }
}
