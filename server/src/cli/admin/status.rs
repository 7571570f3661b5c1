//! `gracchus cluster status`: what a cluster looks like from outside, and whether it is well.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use kafka_wire::describe_configs_response::DescribeConfigsResourceResult;
use kafka_wire::metadata_response::MetadataResponseTopic;
use kafka_wire::{DescribeClusterRequest, DescribeClusterResponse};
use serde::Serialize;
use tokio::time::timeout;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::write_json;
use super::super::settings::topic_settings;
use super::super::table::{Align, Table};
use super::counts::Counts;
use super::quorum::{self, Quorum};
use super::under_way::{self, UnderWay};

/// How long to wait for the controller: one that is there answers at once, and the next one is elected within seconds.
const CONTROLLER_WAIT: Duration = Duration::from_secs(5);

/// The first version of DescribeCluster that lists brokers that are fenced (KIP-1073).
const FENCED_FROM: i16 = 2;

const MIN_ISR: &str = "min.insync.replicas";

/// Show the cluster: its controller, its brokers, and how many partitions are not as they should be.
///
/// A broker that is fenced is registered and leads nothing: it is down, stopping, or cut off from the controller. `gracchus topic describe`
/// shows which partitions lack what.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Exit status:
  0  every partition has a leader, and the cluster has a controller
  1  no broker answers
  3  a partition has no leader, or the cluster has no controller

Examples:
  gracchus cluster status
  gracchus cluster status --json | jq '.counts.under_replicated'
  until gracchus cluster status --bootstrap 127.0.0.1:9093 > /dev/null; do sleep 1; done")]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Status {
    cluster_id: Option<String>,
    /// Who leads the metadata quorum; none if it does not answer.
    controller: Option<Controller>,
    brokers: Vec<Broker>,
    counts: Counts,
}

#[derive(Debug, Serialize)]
struct Controller {
    id: i32,
    address: Option<String>,
    quorum_epoch: i32,
    high_watermark: i64,
}

#[derive(Debug, Serialize)]
struct Broker {
    id: i32,
    address: String,
    rack: Option<String>,
    /// None where the cluster is too old to say.
    fenced: Option<bool>,
}

pub(super) async fn run(args: StatusArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let metadata = cluster.metadata(None, false).await?;
    let brokers = brokers(&mut cluster).await?;
    let min_isr = min_isr(&mut cluster, &metadata.topics).await?;
    // The last of the questions: a connection whose answer was not waited for is of no further use.
    let (controller, under_way, trouble) = match controlled(&mut cluster).await {
        Ok((quorum, under_way)) => (Some(Controller::of(quorum)), under_way, None),
        Err(error) => (None, Vec::new(), Some(format!("no controller answers ({error})"))),
    };
    let counts = Counts::of(&metadata.topics, &min_isr, &under_way);
    let status = Status { cluster_id: metadata.cluster_id.map(|id| id.into_string()), controller, brokers, counts };
    if args.json {
        write_json(&status)?;
    } else {
        write_words(&status).map_err(CliError::output)?;
    }
    verdict(trouble, &status.counts)
}

async fn brokers(cluster: &mut Cluster) -> Result<Vec<Broker>, CliError> {
    let tells_fenced = cluster.knows::<DescribeClusterRequest>(FENCED_FROM);
    let mut request = DescribeClusterRequest::default();
    request.include_fenced_brokers = tells_fenced;
    let described = cluster.ask(&request, |answer| read_brokers(answer, tells_fenced)).await?;
    described.map_err(|refusal| refusal.failed("the cluster can't be described"))
}

fn read_brokers(response: DescribeClusterResponse, tells_fenced: bool) -> Result<Vec<Broker>, Refusal> {
    Refusal::check(response.error_code, response.error_message.as_ref())?;
    let mut brokers: Vec<_> = response
        .brokers
        .into_iter()
        .map(|broker| Broker {
            id: broker.broker_id,
            address: format!("{}:{}", broker.host, broker.port),
            rack: broker.rack.map(|rack| rack.into_string()),
            fenced: tells_fenced.then_some(broker.is_fenced),
        })
        .collect();
    brokers.sort_by_key(|broker| broker.id);
    Ok(brokers)
}

