//! Fetches from every leader at once, each on a connection of its own.
//!
//! A leader is asked for more as soon as it has answered, so that its answer travels while the one before is written out. When a leader is
//! lost, all are looked up again and reading goes on where it was.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use gracchus_core::record::BatchHeader;
use gracchus_net::client::{FetchPosition, FetchedPartition, TopicKey, WireError, fetch_request, fetched_partitions};
use kafka_wire::{FetchRequest, FetchResponse};
use tokio::task::JoinSet;

use super::super::cluster::{Cluster, Refusal, Retry, TopicLayout};
use super::super::error::CliError;
use super::super::link::{Link, LinkError};
use super::super::offsets::{Bound, list_offsets};
use super::start::{Span, Start, resolve};

/// How long a leader waits for records before it answers without.
const FETCH_WAIT_MS: i32 = 500;

/// What to read.
#[derive(Clone, Debug)]
pub(super) struct ReaderOptions {
    pub(super) from: Start,
    pub(super) partitions: Vec<i32>,
    pub(super) follow: bool,
    pub(super) fetch_bytes: i32,
}

/// Some batches of a partition, and which of their offsets count.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub(super) partition: i32,
    pub(super) range: Range<i64>,
    pub(super) batches: Vec<(BatchHeader, Bytes)>,
}

/// Reads a topic.
#[derive(Debug)]
pub(super) struct Reader {
    cluster: Cluster,
    topic: String,
    layout: TopicLayout,
    options: ReaderOptions,
    spans: BTreeMap<i32, Span>,
    fetches: JoinSet<Fetch>,
    retry: Option<Retry>,
}

/// One leader's answer, with the connection that it came on.
#[derive(Debug)]
struct Fetch {
    link: Link,
    partitions: Vec<i32>,
    response: Result<FetchResponse, LinkError>,
}

impl Reader {
    /// Finds the topic and where to start in it.
    pub(super) async fn new(mut cluster: Cluster, topic: String, options: ReaderOptions) -> Result<Self, CliError> {
        let layout = cluster.topic(&topic, false).await?;
        let all = 0..i32::try_from(layout.leaders.len()).expect("partitions are numbered in 31 bits");
        let partitions: Vec<i32> = if options.partitions.is_empty() { all.clone().collect() } else { options.partitions.clone() };
        if let Some(missing) = partitions.iter().find(|partition| !all.contains(partition)) {
            return Err(CliError::failure(format!("topic {topic} has no partition {missing}, only 0 to {}", all.end - 1)));
        }
        let mut spans = resolve(&cluster, &layout, &partitions, options.from).await?;
        if options.follow {
            spans.values_mut().for_each(|span| span.end = i64::MAX);
        }
        Ok(Self { cluster, topic, layout, options, spans, fetches: JoinSet::new(), retry: None })
    }

