//! The two files that make a folder a data folder, and how a file is written so that a crash leaves either all of it or none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use gracchus_core::ids::{DirectoryId, NodeId, Uuid};

use super::{Features, FormattedVoters, Identity, voters};
use crate::config::parse_properties;

/// Kafka's file that says whose folder it is (KIP-631, KIP-858).
pub(super) const META: &str = "meta.properties";
/// Ours that says which feature levels its cluster starts with, in TOML.
pub(super) const FEATURES: &str = "bootstrap.features";
/// Ours that says who votes in its quorum at first, in TOML: nobody, where the quorum is others'. It is not there where the settings say that,
/// or the node is alone.
pub(super) const VOTERS: &str = "bootstrap.voters";
/// What a file is called until it is whole.
pub(super) const UNFINISHED: &str = ".unfinished";

/// Reads `meta.properties`; none if there is none.
pub(super) fn read_meta(folder: &Path) -> io::Result<Option<Result<Identity, String>>> {
    Ok(read(&folder.join(META))?.map(|text| parse_meta(&text)))
}

/// Reads `bootstrap.features`; none if there is none.
pub(super) fn read_features(folder: &Path) -> io::Result<Option<Result<Features, String>>> {
    Ok(read(&folder.join(FEATURES))?.map(|text| toml::from_str(&text).map_err(|error| error.to_string())))
}

/// Reads `bootstrap.voters`; none if there is none.
pub(super) fn read_voters(folder: &Path) -> io::Result<Option<Result<FormattedVoters, String>>> {
    Ok(read(&folder.join(VOTERS))?.map(|text| voters::from_toml(&text)))
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse_meta(text: &str) -> Result<Identity, String> {
    let mut values = parse_properties(text)?;
    let mut take = |name: &str| values.remove(name).ok_or_else(|| format!("{name} is missing"));
    let version = take("version")?;
    if version != "1" {
        return Err(format!("version {version} is not known, only 1 is"));
    }
    let node = take("node.id")?;
    let node = node.parse().map(NodeId).map_err(|_| format!("node.id {node} is no number"))?;
    let directory = take("directory.id")?;
    let directory = Uuid::parse(&directory).map(DirectoryId).ok_or_else(|| format!("directory.id {directory} is no id"))?;
    Ok(Identity { cluster_id: take("cluster.id")?, node, directory })
}

pub(super) fn write_meta(folder: &Path, identity: &Identity) -> io::Result<()> {
    let Identity { cluster_id, node, directory } = identity;
    write_whole(folder, META, &format!("#\nnode.id={node}\ndirectory.id={directory}\nversion=1\ncluster.id={cluster_id}\n"))
}

pub(super) fn write_features(folder: &Path, features: &Features) -> io::Result<()> {
    let levels: String = features.iter().map(|(name, level)| format!("\"{name}\" = {level}\n")).collect();
    write_whole(folder, FEATURES, &format!("# The feature levels that this cluster started with; its metadata has those in force.\n{levels}"))
}

/// Writes the voters, or takes away those that a formatting that was cut short has left.
pub(super) fn write_voters(folder: &Path, formatted: Option<&FormattedVoters>) -> io::Result<()> {
    let Some(formatted) = formatted else {
        return match fs::remove_file(folder.join(VOTERS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
    };
    let text =
        format!("# The voters that this cluster's quorum started with; its metadata has those in force.\n{}", voters::to_toml(formatted));
    write_whole(folder, VOTERS, &text)
}

/// Writes a file so that after a crash it is whole or not there: written and synced under another name, renamed, and the name synced.
fn write_whole(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let unfinished = folder.join(format!("{name}{UNFINISHED}"));
    let mut file = File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_kafka_wrote_is_read() {
        let text = "#\n#Mon Nov 23 21:07:41 UTC 2026\nnode.id=0\ndirectory.id=x6z1GpFv25cAq7mRwYV2eA\nversion=1\n\
            cluster.id=3KeQeJufRuSuguLntXMzEw\n";
        let identity = parse_meta(text).unwrap();
        assert_eq!((identity.cluster_id.as_str(), identity.node), ("3KeQeJufRuSuguLntXMzEw", NodeId(0)));
        assert_eq!(identity.directory.to_string(), "x6z1GpFv25cAq7mRwYV2eA");
    }

    #[test]
    fn a_file_that_lacks_something_is_refused() {
        assert_eq!(parse_meta("version=1\n").unwrap_err(), "node.id is missing");
        assert_eq!(parse_meta("version=0\n").unwrap_err(), "version 0 is not known, only 1 is");
    }
}
