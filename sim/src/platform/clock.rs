//! A node's clocks: they run a little fast or slow, and the wall clock is set now and then.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gracchus_core::time::{Monotonic, Now, Timestamp};
use madsim::time::{Sleep, TimeHandle, sleep};

use super::lock;

/// What wall clocks show when a run begins: some day in 2027, in milliseconds.
pub const WALL_AT_START_MS: i64 = 1_800_000_000_000;

/// Beyond this nobody waits: the run is over before.
const WAIT_MAX: Duration = Duration::from_secs(1_000_000);

/// The clocks of one process. Clones show the same time.
#[derive(Clone, Debug)]
pub struct SimClock {
    /// Runs on whatever process reads it.
    hardware: Arc<Mutex<Hardware>>,
    /// When the process started, in simulated time.
    started: Duration,
}

#[derive(Debug)]
struct Hardware {
    /// Millionths of a second gained in each second; negative when it runs slow.
    drift_ppm: i32,
    /// How far the wall clock has been set forward in milliseconds.
    step_ms: i64,
}

impl SimClock {
    /// The clocks of a machine, as a process that starts now sees them.
    #[must_use]
    pub fn new(drift_ppm: i32) -> Self {
        Self { hardware: Arc::new(Mutex::new(Hardware { drift_ppm, step_ms: 0 })), started: simulated_time() }
    }

    /// The same machine's clocks, as a process that starts now sees them.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self { hardware: Arc::clone(&self.hardware), started: simulated_time() }
    }

    /// Sets the wall clock forward, or back.
    pub fn step_wall(&self, by_ms: i64) {
        lock(&self.hardware).step_ms += by_ms;
    }

    /// Both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        let hardware = lock(&self.hardware);
        let since_start = hardware.scale(simulated_time().saturating_sub(self.started));
        let elapsed_ms = hardware.scale(simulated_time()) / 1_000_000;
        let wall = WALL_AT_START_MS + i64::try_from(elapsed_ms).expect("runs are short") + hardware.step_ms;
        Now { monotonic: Monotonic(since_start), wall: Timestamp(wall) }
    }

    /// Waits until the monotonic clock shows `deadline`.
    pub async fn sleep_until(&self, deadline: Monotonic) {
        loop {
            let missing = deadline.0.saturating_sub(self.now().monotonic.0);
            if missing == 0 {
                return;
            }
            let wait = lock(&self.hardware).unscale(missing);
            if wait > WAIT_MAX {
                return std::future::pending().await;
            }
            Alarm { sleep: sleep(wait), waker: None }.await;
        }
    }
}

impl Hardware {
    /// Nanoseconds that the clock counts while `simulated` passes.
    fn scale(&self, simulated: Duration) -> u64 {
        let rate = u128::try_from(1_000_000 + i64::from(self.drift_ppm)).expect("no clock runs backwards");
        u64::try_from(simulated.as_nanos() * rate / 1_000_000).expect("runs are short")
    }

    /// Simulated time that passes, rounded up, while the clock counts `nanos`.
    fn unscale(&self, nanos: u64) -> Duration {
        let rate = u128::try_from(1_000_000 + i64::from(self.drift_ppm)).expect("no clock runs backwards");
        Duration::from_nanos(u64::try_from(u128::from(nanos) * 1_000_000 / rate + 1).unwrap_or(u64::MAX))
    }
}

/// Simulated time since the run began.
#[must_use]
pub fn simulated_time() -> Duration {
    TimeHandle::current().elapsed()
}

/// A sleep that sets one timer however often it is polled: madsim's own sets one at each poll.
struct Alarm {
    sleep: Sleep,
    waker: Option<Waker>,
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let is_set = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_set && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        Pin::new(&mut self.sleep).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use madsim::runtime::Runtime;

    use super::*;

    #[test]
    fn a_fast_clock_gains_and_its_sleeper_wakes_on_time() {
        Runtime::new().block_on(async {
            let clock = SimClock::new(500);
            sleep(Duration::from_secs(100)).await;
            let shown = clock.now().monotonic.0;
            assert!((100_050_000_000..100_051_000_000).contains(&shown), "{shown}");
            clock.sleep_until(Monotonic(200_000_000_000)).await;
            let shown = clock.now().monotonic.0;
            assert!((200_000_000_000..200_001_000_000).contains(&shown), "{shown}");
        });
    }

    #[test]
    fn the_wall_clock_is_set_and_the_monotonic_one_is_not() {
        Runtime::new().block_on(async {
            let clock = SimClock::new(0);
            let before = clock.now();
            clock.step_wall(-5_000);
            let after = clock.now();
            assert_eq!(after.wall.0, before.wall.0 - 5_000);
            assert_eq!(after.monotonic, before.monotonic);
            sleep(Duration::from_secs(1)).await;
            assert!(clock.restarted().now().monotonic < clock.now().monotonic);
        });
    }
}
