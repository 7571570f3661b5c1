//! Where a group is to read on.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::super::cluster::Cluster;
use super::super::super::error::CliError;
use super::super::super::offsets::Bound;
use super::super::super::text::parse_timestamp;
use super::super::committed::Offsets;
use super::super::{TopicPartition, log_offsets};

/// Where to read on, one of these.
#[derive(clap::Args, Clone, Debug)]
#[group(id = "where", required = true, multiple = false)]
pub(super) struct TargetArgs {
    /// At the first record there is.
    #[arg(long)]
    to_earliest: bool,
    /// Behind the last record there is.
    #[arg(long)]
    to_latest: bool,
    /// Where it is, or at the end of what it has committed nothing of.
    #[arg(long)]
    to_current: bool,
    /// At this offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..), allow_negative_numbers = true)]
    to_offset: Option<i64>,
    /// So many records further, or back if negative.
    #[arg(long, value_name = "RECORDS", allow_negative_numbers = true)]
    shift_by: Option<i64>,
    /// At the first record of this time or later: 2026-01-31T12:00:00Z, or milliseconds since 1970; at the end if there is none.
    #[arg(long, value_name = "TIME", value_parser = parse_timestamp)]
    to_datetime: Option<i64>,
    /// At the first record that is not older than this: PT1H30M, P2D or 90m.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    by_duration: Option<Duration>,
}

/// Where to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Earliest,
    Latest,
    Current,
    Offset(i64),
    Shift(i64),
    /// Milliseconds since 1970.
    Time(i64),
}

impl TargetArgs {
    pub(super) fn read(&self) -> Result<Target, CliError> {
        let ago = |ago: Duration| {
            let since_1970 = SystemTime::now().checked_sub(ago).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
            let ms = since_1970.and_then(|since| i64::try_from(since.as_millis()).ok());
            ms.map(Target::Time).ok_or_else(|| CliError::usage("--by-duration goes back behind 1970"))
        };
        if let Some(duration) = self.by_duration {
            return ago(duration);
        }
        let flags = [(self.to_earliest, Target::Earliest), (self.to_latest, Target::Latest), (self.to_current, Target::Current)];
        let flag = flags.into_iter().find(|(is_set, _)| *is_set).map(|(_, target)| target);
        let told = flag.or(self.to_offset.map(Target::Offset)).or(self.shift_by.map(Target::Shift)).or(self.to_datetime.map(Target::Time));
        Ok(told.expect("one of them is required"))
    }
}

/// Reads what Java reads (`P2DT3H4M5S`), or `90m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.strip_prefix(['P', 'p']) {
        Some(rest) => parse_iso(rest),
        None => humantime::parse_duration(text).ok(),
    };
    parsed.ok_or_else(|| "a duration is PT1H30M, P2D or 90m".to_owned())
}

/// Days, hours, minutes and seconds behind the `P`, each at most once and in this order; the last three behind a `T`.
fn parse_iso(text: &str) -> Option<Duration> {
    let text = text.to_ascii_uppercase();
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text.as_str(), ""),
    };
    let mut seconds = 0_u64;
    let mut is_empty = true;
    for (part, units) in [(days, &[('D', 86_400)][..]), (time, &[('H', 3_600), ('M', 60), ('S', 1)])] {
        let mut rest = part;
        for (unit, unit_seconds) in units {
            let Some((count, behind)) = rest.split_once(*unit) else { continue };
            seconds = seconds.checked_add(count.parse::<u64>().ok()?.checked_mul(*unit_seconds)?)?;
            (rest, is_empty) = (behind, false);
        }
        if !rest.is_empty() {
            return None;
        }
    }
    (!is_empty).then_some(Duration::from_secs(seconds))
}

/// The offsets to read on from. All partitions have to be there, and led.
pub(super) async fn resolve(
    cluster: &mut Cluster,
    target: Target,
    partitions: &BTreeSet<TopicPartition>,
    committed: &Offsets,
) -> Result<Offsets, CliError> {
    let starts = log_offsets::look_up(cluster, partitions, Bound::Earliest).await?.complete()?;
    let ends = log_offsets::look_up(cluster, partitions, Bound::Latest).await?.complete()?;
    let at_time = match target {
        Target::Time(ms) => log_offsets::look_up(cluster, partitions, Bound::Timestamp(ms)).await?.complete()?,
        Target::Earliest | Target::Latest | Target::Current | Target::Offset(_) | Target::Shift(_) => Offsets::new(),
    };
    let mut resolved = Offsets::new();
    for id in partitions {
        let start = starts.get(id).copied().unwrap_or(0);
        let end = ends.get(id).copied().unwrap_or(start).max(start);
        let current = committed.get(id).copied();
        let wanted = match target {
            Target::Earliest => start,
            Target::Latest => end,
            Target::Current => current.unwrap_or(end),
            Target::Offset(offset) => offset,
            Target::Shift(by) => match current {
                Some(current) => current.saturating_add(by),
                None => {
                    let (topic, partition) = id;
                    return Err(CliError::failure(format!("{topic}-{partition} can't be shifted: the group has committed nothing of it")));
                }
            },
            Target::Time(_) => at_time.get(id).copied().unwrap_or(end),
        };
        resolved.insert(id.clone(), wanted.clamp(start, end));
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        for (text, seconds) in [("PT1H30M", 5_400), ("P2D", 172_800), ("P1DT1S", 86_401), ("pt5m", 300), ("90m", 5_400), ("1h 30s", 3_630)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "P", "PT", "P1", "PT1D", "P1H", "PT1S1H", "PT-1H", "soon", "P99999999999999999999D"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