/// What the topics ask of their ISRs. A topic that is deleted meanwhile is left out.
async fn min_isr(cluster: &mut Cluster, topics: &[MetadataResponseTopic]) -> Result<BTreeMap<String, usize>, CliError> {
    let names: Vec<String> = topics.iter().filter_map(|topic| topic.name.as_deref()).map(str::to_owned).collect();
    let settings = topic_settings(cluster, &names, Some(&[MIN_ISR])).await?;
    let value_of = |(name, described): (String, Result<Vec<DescribeConfigsResourceResult>, Refusal>)| {
        let value = described.ok()?.into_iter().next()?.value?;
        Some((name, value.parse().ok()?))
    };
    Ok(settings.into_iter().filter_map(value_of).collect())
}

/// What only the controller knows.
async fn controlled(cluster: &mut Cluster) -> Result<(Quorum, Vec<UnderWay>), CliError> {
    let asked = async {
        let quorum = quorum::describe(cluster).await?;
        Ok((quorum, under_way::list(cluster, None).await?))
    };
    let in_vain = |_| CliError::failure(format!("nothing was heard of it for {} s", CONTROLLER_WAIT.as_secs()));
    timeout(CONTROLLER_WAIT, asked).await.map_err(in_vain)?
}

impl Controller {
    fn of(quorum: Quorum) -> Self {
        let Quorum { leader: id, quorum_epoch, high_watermark, mut addresses, .. } = quorum;
        Self { id, address: addresses.remove(&id), quorum_epoch, high_watermark }
    }
}

fn verdict(trouble: Option<String>, counts: &Counts) -> Result<(), CliError> {
    let leaderless = match counts.without_leader {
        0 => None,
        1 => Some("1 partition has no leader".to_owned()),
        count => Some(format!("{count} partitions have no leader")),
    };
    let wrong: Vec<_> = trouble.into_iter().chain(leaderless).collect();
    if wrong.is_empty() { Ok(()) } else { Err(CliError::Unwell(wrong.join("; "))) }
}

fn write_words(status: &Status) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "cluster {}", status.cluster_id.as_deref().unwrap_or("without an id"))?;
    match &status.controller {
        Some(Controller { id, address, quorum_epoch, high_watermark }) => {
            let at = address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
            writeln!(out, "controller {id}{at}, quorum epoch {quorum_epoch}, metadata high watermark {high_watermark}")?;
        }
        None => writeln!(out, "controller none")?,
    }
    writeln!(out)?;
    broker_table(&status.brokers).write(&mut out)?;
    writeln!(out)?;
    count_table(&status.counts).write(&mut out)
}

fn broker_table(brokers: &[Broker]) -> Table {
    let mut table = Table::new(&[("BROKER", Align::Right), ("ADDRESS", Align::Left), ("RACK", Align::Left), ("STATE", Align::Left)]);
    for Broker { id, address, rack, fenced } in brokers {
        let state = match fenced {
            Some(true) => "fenced",
            // Without a word on it only those are listed that are not.
            Some(false) | None => "active",
        };
        table.row([id.to_string(), address.clone(), rack.clone().unwrap_or_else(|| "-".to_owned()), state.to_owned()]);
    }
    table
}

fn count_table(counts: &Counts) -> Table {
    let Counts { topics, partitions, without_leader, under_replicated, under_min_isr, offline_replicas, reassigned } = *counts;
    let mut table = Table::new(&[("COUNT", Align::Right), ("OF", Align::Left)]);
    for (count, what) in [
        (topics, "topics"),
        (partitions, "partitions"),
        (without_leader, "partitions without a leader"),
        (under_replicated, "under-replicated partitions"),
        (under_min_isr, "partitions under min.insync.replicas"),
        (offline_replicas, "offline replicas"),
        (reassigned, "partitions being reassigned"),
    ] {
        table.row([count.to_string(), what.to_owned()]);
    }
    table
}
