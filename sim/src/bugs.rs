//! Planted bugs: patches that each bring one back, in a copy of what is committed, and how soon the simulator finds it.
//!
//! The copy, what is built of it and what was found stay in a folder, so that the next one is built sooner. The bugs are found by the program
//! that is built with them, in a campaign that ends with its first failure.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::campaign::Summary;

/// A bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bug {
    /// What it is called: the patch's name.
    pub name: String,
    /// The patch.
    pub patch: PathBuf,
    /// With how many nodes seeds are run to find it, if its header says that.
    pub nodes: Option<usize>,
    /// Whether its header says that it is found by something else than seeds.
    pub is_found_otherwise: bool,
}

/// Why a bug can't be planted or looked for.
#[derive(Debug, thiserror::Error)]
pub enum BugError {
    /// A file can't be read or written, or a program not be started.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// A program did not do what it is needed for.
    #[error("{0}")]
    Failed(String),
}

impl Bug {
    /// Reads a patch's header: what stands before its first changed file.
    ///
    /// # Errors
    /// It can't be read.
    pub fn read(patch: &Path) -> Result<Self, BugError> {
        let text = fs::read_to_string(patch).map_err(|error| BugError::Io(patch.to_owned(), error))?;
        let name = patch.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let header = text.lines().take_while(|line| !line.starts_with("diff ") && !line.starts_with("--- "));
        let found: Vec<&str> = header.filter(|line| line.starts_with("Found by")).collect();
        let nodes =
            found.iter().find_map(|line| line.split_once("--nodes ")?.1.split(|next: char| !next.is_ascii_digit()).next()?.parse().ok());
        let is_found_otherwise = found.iter().any(|line| line.starts_with("Found by: no seed") || line.starts_with("Found by: cargo test"));
        Ok(Self { name, patch: patch.to_owned(), nodes, is_found_otherwise })
    }

    /// Those of a folder, by their names.
    ///
    /// # Errors
    /// One can't be read.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, BugError> {
        let failed = |error| BugError::Io(folder.to_owned(), error);
        let mut patches = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "patch") {
                patches.push(path);
            }
        }
        patches.sort();
        patches.iter().map(|patch| Self::read(patch)).collect()
    }
}

/// Where bugs are planted.
#[derive(Debug)]
pub struct Plot {
    root: PathBuf,
    folder: PathBuf,
    /// Held as long as this is: two would build over each other.
    _alone: fs::File,
}

/// How bugs are looked for.
#[derive(Clone, Debug)]
pub struct Search {
    /// How long seeds may run for a bug.
    pub budget: Duration,
    /// How long its plan may be shrunk.
    pub shrink_time_max: Duration,
}

impl Plot {
    /// The one in the target folder of the project that `inside` is in.
    ///
    /// # Errors
    /// [`BugError`].
    pub fn of(inside: &Path) -> Result<Self, BugError> {
        let root = output(Command::new("git").arg("-C").arg(inside).args(["rev-parse", "--show-toplevel"]))?;
        let root = PathBuf::from(root.trim());
        let folder = root.join("target").join("planted");
        let failed = |error| BugError::Io(folder.clone(), error);
        fs::create_dir_all(&folder).map_err(failed)?;
        let alone = fs::File::create(folder.join(".bugs")).map_err(failed)?;
        alone.try_lock().map_err(|_| BugError::Failed(format!("another one is at it in {}", folder.display())))?;
        Ok(Self { root, folder, _alone: alone })
    }

    /// The project's own bugs.
    #[must_use]
    pub fn bugs(&self) -> PathBuf {
        self.root.join("sim").join("bugs")
    }

    /// Whether something is not committed, and so left out.
    ///
    /// # Errors
    /// [`BugError`].
    pub fn is_ahead(&self) -> Result<bool, BugError> {
        Ok(!output(Command::new("git").arg("-C").arg(&self.root).args(["status", "--porcelain", "--", "core", "net", "server", "sim"]))?
            .is_empty())
    }

