//! This node's part in the metadata quorum, and what follows when the leader changes.

use super::Broker;
use super::timers::Timer;
use crate::boundary::{
    DescribeQuorumRequest, DescribeQuorumResponse, Effects, ElectionState, Mark, PeerMessage, QuorumDescription, QuorumMember, StorageOp,
};
use crate::controller::Controller;
use crate::epoch::{LeaderEpoch, QuorumEpoch};
use crate::error::ErrorCode;
use crate::ids::{CLUSTER_METADATA_TOPIC, DirectoryId, NodeId, PartitionIndex, TopicName};
use crate::limits::OBSERVER_MS_MAX;
use crate::metadata::{KRAFT_VERSION, MetadataLog};
use crate::quorum::{LogEnd, Moment, Outcome, Quorum, QuorumMessage, Role};
use crate::record::Voter;
use crate::replica::Progress;
use crate::time::Wait;

impl Broker {
    /// Takes part in the quorum once vote and log are read.
    pub(super) fn join_quorum(&mut self, last: Option<&ElectionState>, effects: &mut Effects) {
        let in_log = self.last_metadata_epoch();
        self.follow_voters(effects);
        self.drive_quorum(effects, |quorum, _, moment| quorum.start(last, in_log, moment));
    }

    pub(super) fn vote_kept(&mut self, kept: &ElectionState, effects: &mut Effects) {
        self.drive_quorum(effects, |quorum, log_end, moment| quorum.kept(kept, log_end, moment));
    }

    pub(super) fn quorum_said(&mut self, from: NodeId, message: QuorumMessage, effects: &mut Effects) {
        self.drive_quorum(effects, |quorum, log_end, moment| quorum.receive(from, message, log_end, moment));
    }

    pub(super) fn quorum_timed_out(&mut self, effects: &mut Effects) {
        self.drive_quorum(effects, |quorum, log_end, moment| quorum.timed_out(log_end, moment));
    }

    pub(super) fn leave_quorum(&mut self, effects: &mut Effects) {
        self.drive_quorum(effects, |quorum, _, moment| quorum.stop(moment));
    }

    pub(super) fn leave_voters(&mut self, effects: &mut Effects) {
        self.drive_quorum(effects, |quorum, _, moment| quorum.removal_committed(moment));
    }

    pub(super) fn quorum_connection_lost(&mut self, to: NodeId, effects: &mut Effects) {
        self.drive_quorum(effects, |quorum, _, moment| {
            quorum.connection_lost(to, moment);
            Outcome::default()
        });
    }

