//! Several nodes over a network that delivers what it is told to, when it is told to.

mod begun_anew;
mod calls;
mod crossing;
mod deletions;
mod given_back;
mod nearest;
mod paced;
mod refused;
mod throttled;
mod voters;

use std::collections::VecDeque;

use super::*;
use crate::metadata::PartitionRegistration;
use crate::quorum::{Role, Voters};

/// Nodes 1 to n, all of them voters.
pub(super) struct Cluster {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    network: VecDeque<(NodeId, NodeId, PeerMessage)>,
    /// Nodes that reach nobody.
    pub(super) isolated: BTreeSet<NodeId>,
    /// Batches of partitions that arrived.
    carried_batches: usize,
    /// Messages in which followers said what they want.
    carried_fetches: usize,
    incarnations: u8,
    configs: BTreeMap<String, String>,
}

impl Cluster {
    fn new(count: i32) -> Self {
        Self::with(count, &[])
    }

    /// With these settings on every node.
    pub(super) fn with(count: i32, configs: &[(&str, &str)]) -> Self {
        let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            network: VecDeque::new(),
            isolated: BTreeSet::new(),
            carried_batches: 0,
            carried_fetches: 0,
            incarnations: 0,
            configs,
        };
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
        let settings =
            BrokerSettings { node, directory: directory(node), voters, configs: self.configs.clone(), ..settings(self.incarnations) };
        let settings = BrokerSettings { rack: Some(format!("rack {node}")), ..settings };
        self.nodes.insert(node, Node::with(settings, shelf, now));
    }

    pub(super) fn restart(&mut self, node: NodeId, power: bool) {
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
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.deliver_one() {
                return;
            }
        }
        panic!("the nodes never come to rest");
    }

    /// Delivers all completions, and then one message; whether there was one.
    fn deliver_one(&mut self) -> bool {
        for (&from, node) in &mut self.nodes {
            node.settle();
            let sent = node.sent.drain(..).map(|ToPeer { to, message }| (from, to, message));
            self.network.extend(sent);
        }
        let Some((from, to, message)) = self.network.pop_front() else { return false };
        if !self.isolated.contains(&from) && !self.isolated.contains(&to) {
            self.carried_fetches += usize::from(matches!(message, PeerMessage::FetchPartitions(_)));
            let message = self.carried(from, message);
            if let Some(node) = self.nodes.get_mut(&to) {
                node.step(Input::Peer { from, message });
            }
        }
        true
    }

    /// A message as it arrives: with its records.
    fn carried(&mut self, from: NodeId, mut message: PeerMessage) -> PeerMessage {
        let is_metadata = matches!(message, PeerMessage::Metadata(_));
        let shelf = &self.nodes[&from].shelf;
        for records in message.records_mut() {
            let Records::Slice(slice) = records else { panic!("records leave as slices") };
            let batches = slice.map_or_else(Vec::new, |slice| shelf.resolve(&slice));
            let parse = |bytes: Bytes| Batch { header: BatchHeader::parse(&bytes).unwrap(), payload: Payload::new(bytes) };
            self.carried_batches += if is_metadata { 0 } else { batches.len() };
            *records = if is_metadata { Records::Metadata(batches) } else { Records::Data(batches.into_iter().map(parse).collect()) };
        }
        message
    }

    pub(super) fn pass(&mut self, ms: i64) {
        for node in self.nodes.values_mut() {
            node.pass(ms);
        }
        self.settle();
    }

    pub(super) fn pass_for(&mut self, ms: i64) {
        (0..ms / 10).for_each(|_| self.pass(10));
    }

    pub(super) fn pass_until(&mut self, is_reached: impl Fn(&Self) -> bool) {
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
    pub(super) fn leaders(&self) -> Vec<NodeId> {
        let leads = |node: &Node| matches!(node.broker.view().quorum().0, Role::Leader(_));
        self.nodes.iter().filter(|(_, node)| leads(node)).map(|(id, _)| *id).collect()
    }

    pub(super) fn node(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(&node).unwrap()
    }

    pub(super) fn others(&self, than: NodeId) -> Vec<NodeId> {
        self.nodes.keys().copied().filter(|node| *node != than).collect()
    }

    /// Creates a topic of one partition with one replica, through `node`.
    pub(super) fn create(&mut self, node: NodeId, name: &str) -> RequestId {
        self.create_with(node, name, 1, &[])
    }

    pub(super) fn create_with(&mut self, node: NodeId, name: &str, replication_factor: i16, configs: &[(&str, &str)]) -> RequestId {
        let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        let topic = NewTopic { name: name.into(), partition_count: 1, replication_factor, assignments: Vec::new(), configs };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, validate_only: false };
        let id = self.node(node).ask(Request::CreateTopics(request));
        self.settle();
        id
    }

    fn created(&mut self, node: NodeId, id: RequestId) -> Option<Result<(), ErrorCode>> {
        let Response::CreateTopics(answer) = self.node(node).answer(id)? else { panic!("it is answered as one") };
        Some(answer.topics[0].1.as_ref().map(|_| ()).map_err(|error| error.code))
    }

    pub(super) fn knows(&self, node: NodeId, topic: &str) -> bool {
        self.nodes[&node].broker.view().image().topic_ids.contains_key(topic)
    }
}

