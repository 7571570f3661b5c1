//! Voters that come, go and come back (KIP-853).

use super::*;

impl Cluster {
    /// Nodes 1 to n, all of them voters whose folders the settings of the others do not name.
    fn by_settings(count: i32) -> Self {
        let mut cluster = Self::with(0, &[]);
        for node in 1..=count {
            cluster.format(NodeId(node), 0, count, Now { monotonic: Monotonic(0), wall: Timestamp(1_000_000) });
        }
        cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
        cluster
    }

    /// Starts a node on an empty disk. The settings name so many voters.
    fn format(&mut self, node: NodeId, times: u8, voters: i32, now: Now) {
        self.incarnations += 1;
        let own = folder(node.0, times);
        let voter = |voter| if NodeId(voter) == node { own } else { Voter { node: NodeId(voter), directory: DirectoryId::default() } };
        let voters = (1..=voters).map(voter).collect();
        let settings = BrokerSettings { node, directory: own.directory, voters, ..settings(self.incarnations) };
        self.nodes.insert(node, Node::with(settings, Shelf::default(), now));
    }

    /// A node loses its disk and is formatted anew.
    fn format_anew(&mut self, node: NodeId, times: u8) {
        let gone = self.nodes.remove(&node).unwrap();
        let voters = i32::try_from(gone.broker.settings.voters.len()).unwrap();
        self.network.retain(|(from, to, _)| *from != node && *to != node);
        for other in self.nodes.values_mut() {
            other.step(Input::PeerLost(node));
        }
        self.format(node, times, voters, gone.now);
    }

    fn join(&mut self, node: NodeId) {
        let now = self.nodes[&NodeId(1)].now;
        self.format(node, 0, 3, now);
        self.pass_until(|cluster| cluster.nodes[&node].broker.view().is_serving());
    }

    fn leader(&self) -> NodeId {
        *self.leaders().iter().find(|node| !self.isolated.contains(node)).unwrap()
    }

    /// The leader, and the others.
    fn roles(&self) -> (NodeId, Vec<NodeId>) {
        let leader = self.leader();
        (leader, self.others(leader))
    }

    fn add(&mut self, through: NodeId, voter: Voter, timeout_ms: i32) -> RequestId {
        let endpoint = Endpoint { listener: "CONTROLLER".into(), host: "localhost".into(), port: 9093 };
        let request = AddRaftVoterRequest { cluster_id: None, timeout_ms, voter, endpoints: vec![endpoint], ack_when_committed: true };
        let id = self.node(through).ask(Request::AddRaftVoter(request));
        self.settle();
        id
    }

    fn remove(&mut self, through: NodeId, voter: Voter) -> RequestId {
        let id = self.node(through).ask(Request::RemoveRaftVoter(RemoveRaftVoterRequest { cluster_id: None, voter }));
        self.settle();
        id
    }

    fn changed(&mut self, through: NodeId, id: RequestId) -> Option<Result<(), ErrorCode>> {
        let Response::RaftVoter(answer) = self.node(through).answer(id)? else { panic!("it is answered as one") };
        Some(answer.result.map_err(|error| error.code))
    }

    /// Lets it be answered.
    fn awaited(&mut self, through: NodeId, id: RequestId) -> Result<(), ErrorCode> {
        for _ in 0..1_000 {
            if let Some(changed) = self.changed(through, id) {
                return changed;
            }
            self.pass(10);
        }
        panic!("it is not answered in ten seconds");
    }

    fn voters_of(&self, node: NodeId) -> Vec<Voter> {
        self.nodes[&node].broker.view().voters().iter().collect()
    }
}

/// A node's folder, formatted so many times before.
fn folder(node: i32, times: u8) -> Voter {
    Voter { node: NodeId(node), directory: DirectoryId(Uuid([u8::try_from(node).unwrap() + 10 * times; 16])) }
}

fn first_folders(count: i32) -> Vec<Voter> {
    (1..=count).map(|node| folder(node, 0)).collect()
}

#[test]
fn the_folders_of_voters_are_written_down_once_they_are_heard_of() {
    let mut cluster = Cluster::by_settings(3);
    cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().image().voters.len() == 3));
    cluster.pass_for(500);
    for node in 1..=3 {
        assert_eq!(cluster.voters_of(NodeId(node)), first_folders(3));
    }
    let leader = cluster.leader();
    assert!(cluster.node(leader).marks.contains(&Mark::VoterPinned));
}

