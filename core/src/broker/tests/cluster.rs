//! Several nodes over a network that delivers what it is told to, when it is told to.

use std::collections::VecDeque;

use super::*;
use crate::quorum::{Role, Voters};

/// Nodes 1 to n, all of them voters.
struct Cluster {
    nodes: BTreeMap<NodeId, Node>,
    network: VecDeque<(NodeId, NodeId, PeerMessage)>,
    /// Nodes that reach nobody.
    isolated: BTreeSet<NodeId>,
    incarnations: u8,
}

impl Cluster {
    fn new(count: i32) -> Self {
        let mut cluster = Self { nodes: BTreeMap::new(), network: VecDeque::new(), isolated: BTreeSet::new(), incarnations: 0 };
        for node in 1..=count {
            cluster.start(NodeId(node), Shelf::default(), count, Now { monotonic: Monotonic(0), wall: Timestamp(1_000_000) });
        }
        cluster
    }

    /// A cluster whose brokers all serve.
    fn serving(count: i32) -> Self {
        let mut cluster = Self::new(count);
        cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
        cluster
    }

    fn start(&mut self, node: NodeId, shelf: Shelf, voters: i32, now: Now) {
        self.incarnations += 1;
        let voters: Voters = (1..=voters).map(|voter| Voter { node: NodeId(voter), directory: directory(NodeId(voter)) }).collect();
        let settings = BrokerSettings { node, directory: directory(node), voters, ..settings(self.incarnations) };
        self.nodes.insert(node, Node::with(settings, shelf, now));
    }

    fn restart(&mut self, node: NodeId, power: bool) {
        let mut gone = self.nodes.remove(&node).unwrap();
        gone.shelf.restart(power);
        let count = i32::try_from(gone.broker.settings.voters.len()).unwrap();
        self.network.retain(|(from, to, _)| *from != node && *to != node);
        for other in self.nodes.values_mut() {
            other.step(Input::PeerLost(node));
        }
        self.start(node, gone.shelf, count, gone.now);
    }

    /// Delivers messages and completions until there are none.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for (&from, node) in &mut self.nodes {
                node.settle();
                let sent = node.sent.drain(..).map(|ToPeer { to, message }| (from, to, message));
                self.network.extend(sent);
            }
            let Some((from, to, message)) = self.network.pop_front() else { return };
            if self.isolated.contains(&from) || self.isolated.contains(&to) {
                continue;
            }
            let message = self.carried(from, message);
            if let Some(node) = self.nodes.get_mut(&to) {
                node.step(Input::Peer { from, message });
            }
        }
        panic!("the nodes never come to rest");
    }

    /// A message as it arrives: with its records.
    fn carried(&self, from: NodeId, message: PeerMessage) -> PeerMessage {
        let PeerMessage::Metadata(FetchedMetadata { result: Ok(Records::Slice(slice)), quorum_epoch, fetch_offset, high_watermark }) = message
        else {
            return message;
        };
        let batches = slice.map_or_else(Vec::new, |slice| self.nodes[&from].shelf.resolve(&slice));
        PeerMessage::Metadata(FetchedMetadata { result: Ok(Records::Metadata(batches)), quorum_epoch, fetch_offset, high_watermark })
    }

    fn pass(&mut self, ms: i64) {
        for node in self.nodes.values_mut() {
            node.pass(ms);
        }
        self.settle();
    }

    fn pass_for(&mut self, ms: i64) {
        (0..ms / 10).for_each(|_| self.pass(10));
    }

    fn pass_until(&mut self, is_reached: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if is_reached(self) {
                return;
            }
            self.pass(10);
        }
        for (id, node) in &self.nodes {
            let view = node.broker.view();
            println!("{id}: {:?} {:?} {:?}", view.stage(), view.quorum(), view.metadata_high_watermark());
        }
        panic!("it does not come to that in 20 seconds");
    }

    /// The nodes that lead the quorum.
    fn leaders(&self) -> Vec<NodeId> {
        let leads = |node: &Node| matches!(node.broker.view().quorum().0, Role::Leader(_));
        self.nodes.iter().filter(|(_, node)| leads(node)).map(|(id, _)| *id).collect()
    }

    fn node(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(&node).unwrap()
    }

    fn others(&self, than: NodeId) -> Vec<NodeId> {
        self.nodes.keys().copied().filter(|node| *node != than).collect()
    }

    /// Creates a topic of one partition with one replica, through `node`.
    fn create(&mut self, node: NodeId, name: &str) -> RequestId {
        let topic = NewTopic { name: name.into(), partition_count: 1, replication_factor: 1, assignments: Vec::new(), configs: Vec::new() };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, validate_only: false };
        let id = self.node(node).ask(Request::CreateTopics(request));
        self.settle();
        id
    }

    fn created(&mut self, node: NodeId, id: RequestId) -> Option<Result<(), ErrorCode>> {
        let Response::CreateTopics(answer) = self.node(node).answer(id)? else { panic!("it is answered as one") };
        Some(answer.topics[0].1.as_ref().map(|_| ()).map_err(|error| error.code))
    }

    fn knows(&self, node: NodeId, topic: &str) -> bool {
        self.nodes[&node].broker.view().image().topic_ids.contains_key(&topic.into())
    }
}

