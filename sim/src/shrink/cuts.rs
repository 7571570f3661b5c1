//! What a plan can do without, or have plainer: each is a cut, and what is left of the plan is a plan.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::record::Codec;

use crate::plan::{ClientKind, ClientPlan, Death, Fault, NodePlan, Plan, PlannedFault, StorePlan, TopicPlan};
use crate::platform::disk::DiskFaults;
use crate::platform::net::NetFaults;

/// Cuts of one kind, which are tried together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Faults,
    Clients,
    Nodes,
    Topics,
    Turns,
    Details,
}

impl Group {
    pub(super) const ALL: [Self; 6] = [Self::Faults, Self::Clients, Self::Nodes, Self::Topics, Self::Turns, Self::Details];

    /// What of its kind there is to cut, always in the same order, where clients take so many turns.
    pub(super) fn cuts(self, plan: &Plan, taken: &BTreeMap<u8, u64>) -> Vec<Cut> {
        match self {
            Self::Faults => plan.faults.iter().map(|fault| Cut::Fault(fault.id)).collect(),
            Self::Clients => plan.clients.iter().map(|client| Cut::Client(client.id)).collect(),
            Self::Nodes => (0..plan.nodes.len()).map(Cut::Node).collect(),
            Self::Topics => (0..plan.topics.len()).map(Cut::Topic).collect(),
            Self::Turns => turns(plan, taken).map(|(client, turn)| Cut::Turn(client, turn)).collect(),
            Self::Details => details(plan),
        }
    }
}

/// Something to cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cut {
    /// The fault with this id.
    Fault(u32),
    /// The client with this id, and what befalls it.
    Client(u8),
    /// This turn of the client with this id.
    Turn(u8, u64),
    /// The node at this place, and what befalls it.
    Node(usize),
    /// The topic at this place.
    Topic(usize),
    /// A fault's power losses in recovery.
    Recovery(u32),
    /// The steps that a fault waits for.
    Steps(u32),
    /// A setting of the node at this place.
    NodeConfig(usize, String),
    /// How the store of the node at this place works.
    Store(usize),
    /// The drift, the rack and the limits of the node at this place.
    Limits(usize),
    /// A setting of the topic at this place.
    TopicConfig(usize, String),
    /// The partitions but one of the topic at this place.
    Partitions(usize),
    /// The alterations of the topic at this place.
    Alterations(usize),
    /// What makes the client with this id another than the plainest of its kind.
    Habits(u8),
    /// What the network and the disks do all along.
    Surroundings,
    /// Who is told what of the quorum.
    Quorum,
}

/// The plan without these; none if that is no plan.
pub(super) fn cut(plan: &Plan, cuts: &[Cut]) -> Option<Plan> {
    let mut left = plan.clone();
    // What is cut by its place goes from behind.
    let ordered: BTreeSet<&Cut> = cuts.iter().collect();
    for cut in ordered.into_iter().rev() {
        cut_one(&mut left, cut)?;
    }
    Some(left)
}

fn cut_one(plan: &mut Plan, cut: &Cut) -> Option<()> {
    match cut {
        Cut::Fault(id) => plan.faults.retain(|fault| fault.id != *id),
        Cut::Client(id) => {
            plan.clients.retain(|client| client.id != *id);
            plan.faults.retain(|planned| !matches!(planned.fault, Fault::Partition { client, .. } if client + 1 == u32::from(*id)));
        }
        Cut::Turn(id, turn) => plan.clients.iter_mut().filter(|client| client.id == *id).for_each(|client| client.left_out.insert(*turn)),
        Cut::Node(place) => cut_node(plan, *place)?,
        Cut::Topic(place) => {
            plan.topics.remove(*place);
            return (!plan.topics.is_empty()).then_some(());
        }
        Cut::Recovery(id) => deaths(plan, *id).for_each(|death| death.in_recovery.clear()),
        Cut::Steps(id) => deaths(plan, *id).for_each(|death| death.after_steps = 0),
        Cut::NodeConfig(place, name) => plan.nodes.get_mut(*place)?.configs.retain(|(known, _)| known != name),
        Cut::Store(place) => plan.nodes.get_mut(*place)?.store = plain_store(),
        Cut::Limits(place) => {
            let node = plan.nodes.get_mut(*place)?;
            *node = NodePlan { configs: std::mem::take(&mut node.configs), store: node.store.clone(), ..plain_node() };
        }
        Cut::TopicConfig(place, name) => plan.topics.get_mut(*place)?.configs.retain(|(known, _)| known != name),
        Cut::Partitions(place) => plan.topics.get_mut(*place)?.partitions = 1,
        Cut::Alterations(place) => plan.topics.get_mut(*place)?.is_altered = false,
        Cut::Habits(id) => plan.clients.iter_mut().filter(|client| client.id == *id).for_each(|client| *client = plainest(client)),
        Cut::Surroundings => {
            (plan.network.faults, plan.disk) = (NetFaults::default(), plain_disk());
        }
        Cut::Quorum => {
            (plan.are_controllers_found, plan.are_voters_static) = (false, false);
        }
    }
    Some(())
}

