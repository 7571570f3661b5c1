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

/// What a node is (`process.roles`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// It has partitions and clients.
    pub is_broker: bool,
    /// It takes part in decisions over the metadata.
    pub is_controller: bool,
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
    pub(super) fn resolve(self, node: NodeId) -> Result<(Roles, Voters), Refusal> {
        let roles = self.roles()?;
        let refuse = |reason| Refusal { name: "controller.quorum.voters", reason, allowed: "ID@HOST:PORT, with commas between them" };
        let mut voters = BTreeMap::new();
        for text in words(self.voters) {
            let (id, address) = voter(text).ok_or_else(|| refuse(format!("{text} is no voter")))?;
            if voters.insert(id, address).is_some() {
                return Err(refuse(format!("the voter {id} is given twice")));
            }
        }
        match (roles.is_controller, voters.contains_key(&node)) {
            _ if voters.is_empty() && !roles.is_controller && words(self.bootstrap_servers).next().is_none() => {
                Err(refuse("a broker that is no controller has to be told who the controllers are".to_owned()))
            }
            _ if voters.is_empty() => Ok((roles, Voters::Formatted)),
            (false, true) => Err(refuse(format!("this node, {node}, is one of the voters and lacks the role of a controller"))),
            // A controller that is none of the voters follows until it is added to them (KIP-853).
            (true, _) | (false, false) => Ok((roles, Voters::Static(voters))),
        }
    }

    fn roles(self) -> Result<Roles, Refusal> {
        let has = |role: &str| self.roles.split(',').any(|given| given.trim() == role);
        let roles = Roles { is_broker: has("broker"), is_controller: has("controller") };
        if roles.is_broker || roles.is_controller {
            return Ok(roles);
        }
        Err(Refusal { name: "process.roles", reason: "the node would be nothing".to_owned(), allowed: "broker, controller or both" })
    }

    pub(super) fn bootstrap_servers(self) -> Result<Vec<HostPort>, Refusal> {
        let refuse = |reason| Refusal { name: "controller.quorum.bootstrap.servers", reason, allowed: "HOST:PORT, with commas between them" };
        let server = |text| HostPort::parse(text).ok_or_else(|| refuse(format!("{text} is no address")));
        words(self.bootstrap_servers).map(server).collect()
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

    const BOTH: Roles = Roles { is_broker: true, is_controller: true };
    const ALONE: QuorumTexts<'static> = QuorumTexts { roles: "broker,controller", voters: "", bootstrap_servers: "" };

    fn reason(texts: QuorumTexts<'_>) -> String {
        texts.resolve(NodeId(1)).unwrap_err().reason
    }

    fn at(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    #[test]
    fn a_node_may_be_its_own_quorum() {
        assert_eq!(ALONE.resolve(NodeId(1)), Ok((BOTH, Voters::Formatted)));
        let alone = QuorumTexts { voters: "1@localhost:9093", ..ALONE }.resolve(NodeId(1));
        assert_eq!(alone, Ok((BOTH, Voters::Static(BTreeMap::from([(NodeId(1), at("localhost", 9093))])))));
        assert!(QuorumTexts { roles: "controller, broker", bootstrap_servers: "localhost:9093", ..ALONE }.resolve(NodeId(1)).is_ok());
    }

    #[test]
    fn several_nodes_are_voters_with_their_addresses() {
        let voters = QuorumTexts { voters: "1@a:1, 2@[::1]:2,3@10.0.0.3:3", ..ALONE }.resolve(NodeId(1));
        let expected = [(NodeId(1), at("a", 1)), (NodeId(2), at("::1", 2)), (NodeId(3), at("10.0.0.3", 3))];
        assert_eq!(voters, Ok((BOTH, Voters::Static(BTreeMap::from(expected)))));
        assert_eq!(at("::1", 2).to_string(), "[::1]:2");
    }

    #[test]
    fn a_node_has_one_role_or_both() {
        let controller = QuorumTexts { roles: "controller", voters: "1@a:1", ..ALONE }.resolve(NodeId(1)).unwrap().0;
        assert_eq!(controller, Roles { is_broker: false, is_controller: true });
        let broker = QuorumTexts { roles: "broker", voters: "3000@a:1", ..ALONE }.resolve(NodeId(1)).unwrap().0;
        assert_eq!(broker, Roles { is_broker: true, is_controller: false });
        assert!(reason(QuorumTexts { roles: "", ..ALONE }).contains("would be nothing"));
    }

    #[test]
    fn a_controller_may_wait_to_be_added_to_the_voters() {
        assert!(QuorumTexts { voters: "3000@a:1", ..ALONE }.resolve(NodeId(1)).is_ok());
    }

    #[test]
    fn voters_are_controllers_and_a_broker_has_to_know_them() {
        assert!(reason(QuorumTexts { roles: "broker", voters: "1@a:1", ..ALONE }).contains("lacks the role"));
        assert!(reason(QuorumTexts { roles: "broker", ..ALONE }).contains("has to be told"));
        assert!(reason(QuorumTexts { voters: "1@a:1,1@b:1", ..ALONE }).contains("given twice"));
    }

    #[test]
    fn a_broker_may_be_told_whom_to_ask_instead() {
        let asks = QuorumTexts { roles: "broker", bootstrap_servers: "a:1, [::1]:2", ..ALONE };
        assert_eq!(asks.resolve(NodeId(1)).unwrap().1, Voters::Formatted);
        assert_eq!(asks.bootstrap_servers(), Ok(vec![at("a", 1), at("::1", 2)]));
        assert!(QuorumTexts { bootstrap_servers: "a:1,b", ..ALONE }.bootstrap_servers().unwrap_err().reason.contains("b is no address"));
    }

    #[test]
    fn malformed_voters_are_refused() {
        for voters in ["1", "1@a", "x@a:1", "1@a:b", "-1@a:1", "1@:1", "1@a:0"] {
            assert!(reason(QuorumTexts { voters, ..ALONE }).contains("is no voter"), "{voters}");
        }
    }
}
