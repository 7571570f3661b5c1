//! How a command ends when it does not succeed: one line for a person, a status for scripts.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command stops.
#[derive(Debug)]
pub(crate) enum CliError {
    /// What was asked for could not be done: status 1.
    Failure(String),
    /// The command line asks for something that makes no sense: status 2, clap's own.
    Usage(String),
    /// The command was carried out, and what it looked at is not well: status 3.
    Unwell(String),
    /// Whoever read our output has seen enough: no word, status 0.
    BrokenPipe,
}

impl CliError {
    /// A failure in these words.
    pub(crate) fn failure(words: impl Into<String>) -> Self {
        Self::Failure(words.into())
    }

    /// A usage error in these words.
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Self::Usage(words.into())
    }

    /// What became of writing to standard output.
    pub(crate) fn output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Failure(format!("writing to standard output failed: {error}"))
        }
    }

    /// Tells the person, and the status for the shell.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Failure(words) => {
                eprintln!("gracchus: {words}");
                ExitCode::from(1)
            }
            Self::Usage(words) => {
                eprintln!("gracchus: {words}");
                ExitCode::from(2)
            }
            Self::Unwell(words) => {
                eprintln!("gracchus: {words}");
                ExitCode::from(3)
            }
            Self::BrokenPipe => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(words) | Self::Usage(words) | Self::Unwell(words) => f.write_str(words),
            Self::BrokenPipe => f.write_str("broken pipe"),
        }
    }
}
