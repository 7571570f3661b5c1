//! What crosses the core's one door: [`Input`] in, [`Effects`] out.
//!
//! Everything here is plain data with serde, so that a run can be recorded and replayed. A user's payload crosses as [`Payload`], which is
//! written as its length alone.

mod administration;
mod consumer_groups;
mod effects;
mod groups;
mod input;
mod payload;
mod peer;
mod request;
mod response;
mod storage;

pub use administration::*;
pub use consumer_groups::*;
pub use effects::{Effects, Mark, Notice, Reply, Severity};
pub use groups::*;
pub use input::{Door, Input, RequestContext};
pub use payload::Payload;
pub use peer::*;
pub use request::*;
pub use response::*;
pub use storage::*;
