//! The line that shows how far a run is, on standard error where that is a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

const REDRAW: Duration = Duration::from_millis(200);

/// Records counted by all connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to it.
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What all have counted.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A line that follows a counter until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    drawing: JoinHandle<()>,
}

impl Progress {
    /// Shows `counter` on its way to `total`.
    pub(super) fn start(total: u64, counter: Counter) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {human_pos} of {human_len} records, {per_sec}, {eta} left");
        let bar = ProgressBar::new(total).with_style(style.expect("the template is sound"));
        let drawn = bar.clone();
        let drawing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(REDRAW).await;
                drawn.set_position(counter.get());
            }
        });
        Self { bar, drawing }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}
