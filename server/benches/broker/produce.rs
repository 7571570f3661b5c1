//! librdkafka with one producer and one partition: against our broker, against its own mock broker in the same process, and against Apache
//! Kafka if there is one. The mock broker keeps nothing: what keeping costs at least is measured beside it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rustix::fs::MemfdFlags;

use crate::baseline::keep_cpu_s_per_gb;
use crate::node::Node;
use crate::stats::{Samples, to_f64};

#[derive(Args, Debug)]
pub(crate) struct ProduceArgs {
    /// Records of 100 B a run; of 1 KiB there are a fifth as many.
    #[arg(long, default_value_t = 2_000_000)]
    records: u64,
    /// A folder with the jars of Apache Kafka, to be measured beside.
    #[arg(long)]
    kafka: Option<PathBuf>,
    /// Records of 100 B that Apache Kafka gets first, to warm up.
    #[arg(long, default_value_t = 8_000_000)]
    kafka_warm: u64,
    /// A setting of our broker, NAME=VALUE.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Data of topics: replicated, as Kafka has it, or flushed.
    #[arg(long, default_value = "replicated")]
    durability: String,
}

/// A broker, with what was measured of it.
struct Contender {
    name: &'static str,
    node: Option<Node>,
    topic_settings: Vec<String>,
    rate: Samples,
    cpu: Samples,
    resident: Samples,
}

pub(crate) fn run(args: &ProduceArgs, runs: u32) {
    let mut contenders = vec![Contender::new("mock", None, &[])];
    let settings: Vec<&str> = args.set.iter().map(String::as_str).collect();
    contenders.push(Contender::new("gracchus", Some(Node::gracchus(&settings)), &[format!("durability={}", args.durability)]));
    if let Some(jars) = &args.kafka {
        let mut kafka = Contender::new("kafka", Some(Node::kafka(jars)), &[]);
        eprintln!("warming Kafka up");
        kafka.measure("warm", 100, args.kafka_warm);
        contenders.push(kafka);
    }
    for (record_bytes, records) in [(100, args.records), (1024, args.records / 5)] {
        contenders.iter_mut().for_each(Contender::forget);
        let (folder, mut bare) = (tempfile::tempdir().unwrap(), Samples::default());
        for run in 1..=runs {
            touch_memory(records * record_bytes as u64 * 2 + CLIENT_BYTES);
            bare.push(keep_cpu_s_per_gb(folder.path(), records * record_bytes as u64));
            for contender in &mut contenders {
                eprintln!("{record_bytes} B, run {run} of {runs}: {}", contender.name);
                contender.measure(&format!("load-{record_bytes}-{run}"), record_bytes, records);
            }
        }
        println!("produce: {records} records of {record_bytes} B by librdkafka, linger 5 ms, acks=all, {}, {runs} runs", args.durability);
        println!("  bare      {} CPU s/GB to take bytes from a socket and append them to a file", bare.show(2));
        for contender in &contenders {
            contender.report(&contenders[0].rate);
        }
    }
}

impl Contender {
    fn new(name: &'static str, node: Option<Node>, topic_settings: &[String]) -> Self {
        let samples = Samples::default;
        Self { name, node, topic_settings: topic_settings.to_vec(), rate: samples(), cpu: samples(), resident: samples() }
    }

    fn forget(&mut self) {
        self.rate = Samples::default();
        self.cpu = Samples::default();
        self.resident = Samples::default();
    }

    fn measure(&mut self, topic: &str, record_bytes: usize, records: u64) {
        let mut config = ClientConfig::new();
        config
            .set("linger.ms", "5")
            .set("acks", "all")
            .set("delivery.report.only.error", "true")
            .set("queue.buffering.max.messages", "100000")
            .set("queue.buffering.max.kbytes", "2097151");
        let Some(node) = &self.node else {
            config.set("test.mock.num.brokers", "1");
            let seconds = send_all(&config, topic, record_bytes, records);
            self.rate.push(to_f64(records) / seconds);
            return;
        };
        let settings: Vec<&str> = self.topic_settings.iter().map(String::as_str).collect();
        node.create_topic(topic, &settings);
        config.set("bootstrap.servers", &node.address);
        touch_memory(records * record_bytes as u64 * 2 + CLIENT_BYTES);
        let before = node.usage();
        let seconds = send_all(&config, topic, record_bytes, records);
        let after = node.usage();
        self.rate.push(to_f64(records) / seconds);
        self.cpu.push((after.cpu_s - before.cpu_s) / (to_f64(records * record_bytes as u64) / 1e9));
        self.resident.push(after.resident_mib);
        node.tool(&["topic", "delete", topic]);
    }

    fn report(&self, mock: &Samples) {
        print!("  {:<8}  {} records/s", self.name, self.rate.show(0));
        if self.node.is_some() {
            print!(", {} of the mock broker, {} CPU s/GB", self.rate.ratio(mock).show(3), self.cpu.show(2));
            print!(", {} MiB resident", self.resident.show(0));
        }
        println!();
    }
}

/// What the client holds at most, about.
const CLIENT_BYTES: u64 = 512 << 20;

/// Touches more memory than the load takes, and gives it back, so that the pages that will hold it are there: a hypervisor takes free memory
/// back, and whoever touches it next pays for a fault a page. Writes into the page cache were seen at 0.6 GB/s so, and at 4 GB/s on pages that
/// are there; the mock broker, which keeps nothing, needs none. The file is in memory: a disk would still be busy with its removal.
fn touch_memory(bytes: u64) {
    let mut file = File::from(rustix::fs::memfd_create("touched", MemfdFlags::CLOEXEC).unwrap());
    let piece = vec![1; 1 << 20];
    for _ in 0..bytes.div_ceil(1 << 20) {
        file.write_all(&piece).unwrap();
    }
}

/// Sends records and waits until all are acknowledged; seconds from the first to that.
fn send_all(config: &ClientConfig, topic: &str, record_bytes: usize, records: u64) -> f64 {
    let producer: BaseProducer = config.create().unwrap();
    // The first request waits for metadata: that is no part of what is measured.
    let wait = Duration::from_secs(60);
    producer.client().fetch_metadata(Some(topic), wait).unwrap();
    let payload = vec![b'x'; record_bytes];
    let started = Instant::now();
    for _ in 0..records {
        let mut record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(&payload);
        while let Err((error, refused)) = producer.send(record) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            // A poll would spin, and take a processor from both brokers: there is no event to wait for but errors.
            std::thread::sleep(Duration::from_millis(1));
            record = refused;
        }
    }
    producer.flush(wait).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    // What is still counted are events of the client's own.
    while producer.in_flight_count() > 0 {
        assert!(started.elapsed().as_secs_f64() < seconds + wait.as_secs_f64(), "not everything was acknowledged");
        producer.poll(Duration::from_millis(10));
    }
    seconds
}
