//! Where to start reading.

use std::collections::BTreeMap;

use super::super::cluster::{Cluster, TopicLayout};
use super::super::error::CliError;
use super::super::offsets::{Bound, list_offsets};
use super::super::text::parse_timestamp;

/// Where to start in each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The first record.
    Beginning,
    /// Behind the last record.
    End,
    /// This offset.
    Offset(i64),
    /// So many records before the end.
    Last(i64),
    /// The first record at this time, in milliseconds since 1970, or later.
    Timestamp(i64),
}

/// Reads what `--from` says.
pub(super) fn parse_start(text: &str) -> Result<Start, String> {
    match text {
        "beginning" | "earliest" => return Ok(Start::Beginning),
        "end" | "latest" => return Ok(Start::End),
        _ => {}
    }
    if let Some(time) = text.strip_prefix('@') {
        return parse_timestamp(time).map(Start::Timestamp);
    }
    if let Some(count) = text.strip_prefix('-').and_then(|count| count.parse().ok()) {
        return Ok(Start::Last(count));
    }
    if let Ok(offset) = text.parse::<i64>() {
        return Ok(Start::Offset(offset));
    }
    let unknown = |_| "say beginning, end, an offset, -N, @MILLISECONDS or a time as 2026-01-31T12:00:00Z".to_owned();
    parse_timestamp(text).map(Start::Timestamp).map_err(unknown)
}

/// Where a partition is read from, and where it ended when reading began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// Finds the offsets for `partitions` of a topic.
pub(super) async fn resolve(
    cluster: &Cluster,
    layout: &TopicLayout,
    partitions: &[i32],
    start: Start,
) -> Result<BTreeMap<i32, Span>, CliError> {
    let name = layout.key.name.as_str();
    let leaders: Vec<_> = partitions.iter().filter_map(|&partition| Some((layout.leader(partition)?.node, partition))).collect();
    let firsts = list_offsets(cluster, name, &leaders, Bound::Earliest).await?;
    let ends = list_offsets(cluster, name, &leaders, Bound::Latest).await?;
    let at_time = match start {
        Start::Timestamp(ms) => list_offsets(cluster, name, &leaders, Bound::Timestamp(ms)).await?,
        Start::Beginning | Start::End | Start::Offset(_) | Start::Last(_) => BTreeMap::new(),
    };
    let spans = partitions.iter().map(|&partition| {
        let first = firsts.get(&partition).copied().unwrap_or(0);
        let end = ends.get(&partition).copied().unwrap_or(first).max(first);
        let start = match start {
            Start::Beginning => first,
            Start::End => end,
            Start::Offset(offset) => offset,
            Start::Last(count) => end.saturating_sub(count),
            Start::Timestamp(_) => at_time.get(&partition).copied().unwrap_or(end),
        };
        (partition, Span { start: start.clamp(first, end), end })
    });
    Ok(spans.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_say_where_are_understood() {
        assert_eq!(parse_start("beginning"), Ok(Start::Beginning));
        assert_eq!(parse_start("end"), Ok(Start::End));
        assert_eq!(parse_start("42"), Ok(Start::Offset(42)));
        assert_eq!(parse_start("-10"), Ok(Start::Last(10)));
        assert_eq!(parse_start("@1700000000000"), Ok(Start::Timestamp(1_700_000_000_000)));
        assert_eq!(parse_start("2023-11-14T22:13:20Z"), Ok(Start::Timestamp(1_700_000_000_000)));
        assert!(parse_start("middle").is_err());
    }
}
