//! What the broker costs, as ratios: every measure stands beside one of the machine, taken in the same run, in turns.
//!
//! ```text
//! cargo bench -p gracchus-server --bench broker -- fetch      reading from the page cache, beside bare sendfile and bare copying
//! cargo bench -p gracchus-server --bench broker -- produce    librdkafka writing, beside its own mock broker
//! cargo bench -p gracchus-server --bench broker -- sync       one record at a time, beside bare echo and bare fdatasync
//! ```
//!
//! Each prints medians and, in brackets, the least and the greatest of its runs. A GB is 10^9 bytes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a program that fails by panicking, with no users in code")]

mod baseline;
mod fetch;
mod node;
mod produce;
mod stats;
mod sync;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the broker beside the machine that it runs on")]
struct Args {
    #[command(subcommand)]
    what: What,
    /// How many times everything is measured, in turns.
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// What cargo says to every bench.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// Reading from the page cache, beside bare sendfile and bare copying.
    Fetch(fetch::FetchArgs),
    /// librdkafka writing, beside its own mock broker.
    Produce(produce::ProduceArgs),
    /// One record at a time, beside bare echo and bare fdatasync.
    Sync(sync::SyncArgs),
}

fn main() {
    let args = Args::parse();
    match args.what {
        What::Fetch(fetch) => fetch::run(&fetch, args.runs),
        What::Produce(produce) => produce::run(&produce, args.runs),
        What::Sync(sync) => sync::run(&sync, args.runs),
    }
}