#[test]
fn a_voter_that_was_formatted_anew_is_an_observer_until_it_is_added_again() {
    let mut cluster = Cluster::by_settings(3);
    cluster.pass_for(500);
    let (leader, others) = cluster.roles();
    let (wiped, other) = (others[0], others[1]);
    cluster.format_anew(wiped, 1);
    cluster.pass_until(|cluster| cluster.nodes[&wiped].broker.view().is_serving());
    assert_eq!(cluster.voters_of(wiped), first_folders(3), "it has read who votes");

    // Without the other voter nothing is decided, whatever the new folder holds.
    cluster.isolate(other);
    let id = cluster.create(leader, "too-few");
    cluster.pass_for(10_000);
    assert_ne!(cluster.created(leader, id), Some(Ok(())));
    assert!(cluster.leaders().is_empty(), "nobody is elected by one voter");
    assert!(!cluster.knows(wiped, "too-few"));

    cluster.isolated.clear();
    cluster.pass_until(|cluster| !cluster.leaders().is_empty());
    let leader = cluster.leader();
    let id = cluster.add(leader, folder(wiped.0, 1), 5_000);
    assert_eq!(cluster.awaited(leader, id), Err(ErrorCode::DuplicateVoter), "its old folder votes yet");
    let id = cluster.remove(leader, folder(wiped.0, 0));
    assert_eq!(cluster.awaited(leader, id), Ok(()));
    let id = cluster.add(leader, folder(wiped.0, 1), 5_000);
    assert_eq!(cluster.awaited(leader, id), Ok(()));

    let last = *cluster.others(leader).iter().find(|node| **node != wiped).unwrap();
    cluster.isolate(last);
    let id = cluster.create(leader, "enough");
    cluster.pass_for(500);
    assert_eq!(cluster.created(leader, id), Some(Ok(())), "it counts again");
}

#[test]
fn a_node_is_added_once_it_has_caught_up() {
    let mut cluster = Cluster::by_settings(3);
    cluster.pass_for(500);
    let through = cluster.others(cluster.leader())[0];
    let id = cluster.add(through, folder(4, 0), 60_000);
    cluster.pass_for(2_000);
    assert_eq!(cluster.changed(through, id), None, "nobody has heard of it");
    assert_eq!(cluster.voters_of(through).len(), 3);
    cluster.join(NodeId(4));
    assert_eq!(cluster.awaited(through, id), Ok(()));
    cluster.pass_for(500);
    for node in 1..=4 {
        assert_eq!(cluster.voters_of(NodeId(node)), first_folders(4));
    }
}

#[test]
fn a_leader_that_is_removed_leads_until_that_is_committed() {
    let mut cluster = Cluster::by_settings(3);
    cluster.pass_for(500);
    let (leader, others) = cluster.roles();
    let id = cluster.remove(leader, folder(leader.0, 0));
    assert_eq!(cluster.awaited(leader, id), Ok(()));
    cluster.pass_until(|cluster| cluster.leaders().iter().any(|node| *node != leader));
    assert!(others.contains(&cluster.leader()));
    assert!(!cluster.voters_of(leader).iter().any(|voter| voter.node == leader));
    let id = cluster.create(leader, "t");
    cluster.pass_for(1_000);
    assert_eq!(cluster.created(leader, id), Some(Ok(())), "it is a broker all the same");
}

#[test]
fn a_change_that_is_cut_off_is_undone() {
    let mut cluster = Cluster::by_settings(3);
    cluster.pass_for(500);
    let (leader, others) = cluster.roles();
    cluster.isolate(leader);
    let id = cluster.remove(leader, folder(others[0].0, 0));
    assert_eq!(cluster.voters_of(leader).len(), 2, "it is in force where it is appended");
    cluster.pass_until(|cluster| cluster.leaders().iter().any(|node| *node != leader));
    assert_eq!(cluster.changed(leader, id), None);
    cluster.isolated.clear();
    cluster.pass_for(3_000);
    assert_eq!(cluster.voters_of(others[0]), cluster.voters_of(leader));
}

#[test]
fn one_change_waits_at_a_time_and_gives_up() {
    let mut cluster = Cluster::by_settings(3);
    cluster.pass_for(500);
    let leader = cluster.leader();
    let never = cluster.add(leader, folder(9, 0), 2_000);
    let meanwhile = cluster.remove(leader, folder(leader.0, 0));
    assert_eq!(cluster.changed(leader, meanwhile), Some(Err(ErrorCode::RequestTimedOut)));
    assert_eq!(cluster.awaited(leader, never), Err(ErrorCode::RequestTimedOut));
    assert_eq!(cluster.voters_of(leader), first_folders(3));
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let mut cluster = Cluster::by_settings(1);
    cluster.pass_for(500);
    let one = NodeId(1);
    let id = cluster.remove(one, folder(2, 0));
    assert_eq!(cluster.awaited(one, id), Err(ErrorCode::VoterNotFound));
    let id = cluster.remove(one, folder(1, 1));
    assert_eq!(cluster.awaited(one, id), Err(ErrorCode::VoterNotFound), "another folder is none");
    let id = cluster.remove(one, folder(1, 0));
    assert_eq!(cluster.awaited(one, id), Err(ErrorCode::InvalidRequest), "the last one stays");
    let id = cluster.add(one, folder(1, 1), 1_000);
    assert_eq!(cluster.awaited(one, id), Err(ErrorCode::DuplicateVoter));
    let id = cluster.add(one, Voter { node: NodeId(2), directory: DirectoryId::default() }, 1_000);
    assert_eq!(cluster.awaited(one, id), Err(ErrorCode::InvalidRequest));
    let request = RemoveRaftVoterRequest { cluster_id: Some("another".to_owned()), voter: folder(1, 0) };
    let id = cluster.node(one).ask(Request::RemoveRaftVoter(request));
    assert_eq!(cluster.awaited(one, id), Err(ErrorCode::InconsistentClusterId));
}
