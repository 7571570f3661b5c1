//! The controller's side of a call: decided at once, answered once the metadata log has committed what was decided.

use super::Broker;
use super::calls::Caller;
use super::timers::Timer;
use crate::boundary::{
    AlterConfigsResponse, ControllerAnswer, ControllerCall, ControllerCommand, ControllerDecision, CreatePartitionsResponse,
    CreateTopicsResponse, DeleteTopicsResponse, Effects, PeerMessage, Response, UnregisterBrokerResponse,
};
use crate::ids::NodeId;
use crate::metadata::MetadataRecord;
use crate::offset::Offset;
use crate::time::Wait;

/// What a command comes to: records, and what its caller is told once they are committed.
pub(super) type Decision = (Vec<MetadataRecord>, ControllerAnswer);

impl Broker {
    /// Another node calls.
    pub(super) fn called(&mut self, from: NodeId, call: ControllerCall, effects: &mut Effects) {
        let ControllerCall { id, incarnation, command } = call;
        self.decide(Caller { node: from, incarnation, id }, command, effects);
    }

    /// Decides a command, if this node is the controller.
    pub(super) fn decide(&mut self, caller: Caller, command: ControllerCommand, effects: &mut Effects) {
        if self.controller.is_none() {
            return self.deliver(caller, caller.undecided(), effects);
        }
        if self.decided.iter().any(|(held, _)| *held == caller) {
            // It is asked again for want of an answer, which is on its way.
            return;
        }
        match self.decision(caller, command) {
            Some(decision) => self.conclude(caller, decision, effects),
            None => self.advance_voters(effects),
        }
    }

    /// Appends what was decided; its caller is told once that is committed.
    pub(super) fn conclude(&mut self, caller: Caller, (records, answer): Decision, effects: &mut Effects) {
        let upto = self.append_decided(&records, effects);
        let decision = ControllerDecision { id: caller.id, incarnation: caller.incarnation, upto, answer: Some(answer) };
        self.decided.hold(upto, (caller, decision));
        self.watch_sessions();
        self.finish_committed(effects);
    }

    /// What a command comes to; none of one that waits for its time.
    fn decision(&mut self, caller: Caller, command: ControllerCommand) -> Option<Decision> {
        let controller = self.controller.as_mut().expect("the caller checked that it is here");
        Some(match command {
            ControllerCommand::CreateTopics(request) => {
                let (records, topics) = controller.create_topics(&request.topics, &self.configs, &mut self.random);
                checked(request.validate_only, records, Response::CreateTopics(CreateTopicsResponse { topics }))
            }
            ControllerCommand::CreatePartitions(request) => {
                let (records, topics) = controller.create_partitions(&request.topics);
                let topics = topics.into_iter().map(|(topic, outcome)| (topic, outcome.err())).collect();
                checked(request.validate_only, records, Response::CreatePartitions(CreatePartitionsResponse { topics }))
            }
            ControllerCommand::DeleteTopics(request) => {
                let is_enabled = self.configs.boolean("delete.topic.enable");
                let (records, topics) = controller.delete_topics(&request.topics, is_enabled);
                let topics = [request.misnamed.as_slice(), &topics].concat();
                checked(false, records, Response::DeleteTopics(DeleteTopicsResponse { topics }))
            }
            ControllerCommand::AlterConfigs(request) => {
                let (records, resources) = controller.alter_configs(&request.resources, caller.node, &self.configs);
                checked(request.validate_only, records, Response::AlterConfigs(AlterConfigsResponse { resources }))
            }
            ControllerCommand::IncrementalAlterConfigs(request) => {
                let (records, resources) = controller.incremental_alter_configs(&request.resources, caller.node, &self.configs);
                checked(request.validate_only, records, Response::AlterConfigs(AlterConfigsResponse { resources }))
            }
            ControllerCommand::AutoCreateTopics(topics) => {
                let missing: Vec<_> = topics.into_iter().filter(|topic| !controller.image().topic_ids.contains_key(&topic.name)).collect();
                (controller.create_topics(&missing, &self.configs, &mut self.random).0, ControllerAnswer::Done)
            }
            ControllerCommand::Register(registration) => {
                refusable(controller.register_broker(caller.node, registration, &self.configs, self.now.monotonic), ControllerAnswer::Done)
            }
            ControllerCommand::Heartbeat(heartbeat) => {
                refusable(controller.heartbeat(caller.node, &heartbeat, &self.configs, self.now.monotonic), ControllerAnswer::Done)
            }
            ControllerCommand::AlterPartitions(altered) => match controller.alter_partitions(caller.node, &altered, &self.configs) {
                Ok((records, refused)) => (records, ControllerAnswer::RefusedIsrs(refused)),
                Err(_) => {
                    let all = altered.partitions.into_iter().map(|(id, _, proposal)| (id, proposal.partition_epoch));
                    (Vec::new(), ControllerAnswer::RefusedIsrs(all.collect()))
                }
            },
            ControllerCommand::ReplicasFailed { broker_epoch, partitions, are_damaged } => {
                let decided = controller.replicas_failed(caller.node, broker_epoch, &partitions, are_damaged, &self.configs);
                refusable(decided, ControllerAnswer::Done)
            }
            ControllerCommand::AlterPartitionReassignments(request) => {
                let (records, response) = controller.alter_reassignments(&request, &self.configs);
                checked(false, records, Response::AlterPartitionReassignments(response))
            }
            ControllerCommand::ListPartitionReassignments(request) => {
                checked(false, Vec::new(), Response::ListPartitionReassignments(controller.list_reassignments(&request)))
            }
            ControllerCommand::ElectLeaders(request) => {
                let (records, response) = controller.elect_leaders(&request, &self.configs);
                checked(false, records, Response::ElectLeaders(response))
            }
            ControllerCommand::UpdateFeatures(request) => {
                let (records, response) = controller.update_features(&request, self.settings.node, &self.configs);
                checked(request.validate_only, records, Response::UpdateFeatures(response))
            }
            ControllerCommand::UnregisterBroker(request) => {
                let (records, error) = match controller.unregister_broker(request.node, &self.configs) {
                    Ok(records) => (records, None),
                    Err(error) => (Vec::new(), Some(error)),
                };
                checked(false, records, Response::UnregisterBroker(UnregisterBrokerResponse { error }))
            }
            ControllerCommand::DescribeQuorum(request) => checked(false, Vec::new(), Response::DescribeQuorum(self.describe_quorum(request))),
            ControllerCommand::AllocateProducerIds => match controller.allocate_producer_ids() {
                Ok((first, record)) => (vec![record], ControllerAnswer::ProducerIds(first)),
                Err(error) => (Vec::new(), ControllerAnswer::Refused(error.code)),
            },
            ControllerCommand::AddRaftVoter(request) => return self.add_voter(caller, request),
            ControllerCommand::RemoveRaftVoter(request) => return self.remove_voter(caller, &request),
        })
    }

