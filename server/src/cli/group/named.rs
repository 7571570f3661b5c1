//! How groups and partitions are named on the command line.

use std::collections::BTreeSet;

use super::super::cluster::Cluster;
use super::super::error::CliError;
use super::super::partitions;
use super::TopicPartition;

/// The one group that a command acts on.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct OneGroup {
    /// The group.
    #[arg(value_name = "GROUP", required_unless_present = "group")]
    named: Option<String>,
    /// The group, as kafka-consumer-groups.sh is told it.
    #[arg(long, value_name = "GROUP", conflicts_with = "named")]
    group: Option<String>,
}

impl OneGroup {
    pub(super) fn name(&self) -> &str {
        self.named.as_deref().or(self.group.as_deref()).unwrap_or_default()
    }
}

/// A topic, or some of its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) topic: String,
    /// All of them, if none are named.
    pub(super) partitions: BTreeSet<i32>,
}

/// Reads `TOPIC` or `TOPIC:0,1,2`.
pub(super) fn parse_named(text: &str) -> Result<Named, String> {
    let (topic, numbers) = match text.split_once(':') {
        Some((topic, numbers)) => (topic, Some(numbers)),
        None => (text, None),
    };
    let number = |text: &str| text.trim().parse().ok().filter(|number: &i32| *number >= 0);
    let partitions: Option<BTreeSet<i32>> = numbers.map_or(Some(BTreeSet::new()), |numbers| numbers.split(',').map(number).collect());
    match partitions {
        Some(partitions) if !topic.is_empty() => Ok(Named { topic: topic.to_owned(), partitions }),
        Some(_) | None => Err("partitions are named TOPIC or TOPIC:PARTITION,PARTITION, as in orders:0,1".to_owned()),
    }
}

/// The partitions that are named, all of which there have to be.
pub(super) async fn existing(cluster: &mut Cluster, named: &[Named]) -> Result<BTreeSet<TopicPartition>, CliError> {
    let mut found = BTreeSet::new();
    for Named { topic, partitions } in named {
        let numbers = partitions::numbers(cluster, topic, None).await?;
        if let Some(unknown) = partitions.iter().find(|partition| !numbers.contains(partition)) {
            let last = numbers.len().saturating_sub(1);
            return Err(CliError::failure(format!("topic {topic} has no partition {unknown}, only 0 to {last}")));
        }
        let wanted = numbers.into_iter().filter(|number| partitions.is_empty() || partitions.contains(number));
        found.extend(wanted.map(|number| (topic.clone(), number)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_with_their_topic() {
        assert_eq!(parse_named("orders"), Ok(Named { topic: "orders".to_owned(), partitions: BTreeSet::new() }));
        assert_eq!(parse_named("orders:2,0"), Ok(Named { topic: "orders".to_owned(), partitions: BTreeSet::from([0, 2]) }));
        for bad in ["", ":0", "orders:", "orders:x", "orders:-1"] {
            assert!(parse_named(bad).is_err(), "{bad}");
        }
    }
}
