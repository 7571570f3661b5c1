//! A data folder from nothing to opened.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use gracchus_core::ids::{DirectoryId, NodeId, Uuid};
use rustix::rand::{GetRandomFlags, getrandom};
use thiserror::Error;

use super::features::{release_name, starting_levels};
use super::{Features, FormattedVoters, UnsupportedFeature, meta};
use crate::config::{OperatorSettings, Voters};
use crate::store::LOCK;

/// Whose a data folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster_id: String,
    /// The node.
    pub node: NodeId,
    /// The folder itself.
    pub directory: DirectoryId,
}

/// What a formatted folder knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFolder {
    /// The cluster that it belongs to.
    pub cluster_id: String,
    /// Its own id.
    pub directory: DirectoryId,
    /// Feature levels that the cluster starts with.
    pub features: Features,
    /// The voters that it was formatted with, if it was: none of them, if its node joins a quorum of others.
    pub voters: Option<FormattedVoters>,
}

/// How formatting ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formatted {
    /// The folder is new.
    New {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        identity: Identity,
        /// The feature levels that its cluster starts with.
        features: Features,
    },
    /// The folder was formatted before and is as it was.
    Already {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        identity: Identity,
    },
}

impl std::fmt::Display for Formatted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::New { path, identity, features } => {
                let release = features.get("metadata.version").and_then(|&level| release_name(level)).unwrap_or("?");
                write!(f, "Formatted {} for {identity}, with metadata.version {release}.", path.display())
            }
            Self::Already { path, identity } => write!(f, "{} is already formatted for {identity}.", path.display()),
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {} of cluster {} (directory {})", self.node, self.cluster_id, self.directory)
    }
}

/// Why a folder can't be formatted or opened.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The system says no.
    #[error("{}: {error}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is formatted already.
    #[error("{} is already formatted for {identity}; --ignore-formatted leaves it as it is", path.display())]
    AlreadyFormatted {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        identity: Identity,
    },
    /// It belongs to another cluster.
    #[error("{} belongs to cluster {held}, not to {asked}", path.display())]
    OtherCluster {
        /// The folder.
        path: PathBuf,
        /// The cluster that it belongs to.
        held: String,
        /// The cluster asked for.
        asked: String,
    },
    /// It belongs to another node.
    #[error("{} belongs to node {held}, and node.id is {asked}", path.display())]
    OtherNode {
        /// The folder.
        path: PathBuf,
        /// The node that it belongs to.
        held: NodeId,
        /// The node of the settings.
        asked: NodeId,
    },
    /// It holds something else.
    #[error("{} is no data folder of ours and holds {found}: nothing is written to it", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// A name in it.
        found: String,
    },
    /// One of its files can't be understood.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A cluster id that is none.
    #[error("{0} is no cluster id: 22 characters of URL-safe base 64 are")]
    BadClusterId(String),
    /// Feature levels that can't be.
    #[error(transparent)]
    Feature(#[from] UnsupportedFeature),
    /// Voters in the settings and on the command line.
    #[error("controller.quorum.voters names the voters already: --standalone, --initial-controllers and --no-initial-controllers can't")]
    VotersTwice,
    /// Controllers that can't be.
    #[error("--initial-controllers {given}: {reason}; allowed: ID@HOST:PORT:DIRECTORY, with commas between them")]
    Controllers {
        /// What was given.
        given: String,
        /// Why it is refused.
        reason: String,
    },
    /// One of several nodes, which alone can't know what cluster they make.
    #[error(
        "{} is not formatted, and the quorum has {voters} voters, which have to agree on one cluster: \
        gracchus format --config FILE --cluster-id ID on each of them, with the same id",
        path.display()
    )]
    Unformatted {
        /// The folder.
        path: PathBuf,
        /// How many voters there are.
        voters: usize,
    },
    /// A node that is told of others, and of no cluster.
    #[error(
        "{} is not formatted, and controller.quorum.bootstrap.servers names controllers of a cluster: gracchus format --config FILE \
        --cluster-id ID, with that cluster's id; of a controller also whether it joins them, by --no-initial-controllers",
        path.display()
    )]
    UnformattedMember {
        /// The folder.
        path: PathBuf,
    },
    /// A node that is to join a quorum of others, and is not told where that is.
    #[error("--no-initial-controllers makes a node that joins the controllers of others: controller.quorum.bootstrap.servers has to name some")]
    NoControllers,
    /// A controller that knows of others, and may be one of a new quorum or join theirs.
    #[error(
        "controller.quorum.bootstrap.servers names other controllers: one of --standalone, --initial-controllers and --no-initial-controllers \
        has to say whether this one makes a new quorum or joins theirs"
    )]
    ControllersUnsaid,
}

