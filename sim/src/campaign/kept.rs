//! What a campaign keeps in its folder, so that another invocation goes on where one ended, however that was.

use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Summary;
use crate::ranges::Ranges;
use crate::world::RunReport;

/// The format's version.
const VERSION: u32 = 1;
const STATE: &str = "campaign.json";

/// Which seeds a campaign is about: what has to be the same for it to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// How many nodes there are; as many as each seed says, if not given.
    pub nodes: Option<usize>,
    /// This one of so many campaigns that share the seeds. Counted from 0.
    pub shard: Shard,
}

/// One of several campaigns that share the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, counted from 0.
    pub index: u64,
    /// Of how many.
    pub count: u64,
}

impl Shard {
    /// The only one.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether a seed is of this one.
    #[must_use]
    pub fn has(self, seed: u64) -> bool {
        seed % self.count == self.index
    }
}

/// A campaign as far as it has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    version: u32,
    scope: Scope,
    /// Seeds that were run.
    done: Ranges,
    /// What came of them.
    pub summary: Summary,
}

/// Why a campaign's folder can't be used.
#[derive(Debug)]
pub enum KeptError {
    /// It can't be read or written.
    Io(PathBuf, io::Error),
    /// What is in it is no campaign.
    Malformed(PathBuf, serde_json::Error),
    /// It is of another version, or about other seeds.
    Other(PathBuf),
}

impl fmt::Display for KeptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Malformed(path, error) => write!(f, "{} is no campaign: {error}", path.display()),
            Self::Other(path) => {
                let why = "is a campaign with other nodes or another shard, or of another release: name another folder";
                write!(f, "{} {why}", path.display())
            }
        }
    }
}

impl std::error::Error for KeptError {}

impl Kept {
    /// The campaign in a folder, which is made if there is none.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn open(folder: &Path, scope: Scope) -> Result<Self, KeptError> {
        fs::create_dir_all(folder).map_err(|error| KeptError::Io(folder.to_owned(), error))?;
        match Self::load(folder)? {
            Some(kept) if kept.scope == scope => Ok(kept),
            Some(_) => Err(KeptError::Other(folder.join(STATE))),
            None => Ok(Self { version: VERSION, scope, done: Ranges::default(), summary: Summary::default() }),
        }
    }

    /// The campaign in a folder, if there is one.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn load(folder: &Path) -> Result<Option<Self>, KeptError> {
        let file = folder.join(STATE);
        let content = match fs::read(&file) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KeptError::Io(file, error)),
        };
        match serde_json::from_slice::<Self>(&content) {
            Ok(kept) if kept.version == VERSION => Ok(Some(kept)),
            Ok(_) => Err(KeptError::Other(file)),
            Err(error) => Err(KeptError::Malformed(file, error)),
        }
    }

    /// Puts it into its folder, whole or not at all.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn save(&self, folder: &Path) -> Result<(), KeptError> {
        let (file, unfinished) = (folder.join(STATE), folder.join("campaign.json.unfinished"));
        let content = serde_json::to_vec(self).map_err(|error| KeptError::Malformed(file.clone(), error))?;
        let written = fs::write(&unfinished, content).and_then(|()| fs::rename(&unfinished, &file));
        written.map_err(|error| KeptError::Io(file, error))
    }

    /// Takes in what came of a seed.
    pub fn take(&mut self, report: RunReport) {
        self.done.insert(report.seed);
        self.summary.add(report);
    }

    /// The seeds of `range` that were not run, ascending.
    pub fn missing(&self, range: Range<u64>) -> impl Iterator<Item = u64> + use<> {
        let (done, shard) = (self.done.clone(), self.scope.shard);
        range.filter(move |seed| shard.has(*seed) && !done.has(*seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_all_seeds() {
        let of = |index| Kept {
            version: VERSION,
            scope: Scope { nodes: None, shard: Shard { index, count: 3 } },
            done: [0, 1, 3, 4].into_iter().collect(),
            summary: Summary::default(),
        };
        let mut seeds: Vec<u64> = (0..3).flat_map(|index| of(index).missing(0..20).collect::<Vec<_>>()).collect();
        seeds.sort_unstable();
        assert_eq!(seeds, [2].into_iter().chain(5..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_campaign_goes_on_where_it_ended_and_only_that_one() {
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope { nodes: Some(3), shard: Shard::WHOLE };
        let mut kept = Kept::open(folder.path(), scope).unwrap();
        kept.take(RunReport::empty(4, 3));
        kept.save(folder.path()).unwrap();
        let again = Kept::open(folder.path(), scope).unwrap();
        assert_eq!(again.missing(3..7).collect::<Vec<_>>(), [3, 5, 6]);
        assert_eq!(again.summary.seeds, 1);
        let other = Kept::open(folder.path(), Scope { nodes: None, ..scope });
        assert!(matches!(other, Err(KeptError::Other(_))));
    }
}