    /// Appends what the controller decided by itself.
    pub(super) fn decide_alone(&mut self, records: &[MetadataRecord], effects: &mut Effects) {
        self.append_decided(records, effects);
    }

    /// Appends what the controller decided and replays it into the controller's state. Returns the log's end.
    fn append_decided(&mut self, records: &[MetadataRecord], effects: &mut Effects) -> Offset {
        let metadata = self.metadata.as_mut().expect("a controller has its log");
        let controller = self.controller.as_mut().expect("only the controller decides records");
        if !records.is_empty() {
            let (first, storage) = metadata.append(records, self.quorum.quorum_epoch(), self.now.wall);
            effects.storage.extend(storage);
            for (record, offset) in records.iter().zip(first.0..) {
                controller.replay(Offset(offset), record);
            }
        }
        let end = metadata.log().end();
        self.follow_voters(effects);
        end
    }

    /// Lets answers leave whose decisions are committed.
    pub(super) fn finish_committed(&mut self, effects: &mut Effects) {
        let Some(high_watermark) = self.metadata.as_ref().map(crate::metadata::MetadataLog::high_watermark) else { return };
        while let Some((caller, decision)) = self.decided.pop_committed(high_watermark) {
            self.deliver(caller, decision, effects);
        }
    }

    /// Brings an answer to whoever called.
    pub(super) fn deliver(&mut self, caller: Caller, decision: ControllerDecision, effects: &mut Effects) {
        if caller.node == self.settings.node {
            self.decision_came(decision, effects);
        } else {
            effects.tell(caller.node, PeerMessage::Decided(decision));
        }
    }

    /// Brokers that have been silent for too long are fenced.
    pub(super) fn fence_silent(&mut self, effects: &mut Effects) {
        let (me, now) = (self.settings.node, self.now.monotonic);
        while let Some(records) = self.controller.as_mut().and_then(|controller| controller.fence_next_silent(me, &self.configs, now)) {
            effects.mark(crate::boundary::Mark::BrokerFenced);
            self.decide_alone(&records, effects);
        }
        self.watch_sessions();
    }

    /// Gives leadership back to preferred replicas, if this node is the controller (`auto.leader.rebalance.enable`).
    pub(super) fn rebalance(&mut self, effects: &mut Effects) {
        if self.configs.boolean("auto.leader.rebalance.enable") {
            let records = self.controller.as_ref().map(|controller| controller.rebalance_leaders(&self.configs)).unwrap_or_default();
            if !records.is_empty() {
                self.decide_alone(&records, effects);
            }
        }
        self.watch_balance();
    }

    /// Sets the timer for the next look at who leads.
    pub(super) fn watch_balance(&mut self) {
        if self.controller.is_some() {
            let interval = Wait::from_ms(self.configs.whole("leader.imbalance.check.interval.seconds").saturating_mul(1000));
            self.timers.set(Timer::Balance, self.now.monotonic.after(interval));
        }
    }

    /// Sets the timer for the session that ends first.
    pub(super) fn watch_sessions(&mut self) {
        match self.controller.as_ref().and_then(|controller| controller.next_session_end(self.settings.node)) {
            Some(at) => self.timers.set(Timer::Sessions, at),
            None => self.timers.cancel(&Timer::Sessions),
        }
    }
}

/// A decision that is only tried leaves no records.
fn checked(is_trial: bool, records: Vec<MetadataRecord>, response: Response) -> Decision {
    let records = if is_trial { Vec::new() } else { records };
    (records, ControllerAnswer::Response(Box::new(response)))
}

fn refusable(decided: Result<Vec<MetadataRecord>, crate::error::ErrorCode>, done: ControllerAnswer) -> Decision {
    match decided {
        Ok(records) => (records, done),
        Err(code) => (Vec::new(), ControllerAnswer::Refused(code)),
    }
}
