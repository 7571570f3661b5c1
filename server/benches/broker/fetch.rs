//! A raw Fetch client that throws away what it reads from the page cache, beside the same file sent bare.

use std::fs;

use clap::Args;
use serde_json::Value;

use crate::baseline::{Sending, send_file};
use crate::node::Node;
use crate::stats::{Samples, to_f64};

#[derive(Args, Debug)]
pub(crate) struct FetchArgs {
    /// How much is read each time, in MiB. One segment holds at most 1024.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(16..=1000))]
    mib: u64,
    /// Bytes of a Fetch answer. A Kafka consumer asks for 50 MiB (`fetch.max.bytes`).
    #[arg(long, default_value_t = 50 << 20, value_parser = clap::value_parser!(i32).range((8 << 20)..=(512 << 20)))]
    fetch_bytes: i32,
}

/// A way to send, with what was measured of it.
struct Contender {
    name: &'static str,
    bare: Sending,
    node: Node,
    bare_rate: Samples,
    bare_cpu: Samples,
    rate: Samples,
    cpu: Samples,
}

pub(crate) fn run(args: &FetchArgs, runs: u32) {
    let mut contenders = [
        Contender::new("sendfile", Sending::Sendfile, "socket.send.copy=false", args),
        Contender::new("copying", Sending::Copy, "socket.send.copy=true", args),
    ];
    for run in 1..=runs {
        for contender in &mut contenders {
            eprintln!("run {run} of {runs}: {}", contender.name);
            contender.measure(args);
        }
    }
    println!("fetch: {} MiB from the page cache in answers of {} MiB, one partition, {runs} runs", args.mib, args.fetch_bytes >> 20);
    for contender in &contenders {
        contender.report();
    }
}

impl Contender {
    fn new(name: &'static str, bare: Sending, setting: &str, args: &FetchArgs) -> Self {
        const RECORD_BYTES: u64 = 1000;
        let node = Node::gracchus(&[setting]);
        node.create_topic("read", &["durability=replicated", "segment.bytes=1073741824"]);
        let records = (args.mib << 20) / (RECORD_BYTES + 10);
        node.tool(&["perf", "produce", "read", "--records", &records.to_string(), "--record-bytes", &RECORD_BYTES.to_string()]);
        let samples = Samples::default;
        Self { name, bare, node, bare_rate: samples(), bare_cpu: samples(), rate: samples(), cpu: samples() }
    }

    fn measure(&mut self, args: &FetchArgs) {
        let segment = self.node.first_segment("read");
        let bare = send_file(&segment, self.bare);
        self.bare_rate.push(bare.bytes_per_s / f64::from(1 << 20));
        self.bare_cpu.push(bare.cpu_s_per_gb);

        let before = self.node.usage();
        let report = self.node.tool(&["perf", "consume", "read", "--json", "--fetch-bytes", &args.fetch_bytes.to_string()]);
        let used = self.node.usage().cpu_s - before.cpu_s;
        let report: Value = serde_json::from_str(&report).unwrap();
        let bytes = report["bytes"].as_u64().unwrap();
        assert!(bytes <= fs::metadata(&segment).unwrap().len(), "one segment holds it all");
        self.rate.push(to_f64(bytes) / report["seconds"].as_f64().unwrap() / f64::from(1 << 20));
        self.cpu.push(used / (to_f64(bytes) / 1e9));
    }

    fn report(&self) {
        let Self { name, bare_rate, bare_cpu, rate, cpu, .. } = self;
        println!("  {name}");
        println!("    bare      {} MiB/s, {} CPU s/GB", bare_rate.show(0), bare_cpu.show(3));
        println!("    gracchus  {} MiB/s, {} CPU s/GB", rate.show(0), cpu.show(3));
        println!("    gracchus/bare  rate {}, CPU {}", rate.ratio(bare_rate).show(3), cpu.ratio(bare_cpu).show(2));
    }
}
