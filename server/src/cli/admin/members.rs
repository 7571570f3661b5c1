//! `gracchus cluster members`: who holds the cluster's metadata, and how far each is (KIP-595, KIP-836, KIP-853).

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs};
use super::super::error::CliError;
use super::super::output::write_json;
use super::super::table::{Align, Table};
use super::quorum::{self, Member, Quorum};

/// Show the members of the metadata quorum: who votes, who follows without a vote, and how far each is behind.
///
/// The numbers are the leader's. Of voters that the settings name no DIRECTORY is told (kraft.version 0). `gracchus cluster add-voter` and
/// `remove-voter` change who votes.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Columns:
  LOG END        where the member's metadata ends; LAG is how much of the leader's it lacks
  FETCHED MS     milliseconds since the leader last heard from it
  CAUGHT UP MS   milliseconds since it last had all that the leader had

Examples:
  gracchus cluster members
  gracchus cluster members --json | jq '.voters[] | select(.lag != 0) | .node'")]
pub struct MembersArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Members {
    leader: i32,
    quorum_epoch: i32,
    high_watermark: i64,
    voters: Vec<Shown>,
    observers: Vec<Shown>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Shown {
    node: i32,
    directory: Option<String>,
    address: Option<String>,
    log_end_offset: Option<i64>,
    lag: Option<i64>,
    /// Milliseconds since 1970 by the leader's clock, as the next.
    fetched_at_ms: Option<i64>,
    caught_up_at_ms: Option<i64>,
    /// Milliseconds before the answer, as the next.
    fetched_ago_ms: Option<i64>,
    caught_up_ago_ms: Option<i64>,
}

pub(super) async fn run(args: MembersArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let quorum = quorum::describe(&mut cluster).await?;
    let metadata = cluster.metadata(Some(&[]), false).await?;
    let brokers = metadata.brokers.iter().map(|broker| (broker.node_id, format!("{}:{}", broker.host, broker.port)));
    let members = Members::of(quorum, brokers.collect());
    if args.json { write_json(&members) } else { write_words(&members).map_err(CliError::output) }
}

impl Members {
    /// Of observers only those have an address that are brokers: `brokers` has it.
    fn of(quorum: Quorum, brokers: BTreeMap<i32, String>) -> Self {
        let Quorum { leader, quorum_epoch, high_watermark, voters, observers, addresses } = quorum;
        let leading = voters.iter().find(|voter| voter.node == leader).cloned();
        let show = |member: Member| {
            let address = addresses.get(&member.node).or_else(|| brokers.get(&member.node)).cloned();
            Shown::of(member, leading.as_ref(), address)
        };
        let voters = voters.into_iter().map(show).collect();
        Self { leader, quorum_epoch, high_watermark, voters, observers: observers.into_iter().map(show).collect() }
    }
}

impl Shown {
    fn of(member: Member, leader: Option<&Member>, address: Option<String>) -> Self {
        let Member { node, directory, log_end_offset, fetched_at_ms, caught_up_at_ms } = member;
        let behind = |leads: Option<i64>, follows: Option<i64>| leads.zip(follows).map(|(leads, follows)| leads.saturating_sub(follows).max(0));
        let lag = behind(leader.and_then(|leader| leader.log_end_offset), log_end_offset);
        // By one clock, the leader's: it has just fetched from itself.
        let now_ms = leader.and_then(|leader| leader.fetched_at_ms);
        let (fetched_ago_ms, caught_up_ago_ms) = (behind(now_ms, fetched_at_ms), behind(now_ms, caught_up_at_ms));
        Self { node, directory, address, log_end_offset, lag, fetched_at_ms, caught_up_at_ms, fetched_ago_ms, caught_up_ago_ms }
    }
}

fn write_words(members: &Members) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Members { leader, quorum_epoch, high_watermark, voters, observers } = members;
    writeln!(out, "leader {leader}, quorum epoch {quorum_epoch}, high watermark {high_watermark}")?;
    writeln!(out)?;
    let mut table = Table::new(&[
        ("NODE", Align::Right),
        ("ROLE", Align::Left),
        ("DIRECTORY", Align::Left),
        ("ADDRESS", Align::Left),
        ("LOG END", Align::Right),
        ("LAG", Align::Right),
        ("FETCHED MS", Align::Right),
        ("CAUGHT UP MS", Align::Right),
    ]);
    for voter in voters {
        table.row(cells(voter, if voter.node == *leader { "leader" } else { "voter" }));
    }
    for observer in observers {
        table.row(cells(observer, "observer"));
    }
    table.write(&mut out)
}

fn cells(member: &Shown, role: &str) -> [String; 8] {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    [
        member.node.to_string(),
        role.to_owned(),
        text(&member.directory),
        text(&member.address),
        number(member.log_end_offset),
        number(member.lag),
        number(member.fetched_ago_ms),
        number(member.caught_up_ago_ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(node: i32, log_end_offset: Option<i64>, fetched_at_ms: Option<i64>, caught_up_at_ms: Option<i64>) -> Member {
        Member { node, directory: None, log_end_offset, fetched_at_ms, caught_up_at_ms }
    }

    #[test]
    fn a_member_is_measured_against_the_leader_and_its_clock() {
        let quorum = Quorum {
            leader: 1,
            quorum_epoch: 5,
            high_watermark: 98,
            voters: vec![member(1, Some(100), Some(9_000), Some(9_000)), member(2, Some(98), Some(8_990), None), member(3, None, None, None)],
            observers: vec![member(4, Some(101), Some(9_001), Some(8_000))],
            addresses: BTreeMap::from([(1, "one:9093".to_owned())]),
        };
        let brokers = BTreeMap::from([(1, "one:9092".to_owned()), (4, "four:9092".to_owned())]);
        let members = Members::of(quorum, brokers);

        let shown: Vec<_> = members.voters.iter().map(|voter| (voter.lag, voter.fetched_ago_ms, voter.caught_up_ago_ms)).collect();
        assert_eq!(shown, [(Some(0), Some(0), Some(0)), (Some(2), Some(10), None), (None, None, None)]);
        let observer = &members.observers[0];
        assert_eq!((observer.lag, observer.fetched_ago_ms, observer.caught_up_ago_ms), (Some(0), Some(0), Some(1_000)));
        assert_eq!(members.voters[0].address.as_deref(), Some("one:9093"));
        assert_eq!(observer.address.as_deref(), Some("four:9092"));
    }
}
