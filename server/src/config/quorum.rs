//! Who decides over the cluster's metadata, and where they are.

use std::collections::BTreeMap;
use std::fmt;

use gracchus_core::ids::NodeId;
use serde::{Deserialize, Serialize};

use super::listeners::{Refusal, host_and_port, unbracketed};

/// The settings that together say who votes, as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuorumTexts<'a> {
    pub(super) roles: &'a str,
    pub(super) voters: &'a str,
    pub(super) bootstrap_servers: &'a str,
}

/// How the quorum's voters are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voters {
    /// By `controller.quorum.voters`: each with where it is. A node that is none of them votes once it has been added (KIP-853).
    Static(BTreeMap<NodeId, HostPort>),
    /// By the data folder's formatting (KIP-853), or not at all: the node alone.
    Formatted,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl HostPort {
    /// Reads `HOST:PORT`, an IPv6 address in brackets; none if it is something else, or names no host or port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = host_and_port(text).filter(|(host, port)| !host.is_empty() && *port != 0)?;
        Some(Self { host: unbracketed(host).to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Voters {
    /// Whether the settings name them.
    #[must_use]
    pub fn are_static(&self) -> bool {
        matches!(self, Self::Static(_))
    }
}

impl QuorumTexts<'_> {
    pub(super) fn resolve(self) -> Result<Voters, Refusal> {
        self.check_roles()?;
        self.check_bootstrap_servers()?;
        let refuse = |reason| Refusal { name: "controller.quorum.voters", reason, allowed: "ID@HOST:PORT, with commas between them" };
        let mut voters = BTreeMap::new();
        for text in words(self.voters) {
            let (id, address) = voter(text).ok_or_else(|| refuse(format!("{text} is no voter")))?;
            if voters.insert(id, address).is_some() {
                return Err(refuse(format!("the voter {id} is given twice")));
            }
        }
        if voters.is_empty() {
            return Ok(Voters::Formatted);
        }
        Ok(Voters::Static(voters))
    }

    fn check_roles(self) -> Result<(), Refusal> {
        let has = |role: &str| self.roles.split(',').any(|given| given.trim() == role);
        let missing = match (has("broker"), has("controller")) {
            (true, true) => return Ok(()),
            (true, false) => "a broker without a controller of its own is not kept yet",
            (false, true) => "a controller that is no broker is not kept yet",
            (false, false) => "the node would be nothing",
        };
        Err(Refusal { name: "process.roles", reason: missing.to_owned(), allowed: "broker,controller" })
    }

    fn check_bootstrap_servers(self) -> Result<(), Refusal> {
        let refuse = |reason| Refusal { name: "controller.quorum.bootstrap.servers", reason, allowed: "HOST:PORT, with commas between them" };
        match words(self.bootstrap_servers).find(|server| HostPort::parse(server).is_none()) {
            Some(server) => Err(refuse(format!("{server} is no address"))),
            None => Ok(()),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn voter(text: &str) -> Option<(NodeId, HostPort)> {
    let (id, address) = text.split_once('@')?;
    let id = id.parse().ok().filter(|&id| id >= 0)?;
    Some((NodeId(id), HostPort::parse(address)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: QuorumTexts<'static> = QuorumTexts { roles: "broker,controller", voters: "", bootstrap_servers: "" };

    fn reason(texts: QuorumTexts<'_>) -> String {
        texts.resolve().unwrap_err().reason
    }

    fn at(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    #[test]
    fn a_node_may_be_its_own_quorum() {
        assert_eq!(ALONE.resolve(), Ok(Voters::Formatted));
        let alone = QuorumTexts { voters: "1@localhost:9093", ..ALONE }.resolve();
        assert_eq!(alone, Ok(Voters::Static(BTreeMap::from([(NodeId(1), at("localhost", 9093))]))));
        assert!(QuorumTexts { roles: "controller, broker", bootstrap_servers: "localhost:9093", ..ALONE }.resolve().is_ok());
    }

    #[test]
    fn several_nodes_are_voters_with_their_addresses() {
        let voters = QuorumTexts { voters: "1@a:1, 2@[::1]:2,3@10.0.0.3:3", ..ALONE }.resolve();
        let expected = [(NodeId(1), at("a", 1)), (NodeId(2), at("::1", 2)), (NodeId(3), at("10.0.0.3", 3))];
        assert_eq!(voters, Ok(Voters::Static(BTreeMap::from(expected))));
        assert_eq!(at("::1", 2).to_string(), "[::1]:2");
    }

    #[test]
    fn a_node_may_wait_to_be_added_to_the_voters() {
        assert!(QuorumTexts { voters: "3000@a:1", ..ALONE }.resolve().is_ok());
    }

    #[test]
    fn voters_that_are_given_twice_and_other_roles_are_refused() {
        assert!(reason(QuorumTexts { voters: "1@a:1,1@b:1", ..ALONE }).contains("given twice"));
        assert!(reason(QuorumTexts { roles: "broker", ..ALONE }).contains("without a controller"));
        assert!(reason(QuorumTexts { roles: "controller", ..ALONE }).contains("no broker"));
        assert!(reason(QuorumTexts { bootstrap_servers: "a:1,b", ..ALONE }).contains("b is no address"));
    }

    #[test]
    fn malformed_voters_are_refused() {
        for voters in ["1", "1@a", "x@a:1", "1@a:b", "-1@a:1", "1@:1", "1@a:0"] {
            assert!(reason(QuorumTexts { voters, ..ALONE }).contains("is no voter"), "{voters}");
        }
    }
}
