//! Controllers that a cluster is formatted with: `ID@HOST:PORT:DIRECTORY` each, as Kafka's storage tool takes them.

use std::collections::BTreeMap;

use gracchus_core::ids::{DirectoryId, NodeId, Uuid};
use serde::{Deserialize, Serialize};

use crate::config::HostPort;

/// A voter that the quorum starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormattedVoter {
    /// Its data folder.
    pub directory: DirectoryId,
    /// Where it is.
    pub address: HostPort,
}

/// The voters that a cluster was formatted with; none where the settings name them, or the node is alone.
pub type FormattedVoters = BTreeMap<NodeId, FormattedVoter>;

/// Reads a list of controllers, of which `node` has to be one.
pub(super) fn parse(given: &str, node: NodeId) -> Result<FormattedVoters, String> {
    let mut voters = FormattedVoters::new();
    for text in given.split(',').map(str::trim) {
        let (id, voter) = parse_voter(text).map_err(|reason| format!("{text}: {reason}"))?;
        if voters.insert(id, voter).is_some() {
            return Err(format!("{id} is given twice"));
        }
    }
    if voters.contains_key(&node) { Ok(voters) } else { Err(format!("this node, {node}, is none of them")) }
}

/// Reads a controller.
pub(crate) fn parse_voter(text: &str) -> Result<(NodeId, FormattedVoter), &'static str> {
    let (id, address) = text.split_once('@').ok_or("it has no @")?;
    let id = id.parse().ok().filter(|&id| id >= 0).ok_or("its id is no number")?;
    let (address, directory) = address.rsplit_once(':').ok_or("it has no directory")?;
    let address = HostPort::parse(address).ok_or("it has no port, or no directory")?;
    let directory = Uuid::parse(directory).map(DirectoryId).ok_or("its directory is no id")?;
    Ok((NodeId(id), FormattedVoter { directory, address }))
}

/// A voter as a file says it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    directory: String,
    address: String,
}

pub(super) fn to_toml(voters: &FormattedVoters) -> String {
    let entry = |(id, voter): (&NodeId, &FormattedVoter)| {
        let FormattedVoter { directory, address } = voter;
        format!("[{id}]\ndirectory = \"{directory}\"\naddress = \"{address}\"\n")
    };
    voters.iter().map(entry).collect()
}

pub(super) fn from_toml(text: &str) -> Result<FormattedVoters, String> {
    let entries: BTreeMap<String, Entry> = toml::from_str(text).map_err(|error| error.to_string())?;
    let voter = |(id, Entry { directory, address }): (String, Entry)| {
        parse_voter(&format!("{id}@{address}:{directory}")).map_err(|reason| format!("the voter {id}: {reason}"))
    };
    entries.into_iter().map(voter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "1@a:9093:JEXY6aqzQY-32P5TStzaFg,2@[::1]:9093:MvDxzVmcRsaTz33bUuRU6A,3@c:9093:07R5amHmR32VDA6jHkGbTA";

    #[test]
    fn a_list_survives_its_file() {
        let voters = parse(THREE, NodeId(2)).unwrap();
        assert_eq!(voters[&NodeId(2)].address.to_string(), "[::1]:9093");
        assert_eq!(from_toml(&to_toml(&voters)), Ok(voters));
    }

    #[test]
    fn what_names_no_controller_or_not_this_one_is_refused() {
        assert!(parse(THREE, NodeId(4)).unwrap_err().contains("none of them"));
        for text in ["1@localhost:9093", "1@localhost:JEXY6aqzQY-32P5TStzaFg", "x@a:1:JEXY6aqzQY-32P5TStzaFg", "1@a:1:b", ""] {
            assert!(parse(text, NodeId(1)).is_err(), "{text}");
        }
        let twice = "1@a:1:JEXY6aqzQY-32P5TStzaFg,1@a:1:JEXY6aqzQY-32P5TStzaFg";
        assert!(parse(twice, NodeId(1)).unwrap_err().contains("given twice"));
    }
}