/// A cluster of three with a topic "t" of three replicas, and the node that leads it.
fn replicated(configs: &[(&str, &str)]) -> (Cluster, NodeId) {
    replicated_on(Cluster::new(3), configs)
}

fn replicated_on(mut cluster: Cluster, configs: &[(&str, &str)]) -> (Cluster, NodeId) {
    cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
    let id = cluster.create_with(NodeId(1), "t", 3, configs);
    assert_eq!(cluster.created(NodeId(1), id), Some(Ok(())));
    cluster.pass_until(|cluster| cluster.isr().len() == 3);
    let leader = cluster.leader_of_t().unwrap();
    (cluster, leader)
}

impl Cluster {
    /// The state of the topic "t" as a node that is not isolated knows it.
    fn state_of_t(&self) -> PartitionRegistration {
        let (_, node) = self.nodes.iter().find(|(id, _)| !self.isolated.contains(id)).unwrap();
        let image = node.broker.view().image();
        image.topic_named(&"t".into()).unwrap().1.partitions[&PartitionIndex(0)].clone()
    }

    fn isr(&self) -> Vec<NodeId> {
        self.state_of_t().isr
    }

    /// Who leads, and knows it.
    fn leader_of_t(&self) -> Option<NodeId> {
        let leader = self.state_of_t().leader?;
        self.nodes.get(&leader).filter(|node| node.broker.view().leaders().next().is_some()).map(|_| leader)
    }

    fn produce(&mut self, leader: NodeId, batch: Batch) -> RequestId {
        let id = self.offer(leader, batch);
        self.settle();
        id
    }

    /// Hands a batch for "t" in, and delivers nothing.
    fn offer(&mut self, leader: NodeId, batch: Batch) -> RequestId {
        let partitions = vec![ProducePartition { partition: PartitionIndex(0), batch: Ok(batch) }];
        let topics = vec![ProduceTopic { topic: TopicRef::Name("t".into()), partitions }];
        let request = ProduceRequest { transactional_id: None, acks: Ok(Acks::All), timeout_ms: 60_000, topics };
        self.node(leader).ask(Request::Produce(request))
    }

    /// The log of "t" on a node: its end and its high watermark.
    fn log_of_t(&self, node: NodeId) -> (Offset, Offset) {
        let partition = self.nodes[&node].broker.view().partitions().find(|partition| partition.topic == "t".into()).unwrap();
        partition.replica().map_or((Offset(-1), Offset(-1)), |replica| (replica.log().end(), replica.high_watermark()))
    }

    pub(super) fn isolate(&mut self, node: NodeId) {
        self.isolated.insert(node);
        for other in self.others(node) {
            self.node(other).step(Input::PeerLost(node));
            self.node(node).step(Input::PeerLost(other));
        }
    }
}

#[test]
fn the_store_is_told_that_others_copy_what_it_appends() {
    let (mut cluster, leader) = replicated(&[]);
    cluster.node(leader).produce("t", plain(1), Acks::All);
    assert_eq!(cluster.nodes[&leader].shelf.is_followed(), Some(true));
}

#[test]
fn what_is_acknowledged_is_on_every_member_of_the_isr() {
    let (mut cluster, leader) = replicated(&[]);
    let id = cluster.produce(leader, plain(3));
    assert_eq!(cluster.node(leader).produced(id), Some(Ok(Offset(0))));
    for node in [1, 2, 3].map(NodeId) {
        assert_eq!(cluster.log_of_t(node), (Offset(3), Offset(3)));
    }
}

#[test]
fn the_next_leader_has_what_was_acknowledged() {
    let (mut cluster, leader) = replicated(&[]);
    let id = cluster.produce(leader, idempotent(7, 0, 0, 3));
    assert_eq!(cluster.node(leader).produced(id), Some(Ok(Offset(0))));
    cluster.isolate(leader);
    cluster.pass_until(|cluster| cluster.leader_of_t().is_some_and(|node| node != leader));
    let successor = cluster.leader_of_t().unwrap();
    let retry = cluster.produce(successor, idempotent(7, 0, 0, 3));
    assert_eq!(cluster.node(successor).produced(retry), Some(Ok(Offset(0))), "its producers are known too");
    let next = cluster.produce(successor, idempotent(7, 0, 3, 1));
    assert_eq!(cluster.node(successor).produced(next), Some(Ok(Offset(3))));
}

