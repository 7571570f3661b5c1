//! This broker's place in the cluster: it registers, and tells the controller now and then that it lives (KIP-631).

use super::Broker;
use super::calls::Purpose;
use super::lifecycle::Stage;
use super::timers::Timer;
use crate::boundary::{ControllerAnswer, ControllerCommand, Effects, Heartbeat, Mark, Registration};
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::time::Wait;

impl Broker {
    /// Asks to be a broker of the cluster.
    pub(super) fn register(&mut self, effects: &mut Effects) {
        let registration = Registration {
            incarnation: self.settings.incarnation,
            directory: self.settings.directory,
            rack: self.settings.rack.clone(),
            was_unclean: self.settings.was_unclean,
            endpoints: self.settings.endpoints.clone(),
        };
        if registration.was_unclean && self.image.brokers.contains_key(&self.settings.node) {
            effects.mark(Mark::UncleanRestart);
        }
        self.call(Purpose::Registration, ControllerCommand::Register(registration), None, effects);
    }

    pub(super) fn registration_answered(&mut self, answer: &ControllerAnswer, effects: &mut Effects) {
        if let ControllerAnswer::Refused(code) = answer {
            effects.error(format!("the controller does not take node {} for a broker ({code:?}), and is asked again", self.settings.node));
        }
        self.schedule_heartbeat();
    }

    /// The connection to the controller is lost, which takes that for a sign of death.
    pub(super) fn show_that_it_lives(&mut self, effects: &mut Effects) {
        if self.settings.is_broker && matches!(self.stage, Stage::Unfencing | Stage::Serving) {
            self.heartbeat(effects);
        }
    }

    /// Tells the controller that this broker lives; asks again to be one, where it is none.
    pub(super) fn heartbeat(&mut self, effects: &mut Effects) {
        let registered = self.image.brokers.get(&self.settings.node).filter(|broker| broker.incarnation == self.settings.incarnation);
        let (Some(broker), Some(metadata)) = (registered, &self.metadata) else {
            if matches!(self.stage, Stage::Registering) && !self.calls.are_for(&Purpose::Registration) {
                self.register(effects);
            }
            return self.schedule_heartbeat();
        };
        let heartbeat = Heartbeat {
            broker_epoch: broker.broker_epoch,
            applied: metadata.high_watermark(),
            is_ready: matches!(self.stage, Stage::Unfencing | Stage::Serving),
            is_stopping: self.is_stopping(),
        };
        if !self.calls.are_for(&Purpose::Heartbeat) {
            self.call(Purpose::Heartbeat, ControllerCommand::Heartbeat(heartbeat), None, effects);
        }
        self.schedule_heartbeat();
    }

    pub(super) fn heartbeat_answered(&mut self, answer: &ControllerAnswer, effects: &mut Effects) {
        self.is_cut_off = false;
        let session = Wait::from_ms(self.configs.whole("broker.session.timeout.ms"));
        self.timers.set(Timer::CutOff, self.now.monotonic.after(session));
        if let ControllerAnswer::Refused(code) = answer {
            effects.error(format!("the controller does not know this run of node {} ({code:?})", self.settings.node));
        }
    }

    /// This node can't use its copy of a partition, which is not to lead, nor to be relied on where it is damaged. Where it is the only one
    /// there is nobody else, and what is left is served.
    pub(super) fn report_failed(&mut self, id: TopicPartition, is_damaged: bool, effects: &mut Effects) {
        let registered = self.image.brokers.get(&self.settings.node).filter(|broker| broker.incarnation == self.settings.incarnation);
        let is_replicated = self.image.partition(id).is_some_and(|partition| partition.replicas.len() > 1);
        if let Some(broker_epoch) = registered.map(|broker| broker.broker_epoch).filter(|_| is_replicated) {
            let command = ControllerCommand::ReplicasFailed { broker_epoch, partitions: vec![id], are_damaged: is_damaged };
            self.call(Purpose::Failure, command, None, effects);
        }
    }

    /// The node has stood still for so long that others may lead what it led. What it is told by the controller from here on counts, and no
    /// answer that has waited meanwhile.
    pub(super) fn stood_still(&mut self, effects: &mut Effects) {
        if self.settings.is_broker && self.is_serving() {
            self.calls.forget(&Purpose::Heartbeat);
            self.cut_off(effects);
            self.heartbeat(effects);
        }
    }

    /// The controller has not been heard for a session: it has given to others what this node leads, or will. Who waits for a commit waits for
    /// nothing.
    pub(super) fn cut_off(&mut self, effects: &mut Effects) {
        self.is_cut_off = true;
        let replicated =
            self.partitions.iter().filter(|(_, partition)| partition.leader().is_ok_and(|leader| leader.isr().replicas().len() > 1));
        for id in replicated.map(|(id, _)| *id).collect::<Vec<_>>() {
            let stranded = self.strand(id);
            if !stranded.is_empty() {
                effects.mark(Mark::CutOffLeaderAnswered);
            }
            self.release(stranded, ErrorCode::NotLeaderOrFollower, effects);
        }
    }

    fn schedule_heartbeat(&mut self) {
        let interval = Wait::from_ms(self.configs.whole("broker.heartbeat.interval.ms"));
        self.timers.set(Timer::Heartbeat, self.now.monotonic.after(interval));
    }
}
