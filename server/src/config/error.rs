//! Why settings are refused, and what is said of settings that are taken all the same.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Why settings are refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// `--set` without a `=`.
    #[error("--set takes NAME=VALUE, not {0}")]
    NotAnAssignment(String),
    /// A value that its setting does not take.
    #[error("{name} = {value} ({origin}): {reason}; allowed: {allowed}")]
    Invalid {
        /// The setting.
        name: String,
        /// Its value.
        value: String,
        /// Who gave it.
        origin: String,
        /// What is wrong with it.
        reason: String,
        /// What it takes.
        allowed: String,
    },
    /// A setting that would protect, which nothing keeps: to go on without it would be worse than to stop.
    #[error("{name} ({origin}) would protect this node, and is not kept yet: remove it to run without that protection")]
    Protects {
        /// The setting.
        name: String,
        /// Who gave it.
        origin: String,
    },
    /// A name that is none of ours, where only ours are expected.
    #[error("{name} ({origin}) is not a setting{}", suggest(suggestion))]
    Unknown {
        /// The name.
        name: String,
        /// Who gave it.
        origin: String,
        /// A setting of a similar name.
        suggestion: Option<&'static str>,
    },
}

/// What an operator should know of settings that were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Settings of Kafka that do nothing here yet.
    WithoutEffect(Vec<String>),
    /// A name that nobody knows, in a file that may hold others' names.
    Unknown {
        /// The name.
        name: String,
        /// Who gave it.
        origin: String,
        /// A setting of a similar name.
        suggestion: Option<&'static str>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithoutEffect(names) => write!(f, "these settings have no effect here yet: {}", names.join(", ")),
            Self::Unknown { name, origin, suggestion } => write!(f, "{name} ({origin}) is not a setting{}", suggest(suggestion)),
        }
    }
}

fn suggest(suggestion: &Option<&'static str>) -> String {
    suggestion.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
