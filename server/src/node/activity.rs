//! When something last came or left over a connection.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use gracchus_core::time::{Monotonic, Wait};
use tokio::io::{AsyncRead, ReadBuf};

use super::shared::Shared;
use crate::platform::Platform;

/// What has been going on.
pub(super) struct Activity {
    last: AtomicU64,
    received_bytes: AtomicU64,
}

impl Activity {
    pub(super) fn new(now: Monotonic) -> Self {
        Self { last: AtomicU64::new(now.0), received_bytes: AtomicU64::new(0) }
    }

    pub(super) fn note(&self, now: Monotonic) {
        self.last.fetch_max(now.0, Ordering::Relaxed);
    }

    fn note_received(&self, now: Monotonic, bytes: usize) {
        self.note(now);
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// When something last came or left.
    pub(super) fn last(&self) -> Monotonic {
        Monotonic(self.last.load(Ordering::Relaxed))
    }

    /// How much has come.
    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }
}

/// Waits until nothing has come or left for so long.
pub(super) async fn silent_for<P: Platform>(shared: &Shared<P>, activity: &Activity, patience: Wait) {
    loop {
        let deadline = activity.last().after(patience);
        if deadline <= shared.platform.now().monotonic {
            return;
        }
        shared.platform.sleep_until(deadline).await;
    }
}

/// Notes whenever bytes come.
pub(super) struct Watched<'a, P: Platform> {
    reader: P::Reader,
    shared: &'a Shared<P>,
    activity: &'a Activity,
}

impl<'a, P: Platform> Watched<'a, P> {
    pub(super) fn new(reader: P::Reader, shared: &'a Shared<P>, activity: &'a Activity) -> Self {
        Self { reader, shared, activity }
    }
}

impl<P: Platform> AsyncRead for Watched<'_, P> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.reader).poll_read(context, into);
        if read.is_ready() {
            self.activity.note_received(self.shared.platform.now().monotonic, into.filled().len() - before);
        }
        read
    }
}
