//! Where runs panic.

use std::cell::RefCell;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has the process note where its threads panic instead of printing it: a run's ending says so.
pub fn note_panics() {
    std::panic::set_hook(Box::new(|panic| PLACE.set(panic.location().map(ToString::to_string))));
}

/// Where this thread panicked since it was asked last, if that was noted.
pub(super) fn take_place() -> Option<String> {
    PLACE.take()
}