    /// Plants a bug and builds the simulator with it: the program.
    ///
    /// # Errors
    /// The patch does not apply, or the tree does not build with it.
    pub fn plant(&self, bug: &Bug, profile: &str) -> Result<PathBuf, BugError> {
        let tree = self.folder.join("tree");
        let git = || {
            let mut git = Command::new("git");
            git.arg("-C").arg(&tree);
            git
        };
        if !tree.exists() {
            output(Command::new("git").args(["clone", "--quiet", "--shared", "--no-checkout"]).arg(&self.root).arg(&tree))?;
        }
        output(git().args(["fetch", "--quiet"]).arg(&self.root).arg("HEAD"))?;
        output(git().args(["checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"]))?;
        output(git().args(["clean", "--quiet", "--force", "-d"]))?;
        let patch = fs::canonicalize(&bug.patch).map_err(|error| BugError::Io(bug.patch.clone(), error))?;
        output(git().arg("apply").arg(&patch))?;
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&tree).env("CARGO_TARGET_DIR", &self.folder).args(["build", "--quiet", "-p", "gracchus-sim", "--profile", profile]);
        output(&mut cargo)?;
        let built = self.folder.join(if profile == "dev" { "debug" } else { profile }).join("gracchus-sim");
        let folder = self.results(bug);
        let program = folder.join("gracchus-sim");
        let copied = fs::create_dir_all(&folder).and_then(|()| fs::copy(&built, &program));
        copied.map_err(|error| BugError::Io(program.clone(), error))?;
        Ok(program)
    }

    /// Runs seeds with the bug until one fails, and shrinks it.
    ///
    /// # Errors
    /// [`BugError`]. That none failed is no error.
    pub fn find(&self, bug: &Bug, program: &Path, search: &Search) -> Result<Summary, BugError> {
        let kept = self.results(bug).join("campaign");
        // What an earlier tree came to says nothing of this one.
        if kept.exists() {
            fs::remove_dir_all(&kept).map_err(|error| BugError::Io(kept.clone(), error))?;
        }
        let mut campaign = Command::new(program);
        campaign.args([
            "campaign",
            "--until-failure",
            "--budget",
            &seconds(search.budget),
            "--shrink-time-max",
            &seconds(search.shrink_time_max),
        ]);
        campaign.arg("--folder").arg(&kept);
        if let Some(nodes) = bug.nodes {
            campaign.args(["--nodes", &nodes.to_string()]);
        }
        // It ends as its runs do, and the result is a file.
        let said = campaign.output().map_err(|error| BugError::Io(program.to_owned(), error))?;
        let file = kept.join("summary.json");
        let content = fs::read(&file).map_err(|error| BugError::Failed(format!("{error}: {}", String::from_utf8_lossy(&said.stderr))))?;
        serde_json::from_slice(&content).map_err(|error| BugError::Io(file, error.into()))
    }

    /// What was found of a bug before, if it was looked for.
    ///
    /// # Errors
    /// It can't be read.
    pub fn kept(&self, bug: &Bug) -> Result<Option<Summary>, BugError> {
        let file = self.results(bug).join("campaign").join("summary.json");
        match fs::read(&file) {
            Ok(content) => serde_json::from_slice(&content).map(Some).map_err(|error| BugError::Io(file, error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BugError::Io(file, error)),
        }
    }

    fn results(&self, bug: &Bug) -> PathBuf {
        self.folder.join("bugs").join(&bug.name)
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// What a program prints.
fn output(command: &mut Command) -> Result<String, BugError> {
    let output = command.output().map_err(|error| BugError::Io(command.get_program().into(), error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let what = format!("{} failed: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr));
    Err(BugError::Failed(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Bug {
        let folder = tempfile::tempdir().unwrap();
        let patch = folder.path().join("forget-it.patch");
        fs::write(&patch, format!("Planted bug: it is forgotten.\n\n{header}\n\ndiff --git a/x b/x\nFound by: --nodes 9")).unwrap();
        Bug::read(&patch).unwrap()
    }

    #[test]
    fn a_header_says_how_a_bug_is_found() {
        let bug = read("Found by: gracchus-sim run --seed 7 --nodes 3, by MetadataCommit");
        assert_eq!((bug.name.as_str(), bug.nodes, bug.is_found_otherwise), ("forget-it", Some(3), false));
        assert_eq!(read("Found by: gracchus-sim run --seed 7").nodes, None);
        assert!(read("Found by: no seed, for nothing is lost by it").is_found_otherwise);
        assert!(read("Found by: cargo test -p gracchus-core").is_found_otherwise);
        assert!(!read("Meant for: VoterChanges").is_found_otherwise);
    }

    #[test]
    fn every_bug_of_the_project_can_be_read() {
        let bugs = Bug::read_all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/bugs"))).unwrap();
        assert!(bugs.len() > 30 && bugs.iter().filter(|bug| bug.nodes == Some(3)).count() > 10, "{bugs:?}");
    }
}