#[test]
fn a_leader_that_was_cut_off_cuts_what_was_never_committed() {
    let (mut cluster, leader) = replicated(&[]);
    let kept = cluster.produce(leader, plain(2));
    assert_eq!(cluster.node(leader).produced(kept), Some(Ok(Offset(0))));
    cluster.isolate(leader);
    let lost = cluster.produce(leader, plain(5));
    assert_eq!(cluster.node(leader).produced(lost), None);
    cluster.pass_until(|cluster| cluster.leader_of_t().is_some_and(|node| node != leader));
    let successor = cluster.leader_of_t().unwrap();
    let more = cluster.produce(successor, plain(1));
    cluster.pass_until(|cluster| cluster.isr().len() == 2);
    assert_eq!(cluster.node(successor).produced(more), Some(Ok(Offset(2))));

    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.log_of_t(leader) == (Offset(3), Offset(3)));
    assert!(cluster.node(leader).marks.contains(&Mark::FollowerTruncated));
    assert_eq!(cluster.node(leader).produced(lost), Some(Err(ErrorCode::NotLeaderOrFollower)));
}

#[test]
fn a_follower_that_is_gone_holds_nothing_up_for_long() {
    let (mut cluster, leader) = replicated(&[]);
    let follower = cluster.others(leader)[0];
    cluster.isolate(follower);
    let id = cluster.produce(leader, plain(1));
    assert_eq!(cluster.node(leader).produced(id), None, "it is a member still");
    cluster.pass_until(|cluster| cluster.isr().len() == 2);
    assert_eq!(cluster.node(leader).produced(id), Some(Ok(Offset(0))));
    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.isr().len() == 3);
    cluster.pass(1_000);
    assert_eq!(cluster.log_of_t(follower), (Offset(1), Offset(1)));
}

#[test]
fn nothing_is_acknowledged_under_the_minimum() {
    let (mut cluster, leader) = replicated(&[("min.insync.replicas", "2")]);
    let controller = cluster.leaders()[0];
    // The controller's own node and the leader's must stay: a quorum of two is left when they are two.
    let gone: Vec<NodeId> = cluster.others(leader).into_iter().filter(|node| *node != controller).collect();
    cluster.isolate(gone[0]);
    cluster.pass_until(|cluster| cluster.isr().len() == 2);
    let id = cluster.produce(leader, plain(1));
    assert_eq!(cluster.node(leader).produced(id), Some(Ok(Offset(0))));
}

#[test]
fn an_isolated_leader_commits_nothing() {
    let (mut cluster, leader) = replicated(&[]);
    cluster.isolate(leader);
    let id = cluster.produce(leader, plain(1));
    cluster.pass_for(4_000);
    assert_ne!(cluster.node(leader).produced(id), Some(Ok(Offset(0))));
}

#[test]
fn a_leader_that_is_cut_off_answers_who_waits_within_a_session() {
    let (mut cluster, leader) = replicated(&[]);
    cluster.isolate(leader);
    let id = cluster.produce(leader, plain(1));
    cluster.pass_for(9_100);
    assert_eq!(cluster.node(leader).produced(id), Some(Err(ErrorCode::NotLeaderOrFollower)));
    let refused = cluster.produce(leader, plain(1));
    assert_eq!(cluster.node(leader).produced(refused), Some(Err(ErrorCode::NotLeaderOrFollower)));
}

#[test]
fn a_node_that_stops_hands_over_what_it_leads() {
    let (mut cluster, leader) = replicated(&[]);
    cluster.node(leader).step(Input::Stop);
    cluster.settle();
    assert_eq!(cluster.nodes[&leader].broker.view().stage(), &Stage::Stopped);
    let others = cluster.others(leader);
    cluster.isolated.insert(leader);
    assert_ne!(cluster.state_of_t().leader, Some(leader));
    assert!(!cluster.isr().contains(&leader));
    assert!(cluster.nodes[&others[0]].broker.view().is_serving());
}

