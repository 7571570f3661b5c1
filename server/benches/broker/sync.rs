//! One record of 100 B at a time, each waiting for its acknowledgement.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes, BytesMut};
use clap::Args;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;
use gracchus_core::record::BatchBuilder;
use gracchus_core::time::Timestamp;
use gracchus_net::client::{Acks, PartitionBatch, TopicKey, produce_request, produced_partitions};
use kafka_wire::{OutboundFrameLimits, ProduceResponse, encode_request};
use kafka_wire_core::{ApiVersion, DecodeLimits, KafkaDecode, StrBytes, Uuid};

use crate::baseline::{append_sync_us, echo_sync_us, echo_us};
use crate::node::Node;
use crate::stats::{Samples, quantile};

const RECORD_BYTES: usize = 100;

/// The newest version that names topics and has no tags.
const PRODUCE_VERSION: ApiVersion = ApiVersion::new(8);

#[derive(Args, Debug)]
pub(crate) struct SyncArgs {
    /// Records a run.
    #[arg(long, default_value_t = 3000)]
    records: usize,
    /// A folder with the jars of Apache Kafka, to be measured beside.
    #[arg(long)]
    kafka: Option<PathBuf>,
    /// Records that Apache Kafka gets first, to warm up.
    #[arg(long, default_value_t = 50_000)]
    kafka_warm: usize,
}

/// Something that takes time, in microseconds.
struct Measured {
    name: &'static str,
    p50: Samples,
    p99: Samples,
}

pub(crate) fn run(args: &SyncArgs, runs: u32) {
    let node = Node::gracchus(&[]);
    node.create_topic("replicated", &["durability=replicated"]);
    node.create_topic("flushed", &["durability=flushed"]);
    let kafka = args.kafka.as_deref().map(Node::kafka);
    if let Some(kafka) = &kafka {
        kafka.create_topic("kafka", &[]);
        eprintln!("warming Kafka up");
        produce_us(kafka, "kafka", args.kafka_warm);
    }
    let request_bytes = request("replicated").len();
    let folder = tempfile::tempdir().unwrap();
    let mut echo = Measured::new("bare TCP echo");
    let mut sync = Measured::new("bare append and fdatasync");
    let mut sync_allocated = Measured::new("the same, allocated ahead");
    let mut echo_sync = Measured::new("echo, synced before");
    let mut replicated = Measured::new("gracchus, replicated");
    let mut flushed = Measured::new("gracchus, flushed");
    let mut theirs = Measured::new("kafka, no fsync");
    for run in 1..=runs {
        eprintln!("run {run} of {runs}");
        echo.take(echo_us(request_bytes, args.records));
        sync.take(append_sync_us(folder.path(), request_bytes, args.records, false));
        sync_allocated.take(append_sync_us(folder.path(), request_bytes, args.records, true));
        echo_sync.take(echo_sync_us(folder.path(), request_bytes, args.records));
        replicated.take(produce_us(&node, "replicated", args.records));
        flushed.take(produce_us(&node, "flushed", args.records));
        if let Some(kafka) = &kafka {
            theirs.take(produce_us(kafka, "kafka", args.records));
        }
    }
    println!("sync: {} records of {RECORD_BYTES} B, one at a time, {runs} runs", args.records);
    let mut all = vec![&echo, &sync, &sync_allocated, &echo_sync, &replicated, &flushed];
    all.extend(kafka.is_some().then_some(&theirs));
    for measured in all {
        println!("  {:<26} p50 {} us, p99 {} us", measured.name, measured.p50.show(0), measured.p99.show(0));
    }
    let above = flushed.p50.median() - echo.p50.median() - sync.p50.median();
    let above_both = flushed.p50.median() - echo_sync.p50.median();
    println!("  gracchus, flushed: its p50 is {above:.0} us above echo and fdatasync together, {above_both:.0} us above both in one server");
}

impl Measured {
    fn new(name: &'static str) -> Self {
        Self { name, p50: Samples::default(), p99: Samples::default() }
    }

    fn take(&mut self, mut times: Vec<f64>) {
        self.p50.push(quantile(&mut times, 0.5));
        self.p99.push(quantile(&mut times, 0.99));
    }
}

/// How long each of `count` records took to be acknowledged, in microseconds.
fn produce_us(node: &Node, topic: &str, count: usize) -> Vec<f64> {
    let mut stream = TcpStream::connect(&node.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = request(topic);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        stream.write_all(&request).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        stream.read_exact(&mut answer).unwrap();
        times.push(started.elapsed().as_secs_f64() * 1e6);
        check(answer.into());
    }
    times
}

fn request(topic: &str) -> Bytes {
    let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
    builder.append(now(), None, Some(&[b'x'; RECORD_BYTES]), &[]);
    let topic = TopicKey { name: StrBytes::from(topic), id: Uuid::ZERO };
    let request = produce_request(Acks::All, 30_000, [PartitionBatch { topic, partition: 0, batch: builder.build() }]);
    let mut frame = BytesMut::new();
    encode_request(&mut frame, 0, Some(StrBytes::from("bench")), &request, PRODUCE_VERSION, OutboundFrameLimits::new(1 << 20)).unwrap();
    frame.freeze()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn check(mut answer: Bytes) {
    let correlation_bytes = 4;
    answer.advance(correlation_bytes);
    let response = ProduceResponse::decode_from_bytes(answer, PRODUCE_VERSION, DecodeLimits::default()).unwrap();
    for produced in produced_partitions(response) {
        produced.error.check().unwrap();
    }
}
