//! A signal that is given once and seen by all.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Whether something is to close. Clones are the same signal. Those that wait are woken in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Closing(Arc<Semaphore>);

impl Closing {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Gives the signal.
    pub(super) fn close(&self) {
        self.0.close();
    }

    /// Waits for the signal.
    pub(super) async fn closed(&self) {
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
        let closing = Closing::new();
        let early = tokio::spawn({
            let closing = closing.clone();
            async move { closing.closed().await }
        });
        tokio::task::yield_now().await;
        closing.close();
        early.await.unwrap();
        closing.closed().await;
    }
}
