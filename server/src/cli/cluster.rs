//! Which broker to ask: metadata, leaders, and bounded retries while those change.

use std::collections::BTreeMap;
use std::time::Duration;

use gracchus_net::client::{ClientError, TopicKey, WireError};
use kafka_wire::metadata_request::MetadataRequestTopic;
use kafka_wire::metadata_response::MetadataResponseTopic;
use kafka_wire::{KafkaRequest, MetadataRequest, MetadataResponse, RequestResponsePair};
use kafka_wire_core::StrBytes;
use tokio::time::{Instant, sleep};

use super::error::CliError;
use super::link::{Link, LinkError};

const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where to find the cluster, and how long to try.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ConnectArgs {
    /// Brokers to ask first, separated by commas.
    #[arg(
        long,
        short,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        env = "BOOTSTRAP_SERVERS",
        value_delimiter = ',',
        value_parser = parse_address,
        help_heading = "Connection"
    )]
    bootstrap: Vec<String>,
    /// Give up what makes no progress for this many seconds.
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), help_heading = "Connection")]
    timeout_s: u64,
}

fn parse_address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(text.to_owned()),
        _ => Err("a broker is named HOST:PORT, as in 127.0.0.1:9092".to_owned()),
    }
}

/// A cluster as its metadata shows it.
#[derive(Debug)]
pub(crate) struct Cluster {
    args: ConnectArgs,
    seed: Link,
    nodes: BTreeMap<i32, String>,
    controller: i32,
}

/// An error code that an answer gives for one of the things asked for.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The code.
    pub(crate) error: WireError,
    /// What the broker adds.
    pub(crate) message: Option<String>,
}

impl Refusal {
    /// `Ok` where an answer carries no error.
    pub(crate) fn check(error_code: i16, message: Option<&StrBytes>) -> Result<(), Self> {
        let message = message.map(|message| message.as_str().to_owned());
        WireError(error_code).check().map_err(|error| Self { error, message })
    }

    /// As a failure to do `what`.
    pub(crate) fn failed(self, what: &str) -> CliError {
        CliError::Failure(match self.message {
            Some(message) if !message.is_empty() => format!("{what}: {message} ({})", self.error),
            _ => format!("{what}: {}", self.error),
        })
    }

    /// Whether another broker, or the same one a little later, may do it. Unlike a producer, a person who names a topic that does not exist
    /// is told so at once.
    pub(crate) fn passes(&self) -> bool {
        self.error.is_retriable() && self.error != WireError::UNKNOWN_TOPIC_OR_PARTITION && self.error != WireError::REQUEST_TIMED_OUT
    }
}

/// A topic's id and the leaders of its partitions.
#[derive(Clone, Debug)]
pub(crate) struct TopicLayout {
    /// How requests name it.
    pub(crate) key: TopicKey,
    /// By partition number.
    pub(crate) leaders: Vec<Leader>,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leader {
    /// The broker.
    pub(crate) node: i32,
    /// Since when.
    pub(crate) leader_epoch: i32,
}

impl TopicLayout {
    /// Who leads a partition, if there is such a partition.
    pub(crate) fn leader(&self, partition: i32) -> Option<Leader> {
        usize::try_from(partition).ok().and_then(|at| self.leaders.get(at)).copied()
    }
}

impl Cluster {
    /// Reaches the first broker that answers.
    pub(crate) async fn connect(args: &ConnectArgs) -> Result<Self, CliError> {
        let seed = first_that_answers(args.bootstrap.iter().map(String::as_str), args.timeout()).await?;
        Ok(Self { args: args.clone(), seed, nodes: BTreeMap::new(), controller: -1 })
    }

    /// How long to go on without progress.
    pub(crate) fn timeout(&self) -> Duration {
        self.args.timeout()
    }

