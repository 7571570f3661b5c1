//! Groups as metrics. Each group is told by the node that coordinates it, and by no other.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::node::{GroupLag, Inspection, LAGS_MAX};

#[derive(Debug)]
pub(super) struct GroupCollector(Inspection);

impl GroupCollector {
    pub(super) fn new(inspection: Inspection) -> Self {
        Self(inspection)
    }

    fn encode_groups(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor("groups", "Groups that the node coordinates", None, MetricType::Gauge)?;
        for ((kind, state), count) in &self.0.groups {
            family.encode_family(&[("type", *kind), ("state", *state)])?.encode_gauge(count)?;
        }
        let mut family = encoder.encode_descriptor("group_members", "Members of the groups", None, MetricType::Gauge)?;
        for (kind, count) in &self.0.members {
            family.encode_family(&[("type", *kind)])?.encode_gauge(count)?;
        }
        encoder
            .encode_descriptor("group_offsets", "Offsets that the groups have committed", None, MetricType::Gauge)?
            .encode_gauge(&self.0.offsets)
    }

    fn encode_tally(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let tally = self.0.tally;
        let help = "Assignments of groups: generations of the classic protocol, epochs of the consumer protocol";
        let mut family = encoder.encode_descriptor("group_rebalances", help, None, MetricType::Counter)?;
        for (kind, count) in [("classic", tally.classic_rebalances), ("consumer", tally.consumer_rebalances)] {
            family.encode_family(&[("type", kind)])?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        for (name, help, count) in [
            ("group_offset_commits", "Offsets committed, each partition's for itself", tally.offset_commits),
            ("group_expired_offsets", "Committed offsets dropped because they were too old", tally.expired_offsets),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn encode_lags(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = format!(
            "Records between what a group has committed and the high watermark, of partitions that the node has a copy of; left out where \
             group_offsets is above {LAGS_MAX}"
        );
        let mut family = encoder.encode_descriptor("group_lag", &help, None, MetricType::Gauge)?;
        for GroupLag { group, topic, partition, lag } in &self.0.lags {
            let labels = [("group", group.as_str()), ("topic", topic.as_str()), ("partition", &partition.to_string())];
            family.encode_family(&labels)?.encode_gauge(lag)?;
        }
        Ok(())
    }
}

impl Collector for GroupCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.encode_groups(&mut encoder)?;
        self.encode_tally(&mut encoder)?;
        self.encode_lags(&mut encoder)
    }
}
