//! What is kept of a run: its hash, its counts, its last events, and all events for who watches.

mod event;
mod kept;
mod recorder;
mod standing;

pub use event::{Changed, ClientTold, Event, Length, Step, What};
pub use gracchus_server::recording::{RollingHash, RunHash};
pub use kept::{Kept, Parted, Trace, TraceError};
pub use recorder::{Recorder, Watch};
pub use standing::{Copied, Role, Standing, Standings};
