//! Which nodes are connected to this one: one connection for each node and lane, all of the same run of that node.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use gracchus_core::boundary::Lane;
use gracchus_core::ids::{IncarnationId, NodeId};
use gracchus_net::peer::Hello;

use super::super::signal::Signal;
use crate::config::HostPort;

/// The connections that other nodes have made.
#[derive(Debug, Default)]
pub(in super::super) struct Visitors(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    visits: u64,
    nodes: BTreeMap<NodeId, Visitor>,
}

#[derive(Debug)]
struct Visitor {
    incarnation: IncarnationId,
    at: Option<HostPort>,
    lanes: BTreeMap<Lane, Visit>,
}

/// A connection. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    number: u64,
    /// Given when another connection is to take its place.
    pub(super) replaced: Signal,
    /// Given when nothing more comes of it.
    pub(super) left: Signal,
}

impl Visitors {
    /// A node connects. Its connections of another run, and the one that it had for the same lane, are to end; it waits until they have left.
    pub(super) async fn enter(&self, hello: &Hello) -> Visit {
        let (visit, replaced) = self.note(hello);
        for former in replaced {
            former.replaced.give();
            former.left.given().await;
        }
        visit
    }

    fn note(&self, hello: &Hello) -> (Visit, Vec<Visit>) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.visits += 1;
        let visit = Visit { number: book.visits, replaced: Signal::new(), left: Signal::new() };
        let at = hello.at.clone().map(|(host, port)| HostPort { host, port });
        let fresh = || Visitor { incarnation: hello.incarnation, at: at.clone(), lanes: BTreeMap::new() };
        let visitor = book.nodes.entry(hello.from).or_insert_with(fresh);
        let mut replaced = Vec::new();
        if visitor.incarnation != hello.incarnation {
            // Runs have no order: the one that connects last lives.
            replaced.extend(std::mem::replace(visitor, fresh()).lanes.into_values());
        }
        replaced.extend(visitor.lanes.insert(hello.lane, visit.clone()));
        (visit, replaced)
    }

    /// Where a node that is connected can be reached, as it says.
    pub(super) fn address_of(&self, node: NodeId) -> Option<HostPort> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).nodes.get(&node)?.at.clone()
    }

    /// A connection is over.
    pub(super) fn leave(&self, hello: &Hello, visit: &Visit) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(visitor) = book.nodes.get_mut(&hello.from) {
            visitor.lanes.retain(|_, other| other.number != visit.number);
            if visitor.lanes.is_empty() {
                book.nodes.remove(&hello.from);
            }
        }
        visit.left.give();
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::ids::Uuid;

    use super::*;

    fn hello(incarnation: u8, lane: Lane) -> Hello {
        let (from, to) = (NodeId(2), NodeId(1));
        Hello { cluster_id: String::new(), from, incarnation: IncarnationId(Uuid([incarnation; 16])), to, lane, at: None }
    }

    #[test]
    fn a_connection_takes_the_place_of_its_lanes_former_one() {
        let visitors = Visitors::default();
        let (first, replaced) = visitors.note(&hello(1, Lane::Control));
        assert!(replaced.is_empty());
        assert!(visitors.note(&hello(1, Lane::Records)).1.is_empty());
        let (second, replaced) = visitors.note(&hello(1, Lane::Control));
        assert_eq!(replaced.iter().map(|visit| visit.number).collect::<Vec<_>>(), [first.number]);
        // One that leaves late takes nothing with it.
        visitors.leave(&hello(1, Lane::Control), &first);
        let (_, replaced) = visitors.note(&hello(1, Lane::Control));
        assert_eq!(replaced.iter().map(|visit| visit.number).collect::<Vec<_>>(), [second.number]);
    }

    #[test]
    fn a_new_run_ends_all_connections_of_the_former() {
        let visitors = Visitors::default();
        visitors.note(&hello(1, Lane::Control));
        visitors.note(&hello(1, Lane::Records));
        assert_eq!(visitors.note(&hello(2, Lane::Control)).1.len(), 2);
        assert!(visitors.note(&hello(2, Lane::Records)).1.is_empty());
    }
}
