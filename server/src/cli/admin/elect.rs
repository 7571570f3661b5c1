//! `gracchus cluster elect`: give partitions their preferred leaders back, or any leader (KIP-183, KIP-460).

use std::collections::BTreeMap;
use std::io;

use gracchus_net::client::WireError;
use kafka_wire::elect_leaders_request::TopicPartitions;
use kafka_wire::{ElectLeadersRequest, ElectLeadersResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::{say, settle, write_json};
use super::super::partitions;
use super::super::table::{Align, Table};

/// Which election is asked for.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Have partitions led by their preferred replicas, or with --unclean by any that is up.
///
/// The preferred replica is the first in the list, and has to be in sync. The cluster does this by itself every five minutes
/// (auto.leader.rebalance.enable).
///
/// With --unclean a partition without a leader gets one whose copy may be out of date: records that were acknowledged and that only other
/// replicas have are LOST. Start the brokers that are down instead where that is possible.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus cluster elect                                all partitions of all topics
  gracchus cluster elect orders
  gracchus cluster elect orders --partition 3 --unclean")]
pub struct ElectArgs {
    /// The topic; all of them otherwise.
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
    /// One of its partitions; all of them otherwise.
    #[arg(
        long,
        short,
        value_name = "PARTITION",
        requires = "topic",
        value_parser = clap::value_parser!(i32).range(0..),
        allow_negative_numbers = true
    )]
    partition: Option<i32>,
    /// Elect any replica that is up, where nobody leads.
    #[arg(long)]
    unclean: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// What became of a partition.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Outcome {
    topic: String,
    partition: i32,
    /// Who leads it after the election.
    leader: Option<i32>,
    /// Whether the election made it so; none was needed otherwise.
    elected: bool,
}

/// What the controller says of each partition.
type Answers = BTreeMap<(String, i32), Result<(), Refusal>>;

pub(super) async fn run(args: ElectArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let among = match &args.topic {
        Some(topic) => Some((topic.as_str(), partitions::numbers(&mut cluster, topic, args.partition).await?)),
        None => None,
    };
    let answer = cluster.ask(&request(among, args.unclean, cluster.timeout_ms()), read).await?;
    let answers = answer.map_err(|refusal| refusal.failed("no leader was elected"))?;
    let after = partitions::of_topics(&mut cluster, answers.keys().map(|(topic, _)| topic.as_str())).await?;
    let (mut outcomes, mut failures) = (Vec::new(), Vec::new());
    for ((topic, partition), answer) in answers {
        let elected = match answer {
            Ok(()) => true,
            Err(refusal) if refusal.error == WireError::ELECTION_NOT_NEEDED => false,
            Err(refusal) => {
                failures.push(refusal.failed(&format!("no leader was elected for {topic}-{partition}")));
                continue;
            }
        };
        let key = (topic, partition);
        let leader = after.get(&key).map(|partition| partition.leader_id).filter(|leader| *leader >= 0);
        let (topic, partition) = key;
        outcomes.push(Outcome { topic, partition, leader, elected });
    }
    if args.json {
        write_json(&outcomes)?;
    } else if outcomes.is_empty() && failures.is_empty() {
        // Of all partitions only those are answered for that needed an election.
        say("no partition needed an election")?;
    } else if !outcomes.is_empty() {
        table(&outcomes).write(&mut io::stdout().lock()).map_err(CliError::output)?;
    }
    settle(failures)
}

fn request(among: Option<(&str, Vec<i32>)>, unclean: bool, timeout_ms: i32) -> ElectLeadersRequest {
    let of_topic = |(name, partitions): (&str, Vec<i32>)| {
        let mut topic = TopicPartitions::default();
        topic.topic = StrBytes::from(name);
        topic.partitions = partitions;
        vec![topic]
    };
    let mut request = ElectLeadersRequest::default();
    request.election_type = if unclean { UNCLEAN } else { PREFERRED };
    request.topic_partitions = among.map(of_topic);
    request.timeout_ms = timeout_ms;
    request
}

fn read(response: ElectLeadersResponse) -> Result<Answers, Refusal> {
    Refusal::check(response.error_code, None)?;
    let mut answers = Answers::new();
    for topic in response.replica_election_results {
        for partition in topic.partition_result {
            let answer = Refusal::check(partition.error_code, partition.error_message.as_ref());
            answers.insert((topic.topic.as_str().to_owned(), partition.partition_id), answer);
        }
    }
    Ok(answers)
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(&[("TOPIC", Align::Left), ("PARTITION", Align::Right), ("LEADER", Align::Right), ("ELECTION", Align::Left)]);
    for Outcome { topic, partition, leader, elected } in outcomes {
        let leader = leader.map_or_else(|| "-".to_owned(), |leader| leader.to_string());
        let election = if *elected { "elected" } else { "not needed" };
        table.row([topic.clone(), partition.to_string(), leader, election.to_owned()]);
    }
    table
}
