//! When a DeleteRecords is acknowledged, it holds on everyone in sync: none of those brings back what was said to be gone. Who comes into sync
//! later, or leads as an eligible replica that was away, is not judged. Nor is a leader that does not know yet that another leads.

use gracchus_core::boundary::{Effects, Response};
use gracchus_core::ids::TopicPartition;
use gracchus_core::offset::Offset;

use super::{Acked, Violation};

pub(super) fn step(effects: &Effects, acked: &Acked<'_>) -> Result<(), Violation> {
    for reply in &effects.replies {
        let Response::DeleteRecords(response) = &reply.response else { continue };
        for (topic, partitions) in &response.topics {
            for (partition, deleted) in partitions {
                let (Some(partition), Ok(log_start)) = (acked.topics.find(topic, *partition), deleted) else { continue };
                check(partition, *log_start, acked)?;
            }
        }
    }
    Ok(())
}

fn check(partition: TopicPartition, log_start: Offset, acked: &Acked<'_>) -> Result<(), Violation> {
    if !acked.cluster.is_led_by(partition, acked.node) || acked.excused.has(partition) {
        return Ok(());
    }
    match acked.cluster.starts_in_sync(partition).find(|(_, start)| *start < log_start) {
        Some((member, start)) => {
            let what = format!("{partition} is said to start at {log_start}, and that of node {member}, which is in sync, starts at {start}");
            Err(Violation::safety("DeletedInSync", what))
        }
        None => Ok(()),
    }
}
