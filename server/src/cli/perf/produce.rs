//! `gracchus perf produce`.
//!
//! Each connection sends batches that were made beforehand, so that the client costs as little as it can. With a target rate, batches fall due
//! at even distances and latency counts from when a record was due, however late it went out: a broker that stalls is not spared the records
//! that piled up meanwhile. Without one, a batch is due when it is sent.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gracchus_core::epoch::ProducerEpoch;
use gracchus_core::ids::ProducerId;
use gracchus_core::time::Timestamp;
use gracchus_net::client::{Acks, produced_partitions};
use kafka_wire::{ProduceRequest, ProduceResponse};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::super::cluster::{Cluster, ConnectArgs, Refusal, TopicLayout};
use super::super::error::CliError;
use super::super::link::Link;
use super::super::produce::{AcksArg, CodecArg, producer_id};
use super::progress::{Counter, Progress};
use super::report::{Latencies, Report};
use super::template::{PRODUCE_VERSION_MAX, Template, TemplateShape};

/// Different batches that a connection sends in turn.
const TEMPLATES: u64 = 4;

/// Write records as fast as the broker takes them, or at a rate.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus perf produce load
  gracchus perf produce load --records 50000000 --record-bytes 100 --connections 4
  gracchus perf produce load --rate 100000 --linger-ms 5 --acks 1
  gracchus perf produce load --records 10000 --batch-bytes 1 --in-flight 1    (one record at a time)

Each connection writes to one partition: the first to partition 0, the next to 1, and so on, round and round.
Latency is a record's time from when it was due to its acknowledgement. A megabyte is 10^6 bytes of records' values.")]
pub struct PerfProduceArgs {
    /// Name of the topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// How many records to write.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Bytes of each record's value.
    #[arg(long, short = 's', value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=(64 << 20)))]
    record_bytes: u32,
    /// What an acknowledgement waits for.
    #[arg(long, value_name = "WHO", value_enum, default_value_t = AcksArg::All)]
    acks: AcksArg,
    /// How many connections write at once.
    #[arg(long, short, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) connections: u32,
    /// Records a second, of all connections together; as fast as it goes otherwise.
    #[arg(long, short, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// Fill a batch to this size.
    #[arg(long, value_name = "BYTES", default_value_t = 512 << 10, value_parser = clap::value_parser!(u32).range(1..=(1 << 30)))]
    batch_bytes: u32,
    /// With a target rate: send a batch that is not full after this time.
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    linger_ms: u32,
    /// Requests in flight on each connection.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    in_flight: u32,
    /// How batches are compressed.
    #[arg(long, short = 'z', value_name = "CODEC", value_enum, default_value_t = CodecArg::None)]
    compression: CodecArg,
    /// Number the batches of each connection under a producer id.
    #[arg(long)]
    idempotent: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(super) async fn run(args: PerfProduceArgs) -> Result<(), CliError> {
    if args.idempotent && args.acks != AcksArg::All {
        return Err(CliError::usage("--idempotent wants --acks all"));
    }
    let mut cluster = Cluster::connect(&args.connect).await?;
    let layout = cluster.topic(&args.topic, true).await?;
    let mut writers = Vec::new();
    for number in 0..args.connections {
        writers.push(Writer::new(&args, &mut cluster, &layout, number).await?);
    }
    let counter = Counter::default();
    let progress = Progress::start(args.records, counter.clone());
    let started = Instant::now();
    let mut running = JoinSet::new();
    for writer in writers {
        running.spawn(writer.write(started, counter.clone()));
    }
    let mut latencies = Latencies::new();
    let mut records = 0;
    while let Some(ended) = running.join_next().await {
        let written = ended.map_err(|error| CliError::failure(format!("a connection ended early: {error}")))??;
        latencies.add(&written.latencies);
        records += written.records;
    }
    let took = started.elapsed();
    drop(progress);
    let report = Report::new(records, records * u64::from(args.record_bytes), took, &latencies);
    report.print("produced", "record", args.json)
}

/// One connection and its share of the work.
#[derive(Debug)]
struct Writer {
    link: Link,
    version: i16,
    templates: VecDeque<Template>,
    /// What remains when all whole batches are sent.
    rest: Option<Template>,
    batches: u64,
    in_flight_max: usize,
    acks: Acks,
    pace: Option<Pace>,
    idempotent: bool,
    what: String,
}

/// When records fall due.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Between two records of this connection.
    interval: Duration,
}

