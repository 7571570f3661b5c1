//! `gracchus topic alter`.

use kafka_wire::create_partitions_request::CreatePartitionsTopic;
use kafka_wire::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_wire::{CreatePartitionsRequest, CreatePartitionsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::{say, write_json};
use super::super::settings::RESOURCE_TOPIC;
use super::{Setting, parse_setting};

const OPERATION_SET: i8 = 0;
const OPERATION_DELETE: i8 = 1;

/// Change settings, or add partitions.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus topic alter orders --config retention.ms=3600000
  gracchus topic alter orders --remove-config retention.ms
  gracchus topic alter orders --partitions 24

Keys keep their partition only while the count stays: records written before stay where they are.")]
#[group(id = "change", required = true, multiple = true, args = ["config", "remove_config", "partitions"])]
pub struct AlterArgs {
    /// Name of the topic.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Set this; may be given more than once.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = parse_setting)]
    config: Vec<Setting>,
    /// Go back to the cluster's default; may be given more than once.
    #[arg(long, value_name = "NAME")]
    remove_config: Vec<String>,
    /// Grow to this many partitions.
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Only check whether it could be done.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Altered<'a> {
    topic: &'a str,
    settings_changed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<i32>,
    altered: bool,
}

pub(super) async fn run(args: AlterArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let settings_changed = args.config.len() + args.remove_config.len();
    if settings_changed > 0 {
        let answer = cluster.ask(&settings_request(&args), read_settings).await?;
        answer.map_err(|refusal| refusal.failed(&format!("the settings of topic {} were not changed", args.topic)))?;
    }
    if let Some(count) = args.partitions {
        let answer = cluster.ask(&partitions_request(&args, count, cluster.timeout_ms()), read_partitions).await?;
        answer.map_err(|refusal| refusal.failed(&format!("topic {} was not grown to {count} partitions", args.topic)))?;
    }
    let altered = Altered { topic: &args.topic, settings_changed, partitions: args.partitions, altered: !args.dry_run };
    if args.json { write_json(&altered) } else { say(&in_words(&altered)) }
}

fn in_words(altered: &Altered<'_>) -> String {
    let mut changes = Vec::new();
    if altered.settings_changed > 0 {
        changes.push(format!("{} setting{}", altered.settings_changed, if altered.settings_changed == 1 { "" } else { "s" }));
    }
    if let Some(count) = altered.partitions {
        changes.push(format!("{count} partition{}", if count == 1 { "" } else { "s" }));
    }
    let verb = if altered.altered { "altered" } else { "could alter" };
    format!("{verb} topic {} ({})", altered.topic, changes.join(", "))
}

fn settings_request(args: &AlterArgs) -> IncrementalAlterConfigsRequest {
    let mut resource = AlterConfigsResource::default();
    resource.resource_type = RESOURCE_TOPIC;
    resource.resource_name = StrBytes::from(args.topic.as_str());
    for Setting { name, value } in &args.config {
        resource.configs.push(change(name.clone(), OPERATION_SET, Some(value.clone())));
    }
    for name in &args.remove_config {
        resource.configs.push(change(StrBytes::from(name.as_str()), OPERATION_DELETE, None));
    }
    let mut request = IncrementalAlterConfigsRequest::default();
    request.resources.push(resource);
    request.validate_only = args.dry_run;
    request
}

fn change(name: StrBytes, operation: i8, value: Option<StrBytes>) -> AlterableConfig {
    let mut config = AlterableConfig::default();
    config.name = name;
    config.config_operation = operation;
    config.value = value;
    config
}

fn read_settings(response: IncrementalAlterConfigsResponse) -> Result<(), Refusal> {
    let resource = response.responses.into_iter().next().unwrap_or_default();
    Refusal::check(resource.error_code, resource.error_message.as_ref())
}

fn partitions_request(args: &AlterArgs, count: i32, timeout_ms: i32) -> CreatePartitionsRequest {
    let mut topic = CreatePartitionsTopic::default();
    topic.name = StrBytes::from(args.topic.as_str());
    topic.count = count;
    topic.assignments = None;
    let mut request = CreatePartitionsRequest::default();
    request.topics.push(topic);
    request.timeout_ms = timeout_ms;
    request.validate_only = args.dry_run;
    request
}

fn read_partitions(response: CreatePartitionsResponse) -> Result<(), Refusal> {
    let topic = response.results.into_iter().next().unwrap_or_default();
    Refusal::check(topic.error_code, topic.error_message.as_ref())
}
