//! `gracchus topic delete`.

use gracchus_net::client::WireError;
use kafka_wire::delete_topics_request::DeleteTopicState;
use kafka_wire::{DeleteTopicsRequest, DeleteTopicsResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::{say, settle, write_json};

/// Delete topics with all their records.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus topic delete orders
  gracchus topic delete orders audit --if-exists")]
pub struct DeleteArgs {
    /// Names of the topics.
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// A topic that does not exist is no failure.
    #[arg(long)]
    if_exists: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Deleted {
    topic: String,
    deleted: bool,
}

pub(super) async fn run(args: DeleteArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for name in args.topics {
        match cluster.ask(&request(&name, cluster.timeout_ms()), read).await? {
            Ok(()) => results.push(Deleted { topic: name, deleted: true }),
            Err(refusal) if refusal.error == WireError::UNKNOWN_TOPIC_OR_PARTITION => {
                if args.if_exists {
                    results.push(Deleted { topic: name, deleted: false });
                } else {
                    failures.push(CliError::failure(format!("topic {name} was not deleted: it does not exist")));
                }
            }
            Err(refusal) => failures.push(refusal.failed(&format!("topic {name} was not deleted"))),
        }
    }
    if args.json {
        write_json(&results)?;
    } else {
        for Deleted { topic, deleted } in &results {
            say(&if *deleted { format!("deleted topic {topic}") } else { format!("topic {topic} does not exist") })?;
        }
    }
    settle(failures)
}

fn request(name: &str, timeout_ms: i32) -> DeleteTopicsRequest {
    let mut request = DeleteTopicsRequest::default();
    let mut topic = DeleteTopicState::default();
    topic.name = Some(StrBytes::from(name));
    request.topics.push(topic);
    request.timeout_ms = timeout_ms;
    request
}

fn read(response: DeleteTopicsResponse) -> Result<(), Refusal> {
    let topic = response.responses.into_iter().next().unwrap_or_default();
    Refusal::check(topic.error_code, topic.error_message.as_ref())
}
