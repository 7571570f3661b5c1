//! Plans in files: a line that names the format, then postcard.

use std::fmt;
use std::io;
use std::path::Path;

use super::Plan;

/// Opens a saved plan. The number is the format's version: another release's plans are refused, since they would mean another run.
const HEADER: &[u8] = b"gracchus-sim plan 2\n";

/// Why a plan can't be loaded or saved.
#[derive(Debug)]
pub enum PlanError {
    /// The file can't be read or written.
    Io(io::Error),
    /// It does not begin as a plan of this version does.
    Header,
    /// It is damaged.
    Damaged(postcard::Error),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Header => f.write_str("this is not a plan of this version"),
            Self::Damaged(error) => write!(f, "the plan is damaged: {error}"),
        }
    }
}

impl std::error::Error for PlanError {}

/// Writes a plan into a file.
///
/// # Errors
/// [`PlanError`].
pub fn save(plan: &Plan, path: &Path) -> Result<(), PlanError> {
    let bytes = postcard::to_extend(plan, HEADER.to_vec()).map_err(PlanError::Damaged)?;
    std::fs::write(path, bytes).map_err(PlanError::Io)
}

/// Reads a plan from a file.
///
/// # Errors
/// [`PlanError`].
pub fn load(path: &Path) -> Result<Plan, PlanError> {
    let bytes = std::fs::read(path).map_err(PlanError::Io)?;
    let body = bytes.strip_prefix(HEADER).ok_or(PlanError::Header)?;
    postcard::from_bytes(body).map_err(PlanError::Damaged)
}