    /// Lets the quorum take an event, and does what follows. Before its log is read a node has nothing to say.
    fn drive_quorum(&mut self, effects: &mut Effects, event: impl FnOnce(&mut Quorum, LogEnd, &mut Moment<'_>) -> Outcome) {
        let Some(log_end) = self.metadata.as_ref().filter(|metadata| metadata.unread().is_none()).map(log_end) else { return };
        let before = self.quorum.known();
        let was_asking = matches!(self.quorum.role(), Role::Prospective(_));
        let mut moment = Moment { now: self.now.monotonic, random: &mut self.random };
        let Outcome { keep, messages } = event(&mut self.quorum, log_end, &mut moment);
        effects.storage.extend(keep.map(StorageOp::KeepElection));
        messages.into_iter().for_each(|(to, message)| effects.tell(to, PeerMessage::Quorum(message)));
        self.timers.set(Timer::Quorum, self.quorum.deadline());

        let known = self.quorum.known();
        if was_asking && known.quorum_epoch == before.quorum_epoch && matches!(self.quorum.role(), Role::Follower(_)) {
            effects.mark(Mark::PreVoteRefused);
        }
        if known == before {
            return;
        }
        if before.leader == Some(self.settings.node) {
            self.step_down(effects);
        }
        match known.leader {
            Some(leader) if leader == self.settings.node => self.lead(effects),
            Some(_) => self.follow_leader(effects),
            None => {
                self.metadata_sync.forget();
                self.snapshot_sync.leader_changed();
            }
        }
    }

    /// Begins to lead: it decides from here on, on all that its log holds.
    fn lead(&mut self, effects: &mut Effects) {
        let Some(metadata) = &mut self.metadata else { return };
        let mut image = self.image.clone();
        for (offset, record) in metadata.unapplied() {
            image.replay(*offset, record);
        }
        let session_timeout = Wait::from_ms(self.configs.whole("broker.session.timeout.ms"));
        let controller = Controller::new(image, session_timeout, self.now.monotonic);
        let bootstrap = controller.bootstrap(&self.settings.features, &self.configs);
        self.controller = Some(controller);
        let voters = self.quorum.voters().iter().collect();
        let entry =
            metadata.append_leader_change(self.quorum.quorum_epoch(), self.settings.node, voters, self.quorum.granting_voters(), self.now.wall);
        effects.storage.push(entry);
        self.metadata_sync.forget();
        self.decide_alone(&bootstrap, effects);
        let unsettled = self.controller.as_ref().map(|controller| controller.unsettled(&self.configs)).unwrap_or_default();
        self.decide_alone(&unsettled, effects);
        self.doubt_lost_brokers();
        self.watch_balance();
        self.resend_calls(effects);
    }

    /// Leads no longer: what it decided may be committed by the next leader, or never.
    fn step_down(&mut self, effects: &mut Effects) {
        self.controller = None;
        self.timers.cancel(&Timer::Sessions);
        self.timers.cancel(&Timer::Balance);
        if let Some(metadata) = &mut self.metadata {
            metadata.step_down();
        }
        if matches!(self.quorum.role(), Role::Resigned(_)) {
            effects.mark(Mark::LeaderResigned);
        }
        let abandoned: Vec<_> = self.decided.abandon().collect();
        if !abandoned.is_empty() {
            effects.mark(Mark::DecisionsAbandoned);
        }
        self.abandon_voters(effects);
        for (caller, decision) in abandoned {
            self.deliver(caller, crate::boundary::ControllerDecision { answer: None, ..decision }, effects);
        }
        self.release_metadata_fetches(effects);
        self.snapshot_sync.step_down();
    }

    /// The quorum as this node sees it, which leads it.
    pub(super) fn describe_quorum(&self, request: DescribeQuorumRequest) -> DescribeQuorumResponse {
        let partitions = request.partitions;
        let is_metadata = |(topic, indexes): &(TopicName, Vec<PartitionIndex>)| {
            topic.as_str() == CLUSTER_METADATA_TOPIC && indexes.as_slice() == [PartitionIndex(0)]
        };
        let (Role::Leader(leader), Some(metadata)) = (self.quorum.role(), &self.metadata) else {
            return DescribeQuorumResponse { partitions, result: Err(ErrorCode::NotLeaderOrFollower) };
        };
        if partitions.len() != 1 || !partitions.iter().all(is_metadata) {
            return DescribeQuorumResponse { partitions, result: Err(ErrorCode::UnknownTopicOrPartition) };
        }
        let me = self.settings.node;
        let member = |Voter { node, directory }: Voter| match leader.progress(Voter { node, directory }) {
            _ if node == me => {
                let (log_end, now) = (Some(metadata.log().end()), Some(self.now.wall));
                QuorumMember { node, directory, log_end, fetched: now, caught_up: now }
            }
            Some(progress) => QuorumMember {
                node,
                directory,
                log_end: Some(progress.at.fetch_offset),
                fetched: Some(self.now.wall_at(progress.heard)),
                caught_up: progress.caught_up.map(|caught_up| self.now.wall_at(caught_up)),
            },
            None => QuorumMember { node, directory, log_end: None, fetched: None, caught_up: None },
        };
        let tells_folders = self.tells_folders();
        let told = |voter: QuorumMember| if tells_folders { voter } else { QuorumMember { directory: DirectoryId::default(), ..voter } };
        let voters: Vec<QuorumMember> = self.quorum.voters().iter().map(member).map(told).collect();
        let is_recent = |progress: &Progress| self.now.monotonic.since(progress.heard) < Wait::from_ms(OBSERVER_MS_MAX);
        let observers = leader.followers().filter(|(follower, progress)| is_recent(progress) && !self.quorum.voters().contain(*follower));
        let observers = observers.map(|(follower, _)| member(follower)).collect();
        let controllers = self.controller_endpoints();
        let (quorum_epoch, high_watermark) = (self.quorum.quorum_epoch(), metadata.high_watermark());
        DescribeQuorumResponse {
            partitions,
            result: Ok(QuorumDescription { leader: me, quorum_epoch, high_watermark, voters, observers, controllers }),
        }
    }

    /// Whether anybody is told of voters' folders: those that the settings name are nodes to everyone, as in Kafka, and pinned all the same.
    pub(super) fn tells_folders(&self) -> bool {
        self.image.features.get(KRAFT_VERSION).is_some_and(|level| *level > 0)
    }

    /// The epoch of the metadata log's last entry: a vote that was lost must not let an older one begin.
    fn last_metadata_epoch(&self) -> Option<QuorumEpoch> {
        let last = self.metadata.as_ref()?.last_epoch()?;
        Some(QuorumEpoch(last.0))
    }
}

fn log_end(metadata: &MetadataLog) -> LogEnd {
    LogEnd { leader_epoch: metadata.last_epoch().unwrap_or(LeaderEpoch::NONE), end_offset: metadata.log().end() }
}