/// Takes a node out. Those behind it move up, and with them what names them.
fn cut_node(plan: &mut Plan, place: usize) -> Option<()> {
    plan.nodes.remove(place);
    let count = plan.nodes.len();
    if place < plan.controllers {
        plan.controllers -= 1;
        // Without one the others would be controllers too.
        (plan.controllers > 0).then_some(())?;
    }
    plan.voters -= usize::from(place < plan.voters);
    let brokers = count - plan.controllers.min(count);
    (plan.voters > 0 && brokers > 0).then_some(())?;
    let moved = |other: usize| if other > place { other - 1 } else { other };
    plan.faults.retain(|planned| {
        let is_named = matches!(planned.fault, Fault::Part { other, .. } | Fault::Mute { other, .. } if other == place);
        !is_named && (planned.node != place || !planned.fault.befalls_a_node())
    });
    for planned in &mut plan.faults {
        planned.node = moved(planned.node).min(count - 1);
        if let Fault::Part { other, .. } | Fault::Mute { other, .. } = &mut planned.fault {
            *other = moved(*other);
        }
    }
    let replicas = i16::try_from(brokers).unwrap_or(i16::MAX);
    for topic in &mut plan.topics {
        topic.replicas = topic.replicas.min(replicas);
        // More could never be in sync.
        topic.configs.retain(|(name, value)| name != "min.insync.replicas" || value.parse().is_ok_and(|needed: i16| needed <= replicas));
    }
    Some(())
}

/// The turns that clients take and that are not left out, with the client's id.
pub(super) fn turns(plan: &Plan, taken: &BTreeMap<u8, u64>) -> impl Iterator<Item = (u8, u64)> {
    let of_client = |client: &ClientPlan| {
        let (id, left_out) = (client.id, client.left_out.clone());
        (1..=taken.get(&id).copied().unwrap_or_default()).filter(move |turn| !left_out.has(*turn)).map(move |turn| (id, turn))
    };
    // Where they share their draws, one that is left out only puts off what it does.
    plan.clients.iter().filter(|_| plan.are_turns_apart).flat_map(of_client)
}

fn details(plan: &Plan) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for PlannedFault { id, fault, .. } in &plan.faults {
        if let Fault::Crash(death) | Fault::PowerLoss(death) = fault {
            cuts.extend((!death.in_recovery.is_empty()).then_some(Cut::Recovery(*id)));
            cuts.extend((death.after_steps > 0).then_some(Cut::Steps(*id)));
        }
    }
    for (place, node) in plan.nodes.iter().enumerate() {
        let is_plain = *node == NodePlan { configs: node.configs.clone(), store: node.store.clone(), ..plain_node() };
        cuts.extend((!is_plain).then_some(Cut::Limits(place)));
        cuts.extend((node.store != plain_store()).then_some(Cut::Store(place)));
        cuts.extend(node.configs.iter().map(|(name, _)| Cut::NodeConfig(place, name.clone())));
    }
    for (place, TopicPlan { partitions, configs, is_altered, .. }) in plan.topics.iter().enumerate() {
        cuts.extend((*partitions > 1).then_some(Cut::Partitions(place)));
        cuts.extend(is_altered.then_some(Cut::Alterations(place)));
        cuts.extend(configs.iter().map(|(name, _)| Cut::TopicConfig(place, name.clone())));
    }
    cuts.extend(plan.clients.iter().filter(|client| **client != plainest(client)).map(|client| Cut::Habits(client.id)));
    let is_plain = plan.network.faults == NetFaults::default() && plan.disk == plain_disk();
    cuts.extend((!is_plain).then_some(Cut::Surroundings));
    cuts.extend((plan.are_controllers_found || plan.are_voters_static).then_some(Cut::Quorum));
    cuts
}

