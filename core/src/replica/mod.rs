//! The replicated log: what the metadata log and every data partition have in common.
//!
//! A leader appends and followers fetch; the high watermark follows from the members' positions by a commit rule, which is all that differs
//! between the two kinds, beside who elects.

mod commit;
mod divergence;
mod progress;

pub use commit::{majority, maximal_isr};
pub use divergence::{EpochEnd, divergence, last_fetched_epoch, truncation};
pub use progress::{Positions, Progress};
