//! The simulated world that a node runs in.

pub mod clock;
pub mod disk;
pub mod net;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, even behind a panic: what unwinds drops what it holds, and that must not panic again.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