fn deaths(plan: &mut Plan, id: u32) -> impl Iterator<Item = &mut Death> {
    let of_id = plan.faults.iter_mut().filter(move |planned| planned.id == id);
    of_id.filter_map(|planned| if let Fault::Crash(death) | Fault::PowerLoss(death) = &mut planned.fault { Some(death) } else { None })
}

/// The same client without codec, batches of several records, requests side by side, seeks and a rack.
fn plainest(client: &ClientPlan) -> ClientPlan {
    let kind = match &client.kind {
        ClientKind::IdempotentProducer { .. } => ClientKind::IdempotentProducer { in_flight_max: 1, records_max: 1, codec: Codec::None },
        ClientKind::PlainProducer { acks, retries, .. } => {
            ClientKind::PlainProducer { acks: *acks, retries: *retries, records_max: 1, codec: Codec::None }
        }
        ClientKind::Consumer { start, .. } => ClientKind::Consumer { start: *start, seek: 0, rack: None },
        ClientKind::GroupMember { group, protocol, .. } => ClientKind::GroupMember { group: *group, is_static: false, protocol: *protocol },
        ClientKind::Admin => ClientKind::Admin,
    };
    ClientPlan { kind, ..client.clone() }
}

fn plain_disk() -> DiskFaults {
    DiskFaults { write_split: 0, ..DiskFaults::default() }
}

fn plain_node() -> NodePlan {
    NodePlan { drift_ppm: 0, rack: None, store: plain_store(), in_flight_requests_max: 100, queued_bytes_max: 16 << 20, configs: Vec::new() }
}

/// A store that has enough of everything.
fn plain_store() -> StorePlan {
    StorePlan {
        writers: 1,
        keepers: 1,
        readers: 1,
        unsynced_bytes_max: 32 << 20,
        unsynced_ms_max: 1_000,
        group_bytes_max: 8 << 20,
        open_files_max: 4_096,
        preallocate_bytes: 0,
        preallocate_from_bytes: 0,
        tail_batches_max: 1_024,
        tail_batches_total_max: 1 << 18,
        space_report_bytes: 16 << 20,
        space_report_ms: 10_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_goes_with_what_befalls_it_and_the_others_move_up() {
        let fault = |id, node, fault| PlannedFault { id, at_us: u64::from(id), node, fault };
        let faults = vec![
            fault(1, 0, Fault::Part { other: 2, length_ms: 1 }),
            fault(2, 1, Fault::Pause { length_ms: 1 }),
            fault(3, 2, Fault::Pause { length_ms: 1 }),
            fault(4, 2, Fault::Mute { other: 1, length_ms: 1 }),
            fault(5, 2, Fault::Blackout { down_ms: 1 }),
        ];
        let plan = Plan { faults, controllers: 0, voters: 3, ..Plan::draw_for(1, 3) };
        let left = cut(&plan, &[Cut::Node(1)]).unwrap();
        assert_eq!((left.nodes.len(), left.voters), (2, 2));
        let expected = vec![
            fault(1, 0, Fault::Part { other: 1, length_ms: 1 }),
            fault(3, 1, Fault::Pause { length_ms: 1 }),
            fault(5, 1, Fault::Blackout { down_ms: 1 }),
        ];
        assert_eq!(left.faults, expected);
        assert!(left.topics.iter().all(|topic| topic.replicas <= 2));
        assert_eq!(cut(&plan, &[Cut::Node(0), Cut::Node(1), Cut::Node(2)]), None);
    }

    #[test]
    fn a_client_goes_with_what_befalls_it_and_the_others_keep_their_ids() {
        let mut plan = Plan::draw_for(1, 3);
        let cut_off = Fault::Partition { client: 1, length_ms: 1 };
        plan.faults = vec![PlannedFault { id: 1, at_us: 1, node: 0, fault: cut_off }];
        let left = cut(&plan, &[Cut::Client(2)]).unwrap();
        assert!(left.faults.is_empty());
        assert_eq!(left.clients.iter().map(|client| client.id).take(2).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn once_every_detail_is_cut_there_is_none() {
        for (seed, nodes) in [(1, 1), (5, 5), (6, 6)] {
            let plan = Plan::draw_for(seed, nodes);
            let left = cut(&plan, &details(&plan)).unwrap();
            assert_eq!(details(&left), []);
        }
    }
}
