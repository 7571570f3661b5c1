//! A replica goes out of service, or a node ends unasked, only when the disk has failed it since the process started.

use gracchus_core::boundary::{Effects, Mark};

use super::Violation;
use crate::platform::disk::SimDisk;

pub(super) fn step(effects: &Effects, disk: &SimDisk) -> Result<(), Violation> {
    if effects.marks.contains(&Mark::ReplicaFailed) { check("a replica went out of service", disk) } else { Ok(()) }
}

pub(super) fn check(what: &str, disk: &SimDisk) -> Result<(), Violation> {
    if disk.errors_of_process() > 0 {
        return Ok(());
    }
    Err(Violation::liveness("FailsForAReason", format!("{what}, and the disk has done nothing wrong since the process started")))
}
