//! The cluster's folder: one for each node, and `cluster.toml`, which is written once all are formatted.
//!
//! While that is not there the nodes' folders are formatted, which leaves alone those that are. Afterwards none is: a node that has lost its
//! folder may have voted, and does not come back by itself as one that never did.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::DevArgs;
use crate::config::{Overrides, load};
use crate::format::{FormatArgs, Formatted};

const CLUSTER: &str = "cluster.toml";
const SETTINGS: &str = "gracchus.toml";
const HOST: &str = "127.0.0.1";

/// A cluster whose folders are ready.
#[derive(Debug)]
pub(super) struct Layout {
    /// Where it is, as an absolute path.
    pub(super) folder: PathBuf,
    pub(super) cluster_id: String,
    count: u16,
    first_port: u16,
}

/// A node's folder.
#[derive(Debug)]
pub(super) struct NodeFolder {
    pub(super) id: u16,
    pub(super) settings: PathBuf,
    pub(super) log: PathBuf,
}

/// What `cluster.toml` says.
#[derive(Debug, Serialize, Deserialize)]
struct Formed {
    #[serde(rename = "cluster.id")]
    cluster_id: String,
    nodes: u16,
}

impl Layout {
    /// Makes the folders that are not there and writes each node's settings.
    pub(super) fn prepare(args: &DevArgs) -> Result<Self, String> {
        if args.port.checked_add(args.nodes - 1).is_none() {
            return Err(format!("{} ports from {} on are more than there are", args.nodes, args.port));
        }
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| format!("{path}: {error}")
        };
        fs::create_dir_all(&args.data_dir).map_err(failed(&args.data_dir))?;
        let folder = fs::canonicalize(&args.data_dir).map_err(failed(&args.data_dir))?;
        let mut layout = Self { folder, cluster_id: String::new(), count: args.nodes, first_port: args.port };
        for node in layout.nodes() {
            let of_node = layout.node_folder(node.id);
            fs::create_dir_all(&of_node).map_err(failed(&of_node))?;
            fs::write(&node.settings, layout.settings(node.id)).map_err(failed(&node.settings))?;
        }
        layout.cluster_id = match layout.formed()? {
            Some(cluster_id) => cluster_id,
            None => layout.form()?,
        };
        Ok(layout)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeFolder> + use<> {
        let folder = self.folder.clone();
        (1..=self.count).map(move |id| {
            let of_node = folder.join(format!("node-{id}"));
            NodeFolder { id, settings: of_node.join(SETTINGS), log: of_node.join("gracchus.log") }
        })
    }

    /// Where clients connect.
    pub(super) fn bootstrap(&self) -> String {
        let addresses: Vec<String> = (1..=self.count).map(|id| self.address(id)).collect();
        addresses.join(",")
    }

    fn address(&self, id: u16) -> String {
        format!("{HOST}:{}", self.first_port + (id - 1))
    }

    fn node_folder(&self, id: u16) -> PathBuf {
        self.folder.join(format!("node-{id}"))
    }

    /// A node's settings. Nodes find each other where clients find them.
    fn settings(&self, id: u16) -> String {
        let voters: Vec<String> = (1..=self.count).map(|voter| format!("{voter}@{}", self.address(voter))).collect();
        let settings = BTreeMap::from([
            ("node.id", id.to_string()),
            ("process.roles", "broker,controller".to_owned()),
            ("listeners", format!("PLAINTEXT://{}", self.address(id))),
            ("controller.quorum.voters", voters.join(",")),
            ("log.dirs", self.node_folder(id).join("data").display().to_string()),
            ("offsets.topic.replication.factor", self.count.min(3).to_string()),
        ]);
        let lines = settings.into_iter().map(|(name, value)| format!("\"{name}\" = {}\n", toml::Value::String(value)));
        format!("# Written by gracchus dev at each start.\n{}", lines.collect::<String>())
    }

    /// The id of the cluster, if it was formed before.
    fn formed(&self) -> Result<Option<String>, String> {
        let path = self.folder.join(CLUSTER);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let Formed { cluster_id, nodes } = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if nodes != self.count {
            return Err(format!("{} holds a cluster of {nodes} nodes, not of {}", self.folder.display(), self.count));
        }
        Ok(Some(cluster_id))
    }

    /// Formats every node for one cluster.
    fn form(&self) -> Result<String, String> {
        let mut cluster_id = None;
        for node in self.nodes() {
            let loaded = load(Some(&node.settings), &Overrides::default(), BTreeMap::new());
            let (settings, _) = loaded.map_err(|error| error.to_string())?;
            let args = FormatArgs { cluster_id: cluster_id.clone(), ignore_formatted: true, ..FormatArgs::default() };
            let (Formatted::New { identity, .. } | Formatted::Already { identity, .. }) =
                args.run(&settings).map_err(|error| error.to_string())?;
            cluster_id = Some(identity.cluster_id);
        }
        let cluster_id = cluster_id.expect("there is a node");
        let formed = Formed { cluster_id: cluster_id.clone(), nodes: self.count };
        let text = toml::to_string(&formed).expect("plain values serialise");
        let path = self.folder.join(CLUSTER);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(cluster_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(folder: &Path, nodes: u16) -> DevArgs {
        DevArgs { nodes, port: 9092, data_dir: folder.to_owned(), settings: Vec::new() }
    }

    #[test]
    fn a_cluster_is_formed_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = Layout::prepare(&args(folder.path(), 3)).unwrap();
        assert_eq!(first.bootstrap(), "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094");
        let again = Layout::prepare(&args(folder.path(), 3)).unwrap();
        assert_eq!(first.cluster_id, again.cluster_id);
        assert!(Layout::prepare(&args(folder.path(), 5)).unwrap_err().contains("a cluster of 3 nodes"));
    }

    #[test]
    fn a_node_that_lost_its_folder_is_not_formatted_anew() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(&args(folder.path(), 3)).unwrap();
        fs::remove_dir_all(layout.node_folder(2).join("data")).unwrap();
        Layout::prepare(&args(folder.path(), 3)).unwrap();
        assert!(!layout.node_folder(2).join("data").exists());
    }

    #[test]
    fn ports_that_there_are_not_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let args = DevArgs { port: 65535, ..args(folder.path(), 2) };
        assert!(Layout::prepare(&args).unwrap_err().contains("more than there are"));
    }
}
