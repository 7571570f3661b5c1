//! Reassignment of partitions to other replicas (KIP-455).
//!
//! A partition that is reassigned has the replicas of both assignments, those that come marked so and those that go too; once all that are to
//! stay are in sync, the others go ([`elections`](super::elections) completes it with whatever change brings that about).

use super::Controller;
use super::elections::Electorate;
use super::partitions::check_replicas;
use crate::boundary::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, Reassignment,
};
use crate::config::BrokerConfigs;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{NodeId, PartitionIndex, TopicName, TopicPartition};
use crate::metadata::{MetadataRecord, PartitionRegistration};

impl Controller {
    /// Decides on reassignments, each for itself.
    #[must_use]
    pub fn alter_reassignments(
        &self,
        request: &AlterPartitionReassignmentsRequest,
        defaults: &BrokerConfigs,
    ) -> (Vec<MetadataRecord>, AlterPartitionReassignmentsResponse) {
        let may_change = request.may_change_replication_factor;
        let mut records: Vec<MetadataRecord> = Vec::new();
        let mut decide = |topic: &TopicName, index: PartitionIndex, target: Option<&Vec<NodeId>>| {
            let (id, partition) = self.partition_named(topic, index)?;
            if records.iter().any(|record| matches!(record, MetadataRecord::Partition { id: decided, .. } if *decided == id)) {
                return Err(ApiError::new(ErrorCode::InvalidRequest, format!("Partition {topic}-{index} is named twice.")));
            }
            let electorate = Electorate::new(self.image(), defaults);
            let to = match target {
                Some(target) => self.reassigned(partition, target, may_change)?,
                None => cancelled(topic, index, partition, electorate.may_be_unclean(id.topic))?,
            };
            records.extend(electorate.reassigned(id, partition, to).map(|state| MetadataRecord::Partition { id, state }));
            Ok(())
        };
        let topics = request.partitions.iter().map(|(topic, partitions)| {
            let outcomes = partitions.iter().map(|(index, target)| (*index, decide(topic, *index, target.as_ref()).err()));
            (topic.clone(), outcomes.collect())
        });
        let partitions = topics.collect();
        (records, AlterPartitionReassignmentsResponse { error: None, partitions, may_change_replication_factor: may_change })
    }

    /// The partition with the replicas of both assignments.
    fn reassigned(&self, partition: &PartitionRegistration, target: &[NodeId], may_change: bool) -> Result<PartitionRegistration, ApiError> {
        check_replicas(self.image(), target)?;
        let settled = partition.replicas.iter().filter(|node| !partition.removing.contains(node)).count();
        if target.len() != settled && !may_change {
            let message = format!("The replication factor is changed from {settled} to {}", target.len());
            return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
        }
        let removing: Vec<NodeId> = partition.replicas.iter().copied().filter(|node| !target.contains(node)).collect();
        let adding = target.iter().copied().filter(|node| !partition.replicas.contains(node)).collect();
        let replicas = target.iter().chain(&removing).copied().collect();
        Ok(PartitionRegistration { replicas, adding, removing, ..partition.clone() })
    }

    /// The reassignments that are under way.
    #[must_use]
    pub fn list_reassignments(&self, request: &ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse {
        let under_way = |topic: &TopicName, wanted: Option<&[PartitionIndex]>| {
            let (_, registered) = self.image().topic_named(topic)?;
            let partitions = registered
                .partitions
                .iter()
                .filter(|(index, partition)| partition.is_reassigned() && wanted.is_none_or(|wanted| wanted.contains(index)));
            let listed: Vec<_> = partitions.map(|(index, partition)| (*index, described(partition))).collect();
            (!listed.is_empty()).then(|| (topic.clone(), listed))
        };
        let topics = match &request.partitions {
            Some(asked) => asked.iter().filter_map(|(topic, wanted)| under_way(topic, Some(wanted))).collect(),
            None => self.image().topic_ids.keys().filter_map(|topic| under_way(topic, None)).collect(),
        };
        ListPartitionReassignmentsResponse { result: Ok(topics) }
    }

    /// A partition by its topic's name.
    pub(super) fn partition_named(
        &self,
        topic: &TopicName,
        index: PartitionIndex,
    ) -> Result<(TopicPartition, &PartitionRegistration), ApiError> {
        let unknown = |message: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, message);
        let (id, registered) = self.image().topic_named(topic).ok_or_else(|| unknown(format!("No such topic as {topic}")))?;
        let partition = registered.partitions.get(&index).ok_or_else(|| unknown(format!("No such partition as {topic}-{index}")))?;
        Ok((TopicPartition { topic: id, partition: index }, partition))
    }
}

