//! A signal that is given once and seen by all.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Clones are the same signal. Those that wait are woken in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Signal(Arc<Semaphore>);

impl Signal {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Gives the signal.
    pub(super) fn give(&self) {
        self.0.close();
    }

    /// Waits for the signal.
    pub(super) async fn given(&self) {
        // It never has a permit: the only way out is an error, when it closes.
        let never = self.0.acquire().await;
        assert!(never.is_err(), "no permit is ever added");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_that_wait_and_those_that_come_later_see_it() {
        let signal = Signal::new();
        let early = tokio::spawn({
            let signal = signal.clone();
            async move { signal.given().await }
        });
        tokio::task::yield_now().await;
        signal.give();
        early.await.unwrap();
        signal.given().await;
    }
}
