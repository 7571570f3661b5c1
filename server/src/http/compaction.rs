//! Compactions as metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::store::CompactionCounters;

#[derive(Debug)]
pub(super) struct CompactionCollector {
    counters: Arc<CompactionCounters>,
    dirty_ratio_max: Option<f64>,
}

impl CompactionCollector {
    pub(super) fn new(counters: Arc<CompactionCounters>, dirty_ratio_max: Option<f64>) -> Self {
        Self { counters, dirty_ratio_max }
    }
}

impl Collector for CompactionCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counters = &self.counters;
        for (name, help, count) in [
            ("compactions", "Compactions of logs that have ended", counters.runs()),
            ("compaction_failures", "Compactions that the disk, or what is on it, has ended", counters.failures()),
            ("compaction_read_bytes", "Bytes that compactions have read", counters.read_bytes()),
            ("compaction_removed_bytes", "Bytes by which compactions have made logs smaller", counters.removed_bytes()),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        for (name, help, bytes) in [
            ("compaction_buffer_bytes", "Bytes of memory that the last compaction had for keys", counters.buffer_bytes()),
            ("compaction_buffer_used_bytes", "Bytes of memory that keys took in the last compaction", counters.buffer_used_bytes()),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&bytes)?;
        }
        let seconds = Duration::from_nanos(counters.last_ns()).as_secs_f64();
        encoder
            .encode_descriptor("compaction_last_seconds", "Seconds that the last compaction took", None, MetricType::Gauge)?
            .encode_gauge(&seconds)?;
        if let Some(ratio) = &self.dirty_ratio_max {
            let help = "The largest share of a log that is to be compacted and is not, from 0 to 1";
            encoder.encode_descriptor("compaction_dirty_ratio_max", help, None, MetricType::Gauge)?.encode_gauge(ratio)?;
        }
        Ok(())
    }
}