    /// As [`timeout`](Self::timeout), for requests that carry it.
    pub(crate) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.args.timeout().as_millis()).expect("an hour at most")
    }

    /// Whether the broker that is asked serves a request at this version.
    pub(crate) fn knows<Q: KafkaRequest>(&self, version: i16) -> bool {
        self.seed.common_up_to::<Q>(version).is_ok_and(|common| common == version)
    }

    /// What the cluster says of these topics, or of all.
    pub(crate) async fn metadata(&mut self, topics: Option<&[String]>, create: bool) -> Result<MetadataResponse, LinkError> {
        let mut request = MetadataRequest::default();
        request.allow_auto_topic_creation = create;
        request.topics = topics.map(|names| names.iter().map(|name| topic_by_name(name)).collect());
        let response = self.call_any(&request).await?;
        self.nodes = response.brokers.iter().map(|broker| (broker.node_id, format!("{}:{}", broker.host, broker.port))).collect();
        self.controller = response.controller_id;
        Ok(response)
    }

    /// Waits until every partition of a topic has a leader. With `create`, the broker may make the topic.
    pub(crate) async fn topic(&mut self, name: &str, create: bool) -> Result<TopicLayout, CliError> {
        let mut retry = Retry::within(self.timeout());
        loop {
            let response = match self.metadata(Some(&[name.to_owned()]), create).await {
                Ok(response) => response,
                // Brokers come back.
                Err(error) if error.is_passing() && retry.pause().await => continue,
                Err(error) => return Err(error.into()),
            };
            let topic = response.topics.into_iter().next();
            let topic = topic.ok_or_else(|| CliError::failure(format!("the broker's metadata leaves out topic {name}")))?;
            let refusal = match layout(&topic) {
                Ok(layout) => return Ok(layout),
                Err(refusal) => refusal,
            };
            // A topic that is just being made is not known at once.
            let passing = refusal.error.is_retriable() && (create || refusal.error != WireError::UNKNOWN_TOPIC_OR_PARTITION);
            if !passing || !retry.pause().await {
                return Err(no_layout(name, refusal));
            }
        }
    }

    /// The brokers that metadata last listed, and where they are.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (i32, &str)> {
        self.nodes.iter().map(|(&node, address)| (node, address.as_str()))
    }

    /// A connection of its own to a broker.
    pub(crate) async fn open(&self, node: i32) -> Result<Link, LinkError> {
        // A leader that metadata does not list is on its way out: its own address is not known, so the refusal comes from the seed.
        let address = self.nodes.get(&node).map_or(self.seed.address(), String::as_str);
        Link::open(address, self.timeout()).await
    }

    /// Asks until the answer is not a passing refusal: of the seed, or of the controller once a broker says that only that one can.
    pub(crate) async fn ask<Q, T>(
        &mut self,
        request: &Q,
        mut read: impl FnMut(Q::Response) -> Result<T, Refusal>,
    ) -> Result<Result<T, Refusal>, CliError>
    where
        Q: RequestResponsePair,
    {
        let mut retry = Retry::within(self.timeout());
        loop {
            let response = self.call_any(request).await?;
            let refusal = match read(response) {
                Ok(answer) => return Ok(Ok(answer)),
                Err(refusal) => refusal,
            };
            if !refusal.passes() || !retry.pause().await {
                return Ok(Err(refusal));
            }
            if refusal.error == WireError::NOT_CONTROLLER {
                self.metadata(Some(&[]), false).await?;
                self.seed = self.open(self.controller).await?;
            }
        }
    }

    /// Asks the seed; when its connection fails, whichever broker is left.
    async fn call_any<Q: RequestResponsePair>(&mut self, request: &Q) -> Result<Q::Response, LinkError> {
        match self.seed.call(request).await {
            Err(LinkError::Connect { .. } | LinkError::Client { error: ClientError::Io(_) | ClientError::Closed, .. }) => {}
            answered => return answered,
        }
        let known = self.nodes.values().chain(&self.args.bootstrap).map(String::as_str);
        self.seed = first_that_answers(known, self.timeout()).await?;
        self.seed.call(request).await
    }
}

impl ConnectArgs {
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }
}

/// Pauses that grow, up to a deadline.
#[derive(Debug)]
pub(crate) struct Retry {
    deadline: Instant,
    pause: Duration,
}

impl Retry {
    /// Goes on for `wait`.
    pub(crate) fn within(wait: Duration) -> Self {
        Self { deadline: Instant::now() + wait, pause: RETRY_PAUSE_MIN }
    }

    /// Waits before the next attempt; `false` when there is to be none.
    pub(crate) async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause > self.deadline {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
        true
    }
}

async fn first_that_answers(addresses: impl Iterator<Item = &str>, wait: Duration) -> Result<Link, LinkError> {
    let mut first_error = None;
    for address in addresses {
        match Link::open(address, wait).await {
            Ok(link) => return Ok(link),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.expect("the command line names a broker, or its default does"))
}

/// How Metadata and the like are asked for a topic.
fn topic_by_name(name: &str) -> MetadataRequestTopic {
    let mut topic = MetadataRequestTopic::default();
    topic.name = Some(StrBytes::from(name));
    topic
}

fn layout(topic: &MetadataResponseTopic) -> Result<TopicLayout, Refusal> {
    Refusal::check(topic.error_code, None)?;
    let name = topic.name.clone().unwrap_or_default();
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    let mut leaders = Vec::with_capacity(partitions.len());
    for partition in partitions {
        if partition.leader_id < 0 {
            let message = Some(format!("partition {} has no leader", partition.partition_index));
            return Err(Refusal { error: WireError::LEADER_NOT_AVAILABLE, message });
        }
        leaders.push(Leader { node: partition.leader_id, leader_epoch: partition.leader_epoch });
    }
    Ok(TopicLayout { key: TopicKey { name, id: topic.topic_id }, leaders })
}

/// Why a topic can't be used that metadata was asked for.
pub(crate) fn no_layout(name: &str, refusal: Refusal) -> CliError {
    if refusal.error == WireError::UNKNOWN_TOPIC_OR_PARTITION {
        return CliError::failure(format!(
            "topic {name} does not exist. `gracchus topic create {name}` makes it, `gracchus topic list` shows what there is"
        ));
    }
    refusal.failed(&format!("topic {name} can't be used"))
}
