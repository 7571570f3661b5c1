//! The node's counters in the text format of OpenMetrics, as Prometheus reads it.

use std::fmt;
use std::iter;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::compaction::CompactionCollector;
use super::groups::GroupCollector;
use crate::node::counters::{Counters, LATENCY_BOUNDS_US};
use crate::node::{Inspection, Snapshot};

/// The media type of what [`Exporter::render`] gives.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug)]
pub(super) struct Exporter(Arc<Counters>);

impl Exporter {
    pub(super) fn new(counters: Arc<Counters>) -> Self {
        Self(counters)
    }

    /// All counters, and of a node that answers what it has in hand.
    pub(super) fn render(&self, snapshot: Option<Snapshot>, inspection: Option<Inspection>) -> String {
        let mut registry = Registry::with_prefix("gracchus");
        registry.register_collector(Box::new(CounterCollector(Arc::clone(&self.0))));
        if let Some(snapshot) = snapshot {
            registry.register_collector(Box::new(SnapshotCollector(snapshot)));
        }
        let dirty_ratio_max = inspection.as_ref().map(|inspection| inspection.dirty_ratio_max);
        registry.register_collector(Box::new(CompactionCollector::new(Arc::clone(&self.0.compactions), dirty_ratio_max)));
        if let Some(inspection) = inspection {
            registry.register_collector(Box::new(GroupCollector::new(inspection)));
        }
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string can always be written to");
        text
    }
}

#[derive(Debug)]
struct SnapshotCollector(Snapshot);

impl Collector for SnapshotCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Snapshot { is_serving, leads_quorum, hears_quorum, partitions, leaders, waiting_produces, waiting_fetches, free_bytes } = self.0;
        for (name, help, value) in [
            ("serving", "Whether the node serves clients", Some(u64::from(is_serving))),
            ("quorum_leader", "Whether the node leads the metadata quorum", Some(u64::from(leads_quorum))),
            ("quorum_heard", "Whether the node hears the leader of the metadata quorum", Some(u64::from(hears_quorum))),
            ("partitions", "Partitions that the node has a copy of", u64::try_from(partitions).ok()),
            ("leaders", "Partitions that the node leads", u64::try_from(leaders).ok()),
            ("waiting_produces", "Produces that wait to be committed", u64::try_from(waiting_produces).ok()),
            ("waiting_fetches", "Fetches that wait for records", u64::try_from(waiting_fetches).ok()),
            ("free_bytes", "Bytes free on the data folder's disk", free_bytes),
        ] {
            if let Some(value) = value {
                encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct CounterCollector(Arc<Counters>);

impl Collector for CounterCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counters = &self.0;
        for (name, help, counter) in [
            ("connections_opened", "Connections taken in", &counters.connections_opened),
            ("connections_refused", "Connections closed at once because there were too many", &counters.connections_refused),
            ("connections_broken", "Connections closed for what came over them", &counters.connections_broken),
            ("received_bytes", "Bytes of requests", &counters.bytes_in),
            ("sent_bytes", "Bytes of answers", &counters.bytes_out),
            ("appended_batches", "Batches appended to logs", &counters.appended_batches),
            ("appended_bytes", "Bytes of the batches appended to logs", &counters.appended_bytes),
            ("appended_records", "Records in the batches appended to logs", &counters.appended_records),
            ("log_syncs", "Times that a log's end became durable", &counters.syncs),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&counter.get(), None)?;
        }

        let open = counters.connections_opened.get().saturating_sub(counters.connections_closed.get());
        encoder.encode_descriptor("connections", "Connections that are open", None, MetricType::Gauge)?.encode_gauge(&open)?;
        encode_latencies(counters, &mut encoder)?;
        encode_errors(counters, &mut encoder)
    }
}

fn encode_latencies(counters: &Counters, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Seconds from when a request had been read to when its answer had left";
    let mut family = encoder.encode_descriptor("request_seconds", help, None, MetricType::Histogram)?;
    for (api, latencies) in counters.latencies() {
        let bounds = LATENCY_BOUNDS_US.iter().map(|&bound| seconds(bound)).chain(iter::once(f64::INFINITY));
        let buckets: Vec<(f64, u64)> = bounds.zip(latencies.buckets()).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let labels = [("api", format!("{api:?}"))];
        family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(seconds(latencies.sum_us()), count, &buckets, None)?;
    }
    Ok(())
}

fn encode_errors(counters: &Counters, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Errors in answers, by API and Kafka's name for the error";
    let mut family = encoder.encode_descriptor("request_errors", help, None, MetricType::Counter)?;
    for ((api, error), count) in counters.errors() {
        let labels = [("api", format!("{api:?}")), ("error", format!("{error:?}"))];
        family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a sum of seconds that has lost its microseconds is as good")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