/// What a new folder is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The cluster; a new one if none is said.
    pub(super) cluster_id: Option<String>,
    /// The quorum's voters, if they are to be kept in the folder: this node among them with its folder's id, or nobody. Otherwise that has a
    /// new id.
    pub(super) voters: Option<FormattedVoters>,
    /// `NAME=LEVEL` each.
    pub(super) features: Vec<String>,
    /// The release whose feature levels are the defaults.
    pub(super) release: Option<String>,
    /// Whether the quorum's voters are in the metadata.
    pub(super) has_formatted_voters: bool,
}

/// Makes the settings' data folder, or says whose it is already.
///
/// # Errors
///
/// When the folder belongs to another cluster or node, or holds what is not ours.
pub(super) fn format_as(settings: &OperatorSettings, wanted: &Wanted) -> Result<Formatted, FormatError> {
    let path = settings.data_dir.clone();
    let features = starting_levels(&wanted.features, wanted.release.as_deref(), wanted.has_formatted_voters)?;
    if let Some(id) = &wanted.cluster_id {
        // Kafka takes any text for a cluster id, but its own tools make such ids, and clients may expect them.
        Uuid::parse(id).ok_or_else(|| FormatError::BadClusterId(id.clone()))?;
    }
    let already = |(identity, _): Found| {
        check_owner(&path, &identity, settings.node, wanted.cluster_id.as_deref())?;
        Ok(Formatted::Already { path: path.clone(), identity })
    };
    if let Some(found) = open(&path)? {
        return already(found);
    }
    let _alone = lock(&path).map_err(|error| FormatError::Io { path: path.clone(), error })?;
    // Another process may have formatted it meanwhile.
    if let Some(found) = open(&path)? {
        return already(found);
    }
    let cluster_id = wanted.cluster_id.clone().unwrap_or_else(|| random_uuid().to_string());
    let own = wanted.voters.as_ref().and_then(|voters| voters.get(&settings.node));
    let directory = own.map_or_else(|| DirectoryId(random_uuid()), |own| own.directory);
    let identity = Identity { cluster_id, node: settings.node, directory };
    create(&path, &identity, &features, wanted.voters.as_ref()).map_err(|error| FormatError::Io { path: path.clone(), error })?;
    Ok(Formatted::New { path, identity, features })
}

/// Makes the settings' data folder as a quorum of one wants it, or says whose it is already.
///
/// # Errors
///
/// As [`open_or_format`].
pub fn format(settings: &OperatorSettings) -> Result<Formatted, FormatError> {
    let wanted = Wanted { has_formatted_voters: !settings.voters.are_static(), ..Wanted::default() };
    format_as(settings, &wanted)
}

