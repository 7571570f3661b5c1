//! Settings of topics, as a broker describes them.

use std::collections::BTreeMap;

use kafka_wire::describe_configs_request::DescribeConfigsResource;
use kafka_wire::describe_configs_response::DescribeConfigsResourceResult;
use kafka_wire::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_wire_core::StrBytes;

use super::cluster::{Cluster, Refusal};
use super::error::CliError;

/// A topic, among the resources that have settings.
pub(crate) const RESOURCE_TOPIC: i8 = 2;

/// Topics that one request asks about.
const TOPICS_MAX: usize = 1_000;

/// The settings of each topic, or why they can't be read.
pub(crate) type ByTopic = BTreeMap<String, Result<Vec<DescribeConfigsResourceResult>, Refusal>>;

/// Asks for settings of these topics: those that are named, or all.
pub(crate) async fn topic_settings(cluster: &mut Cluster, topics: &[String], names: Option<&[&str]>) -> Result<ByTopic, CliError> {
    let mut settings = ByTopic::new();
    for topics in topics.chunks(TOPICS_MAX) {
        let answer = cluster.ask(&request(topics, names), read).await?;
        settings.extend(answer.map_err(|refusal| refusal.failed("the settings of topics can't be read"))?);
    }
    Ok(settings)
}

fn request(topics: &[String], names: Option<&[&str]>) -> DescribeConfigsRequest {
    let mut request = DescribeConfigsRequest::default();
    for topic in topics {
        let mut resource = DescribeConfigsResource::default();
        resource.resource_type = RESOURCE_TOPIC;
        resource.resource_name = StrBytes::from(topic.as_str());
        resource.configuration_keys = names.map(|names| names.iter().copied().map(StrBytes::from).collect());
        request.resources.push(resource);
    }
    request
}

fn read(response: DescribeConfigsResponse) -> Result<ByTopic, Refusal> {
    let of_topic = response.results.into_iter().map(|resource| {
        let checked = Refusal::check(resource.error_code, resource.error_message.as_ref());
        (resource.resource_name.into_string(), checked.map(|()| resource.configs))
    });
    Ok(of_topic.collect())
}
