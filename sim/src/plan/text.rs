//! A plan as people read it: a line for each node, topic, client and fault, by its id.

use std::fmt::{self, Display, Formatter};

use gracchus_core::record::Codec;

use super::{
    ClientKind, ClientPlan, ConsumerStart, Death, DiskFaultKind, Fault, GroupProtocol, NodePlan, Plan, PlannedFault, StorePlan, TopicPlan,
};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = Thousandths(self.duration_ms);
        writeln!(f, "plan of seed {}: {seconds} s, and {} s to serve again", self.seed, Thousandths(self.recovery_ms_max))?;
        write!(f, "quorum: {} of {} nodes vote", self.voters, self.nodes.len())?;
        for (holds, what) in [
            (self.controllers > 0, format!("the first {} are controllers alone", self.controllers)),
            (self.are_controllers_found, "brokers find the controllers".to_owned()),
            (self.are_voters_static, "settings name the voters without their folders".to_owned()),
            (self.group_version > 0, format!("group.version {}", self.group_version)),
        ] {
            if holds {
                write!(f, ", {what}")?;
            }
        }
        writeln!(f)?;
        let (network, disk) = (&self.network, &self.disk);
        write!(f, "network: {} to {} us a message", network.latency_us_min, network.latency_us_max)?;
        writeln!(f, ", odd reads {}, odd writes {}", PerMillion(network.faults.odd_read), PerMillion(network.faults.odd_write))?;
        write!(f, "disks: a sync takes up to {} ms, split writes {}", disk.sync_ms_max, PerMillion(disk.write_split))?;
        for (what, per_million) in [
            ("sync failures", disk.sync_failure),
            ("write errors", disk.write_error),
            ("read errors", disk.read_error),
            ("flipped reads", disk.read_flip),
            ("slow operations", disk.slow),
        ] {
            if per_million > 0 {
                write!(f, ", {what} {}", PerMillion(per_million))?;
            }
        }
        writeln!(f)?;
        for (node, number) in self.nodes.iter().zip(1..) {
            writeln!(f, "node {number}: {node}")?;
        }
        for topic in &self.topics {
            writeln!(f, "{topic}")?;
        }
        for client in &self.clients {
            writeln!(f, "client-{}: {client}", client.id)?;
        }
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl Display for NodePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(rack) = &self.rack {
            write!(f, "rack {rack}, ")?;
        }
        if self.drift_ppm != 0 {
            write!(f, "clocks {:+} ppm, ", self.drift_ppm)?;
        }
        write!(f, "{} requests a connection, {} bytes of them; {}", self.in_flight_requests_max, self.queued_bytes_max, self.store)?;
        configs(f, &self.configs)
    }
}

impl Display for StorePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tasks = (self.writers, self.keepers, self.readers);
        write!(f, "store: writers, keepers and readers {tasks:?}, ")?;
        write!(f, "unsynced {} bytes or {} ms, ", self.unsynced_bytes_max, self.unsynced_ms_max)?;
        write!(f, "group {} bytes, {} open files, ", self.group_bytes_max, self.open_files_max)?;
        write!(f, "set aside {} bytes from {} on, ", self.preallocate_bytes, self.preallocate_from_bytes)?;
        write!(f, "tail {} batches of {}, ", self.tail_batches_max, self.tail_batches_total_max)?;
        write!(f, "space told every {} bytes or {} ms", self.space_report_bytes, self.space_report_ms)
    }
}

impl Display for TopicPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} partitions, {} replicas", self.name, self.partitions, self.replicas)?;
        if self.is_altered {
            write!(f, ", its durability is altered")?;
        }
        configs(f, &self.configs)
    }
}

impl Display for ClientPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ClientKind::IdempotentProducer { in_flight_max, records_max, codec } => {
                write!(f, "idempotent producer, {in_flight_max} in flight, {records_max} records, {}", Compressed(*codec))?;
            }
            ClientKind::PlainProducer { acks, retries, records_max, codec } => {
                let retries = if *retries { "retries" } else { "no retries" };
                write!(f, "producer, acks {acks}, {retries}, {records_max} records, {}", Compressed(*codec))?;
            }
            ClientKind::Consumer { start, seek, rack } => {
                let start = match start {
                    ConsumerStart::Earliest => "the earliest",
                    ConsumerStart::Latest => "the latest",
                    ConsumerStart::Anywhere => "any offset",
                    ConsumerStart::Timestamp => "a timestamp",
                };
                write!(f, "consumer from {start} on, seeks {}", PerMillion(*seek))?;
                if let Some(rack) = rack {
                    write!(f, ", rack {rack}")?;
                }
            }
            ClientKind::GroupMember { group, is_static, protocol } => {
                write!(f, "{}member of group-{group}", if *is_static { "static " } else { "" })?;
                f.write_str(match protocol {
                    GroupProtocol::Classic => "",
                    GroupProtocol::Consumer => ", of the consumer protocol",
                    GroupProtocol::Either => ", of either protocol",
                    GroupProtocol::Cooperative => ", cooperative",
                })?;
            }
            ClientKind::Admin => write!(f, "administrator")?,
        }
        write!(f, ", rests up to {} ms, gives up after {} ms", self.rest_ms_max, self.timeout_ms)?;
        if self.left_out.is_empty() { Ok(()) } else { write!(f, ", {} turns left out", self.left_out.count()) }
    }
}