/// What a connection has done.
#[derive(Debug)]
struct Written {
    records: u64,
    latencies: Latencies,
}

/// A batch on its way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// When its last record was due.
    due: Instant,
    records: i32,
}

impl Writer {
    async fn new(args: &PerfProduceArgs, cluster: &mut Cluster, layout: &TopicLayout, number: u32) -> Result<Self, CliError> {
        let partitions = u32::try_from(layout.leaders.len()).expect("partitions are numbered in 31 bits");
        let partition = i32::try_from(number % partitions).expect("partitions are numbered in 31 bits");
        let leader = layout.leader(partition).expect("the partition is one of the topic's");
        let link = cluster.open(leader.node).await?;
        let version = link.common_up_to::<ProduceRequest>(PRODUCE_VERSION_MAX)?;
        let share = share_of(args.records, args.connections, number);
        let pace = args.rate.map(|rate| Pace::new(rate, args.connections));
        let batch_records = batch_records(args, pace);
        let producer: Option<(ProducerId, ProducerEpoch)> = if args.idempotent { Some(producer_id(cluster).await?) } else { None };
        let shape = TemplateShape {
            topic: layout.key.clone(),
            partition,
            acks: args.acks.into(),
            codec: args.compression.into(),
            timeout_ms: cluster.timeout_ms(),
            version,
            record_bytes: usize::try_from(args.record_bytes).expect("64 MiB at most"),
            records: batch_records,
            producer,
        };
        let whole = u64::from(batch_records.unsigned_abs());
        let (batches, left) = (share / whole, i32::try_from(share % whole).expect("less than a batch"));
        let first = u64::from(number) * (TEMPLATES + 1);
        let templates = (0..TEMPLATES.min(batches)).map(|seed| Template::new(&shape, first + seed)).collect::<Result<_, _>>()?;
        let rest = if left > 0 { Some(Template::new(&TemplateShape { records: left, ..shape.clone() }, first + TEMPLATES)?) } else { None };
        Ok(Self {
            link,
            version,
            templates,
            rest,
            batches,
            in_flight_max: usize::try_from(args.in_flight).expect("a thousand at most"),
            acks: shape.acks,
            pace,
            idempotent: args.idempotent,
            what: format!("{}-{partition}", args.topic),
        })
    }

    async fn write(mut self, started: Instant, counter: Counter) -> Result<Written, CliError> {
        let mut written = Written { records: 0, latencies: Latencies::new() };
        let mut in_flight: VecDeque<Sent> = VecDeque::new();
        let mut sequence = 0i32;
        let mut due = started;
        while let Some(mut template) = self.next_template() {
            let records = template.records();
            if let Some(pace) = self.pace {
                due += pace.interval * records.unsigned_abs();
                while let Some(sent) = self.settle_until(due, &mut in_flight).await? {
                    self.count(&mut written, sent, &counter);
                }
            } else {
                due = Instant::now();
            }
            while in_flight.len() >= self.in_flight_max {
                let sent = self.settle(&mut in_flight).await?;
                self.count(&mut written, sent, &counter);
            }
            let frame = template.stamped(now(), self.idempotent.then_some(sequence));
            sequence = sequence.wrapping_add(records) & i32::MAX;
            let sent = Sent { due, records };
            if self.acks == Acks::None {
                self.link.send_encoded_unanswered::<ProduceRequest>(frame).await?;
                self.count(&mut written, sent, &counter);
            } else {
                self.link.send_encoded::<ProduceRequest>(self.version, frame).await?;
                in_flight.push_back(sent);
            }
            self.give_back(template);
        }
        while !in_flight.is_empty() {
            let sent = self.settle(&mut in_flight).await?;
            self.count(&mut written, sent, &counter);
        }
        Ok(written)
    }

