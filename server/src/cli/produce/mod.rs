//! `gracchus produce`: lines in, records out.

mod input;
mod partitioner;
mod sender;

use std::io::{self, Write};
use std::path::PathBuf;

use gracchus_core::record::Codec;
use gracchus_net::client::Acks;

use super::cluster::{Cluster, ConnectArgs};
use super::error::CliError;
use super::text::{Separator, parse_header, parse_separator, parse_timestamp};
use input::{Format, InputRecord};
use sender::{Sender, SenderOptions};

pub(crate) use sender::producer_id;

/// Write lines to a topic as records.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = r#"Examples:
  echo hello | gracchus produce greetings
  gracchus produce orders orders.txt --key-separator '\t' --compression zstd
  gracchus produce orders --partition 3 --header source=import < lines
  gracchus consume orders --json | gracchus produce copy --json

JSON lines are objects; only "value" is needed, and null is a tombstone on a compacted topic:
  {"key":"k","value":"v","headers":[["h","x"]],"partition":0,"timestamp":1700000000000}
Bytes that are not UTF-8 are written {"base64":"AAEC"} instead of a string."#)]
pub struct ProduceArgs {
    /// Name of the topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Where the lines are; standard input otherwise.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Split each line here: the key before, the value behind it. \t, \n, \0, \\ and \xNN are understood.
    #[arg(long, short, value_name = "TEXT", value_parser = parse_separator, conflicts_with = "json")]
    key_separator: Option<Separator>,
    /// Lines are JSON objects.
    #[arg(long)]
    json: bool,
    /// A header for every record; may be given more than once.
    #[arg(long, short = 'H', value_name = "KEY=VALUE", value_parser = parse_header)]
    header: Vec<(String, String)>,
    /// Put every record into this partition. Otherwise the key decides, as it does in Kafka's Java client.
    #[arg(long, short, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// The timestamp of every record, in milliseconds since 1970 or as 2026-01-31T12:00:00Z; the time of reading otherwise.
    #[arg(long, value_name = "TIME", value_parser = parse_timestamp)]
    timestamp: Option<i64>,
    /// What an acknowledgement waits for.
    #[arg(long, value_name = "WHO", value_enum, default_value_t = AcksArg::All)]
    acks: AcksArg,
    /// How batches are compressed.
    #[arg(long, short = 'z', value_name = "CODEC", value_enum, default_value_t = CodecArg::None)]
    compression: CodecArg,
    /// Do without a producer id: a retry may then write records twice. Goes without saying unless all acknowledge.
    #[arg(long)]
    no_idempotence: bool,
    /// Fill a batch to this size before it is sent, while there is more to read.
    #[arg(long, value_name = "BYTES", default_value_t = 512 << 10, value_parser = clap::value_parser!(u32).range(1..=(1 << 30)))]
    batch_bytes: u32,
    /// Say nothing of what was written.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// [`Acks`] on the command line.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcksArg {
    /// All in-sync replicas.
    #[value(alias = "-1")]
    All,
    /// The leader.
    #[value(name = "1")]
    Leader,
    /// Nobody: nothing tells whether records arrived.
    #[value(name = "0")]
    None,
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Self {
        match acks {
            AcksArg::All => Self::All,
            AcksArg::Leader => Self::Leader,
            AcksArg::None => Self::None,
        }
    }
}

/// [`Codec`] on the command line.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodecArg {
    /// Not at all.
    None,
    /// Old and everywhere.
    Gzip,
    /// Fast.
    Snappy,
    /// Fastest.
    Lz4,
    /// Smallest.
    Zstd,
}

impl From<CodecArg> for Codec {
    fn from(codec: CodecArg) -> Self {
        match codec {
            CodecArg::None => Self::None,
            CodecArg::Gzip => Self::Gzip,
            CodecArg::Snappy => Self::Snappy,
            CodecArg::Lz4 => Self::Lz4,
            CodecArg::Zstd => Self::Zstd,
        }
    }
}

pub(crate) async fn run(args: ProduceArgs) -> Result<(), CliError> {
    let format = if args.json { Format::Json } else { Format::Lines { key_separator: args.key_separator.clone() } };
    // Before anything is asked of a broker: a file that is not there is the likelier mistake.
    let mut records = input::read(args.file.as_deref(), format)?;
    let cluster = Cluster::connect(&args.connect).await?;
    let options = SenderOptions {
        acks: args.acks.into(),
        codec: args.compression.into(),
        idempotent: !args.no_idempotence && args.acks == AcksArg::All,
        batch_bytes: usize::try_from(args.batch_bytes).expect("a gigabyte at most"),
    };
    let mut sender = Sender::new(cluster, args.topic.clone(), options).await?;
    while let Some(chunk) = records.recv().await {
        for record in chunk? {
            sender.push(&complete(record, &args)).await?;
        }
        // Whoever types a line wants to see it written.
        if records.is_empty() {
            sender.flush().await?;
        }
    }
    let produced = sender.finish().await?;
    if args.quiet { Ok(()) } else { report(&args.topic, &produced).map_err(CliError::output) }
}

/// What the command line says of every record goes where the record says nothing itself.
fn complete(mut record: InputRecord, args: &ProduceArgs) -> InputRecord {
    record.partition = record.partition.or(args.partition);
    record.timestamp = record.timestamp.or(args.timestamp);
    let common = args.header.iter().map(|(key, value)| (key.clone().into_bytes(), Some(value.clone().into_bytes())));
    record.headers.extend(common);
    record
}

fn report(topic: &str, produced: &sender::Produced) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let records: u64 = produced.values().map(|partition| partition.records).sum();
    writeln!(out, "produced {records} record{} to {topic}", if records == 1 { "" } else { "s" })?;
    for (partition, counted) in produced {
        match counted.offsets {
            Some((first, last)) => writeln!(out, "  partition {partition}: {} at offsets {first} to {last}", counted.records)?,
            None => writeln!(out, "  partition {partition}: {}", counted.records)?,
        }
    }
    out.flush()
}
