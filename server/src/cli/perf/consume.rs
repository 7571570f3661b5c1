//! `gracchus perf consume`.

use std::collections::BTreeMap;

use gracchus_core::record::{Records, check_crc};
use gracchus_net::client::{FetchPosition, FetchedPartition, TopicKey, fetch_request, fetched_partitions};
use kafka_wire::FetchRequest;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::batch;
use super::super::cluster::{Cluster, ConnectArgs, Refusal, TopicLayout};
use super::super::error::CliError;
use super::super::link::{self, Link};
use super::super::offsets::{Bound, list_offsets};
use super::progress::{Counter, Progress};
use super::raw_fetch::{FETCH_VERSION_MAX, FETCH_VERSION_MIN, Passed, RawFetcher};
use super::report::{Latencies, Report};

/// How long a leader waits for records before it answers without.
const FETCH_WAIT_MS: i32 = 500;

/// Read a topic as fast as the broker gives it.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus perf consume load
  gracchus perf consume load --connections 4 --fetch-bytes 16777216
  gracchus perf consume load --decode

Reads from the beginning to what was the end when it started, or up to --records. Without --decode only batch headers are looked
at, so that the broker is measured and not this client. Latency is the time from a Fetch to the last byte of its answer. A
megabyte is 10^6 bytes of batches.")]
pub struct PerfConsumeArgs {
    /// Name of the topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// End after about this many records.
    #[arg(long, short = 'n', value_name = "COUNT")]
    records: Option<u64>,
    /// How many connections read at once; a partition is read by one.
    #[arg(long, short, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) connections: u32,
    /// Ask for this much at once.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, value_parser = clap::value_parser!(i32).range(1..=(1 << 30)))]
    fetch_bytes: i32,
    /// Check, decompress and read every record.
    #[arg(long)]
    decode: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(super) async fn run(args: PerfConsumeArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let layout = cluster.topic(&args.topic, false).await?;
    let spans = spans(&cluster, &layout).await?;
    let there: i64 = spans.values().map(|span| span.end - span.offset).sum();
    let there = u64::try_from(there).unwrap_or(0);
    let goal = args.records.unwrap_or(there).min(there);
    let readers = readers(&args, &cluster, &layout, spans, goal).await?;
    let counter = Counter::default();
    let progress = Progress::start(goal, counter.clone());
    let started = Instant::now();
    let mut running = JoinSet::new();
    for reader in readers {
        running.spawn(reader.read(counter.clone()));
    }
    let mut total = Read { records: 0, bytes: 0, latencies: Latencies::new() };
    while let Some(ended) = running.join_next().await {
        let read = ended.map_err(|error| CliError::failure(format!("a connection ended early: {error}")))??;
        total.records += read.records;
        total.bytes += read.bytes;
        total.latencies.add(&read.latencies);
    }
    let took = started.elapsed();
    drop(progress);
    Report::new(total.records, total.bytes, took, &total.latencies).print("consumed", "fetch", args.json)
}

/// What is left to read of a partition.
#[derive(Clone, Copy, Debug)]
struct Span {
    node: i32,
    leader_epoch: i32,
    offset: i64,
    end: i64,
}

/// One connection and the partitions that it reads, all led by one broker.
#[derive(Debug)]
struct Reader {
    topic: TopicKey,
    fetcher: Fetcher,
    spans: BTreeMap<i32, Span>,
    fetch_bytes: i32,
    /// Where all connections together stop.
    goal: u64,
    answer_wait: std::time::Duration,
}

/// How answers are read.
#[derive(Debug)]
enum Fetcher {
    Raw(RawFetcher),
    Decoding(Link),
}

/// What a connection has done.
#[derive(Debug)]
struct Read {
    records: u64,
    bytes: u64,
    latencies: Latencies,
}

async fn spans(cluster: &Cluster, layout: &TopicLayout) -> Result<BTreeMap<i32, Span>, CliError> {
    let leaders: Vec<_> = (0..).zip(&layout.leaders).map(|(partition, leader)| (leader.node, partition)).collect();
    let starts = list_offsets(cluster, &layout.key.name, &leaders, Bound::Earliest).await?;
    let ends = list_offsets(cluster, &layout.key.name, &leaders, Bound::Latest).await?;
    let mut spans = BTreeMap::new();
    for (partition, leader) in (0..).zip(&layout.leaders) {
        if let (Some(&offset), Some(&end)) = (starts.get(&partition), ends.get(&partition))
            && offset < end
        {
            spans.insert(partition, Span { node: leader.node, leader_epoch: leader.leader_epoch, offset, end });
        }
    }
    Ok(spans)
}

/// Deals the partitions out to connections, each to one that reads from its leader.
async fn readers(
    args: &PerfConsumeArgs,
    cluster: &Cluster,
    layout: &TopicLayout,
    spans: BTreeMap<i32, Span>,
    goal: u64,
) -> Result<Vec<Reader>, CliError> {
    let mut hands: BTreeMap<(i32, u32), BTreeMap<i32, Span>> = BTreeMap::new();
    for (dealt, (partition, span)) in (0..).zip(spans) {
        hands.entry((span.node, dealt % args.connections)).or_default().insert(partition, span);
    }
    let mut readers = Vec::new();
    for ((node, _), spans) in hands {
        let link = cluster.open(node).await?;
        let fetcher = if args.decode {
            Fetcher::Decoding(link)
        } else {
            let version = link.common_up_to::<FetchRequest>(FETCH_VERSION_MAX)?;
            if version < FETCH_VERSION_MIN {
                return Err(CliError::failure(format!(
                    "the broker at {} serves no Fetch {FETCH_VERSION_MIN}; --decode does without",
                    link.address()
                )));
            }
            Fetcher::Raw(RawFetcher::new(link::connect(link.address()).await?))
        };
        let topic = layout.key.clone();
        let answer_wait = cluster.timeout();
        readers.push(Reader { topic, fetcher, spans, fetch_bytes: args.fetch_bytes, goal, answer_wait });
    }
    Ok(readers)
}

impl Reader {
    async fn read(mut self, counter: Counter) -> Result<Read, CliError> {
        let mut read = Read { records: 0, bytes: 0, latencies: Latencies::new() };
        while !self.spans.is_empty() && counter.get() < self.goal {
            let asked = Instant::now();
            let answered = match timeout(self.answer_wait, self.fetch()).await {
                Ok(answered) => answered?,
                Err(_) => return Err(CliError::failure(format!("no answer to Fetch within {} s", self.answer_wait.as_secs()))),
            };
            read.latencies.record(asked.elapsed(), 1);
            for passed in answered {
                read.records += passed.records;
                read.bytes += passed.bytes;
                counter.add(passed.records);
                if let (Some(span), Some(next)) = (self.spans.get_mut(&passed.partition), passed.next_offset) {
                    span.offset = next;
                }
            }
            self.spans.retain(|_, span| span.offset < span.end);
        }
        Ok(read)
    }