/// The partition with the replicas that it had before.
fn cancelled(
    topic: &TopicName,
    index: PartitionIndex,
    partition: &PartitionRegistration,
    may_be_unclean: bool,
) -> Result<PartitionRegistration, ApiError> {
    if !partition.is_reassigned() {
        return Err(ApiError::new(ErrorCode::NoReassignmentInProgress, "No partition reassignment is in progress."));
    }
    let stayed = |nodes: &[NodeId]| nodes.iter().copied().filter(|node| !partition.adding.contains(node)).collect::<Vec<_>>();
    let (replicas, isr) = (stayed(&partition.replicas), stayed(&partition.isr));
    if isr.is_empty() && !may_be_unclean {
        let message = format!("Unable to revert partition assignment for {topic}:{index} because it would require an unclean leader election.");
        return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    Ok(PartitionRegistration { replicas, isr, adding: Vec::new(), removing: Vec::new(), ..partition.clone() })
}

fn described(partition: &PartitionRegistration) -> Reassignment {
    Reassignment { replicas: partition.replicas.clone(), adding: partition.adding.clone(), removing: partition.removing.clone() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::boundary::{ElectLeadersRequest, Election};
    use crate::epoch::PartitionEpoch;
    use crate::ids::{DirectoryId, IncarnationId, TopicId, Uuid};
    use crate::metadata::Image;
    use crate::offset::Offset;
    use crate::time::{Monotonic, Wait};

    const TOPIC: TopicId = TopicId(Uuid([1; 16]));
    const ID: TopicPartition = TopicPartition { topic: TOPIC, partition: PartitionIndex(0) };

    type Shown = (Vec<i32>, Vec<i32>, Vec<i32>, Vec<i32>, Option<i32>);

    /// Brokers 1 to 5 and a topic with one partition on the first three, which are in sync.
    struct World {
        controller: Controller,
        offset: i64,
    }

    impl World {
        fn new() -> Self {
            let mut world = Self { controller: Controller::new(Image::default(), Wait::from_ms(9_000), Monotonic(0)), offset: 0 };
            for node in nodes(&[1, 2, 3, 4, 5]) {
                let (incarnation, directory) = (IncarnationId::default(), DirectoryId::default());
                world.replay(&[
                    MetadataRecord::RegisterBroker { node, incarnation, directory, rack: None, endpoints: Vec::new() },
                    MetadataRecord::UnfenceBroker { node },
                ]);
            }
            let state = PartitionRegistration::created(nodes(&[1, 2, 3]), nodes(&[1, 2, 3]));
            world.replay(&[MetadataRecord::Topic { id: TOPIC, name: "t".into() }, MetadataRecord::Partition { id: ID, state }]);
            world
        }

        fn replay(&mut self, records: &[MetadataRecord]) {
            for record in records {
                self.controller.replay(Offset(self.offset), record);
                self.offset += 1;
            }
        }

        fn reassign(&mut self, target: Option<&[i32]>, may_change: bool) -> Result<(), ErrorCode> {
            let request = AlterPartitionReassignmentsRequest {
                partitions: vec![("t".into(), vec![(PartitionIndex(0), target.map(nodes))])],
                may_change_replication_factor: may_change,
                timeout_ms: 0,
            };
            let (records, response) = self.controller.alter_reassignments(&request, &BrokerConfigs::default());
            self.replay(&records);
            response.partitions[0].1[0].1.as_ref().map_or(Ok(()), |error| Err(error.code))
        }

        /// The leader has found that its ISR is another.
        fn isr_is(&mut self, isr: &[i32]) {
            let defaults = BrokerConfigs::new(BTreeMap::new());
            let next = Electorate::new(self.controller.image(), &defaults).with_isr(ID, self.partition(), nodes(isr));
            let records: Vec<_> = next.map(|state| MetadataRecord::Partition { id: ID, state }).into_iter().collect();
            self.replay(&records);
        }

        fn partition(&self) -> &PartitionRegistration {
            self.controller.image().partition(ID).unwrap()
        }

        /// Replicas, ISR, those that come, those that go, and the leader.
        fn shown(&self) -> Shown {
            let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
            let shown = self.partition();
            let leader = shown.leader.map(|node| node.0);
            (numbers(&shown.replicas), numbers(&shown.isr), numbers(&shown.adding), numbers(&shown.removing), leader)
        }
    }

    fn nodes(numbers: &[i32]) -> Vec<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn those_that_go_stay_until_those_that_come_are_in_sync() {
        let mut world = World::new();
        assert_eq!(world.reassign(Some(&[4, 5, 3]), false), Ok(()));
        assert_eq!(world.shown(), (vec![4, 5, 3, 1, 2], vec![1, 2, 3], vec![4, 5], vec![1, 2], Some(1)));
        world.isr_is(&[1, 2, 3, 4]);
        assert_eq!(world.shown(), (vec![4, 5, 3, 1, 2], vec![1, 2, 3, 4], vec![4, 5], vec![1, 2], Some(1)));
        let before = world.partition().leader_epoch;
        world.isr_is(&[1, 2, 3, 4, 5]);
        assert_eq!(world.shown(), (vec![4, 5, 3], vec![3, 4, 5], vec![], vec![], Some(4)));
        assert!(world.partition().leader_epoch > before);
    }

    #[test]
    fn another_order_of_the_same_replicas_is_complete_at_once() {
        let mut world = World::new();
        assert_eq!(world.reassign(Some(&[2, 1, 3]), false), Ok(()));
        assert_eq!(world.shown(), (vec![2, 1, 3], vec![1, 2, 3], vec![], vec![], Some(1)));
        let request = ElectLeadersRequest { election: Election::Preferred, partitions: None, timeout_ms: 0 };
        let (records, response) = world.controller.elect_leaders(&request, &BrokerConfigs::default());
        world.replay(&records);
        assert_eq!(response.partitions, [("t".into(), vec![(PartitionIndex(0), None)])]);
        assert_eq!(world.partition().leader, Some(NodeId(2)));
        assert!(world.controller.rebalance_leaders(&BrokerConfigs::default()).is_empty());
        let (_, response) = world.controller.elect_leaders(&request, &BrokerConfigs::default());
        assert_eq!(response.partitions, [("t".into(), vec![])], "those that need none are not named");
    }

    #[test]
    fn a_replica_that_goes_costs_a_leader_epoch() {
        let mut world = World::new();
        assert_eq!(world.reassign(Some(&[1, 2]), true), Ok(()));
        assert_eq!(world.shown(), (vec![1, 2], vec![1, 2], vec![], vec![], Some(1)));
        assert_eq!((world.partition().leader_epoch.0, world.partition().partition_epoch), (1, PartitionEpoch(1)));
    }

    #[test]
    fn what_is_cancelled_is_as_it_was() {
        let mut world = World::new();
        assert_eq!(world.reassign(None, false), Err(ErrorCode::NoReassignmentInProgress));
        world.reassign(Some(&[4, 5, 1]), false).unwrap();
        world.isr_is(&[1, 2, 3, 4]);
        assert_eq!(world.reassign(None, false), Ok(()));
        assert_eq!(world.shown(), (vec![1, 2, 3], vec![1, 2, 3], vec![], vec![], Some(1)));
    }

    #[test]
    fn nothing_that_only_new_replicas_hold_is_cancelled() {
        let mut world = World::new();
        world.reassign(Some(&[4, 5, 1]), false).unwrap();
        world.isr_is(&[1, 2, 3, 4]);
        world.isr_is(&[4]);
        assert_eq!(world.partition().leader, Some(NodeId(4)));
        assert_eq!(world.reassign(None, false), Err(ErrorCode::InvalidReplicaAssignment));
    }

    #[test]
    fn an_assignment_that_makes_no_sense_is_refused() {
        let mut world = World::new();
        assert_eq!(world.reassign(Some(&[]), true), Err(ErrorCode::InvalidReplicaAssignment));
        assert_eq!(world.reassign(Some(&[1, 1, 2]), false), Err(ErrorCode::InvalidReplicaAssignment));
        assert_eq!(world.reassign(Some(&[1, 2, 9]), false), Err(ErrorCode::InvalidReplicaAssignment));
        assert_eq!(world.reassign(Some(&[1, 2]), false), Err(ErrorCode::InvalidReplicationFactor));
        world.reassign(Some(&[4, 2, 3]), false).unwrap();
        assert_eq!(world.reassign(Some(&[4, 5, 3]), false), Ok(()), "one reassignment can follow another");
        assert_eq!(world.shown(), (vec![4, 5, 3, 2, 1], vec![1, 2, 3], vec![5], vec![2, 1], Some(1)));
    }
}
