//! The binary `gracchus`.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gracchus_server::cli::{self, ToolCommand};
use gracchus_server::config::{self, Overrides, ServeArgs};
use gracchus_server::dev::{self, DevArgs};
use gracchus_server::format::FormatArgs;
use gracchus_server::serve;
use tracing_subscriber::EnvFilter;

/// A replicated log that Kafka's clients use. Without a command it runs a broker on 127.0.0.1:9092 with its data in ./gracchus-data.
#[derive(Parser)]
#[command(name = "gracchus", version)]
struct Cli {
    /// What is logged to standard error: error, warn, info, debug or trace, or a filter by module as in RUST_LOG.
    #[arg(long, global = true, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    log: EnvFilter,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a broker until it is told to stop.
    Serve(ServeArgs),
    Dev(DevArgs),
    Format(FormatArgs),
    #[command(flatten)]
    Tool(ToolCommand),
}

fn main() -> ExitCode {
    let Cli { log, command } = Cli::parse();
    tracing_subscriber::fmt().with_env_filter(log).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
    match command {
        None => serve::run(&ServeArgs::bare()),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Dev(args)) => dev::run(&args),
        Some(Command::Format(args)) => match format(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => serve::failure(&error),
        },
        Some(Command::Tool(command)) => cli::run(command),
    }
}

fn format(args: &FormatArgs) -> Result<(), String> {
    let (settings, warnings) =
        config::load(args.config.as_deref(), &Overrides::default(), std::env::vars()).map_err(|error| error.to_string())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let formatted = args.run(&settings).map_err(|error| error.to_string())?;
    println!("{formatted}");
    Ok(())
}
