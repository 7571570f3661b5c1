//! What commands print, and what remains to be said when some of it went wrong.

use std::io::{self, Write};

use serde::Serialize;

use super::error::CliError;

/// One JSON document on a line of its own.
pub(crate) fn write_json(document: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(document).expect("what a command reports has a JSON form");
    writeln!(io::stdout().lock(), "{text}").map_err(CliError::output)
}

/// A line for a person.
pub(crate) fn say(line: &str) -> Result<(), CliError> {
    writeln!(io::stdout().lock(), "{line}").map_err(CliError::output)
}

/// Reports what went well, then fails with the first of what did not; further failures are told before.
pub(crate) fn settle(failures: Vec<CliError>) -> Result<(), CliError> {
    let mut failures = failures.into_iter().rev();
    let Some(last) = failures.next() else { return Ok(()) };
    for failure in failures.rev() {
        failure.report();
    }
    Err(last)
}