    async fn fetch(&mut self) -> Result<Vec<Passed>, CliError> {
        let positions: Vec<_> = self
            .spans
            .iter()
            .map(|(&partition, span)| FetchPosition {
                topic: self.topic.clone(),
                partition,
                offset: span.offset,
                leader_epoch: span.leader_epoch,
                bytes_max: self.fetch_bytes,
            })
            .collect();
        let name = &self.topic.name;
        match &mut self.fetcher {
            Fetcher::Raw(fetcher) => {
                let passed = fetcher.fetch(self.fetch_bytes, positions).await;
                passed.map_err(|error| CliError::failure(format!("topic {name}: {error}")))
            }
            Fetcher::Decoding(link) => {
                let request = fetch_request(FETCH_WAIT_MS, 1, self.fetch_bytes, positions);
                let response = link.call::<FetchRequest>(&request).await?;
                Refusal::check(response.error_code, None).map_err(|refusal| refusal.failed(&format!("topic {name} can't be read")))?;
                fetched_partitions(response).map(|partition| decode(name, &partition)).collect()
            }
        }
    }
}

/// Reads every record of a partition's part of an answer.
fn decode(topic: &str, fetched: &FetchedPartition) -> Result<Passed, CliError> {
    let name = format!("{topic}-{}", fetched.partition);
    fetched.error.check().map_err(|error| Refusal { error, message: None }.failed(&format!("{name} can't be read")))?;
    let corrupt = |wrong: String| CliError::failure(format!("{name} sent a corrupt batch: {wrong}"));
    let mut passed = Passed { partition: fetched.partition, records: 0, bytes: fetched.records.len() as u64, next_offset: None };
    for whole in fetched.batches() {
        let (header, bytes) = whole.map_err(|wrong| corrupt(wrong.to_string()))?;
        check_crc(&bytes).map_err(|wrong| corrupt(wrong.to_string()))?;
        let section = batch::open(&header, &bytes).map_err(|wrong| corrupt(wrong.to_string()))?;
        for record in Records::new(&section) {
            record.map_err(|wrong| corrupt(wrong.to_string()))?;
            passed.records += 1;
        }
        passed.next_offset = Some(header.next_offset().0);
    }
    Ok(passed)
}