/// Opens the settings' data folder, after formatting it if it is empty or not there. Says how formatting ended, if it was needed.
///
/// # Errors
///
/// When the folder belongs to another node, holds what is not ours or is damaged.
pub fn open_or_format(settings: &OperatorSettings) -> Result<(DataFolder, Formatted), FormatError> {
    let path = &settings.data_dir;
    let voters = match &settings.voters {
        Voters::Static(voters) if voters.len() > 1 || !voters.contains_key(&settings.node) => voters.len(),
        Voters::Static(_) | Voters::Formatted => 0,
    };
    let is_told_of_others = !settings.bootstrap_servers.is_empty() && !settings.voters.are_static();
    if is_told_of_others && open(path)?.is_none() {
        return Err(FormatError::UnformattedMember { path: path.clone() });
    }
    if voters > 0 && open(path)?.is_none() {
        // Each would make a cluster of its own; and a voter that has lost its folder must not come back by itself, as one that never voted.
        return Err(FormatError::Unformatted { path: path.clone(), voters });
    }
    let formatted = format(settings)?;
    let (identity, features) = open(path)?.expect("the folder is formatted");
    let voters = meta::read_voters(path).map_err(|error| FormatError::Io { path: path.clone(), error })?;
    let voters = voters.transpose().map_err(|reason| FormatError::Damaged { path: path.join(meta::VOTERS), reason })?;
    let folder = DataFolder { cluster_id: identity.cluster_id, directory: identity.directory, features, voters };
    Ok((folder, formatted))
}

/// Whose a folder is; none if it is not formatted.
///
/// # Errors
///
/// When it holds what is not ours or is damaged.
pub fn identity(path: &Path) -> Result<Option<Identity>, FormatError> {
    Ok(open(path)?.map(|(identity, _)| identity))
}

/// What a formatted folder's files say.
type Found = (Identity, Features);

/// Reads a formatted folder; none if it is empty, not there, or its formatting was cut short.
fn open(path: &Path) -> Result<Option<Found>, FormatError> {
    let io_error = |error| FormatError::Io { path: path.to_owned(), error };
    let damaged = |name: &str| {
        let path = path.join(name);
        move |reason| FormatError::Damaged { path, reason }
    };
    let identity = meta::read_meta(path).map_err(io_error)?;
    let features = meta::read_features(path).map_err(io_error)?;
    match (identity, features) {
        (Some(identity), Some(features)) => Ok(Some((identity.map_err(damaged(meta::META))?, features.map_err(damaged(meta::FEATURES))?))),
        // Formatted by Kafka: its logs are not ours to write to.
        (Some(_), None) => Err(FormatError::NotOurs { path: path.to_owned(), found: meta::META.to_owned() }),
        (None, _) => match foreign_name(path).map_err(io_error)? {
            Some(found) => Err(FormatError::NotOurs { path: path.to_owned(), found }),
            None => Ok(None),
        },
    }
}

/// A name in a folder that neither a formatting that was cut short nor a file system has put there.
fn foreign_name(path: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let is_ours = |name: &String| name == meta::FEATURES || name == meta::VOTERS || name.ends_with(meta::UNFINISHED);
    let is_foreign = |name: &String| !(is_ours(name) || name == "lost+found" || name == LOCK);
    Ok(names.into_iter().find(is_foreign))
}

/// Makes the folder, and keeps other processes from formatting or serving it until the returned file is closed.
fn lock(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path)?;
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds the lock")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn check_owner(path: &Path, held: &Identity, node: NodeId, cluster_id: Option<&str>) -> Result<(), FormatError> {
    if let Some(asked) = cluster_id.filter(|&asked| asked != held.cluster_id) {
        return Err(FormatError::OtherCluster { path: path.to_owned(), held: held.cluster_id.clone(), asked: asked.to_owned() });
    }
    if held.node != node {
        return Err(FormatError::OtherNode { path: path.to_owned(), held: held.node, asked: node });
    }
    Ok(())
}

fn create(path: &Path, identity: &Identity, features: &Features, voters: Option<&FormattedVoters>) -> io::Result<()> {
    if let Some(parent) = fs::canonicalize(path)?.parent() {
        File::open(parent)?.sync_all()?;
    }
    meta::write_features(path, features)?;
    meta::write_voters(path, voters)?;
    meta::write_meta(path, identity)
}

