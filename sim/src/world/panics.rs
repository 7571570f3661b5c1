//! Where runs panic.

use std::cell::RefCell;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has the process note where its runs panic instead of printing it: a run's ending says so.
pub fn note_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_run = std::thread::current().name().is_some_and(|name| name.starts_with(super::THREAD));
        if is_run { PLACE.set(panic.location().map(ToString::to_string)) } else { print(panic) }
    }));
}

/// Where this thread panicked since it was asked last, if that was noted.
pub(super) fn take_place() -> Option<String> {
    PLACE.take()
}