impl Display for PlannedFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(f, "fault {}: at {seconds}.{micros:06} s, ", self.id)?;
        if self.fault.befalls_a_node() {
            write!(f, "node {}: ", self.node + 1)?;
        }
        write!(f, "{}", self.fault)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(death) => write!(f, "the process dies {death}"),
            Self::PowerLoss(death) => write!(f, "the power goes {death}"),
            Self::Stop { cut_short: None, down_ms } => write!(f, "stops, and is back after {down_ms} ms"),
            Self::Stop { cut_short: Some(steps), down_ms } => {
                write!(f, "is to stop, loses power {steps} steps of its disk later, and is back after {down_ms} ms")
            }
            Self::Pause { length_ms } => write!(f, "stands still for {length_ms} ms"),
            Self::Resets { per_million } => write!(f, "connections are reset, {}", PerMillion(*per_million)),
            Self::Lag { latency_ms_max, length_ms } => write!(f, "messages take up to {latency_ms_max} ms, for {length_ms} ms"),
            Self::Stalls { per_million, length_ms } => write!(f, "connections stall for {length_ms} ms, {}", PerMillion(*per_million)),
            Self::Partition { client, length_ms } => write!(f, "client-{} is cut off for {length_ms} ms", client + 1),
            Self::Isolate { length_ms } => write!(f, "is cut off from all other nodes for {length_ms} ms"),
            Self::Part { other, length_ms } => write!(f, "is cut off from node {} for {length_ms} ms", other + 1),
            Self::Mute { other, length_ms } => write!(f, "is not heard by node {} for {length_ms} ms", other + 1),
            Self::Blackout { down_ms } => write!(f, "the power goes everywhere for {down_ms} ms"),
            Self::WallStep { by_ms } => write!(f, "the wall clock is set by {by_ms:+} ms"),
            Self::Disk { kind, length_ms } => write!(f, "the disk for {length_ms} ms: {kind}"),
            Self::Rot { choice } => write!(f, "a bit of a batch flips for good (choice {choice})"),
            Self::ChangeVoters { choice, is_disputed } => {
                let dispute = if *is_disputed { ", while another operator asks for the opposite" } else { "" };
                write!(f, "a voter is added or removed (choice {choice}){dispute}")
            }
            Self::Replace { down_ms } => write!(f, "comes back with an empty disk after {down_ms} ms"),
        }
    }
}

impl Display for Death {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "after {} steps of its disk, and is back after {} ms", self.after_steps, self.down_ms)?;
        for steps in &self.in_recovery {
            write!(f, ", loses power {steps} steps into recovery")?;
        }
        Ok(())
    }
}

impl Display for DiskFaultKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow { per_million, ms_max } => write!(f, "operations take up to {ms_max} ms, {}", PerMillion(*per_million)),
            Self::SyncFailures { per_million } => write!(f, "syncs fail, {}", PerMillion(*per_million)),
            Self::WriteErrors { per_million } => write!(f, "writes fail, {}", PerMillion(*per_million)),
            Self::ReadErrors { per_million } => write!(f, "reads fail, {}", PerMillion(*per_million)),
            Self::ReadFlips { per_million } => write!(f, "reads flip a bit, {}", PerMillion(*per_million)),
            Self::Full { spare_bytes } => write!(f, "full but for {spare_bytes} bytes"),
        }
    }
}

fn configs(f: &mut Formatter<'_>, configs: &[(String, String)]) -> fmt::Result {
    configs.iter().try_for_each(|(name, value)| write!(f, "\n    {name}={value}"))
}

struct Compressed(Codec);

impl Display for Compressed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Codec::None => "uncompressed",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        })
    }
}

/// A chance.
struct PerMillion(u32);

impl Display for PerMillion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("never"),
            1_000_000 => f.write_str("always"),
            per_million => write!(f, "{per_million} in a million"),
        }
    }
}

/// A number of thousandths.
struct Thousandths(u64);

impl Display for Thousandths {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_line_that_names_it() {
        let fault = Fault::PowerLoss(Death { after_steps: 6, down_ms: 1_207, in_recovery: vec![33] });
        let planned = PlannedFault { id: 4, at_us: 6_048_705, node: 4, fault };
        let line = "fault 4: at 6.048705 s, node 5: the power goes after 6 steps of its disk, and is back after 1207 ms, loses power 33 steps into recovery";
        assert_eq!(planned.to_string(), line);
    }

    #[test]
    fn everyone_and_everything_has_a_line() {
        let plan = Plan::draw_for(5, 5);
        let text = plan.to_string();
        let begins = |what: &str| text.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!(begins("node "), plan.nodes.len());
        assert_eq!(begins("client-"), plan.clients.len());
        assert_eq!(begins("topic-"), plan.topics.len());
        assert_eq!(begins("fault "), plan.faults.len());
    }
}
