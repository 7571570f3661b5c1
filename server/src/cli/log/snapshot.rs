//! A snapshot of the cluster's metadata.

use std::fs;
use std::path::Path;

use gracchus_core::metadata::{MetadataSnapshot, UnsoundSnapshot};

use super::super::error::CliError;
use super::report::Report;
use super::segment::dump_segment;

/// Shows a snapshot. Apache Kafka's are batches of records, and are shown as such.
pub(super) fn dump_snapshot(path: &Path, report: &mut Report) -> Result<(), CliError> {
    let content = fs::read(path).map_err(|error| CliError::failure(format!("{} can't be read: {error}", path.display())))?;
    match MetadataSnapshot::decode(&content) {
        Ok(snapshot) => report.snapshot(&snapshot),
        Err(UnsoundSnapshot::NoSnapshot) => dump_segment(path, None, true, report).map(|_| ()),
        Err(unsound) => report.problem(0, &unsound.to_string()),
    }
}
