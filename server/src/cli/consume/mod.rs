//! `gracchus consume`: records in, lines out.

mod output;
mod reader;
mod start;

use super::cluster::{Cluster, ConnectArgs};
use super::error::CliError;
use super::text::{Separator, parse_separator};
use output::{Output, Style};
use reader::{Reader, ReaderOptions};
use start::{Start, parse_start};

/// Read a topic's records as lines.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = r#"Examples:
  gracchus consume orders
  gracchus consume orders --from end --follow
  gracchus consume orders --from -10 --partition 0
  gracchus consume orders --from 2026-01-31T12:00:00Z --count 100 --json
  gracchus consume orders --key-separator '\t'

Without --follow it ends at what was the end of the topic when it started. Records of one partition come in order; partitions
come as they are read. Where an offset asked for is not in the log, its nearest end is taken.

JSON lines look like this, and `gracchus produce --json` reads them:
  {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"key":null,"value":"v","headers":[["h","x"]]}
Bytes that are not UTF-8 are written {"base64":"AAEC"} instead of a string."#)]
pub struct ConsumeArgs {
    /// Name of the topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Where to start: beginning, end, an offset, -N for the last N records of each partition, or a time as @1700000000000 or
    /// 2026-01-31T12:00:00Z.
    #[arg(long, short, value_name = "WHERE", default_value = "beginning", allow_hyphen_values = true, value_parser = parse_start)]
    from: Start,
    /// Only this partition; may be given more than once.
    #[arg(long, short, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Vec<i32>,
    /// End after this many records.
    #[arg(long, short = 'n', value_name = "COUNT")]
    count: Option<u64>,
    /// Wait for more at the end.
    #[arg(long, short = 'F')]
    follow: bool,
    /// Print JSON, with all that there is to a record.
    #[arg(long, conflicts_with = "key_separator")]
    json: bool,
    /// Print keys too, and this between key and value. \t, \n, \0, \\ and \xNN are understood.
    #[arg(long, short, value_name = "TEXT", value_parser = parse_separator)]
    key_separator: Option<Separator>,
    /// Ask for this much at once.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, value_parser = clap::value_parser!(i32).range(1..=(1 << 30)))]
    fetch_bytes: i32,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(crate) async fn run(args: ConsumeArgs) -> Result<(), CliError> {
    let style = if args.json { Style::Json } else { Style::Lines { key_separator: args.key_separator } };
    let mut output = Output::new(&args.topic, style, args.count);
    let cluster = Cluster::connect(&args.connect).await?;
    let options = ReaderOptions { from: args.from, partitions: args.partition, follow: args.follow, fetch_bytes: args.fetch_bytes };
    let mut reader = Reader::new(cluster, args.topic, options).await?;
    while !output.is_complete() {
        let Some(read) = reader.next().await? else { break };
        for fetched in &read {
            output.write(fetched)?;
        }
        // Whoever waits for the next record has seen those before.
        output.flush()?;
    }
    Ok(())
}
