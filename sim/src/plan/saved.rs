//! Plans in files: JSON, so that they can be read, edited and compared.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::world::OWN_CLIENTS_FROM;

/// The format's version: another release's plans are refused, since they would mean another run.
const VERSION: u32 = 4;

/// What is in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<P> {
    version: u32,
    plan: P,
}

/// Only the version, to be read before the rest.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Why a plan can't be loaded or saved.
#[derive(Debug)]
pub enum PlanError {
    /// The file can't be read or written.
    Io(io::Error),
    /// It is of another version.
    Version(u32),
    /// It is no plan.
    Malformed(serde_json::Error),
    /// Two clients or two faults have one id, or a client has one that is taken.
    Ids,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Version(found) => write!(f, "this is a plan of version {found}, and {VERSION} is wanted"),
            Self::Ids => write!(f, "each client needs an id of its own below {OWN_CLIENTS_FROM}, and each fault one"),
            Self::Malformed(error) => write!(f, "this is no plan: {error}"),
        }
    }
}

impl std::error::Error for PlanError {}

/// Writes a plan into a file.
///
/// # Errors
/// [`PlanError`].
pub fn save(plan: &Plan, path: &Path) -> Result<(), PlanError> {
    let mut bytes = serde_json::to_vec_pretty(&Saved { version: VERSION, plan }).map_err(PlanError::Malformed)?;
    bytes.push(b'\n');
    // Whole or not at all: what was there is a smaller one's predecessor.
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, path)).map_err(PlanError::Io)
}

/// Reads a plan from a file.
///
/// # Errors
/// [`PlanError`].
pub fn load(path: &Path) -> Result<Plan, PlanError> {
    let bytes = std::fs::read(path).map_err(PlanError::Io)?;
    let Versioned { version } = serde_json::from_slice(&bytes).map_err(PlanError::Malformed)?;
    if version != VERSION {
        return Err(PlanError::Version(version));
    }
    let saved: Saved<Plan> = serde_json::from_slice(&bytes).map_err(PlanError::Malformed)?;
    let plan = saved.plan.numbered();
    let clients: BTreeSet<u8> = plan.clients.iter().map(|client| client.id).filter(|id| *id < OWN_CLIENTS_FROM).collect();
    let faults: BTreeSet<u32> = plan.faults.iter().map(|fault| fault.id).collect();
    if clients.len() < plan.clients.len() || faults.len() < plan.faults.len() {
        return Err(PlanError::Ids);
    }
    Ok(plan)
}

/// Reads every plan of a folder, with the file's name, in the order of the names.
///
/// # Errors
/// [`PlanError`], of the first that can't be read.
pub fn load_all(folder: &Path) -> Result<Vec<(std::path::PathBuf, Plan)>, PlanError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(PlanError::Io)? {
        let file = entry.map_err(PlanError::Io)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    files.sort();
    files.into_iter().map(|file| load(&file).map(|plan| (file, plan))).collect()
}