#[test]
fn a_restarted_follower_catches_up_and_joins_again() {
    let (mut cluster, leader) = replicated(&[]);
    let follower = cluster.others(leader).into_iter().find(|node| *node != cluster.leaders()[0]).unwrap();
    cluster.restart(follower, true);
    let id = cluster.produce(leader, plain(4));
    cluster.pass_until(|cluster| cluster.isr().len() == 3 && cluster.nodes[&follower].broker.view().is_serving());
    assert_eq!(cluster.node(leader).produced(id), Some(Ok(Offset(0))));
    cluster.pass(1_000);
    assert_eq!(cluster.log_of_t(follower), (Offset(4), Offset(4)));
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

#[test]
fn a_leader_that_stood_still_leads_nothing_before_the_controller_has_answered() {
    let (mut cluster, leader) = replicated(&[]);
    cluster.isolate(leader);
    // It is stopped for as long as others need to take its place, and asked before it has heard of that.
    cluster.node(leader).pass(3_000);
    let id = cluster.produce(leader, plain(1));
    assert_eq!(cluster.node(leader).produced(id), Some(Err(ErrorCode::NotLeaderOrFollower)));
    cluster.isolated.clear();
    cluster.pass_for(3_000);
    let now = cluster.leader_of_t().unwrap();
    let id = cluster.produce(now, plain(1));
    cluster.pass_for(1_000);
    assert_eq!(cluster.node(now).produced(id), Some(Ok(Offset(0))));
}

/// Asks a node for metadata of "t".
fn ask_for_t(cluster: &mut Cluster, node: NodeId) -> RequestId {
    let request = MetadataRequest { topics: Some(vec![TopicRef::Name("t".into())]), allow_auto_topic_creation: false };
    cluster.node(node).ask(Request::Metadata(request))
}

/// Whom it was told, if it was answered.
fn told_leader(cluster: &mut Cluster, node: NodeId, id: RequestId) -> Option<Option<NodeId>> {
    let Response::Metadata(answer) = cluster.node(node).answer(id)? else { panic!("metadata is answered as such") };
    Some(answer.topics[0].partitions[0].leader)
}

#[test]
fn who_asks_for_a_leader_that_is_doubted_waits_for_the_next() {
    let (mut cluster, leader) = replicated(&[]);
    let other = cluster.others(leader)[0];
    let id = ask_for_t(&mut cluster, other);
    assert_eq!(told_leader(&mut cluster, other, id), Some(Some(leader)));
    cluster.isolate(leader);
    let id = ask_for_t(&mut cluster, other);
    assert_eq!(told_leader(&mut cluster, other, id), None, "another may be elected in a moment");
    let mut told = None;
    for _ in 0..40 {
        cluster.pass(10);
        told = told.or_else(|| told_leader(&mut cluster, other, id));
    }
    assert!(told.expect("it is answered soon").is_none_or(|told| told != leader));
}

#[test]
fn who_asks_for_a_leader_that_is_doubted_for_nothing_is_told_of_it_at_once_when_it_is_heard() {
    let (mut cluster, leader) = replicated(&[]);
    let other = cluster.others(leader)[0];
    cluster.node(other).step(Input::PeerLost(leader));
    let id = ask_for_t(&mut cluster, other);
    assert_eq!(told_leader(&mut cluster, other, id), None);
    cluster.pass_for(250);
    assert_eq!(told_leader(&mut cluster, other, id), Some(Some(leader)));
}

#[test]
fn a_broker_whose_process_is_gone_is_replaced_at_once() {
    let (mut cluster, leader) = replicated(&[]);
    cluster.isolated.insert(leader);
    for other in cluster.others(leader) {
        cluster.node(other).step(Input::PeerRefused(leader));
    }
    cluster.pass_for(20);
    assert_eq!(cluster.leader_of_t(), Some(leader), "one that was not lost before may have yet to be there");
    for other in cluster.others(leader) {
        cluster.node(other).step(Input::PeerRefused(leader));
    }
    cluster.pass_for(60);
    assert!(cluster.leader_of_t().is_some_and(|other| other != leader));
}

#[test]
fn an_answer_of_the_controller_that_is_lost_is_asked_for_again() {
    let mut cluster = Cluster::serving(3);
    let controller = cluster.leaders()[0];
    let other = cluster.others(controller)[0];
    // The call arrives, and nothing that the controller says does: nobody is told of a lost connection.
    cluster.node(other).sent.clear();
    let id = cluster.node(other).ask(Request::InitProducerId(InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 0,
        producer: None,
    }));
    for ToPeer { to, message } in cluster.node(other).sent.drain(..).collect::<Vec<_>>() {
        cluster.node(to).step(Input::Peer { from: other, message });
        cluster.node(to).settle();
        cluster.node(to).sent.clear();
    }
    assert_eq!(cluster.node(other).answer(id), None);
    cluster.pass_for(5_000);
    let Some(Response::InitProducerId(answer)) = cluster.node(other).answer(id) else { panic!("it is answered in the end") };
    assert!(answer.result.is_ok());
}