/// An id that nobody else has, which as text does not begin with a dash, so that it can be an argument.
fn random_uuid() -> Uuid {
    loop {
        let mut bytes = [0; 16];
        let filled = getrandom(&mut bytes, GetRandomFlags::empty()).expect("Linux gives entropy");
        assert_eq!(filled, bytes.len(), "so few bytes are never cut short");
        let id = Uuid(bytes);
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{ServeArgs, load};

    fn settings(folder: &Path, node: i32) -> OperatorSettings {
        let args = ServeArgs { data_dir: Some(folder.to_owned()), settings: vec![format!("node.id={node}")], ..ServeArgs::default() };
        load(None, &args.overrides().unwrap(), BTreeMap::new()).unwrap().0
    }

    fn wanted(cluster_id: &str) -> Wanted {
        Wanted { cluster_id: Some(cluster_id.to_owned()), has_formatted_voters: true, ..Wanted::default() }
    }

    const CLUSTER: &str = "3KeQeJufRuSuguLntXMzEw";

    #[test]
    fn an_empty_folder_is_formatted_and_then_opened_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder.path().join("made/on/the/way"), 1);
        let (first, formatted) = open_or_format(&settings).unwrap();
        assert!(matches!(formatted, Formatted::New { .. }));
        assert_eq!(first.features["metadata.version"], 30);
        let (again, formatted) = open_or_format(&settings).unwrap();
        assert!(matches!(formatted, Formatted::Already { .. }));
        assert_eq!(first, again);
    }

    #[test]
    fn a_folder_of_another_cluster_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 1);
        format_as(&settings, &wanted(CLUSTER)).unwrap();
        let refusal = format_as(&settings, &wanted("AAAAAAAAAAAAAAAAAAAAAQ")).unwrap_err().to_string();
        assert!(refusal.ends_with(&format!("belongs to cluster {CLUSTER}, not to AAAAAAAAAAAAAAAAAAAAAQ")), "{refusal}");
    }

    #[test]
    fn a_folder_of_another_node_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        format(&settings(folder.path(), 1)).unwrap();
        let refusal = open_or_format(&settings(folder.path(), 2)).unwrap_err().to_string();
        assert!(refusal.ends_with("belongs to node 1, and node.id is 2"), "{refusal}");
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "three years of work").unwrap();
        let refusal = open_or_format(&settings(folder.path(), 1)).unwrap_err();
        assert!(matches!(refusal, FormatError::NotOurs { found, .. } if found == "thesis.txt"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_kafka_formatted_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity { cluster_id: CLUSTER.into(), node: NodeId(1), directory: DirectoryId(random_uuid()) };
        meta::write_meta(folder.path(), &identity).unwrap();
        assert!(matches!(open_or_format(&settings(folder.path(), 1)).unwrap_err(), FormatError::NotOurs { .. }));
    }

    #[test]
    fn a_formatting_that_was_cut_short_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        meta::write_features(folder.path(), &Features::new()).unwrap();
        fs::write(folder.path().join("meta.properties.unfinished"), "node.i").unwrap();
        let (opened, formatted) = open_or_format(&settings(folder.path(), 1)).unwrap();
        assert!(matches!(formatted, Formatted::New { .. }));
        assert!(!opened.features.is_empty());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 1);
        format(&settings).unwrap();
        fs::write(folder.path().join(meta::META), "version=1\n").unwrap();
        let refusal = open_or_format(&settings).unwrap_err().to_string();
        assert!(refusal.ends_with("meta.properties: node.id is missing"), "{refusal}");
    }

    #[test]
    fn a_cluster_id_is_22_characters() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = format_as(&settings(folder.path(), 1), &wanted("my-cluster")).unwrap_err();
        assert!(refusal.to_string().starts_with("my-cluster is no cluster id"));
    }

    #[test]
    fn a_folder_is_formatted_by_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 1);
        let held = lock(folder.path()).unwrap();
        let refusal = open_or_format(&settings).unwrap_err();
        assert!(matches!(&refusal, FormatError::Io { error, .. } if error.kind() == io::ErrorKind::WouldBlock), "{refusal}");
        assert!(!folder.path().join(meta::META).exists());
        drop(held);
        open_or_format(&settings).unwrap();
        // A node that serves holds it too, and is not in the way of who only reads.
        let _served = lock(folder.path()).unwrap();
        assert!(matches!(open_or_format(&settings).unwrap().1, Formatted::Already { .. }));
    }
}
