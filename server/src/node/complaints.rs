//! Log lines that a client can provoke: a hostile one must not fill the operator's disk.

use std::sync::{Mutex, PoisonError};

use gracchus_core::time::{Monotonic, Wait};

/// Lines within one [`PERIOD_MS`].
const LINES_MAX: u32 = 10;
const PERIOD_MS: i64 = 1000;

/// Lets a few lines a second through and counts the others.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<Period>);

#[derive(Debug, Default)]
struct Period {
    since: Monotonic,
    lines: u32,
    dropped: u64,
}

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The line, and how many were dropped before it.
    Write {
        dropped: u64,
    },
    Drop,
}

impl Complaints {
    /// Writes `line` to the log unless there were too many of late.
    pub(super) fn write(&self, now: Monotonic, line: impl FnOnce() -> String) {
        match self.judge(now) {
            Verdict::Write { dropped: 0 } => tracing::warn!("{}", line()),
            Verdict::Write { dropped } => tracing::warn!("{} ({dropped} lines like this were left out)", line()),
            Verdict::Drop => {}
        }
    }

    fn judge(&self, now: Monotonic) -> Verdict {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(period.since) >= Wait::from_ms(PERIOD_MS) {
            period.since = now;
            period.lines = 0;
        }
        if period.lines >= LINES_MAX {
            period.dropped += 1;
            return Verdict::Drop;
        }
        period.lines += 1;
        Verdict::Write { dropped: std::mem::take(&mut period.dropped) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let complaints = Complaints::default();
        let first = Monotonic(5_000_000_000);
        for _ in 0..LINES_MAX {
            assert_eq!(complaints.judge(first), Verdict::Write { dropped: 0 });
        }
        assert_eq!(complaints.judge(first), Verdict::Drop);
        assert_eq!(complaints.judge(first), Verdict::Drop);

        let later = first.after(Wait::from_ms(PERIOD_MS));
        assert_eq!(complaints.judge(later), Verdict::Write { dropped: 2 });
        assert_eq!(complaints.judge(later), Verdict::Write { dropped: 0 });
    }
}