fn directory(node: NodeId) -> DirectoryId {
    DirectoryId(Uuid([u8::try_from(node.0).unwrap(); 16]))
}

#[test]
fn three_nodes_elect_one_leader_and_serve() {
    let cluster = Cluster::serving(3);
    assert_eq!(cluster.leaders().len(), 1);
    for node in cluster.nodes.values() {
        let image = node.broker.view().image();
        assert_eq!(image.brokers.values().filter(|broker| !broker.is_fenced).count(), 3);
    }
}

#[test]
fn a_command_is_carried_to_the_controller_and_its_outcome_seen_everywhere() {
    let mut cluster = Cluster::serving(3);
    let leader = cluster.leaders()[0];
    for (node, name) in cluster.nodes.keys().copied().collect::<Vec<_>>().into_iter().zip(["a", "b", "c"]) {
        let id = cluster.create(node, name);
        assert_eq!(cluster.created(node, id), Some(Ok(())), "through {node}, led by {leader}");
        cluster.pass(1_000);
        assert!(cluster.nodes.keys().all(|node| cluster.knows(*node, name)));
    }
}

#[test]
fn the_leaders_death_costs_nothing_that_was_committed() {
    let mut cluster = Cluster::serving(3);
    let leader = cluster.leaders()[0];
    let other = cluster.others(leader)[0];
    let id = cluster.create(other, "t");
    assert_eq!(cluster.created(other, id), Some(Ok(())));
    let before = cluster.nodes[&leader].broker.view().quorum().1;
    cluster.isolated.insert(leader);
    cluster.restart(leader, true);
    cluster.pass_until(|cluster| cluster.leaders().iter().any(|node| *node != leader));
    let successor = cluster.leaders()[0];
    assert!(cluster.nodes[&successor].broker.view().quorum().1 > before);
    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
    assert!(cluster.nodes.keys().all(|node| cluster.knows(*node, "t")));
}

#[test]
fn a_leader_that_reaches_nobody_commits_nothing_and_resigns() {
    let mut cluster = Cluster::serving(3);
    let leader = cluster.leaders()[0];
    cluster.isolated.insert(leader);
    let lost = cluster.create(leader, "lost");
    assert_eq!(cluster.created(leader, lost), None);
    cluster.pass_until(|cluster| cluster.leaders().len() == 1 && cluster.leaders()[0] != leader);
    let successor = cluster.leaders()[0];
    let kept = cluster.create(successor, "kept");
    assert_eq!(cluster.created(successor, kept), Some(Ok(())));

    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.knows(leader, "kept"));
    assert!(cluster.node(leader).marks.contains(&Mark::MetadataTruncated));
    // The call was never committed there, and so it is made again: of the new controller.
    cluster.pass(1_000);
    assert_eq!(cluster.created(leader, lost), Some(Ok(())));
    assert!(cluster.nodes.keys().all(|node| cluster.knows(*node, "lost")));
}

#[test]
fn a_node_that_comes_back_disturbs_no_leader() {
    let mut cluster = Cluster::serving(3);
    let leader = cluster.leaders()[0];
    let before = cluster.nodes[&leader].broker.view().quorum().1;
    let other = cluster.others(leader)[0];
    cluster.isolated.insert(other);
    cluster.pass_for(20_000);
    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.nodes[&other].broker.view().is_serving());
    assert_eq!(cluster.leaders(), [leader]);
    assert_eq!(cluster.nodes[&leader].broker.view().quorum().1, before);
}

#[test]
fn a_silent_broker_is_fenced_and_unfenced_once_it_is_heard() {
    let mut cluster = Cluster::serving(3);
    let leader = cluster.leaders()[0];
    let other = cluster.others(leader)[0];
    cluster.isolated.insert(other);
    cluster.pass_until(|cluster| cluster.nodes[&leader].broker.view().image().brokers[&other].is_fenced);
    cluster.isolated.clear();
    cluster.pass_until(|cluster| !cluster.nodes[&leader].broker.view().image().brokers[&other].is_fenced);
}

#[test]
fn producer_ids_of_different_brokers_are_different() {
    let mut cluster = Cluster::serving(3);
    let mut seen = BTreeSet::new();
    for node in cluster.nodes.keys().copied().collect::<Vec<_>>() {
        let request = InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 0, producer: None };
        let id = cluster.node(node).ask(Request::InitProducerId(request));
        cluster.settle();
        let Some(Response::InitProducerId(answer)) = cluster.node(node).answer(id) else { panic!("it is answered") };
        assert!(seen.insert(answer.result.unwrap().0));
    }
}