    /// What came next, perhaps nothing yet; `None` when all is read.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Fetched>>, CliError> {
        loop {
            self.spans.retain(|_, span| span.start < span.end);
            if self.spans.is_empty() {
                return Ok(None);
            }
            if self.fetches.is_empty() {
                self.start_fetches().await?;
            }
            let Some(fetch) = self.fetches.join_next().await else { continue };
            let fetch = fetch.map_err(|error| CliError::failure(format!("a fetch ended early: {error}")))?;
            return Ok(Some(self.take(fetch).await?));
        }
    }

    /// Connects to each leader and asks it for its partitions.
    async fn start_fetches(&mut self) -> Result<(), CliError> {
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for &partition in self.spans.keys() {
            let leader = self.layout.leader(partition);
            let leader = leader.ok_or_else(|| CliError::failure(format!("topic {} has lost partition {partition}", self.topic)))?;
            by_leader.entry(leader.node).or_default().push(partition);
        }
        for (node, partitions) in by_leader {
            match self.cluster.open(node).await {
                Ok(link) => self.ask(link, partitions),
                Err(error) => return self.start_over(error.into()).await,
            }
        }
        Ok(())
    }

    fn ask(&mut self, mut link: Link, partitions: Vec<i32>) {
        let wanted = partitions.iter().filter_map(|partition| Some((*partition, self.spans.get(partition)?)));
        let positions: Vec<_> = wanted.map(|(partition, span)| self.position(partition, span.start)).collect();
        if positions.is_empty() {
            return;
        }
        let request = fetch_request(FETCH_WAIT_MS, 1, self.options.fetch_bytes, positions);
        self.fetches.spawn(async move {
            let response = link.call::<FetchRequest>(&request).await;
            Fetch { link, partitions, response }
        });
    }

    fn position(&self, partition: i32, offset: i64) -> FetchPosition {
        let leader_epoch = self.layout.leader(partition).map_or(-1, |leader| leader.leader_epoch);
        let topic = TopicKey { name: self.layout.key.name.clone(), id: self.layout.key.id };
        FetchPosition { topic, partition, offset, leader_epoch, bytes_max: self.options.fetch_bytes }
    }

    /// Takes what a leader answered, asks it for what follows, or looks for another.
    async fn take(&mut self, fetch: Fetch) -> Result<Vec<Fetched>, CliError> {
        let mut read = Vec::new();
        let response = match fetch.response {
            Ok(response) => response,
            Err(error) if error.is_passing() => return self.start_over(error.into()).await.map(|()| read),
            Err(error) => return Err(error.into()),
        };
        Refusal::check(response.error_code, None).map_err(|refusal| refusal.failed(&format!("topic {} can't be read", self.topic)))?;
        let mut failed = None;
        for partition in fetched_partitions(response) {
            match partition.error {
                WireError::NONE => read.extend(self.take_partition(&partition)?),
                WireError::OFFSET_OUT_OF_RANGE => self.skip_to_start(partition.partition).await?,
                error => {
                    let refused = Refusal { error, message: None }.failed(&format!("{}-{} can't be read", self.topic, partition.partition));
                    if !error.is_retriable() {
                        return Err(refused);
                    }
                    failed = Some(refused);
                }
            }
        }
        match failed {
            Some(error) => self.start_over(error).await?,
            None => {
                self.retry = None;
                self.ask(fetch.link, fetch.partitions);
            }
        }
        Ok(read)
    }

    /// The batches that were read of a partition, if any.
    fn take_partition(&mut self, fetched: &FetchedPartition) -> Result<Option<Fetched>, CliError> {
        let Some(span) = self.spans.get_mut(&fetched.partition) else { return Ok(None) };
        let batches: Vec<_> = fetched.batches().collect::<Result<_, _>>().map_err(|wrong| {
            CliError::failure(format!("{}-{} can't be read at offset {}: {wrong}", self.topic, fetched.partition, span.start))
        })?;
        let Some((last, _)) = batches.last() else { return Ok(None) };
        let range = span.start..span.end;
        span.start = span.start.max(last.next_offset().0);
        Ok(Some(Fetched { partition: fetched.partition, range, batches }))
    }

    /// Goes on at the first offset that is left: retention was faster.
    async fn skip_to_start(&mut self, partition: i32) -> Result<(), CliError> {
        let Some((leader, span)) = self.layout.leader(partition).zip(self.spans.get_mut(&partition)) else { return Ok(()) };
        let firsts = list_offsets(&self.cluster, &self.topic, &[(leader.node, partition)], Bound::Earliest).await?;
        let name = format!("{}-{partition}", self.topic);
        match firsts.get(&partition) {
            Some(&first) if first > span.start => {
                eprintln!("gracchus: {name}: offsets {} to {} are gone, going on behind them", span.start, first - 1);
                span.start = first;
                Ok(())
            }
            _ => Err(CliError::failure(format!("{name} has no offset {} any more: its log is shorter than it was", span.start))),
        }
    }

    /// Looks up the leaders again, after a pause.
    async fn start_over(&mut self, error: CliError) -> Result<(), CliError> {
        let wait = self.cluster.timeout();
        if !self.retry.get_or_insert_with(|| Retry::within(wait)).pause().await {
            return Err(error);
        }
        self.fetches.shutdown().await;
        self.layout = self.cluster.topic(&self.topic, false).await?;
        Ok(())
    }
}
