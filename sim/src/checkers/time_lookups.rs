//! Time lookups: ListOffsets by timestamp answers the first record whose timestamp is at least the one asked for, and by the largest
//! timestamp the first record that has it.
//!
//! Judged by records whose place is known, because somebody read them there or was told so, and that the log had all through the search.
//! What nobody knows of may be the answer, or not.

use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;

use super::Violation;

/// What a search by time is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeTarget {
    /// The first record whose timestamp is at least this.
    AtLeast(Timestamp),
    /// The first record that has the largest timestamp.
    Max,
}

/// What the log had all through the search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Searched {
    /// Where its start was, or was to be moved to, when the answer came: nothing from there on went meanwhile.
    pub(super) log_start: Offset,
    /// Its high watermark when it was asked: all below was there.
    pub(super) upto: Offset,
}

/// `known` are the records whose places are known, ascending; `found` is the answer, if there was one.
pub(super) fn check(
    target: TimeTarget,
    searched: Searched,
    known: impl Iterator<Item = (Offset, Timestamp)>,
    found: Option<(Offset, Timestamp)>,
) -> Result<(), Violation> {
    let wrong = |what: String| Err(Violation::safety("TimeLookups", format!("{target:?} finds {found:?}, {what}")));
    if let (TimeTarget::AtLeast(wanted), Some((_, timestamp))) = (target, found)
        && timestamp < wanted
    {
        return wrong("which is too early".to_owned());
    }
    for (offset, timestamp) in known {
        if let Some((found, said)) = found
            && offset == found
            && timestamp != said
        {
            return wrong(format!("and the record there bears {timestamp:?}"));
        }
        // What lies before the answer was there with it, even if it was committed meanwhile.
        let was_there = offset >= searched.log_start && (offset < searched.upto || found.is_some_and(|(found, _)| offset < found));
        if was_there && is_better(target, (offset, timestamp), found) {
            return wrong(format!("though {offset} bears {timestamp:?}"));
        }
    }
    Ok(())
}

/// Whether a record should have been found instead.
fn is_better(target: TimeTarget, (offset, timestamp): (Offset, Timestamp), found: Option<(Offset, Timestamp)>) -> bool {
    let Some((found, found_timestamp)) = found else {
        return match target {
            TimeTarget::AtLeast(wanted) => timestamp >= wanted,
            TimeTarget::Max => true,
        };
    };
    match target {
        TimeTarget::AtLeast(wanted) => offset < found && timestamp >= wanted,
        TimeTarget::Max => timestamp > found_timestamp || (timestamp == found_timestamp && offset < found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: [(Offset, Timestamp); 4] =
        [(Offset(3), Timestamp(30)), (Offset(4), Timestamp(20)), (Offset(5), Timestamp(50)), (Offset(6), Timestamp(50))];

    fn judge(target: TimeTarget, found: Option<(i64, i64)>) -> bool {
        let searched = Searched { log_start: Offset(4), upto: Offset(6) };
        check(target, searched, RECORDS.into_iter(), found.map(|(offset, timestamp)| (Offset(offset), Timestamp(timestamp)))).is_ok()
    }

    #[test]
    fn the_first_record_that_is_late_enough_is_right_and_every_other_wrong() {
        let at_least = |wanted, found| judge(TimeTarget::AtLeast(Timestamp(wanted)), found);
        assert!(at_least(21, Some((5, 50))));
        assert!(!at_least(21, Some((6, 50))) && !at_least(20, Some((5, 50))) && !at_least(21, None));
        assert!(!at_least(21, Some((4, 20))), "too early");
        assert!(!at_least(21, Some((5, 51))), "another timestamp than it has");
    }

    #[test]
    fn what_may_have_gone_or_come_meanwhile_is_no_reproach() {
        assert!(judge(TimeTarget::AtLeast(Timestamp(51)), None));
        assert!(judge(TimeTarget::AtLeast(Timestamp(25)), Some((3, 30))), "it went after it was found");
        assert!(judge(TimeTarget::AtLeast(Timestamp(51)), Some((9, 60))), "it came meanwhile");
    }

    #[test]
    fn the_first_of_the_latest_records_is_the_latest() {
        assert!(judge(TimeTarget::Max, Some((5, 50))));
        assert!(!judge(TimeTarget::Max, Some((6, 50))) && !judge(TimeTarget::Max, Some((4, 20))) && !judge(TimeTarget::Max, None));
    }
}