    fn next_template(&mut self) -> Option<Template> {
        match self.batches.checked_sub(1) {
            Some(left) => {
                self.batches = left;
                self.templates.pop_front()
            }
            None => self.rest.take(),
        }
    }

    fn give_back(&mut self, template: Template) {
        self.templates.push_back(template);
    }

    /// The next acknowledgement before `deadline`, if there is one.
    async fn settle_until(&mut self, deadline: Instant, in_flight: &mut VecDeque<Sent>) -> Result<Option<Sent>, CliError> {
        if in_flight.is_empty() {
            sleep_until(deadline).await;
            return Ok(None);
        }
        tokio::select! {
            biased;
            answer = self.link.receive::<ProduceRequest>() => self.acknowledged(answer?, in_flight).map(Some),
            () = sleep_until(deadline) => Ok(None),
        }
    }

    async fn settle(&mut self, in_flight: &mut VecDeque<Sent>) -> Result<Sent, CliError> {
        let answer = self.link.receive::<ProduceRequest>().await?;
        self.acknowledged(answer, in_flight)
    }

    fn acknowledged(&self, answer: ProduceResponse, in_flight: &mut VecDeque<Sent>) -> Result<Sent, CliError> {
        for produced in produced_partitions(answer) {
            let checked = produced.error.check().map_err(|error| Refusal { error, message: produced.message });
            checked.map_err(|refusal| refusal.failed(&format!("{} refused a batch", self.what)))?;
        }
        Ok(in_flight.pop_front().expect("an answer belongs to a batch that was sent"))
    }

    fn count(&self, written: &mut Written, sent: Sent, counter: &Counter) {
        let records = u64::from(sent.records.unsigned_abs());
        let since_due = sent.due.elapsed();
        match self.pace {
            None => written.latencies.record(since_due, records),
            // Its records fell due one after the other; the last one with the batch.
            Some(pace) => {
                for before in 0..sent.records.unsigned_abs() {
                    written.latencies.record(since_due + pace.interval * before, 1);
                }
            }
        }
        written.records += records;
        counter.add(records);
    }
}

impl Pace {
    fn new(rate: u64, connections: u32) -> Self {
        Self { interval: Duration::from_nanos(1_000_000_000u64.saturating_mul(u64::from(connections)) / rate) }
    }
}

/// How many records fill a batch, or fall due within the linger time.
fn batch_records(args: &PerfProduceArgs, pace: Option<Pace>) -> i32 {
    // Length, attributes, deltas and the like take about this much of each record.
    const OVERHEAD_BYTES: u32 = 8;
    let full = (args.batch_bytes / (args.record_bytes + OVERHEAD_BYTES)).max(1);
    let due = pace.map_or(u128::MAX, |pace| {
        let linger = Duration::from_millis(u64::from(args.linger_ms));
        linger.as_nanos() / pace.interval.as_nanos().max(1)
    });
    let records = u32::try_from(due).unwrap_or(u32::MAX).clamp(1, full);
    i32::try_from(records).expect("a gigabyte holds fewer than 2^31 records")
}

/// What falls to one connection: all get the same, but for the remainder.
fn share_of(records: u64, connections: u32, number: u32) -> u64 {
    let (connections, number) = (u64::from(connections), u64::from(number));
    records / connections + u64::from(number < records % connections)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (records, connections) in [(10, 3), (2, 5), (1_000_000, 7)] {
            let total: u64 = (0..connections).map(|number| share_of(records, connections, number)).sum();
            assert_eq!(total, records);
        }
    }
}
