//! Runs one task on the thread that calls.
//!
//! To be woken costs a thread some 20 µs where processors are put to sleep, a tenth of what an `fdatasync` takes there. A client that waits
//! for each of its records to be on disk pays for that with every one, though its next record is known to come soon. So a thread that has
//! synced looks for more to do for a moment before it is parked (Seastar's reactors poll for as long), under three conditions: the wait before
//! was a short one, so that a look that found nothing is the last until one would have found something; no more than half of the processors
//! are looked on; and whoever waits for the same processor goes first.

use std::cell::Cell;
use std::future::Future;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a thread looks for more before it is parked: what an answer takes to its client and the next request back.
const LOOK_MAX: Duration = Duration::from_micros(200);

thread_local! {
    /// Whether the thread has synced since it last waited.
    static HAS_SYNCED: Cell<bool> = const { Cell::new(false) };
}

/// Those of a node's threads that look for more at one time.
#[derive(Debug)]
pub(super) struct Lookers {
    count: AtomicUsize,
    max: usize,
}

impl Default for Lookers {
    fn default() -> Self {
        Self { count: AtomicUsize::new(0), max: thread::available_parallelism().map_or(1, NonZero::get) / 2 }
    }
}

impl Lookers {
    /// Room for one more, until it is dropped.
    fn enter(&self) -> Option<Looking<'_>> {
        let entered = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < self.max).then_some(count + 1));
        entered.is_ok().then(|| Looking(self))
    }
}

struct Looking<'a>(&'a Lookers);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A thread that runs a task.
struct Runner {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Wake for Runner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Swapped, so that the thread sees what all have done who woke it since it last looked. Whoever did so first unparks it.
        if !self.is_woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

impl Runner {
    fn take_wake(&self) -> bool {
        self.is_woken.load(Ordering::Relaxed) && self.is_woken.swap(false, Ordering::Acquire)
    }

    /// Waits to be woken since `began`, at first without being parked if there is room among those who look.
    fn wait(&self, began: Instant, lookers: Option<&Lookers>) {
        if let Some(_looking) = lookers.and_then(Lookers::enter) {
            while began.elapsed() < LOOK_MAX {
                if self.take_wake() {
                    return;
                }
                thread::yield_now();
            }
        }
        while !self.take_wake() {
            thread::park();
        }
    }
}

/// This thread has put something on disk: whoever waited for that may have more for it.
pub(super) fn note_synced() {
    HAS_SYNCED.set(true);
}

/// Polls `task` to its end; the thread is parked while the task waits, or looks for more among `lookers` first.
pub(super) fn block_on<T>(lookers: &Lookers, task: impl Future<Output = T>) -> T {
    let runner = Arc::new(Runner { thread: thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&runner));
    let mut context = Context::from_waker(&waker);
    let mut task = pin!(task);
    let mut last_wait = Duration::MAX;
    loop {
        match task.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                let began = Instant::now();
                runner.wait(began, is_worth_looking(HAS_SYNCED.take(), last_wait).then_some(lookers));
                last_wait = began.elapsed();
            }
        }
    }
}

fn is_worth_looking(has_synced: bool, last_wait: Duration) -> bool {
    has_synced && last_wait < LOOK_MAX
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Longer than any machine takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_task_that_waits_for_another_thread_is_woken() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let other = thread::spawn(move || sender.send(7));
        assert_eq!(block_on(&Lookers::default(), receiver), Ok(7));
        assert_eq!(other.join().unwrap(), Ok(()));
    }

    #[test]
    fn only_who_has_synced_and_did_not_wait_for_long_looks() {
        assert!(is_worth_looking(true, LOOK_MAX / 2));
        assert!(!is_worth_looking(true, LOOK_MAX), "as after a look that found nothing");
        assert!(!is_worth_looking(false, LOOK_MAX / 2));
    }

    #[test]
    fn no_more_look_than_there_is_room_for() {
        let lookers = Lookers { count: AtomicUsize::new(0), max: 1 };
        let first = lookers.enter();
        assert!(first.is_some() && lookers.enter().is_none());
        drop(first);
        assert!(lookers.enter().is_some());
        assert!(Lookers { count: AtomicUsize::new(0), max: 0 }.enter().is_none());
    }

    #[test]
    fn no_wake_is_lost_between_looking_and_being_parked() {
        const ROUNDS: u32 = 500;
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut others = Vec::new();
        let mut answers = Vec::new();
        for number in 0..2 {
            let (answer, answered) = mpsc::channel();
            answers.push(answer);
            let sender = sender.clone();
            others.push(thread::spawn(move || {
                for round in 0..ROUNDS {
                    // As long as a thread looks, give or take a little, and every third time at once.
                    let pause = if round % 3 == 0 { Duration::ZERO } else { LOOK_MAX * (75 + round % 50) / 100 };
                    let began = Instant::now();
                    while began.elapsed() < pause {}
                    sender.send(number).unwrap();
                    answered.recv_timeout(PATIENCE).expect("the task was woken");
                }
            }));
        }
        drop(sender);
        let lookers = Lookers { count: AtomicUsize::new(0), max: 1 };
        let taken = block_on(&lookers, async {
            let mut taken = 0;
            while let Some(number) = receiver.recv().await {
                note_synced();
                answers[number].send(()).unwrap();
                taken += 1;
            }
            taken
        });
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(taken, 2 * ROUNDS);
    }
}
