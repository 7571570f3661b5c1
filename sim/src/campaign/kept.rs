//! What a campaign keeps in its folder, so that another invocation goes on where one ended, however that was.

use std::collections::BTreeSet;
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// What program runs them: another one may come to something else.
    pub build: String,
    /// How many nodes there are; as many as each seed says, if not given.
    pub nodes: Option<usize>,
    /// Whether every other plan takes after one that reached what is rare: then a seed that was run may not have been with its own plan.
    #[serde(default)]
    pub steers: bool,
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
    /// Which seeds were asked for last, unless only a time was.
    pub ordered: Option<Range<u64>>,
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
    /// Another process is at it.
    InUse(PathBuf),
}

impl fmt::Display for KeptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Malformed(path, error) => write!(f, "{} is no campaign: {error}", path.display()),
            Self::Other(path) => {
                let why = "is a campaign with other nodes, another shard or steered otherwise, or of another build: name another folder";
                write!(f, "{} {why}", path.display())
            }
            Self::InUse(path) => write!(f, "another process is at the campaign in {}", path.display()),
        }
    }
}

impl std::error::Error for KeptError {}

impl Kept {
    /// The campaign in a folder, which is made if there is none, and what keeps others out of it.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn open(folder: &Path, scope: Scope) -> Result<(Self, fs::File), KeptError> {
        let lock = folder.join("lock");
        let alone = fs::create_dir_all(folder).and_then(|()| fs::File::create(&lock)).map_err(|error| KeptError::Io(lock.clone(), error))?;
        alone.try_lock().map_err(|_| KeptError::InUse(folder.to_owned()))?;
        let kept = match Self::load(folder)? {
            Some(kept) if kept.scope == scope => kept,
            Some(_) => return Err(KeptError::Other(folder.join(STATE))),
            None => Self { version: VERSION, scope, ordered: None, done: Ranges::default(), summary: Summary::default() },
        };
        Ok((kept, alone))
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

/// Whether these are all shards of one campaign, each once, and done.
pub(super) fn check_whole(all: &[Kept]) -> Result<(), String> {
    let Some(first) = all.first() else { return Err("there is no campaign in its folders".to_owned()) };
    let count = first.scope.shard.count;
    for kept in all {
        let Shard { index, count: of } = kept.scope.shard;
        if of != count || kept.scope.nodes != first.scope.nodes || kept.scope.steers != first.scope.steers || kept.ordered != first.ordered {
            return Err(format!("shard {index}/{of} is not of the same campaign as the first, which has {count}"));
        }
        if kept.ordered.clone().is_some_and(|ordered| kept.missing(ordered).next().is_some()) {
            return Err(format!("shard {index}/{count} has not run all of its seeds yet"));
        }
    }
    let indexes: BTreeSet<u64> = all.iter().map(|kept| kept.scope.shard.index).collect();
    if indexes.len() != all.len() || indexes.len() as u64 != count {
        return Err(format!("there are {} campaigns in its folders, and {} of {count} shards among them", all.len(), indexes.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(index: u64, count: u64) -> Kept {
        let scope = Scope { build: String::new(), nodes: None, steers: false, shard: Shard { index, count } };
        Kept { version: VERSION, scope, ordered: Some(0..5), done: [0, 1, 3, 4].into_iter().collect(), summary: Summary::default() }
    }

    #[test]
    fn only_shards_that_make_a_whole_are_folded() {
        let done = |index| {
            let mut kept = shard(index, 2);
            kept.done.insert(2);
            kept
        };
        assert_eq!(check_whole(&[done(0), done(1)]), Ok(()));
        assert!(check_whole(&[]).is_err());
        assert!(check_whole(&[done(0)]).is_err(), "one is missing");
        assert!(check_whole(&[done(0), done(0)]).is_err(), "one is there twice");
        assert!(check_whole(&[shard(0, 2), done(1)]).is_err(), "one is not done");
        assert!(check_whole(&[done(1), shard(0, 3)]).is_err(), "one is of another campaign");
    }

    #[test]
    fn shards_share_all_seeds() {
        let of = |index| shard(index, 3);
        let mut seeds: Vec<u64> = (0..3).flat_map(|index| of(index).missing(0..20).collect::<Vec<_>>()).collect();
        seeds.sort_unstable();
        assert_eq!(seeds, [2].into_iter().chain(5..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_campaign_goes_on_where_it_ended_and_only_that_one() {
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope { build: "one".to_owned(), nodes: Some(3), steers: false, shard: Shard::WHOLE };
        let (mut kept, alone) = Kept::open(folder.path(), scope.clone()).unwrap();
        kept.take(RunReport::empty(4, 3));
        kept.save(folder.path()).unwrap();
        assert!(matches!(Kept::open(folder.path(), scope.clone()), Err(KeptError::InUse(_))));
        drop(alone);
        let (again, alone) = Kept::open(folder.path(), scope.clone()).unwrap();
        drop(alone);
        assert_eq!(again.missing(3..7).collect::<Vec<_>>(), [3, 5, 6]);
        assert_eq!(again.summary.seeds, 1);
        for other in [Scope { nodes: None, ..scope.clone() }, Scope { build: "another".to_owned(), ..scope }] {
            assert!(matches!(Kept::open(folder.path(), other), Err(KeptError::Other(_))));
        }
    }
}
