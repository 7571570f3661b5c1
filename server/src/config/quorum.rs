//! Who decides over the cluster's metadata: today one node, this one.

use gracchus_core::ids::NodeId;

use super::listeners::{Refusal, host_and_port};

/// The settings that together say who votes, as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuorumTexts<'a> {
    pub(super) roles: &'a str,
    pub(super) voters: &'a str,
    pub(super) bootstrap_servers: &'a str,
}

/// How the one voter is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voters {
    /// By `controller.quorum.voters`.
    Static,
    /// By the data folder's formatting (KIP-853), or not at all: the node alone.
    Formatted,
}

impl QuorumTexts<'_> {
    pub(super) fn resolve(self, node: NodeId) -> Result<Voters, Refusal> {
        self.check_roles()?;
        self.check_bootstrap_servers()?;
        let refuse = |reason| Refusal { name: "controller.quorum.voters", reason, allowed: "ID@HOST:PORT of this node alone" };
        let voters: Vec<&str> = self.voters.split(',').map(str::trim).filter(|voter| !voter.is_empty()).collect();
        let only = match voters.as_slice() {
            [] => return Ok(Voters::Formatted),
            [only] => only,
            several => return Err(refuse(format!("a quorum of {} is not kept yet", several.len()))),
        };
        let id = only.split_once('@').filter(|(_, address)| host_and_port(address).is_some()).and_then(|(id, _)| id.parse::<i32>().ok());
        match id {
            Some(id) if id == node.0 => Ok(Voters::Static),
            Some(id) => Err(refuse(format!("the voter {id} is another node, and this one is {node}: clusters are not kept yet"))),
            None => Err(refuse(format!("{only} is no voter"))),
        }
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
        let refuse = |reason| Refusal { name: "controller.quorum.bootstrap.servers", reason, allowed: "HOST:PORT of this node alone" };
        let servers: Vec<&str> = self.bootstrap_servers.split(',').map(str::trim).filter(|server| !server.is_empty()).collect();
        match servers.as_slice() {
            [] => Ok(()),
            [only] if host_and_port(only).is_some() => Ok(()),
            [only] => Err(refuse(format!("{only} is no address"))),
            several => Err(refuse(format!("a quorum of {} is not kept yet", several.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: QuorumTexts<'static> = QuorumTexts { roles: "broker,controller", voters: "", bootstrap_servers: "" };

    fn reason(texts: QuorumTexts<'_>) -> String {
        texts.resolve(NodeId(1)).unwrap_err().reason
    }

    #[test]
    fn a_node_may_be_its_own_quorum() {
        assert_eq!(ALONE.resolve(NodeId(1)), Ok(Voters::Formatted));
        assert_eq!(QuorumTexts { voters: "1@localhost:9093", ..ALONE }.resolve(NodeId(1)), Ok(Voters::Static));
        assert!(QuorumTexts { roles: "controller, broker", bootstrap_servers: "localhost:9093", ..ALONE }.resolve(NodeId(1)).is_ok());
    }

    #[test]
    fn clusters_are_refused() {
        assert!(reason(QuorumTexts { voters: "1@a:1,2@b:1,3@c:1", ..ALONE }).contains("a quorum of 3"));
        assert!(reason(QuorumTexts { voters: "3000@a:1", ..ALONE }).contains("another node"));
        assert!(reason(QuorumTexts { roles: "broker", ..ALONE }).contains("without a controller"));
        assert!(reason(QuorumTexts { roles: "controller", ..ALONE }).contains("no broker"));
        assert!(reason(QuorumTexts { bootstrap_servers: "a:1,b:1", ..ALONE }).contains("a quorum of 2"));
    }

    #[test]
    fn malformed_voters_are_refused() {
        for voters in ["1", "1@a", "x@a:1", "1@a:b"] {
            assert!(reason(QuorumTexts { voters, ..ALONE }).contains("is no voter"), "{voters}");
        }
    }
}
