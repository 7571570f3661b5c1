//! From start to stop.
//!
//! | stage | goes on when | to |
//! | --- | --- | --- |
//! | loading | the vote, the latest snapshot of the metadata and the log behind it are read | registering: takes part in the quorum, and asks the controller to register this run; serving, if it is no broker |
//! | registering | the registration is committed | opening: opens the logs of its partitions |
//! | opening | every log is open or has failed, and what topics left behind is gone, if it may go | unfencing |
//! | unfencing | that is committed | serving |
//! | any | it is asked to stop | stopping: answers what waits, keeps every log's producers |
//! | stopping | others lead what it led, or had time to; every log is at rest, and every answer has left | stopped |

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Broker;
use super::timers::Timer;
use crate::boundary::{Effects, ElectionState, LogSettings, Recovered, StorageOp};
use crate::config::BrokerConfigs;
use crate::ids::{CLUSTER_METADATA_TOPIC, LogId, RequestId, TopicPartition};
use crate::limits::{HAND_OVER_MS_MAX, METADATA_READ_BYTES};
use crate::metadata::MetadataLog;
use crate::offset::Offset;
use crate::time::Wait;

/// How far a node has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Reads its vote and its metadata log.
    Loading {
        /// The vote, once it is read: none inside on a fresh disk.
        election: Option<Option<ElectionState>>,
    },
    /// Waits to be registered.
    Registering,
    /// Waits for its logs.
    Opening {
        /// Whether what deleted topics left behind is gone.
        are_others_removed: bool,
    },
    /// Waits to be unfenced.
    Unfencing,
    /// Serves.
    Serving,
    /// Comes to an end.
    Stopping {
        /// Whether it waits for others to lead what it led.
        is_handing_over: bool,
        /// The state of these logs' producers is still to be kept, up to these offsets.
        restless: BTreeMap<LogId, Offset>,
    },
    /// Has stopped.
    Stopped,
}

impl Broker {
    pub(super) fn start(&mut self, effects: &mut Effects) {
        effects.storage.push(StorageOp::LoadElection);
        effects.storage.push(StorageOp::LoadMetadataSnapshots);
        let retention = Wait::from_ms(self.configs.whole("log.retention.check.interval.ms"));
        let expiry = Wait::from_ms(self.configs.whole("producer.id.expiration.check.interval.ms"));
        self.timers.set(Timer::Retention, self.now.monotonic.after(retention));
        self.timers.set(Timer::ProducerExpiry, self.now.monotonic.after(expiry));
        let compaction = Wait::from_ms(self.configs.whole("log.cleaner.backoff.ms").max(1));
        self.timers.set(Timer::Compaction, self.now.monotonic.after(compaction));
        self.schedule_snapshot();
        self.start_replication();
    }

    pub(super) fn open_metadata(&self, effects: &mut Effects) {
        let settings = metadata_log_settings(&self.configs);
        effects.storage.push(StorageOp::Open { log: LogId::Metadata, topic: CLUSTER_METADATA_TOPIC.into(), settings });
    }

    pub(super) fn election_loaded(&mut self, last: Option<ElectionState>) {
        if let Stage::Loading { election } = &mut self.stage {
            *election = Some(last);
        }
    }

    pub(super) fn metadata_opened(&mut self, recovered: &Recovered, effects: &mut Effects) {
        self.note_recovery(LogId::Metadata, recovered, effects);
        if recovered.damaged {
            // To go on would be to forget topics without a word, and to vote for who has forgotten them too.
            effects.error("the metadata log is damaged: the node stops".to_owned());
            return self.metadata_failed(effects);
        }
        match MetadataLog::recovered(recovered, &self.snapshot_sync.found, self.now.wall) {
            Ok((metadata, storage)) => {
                self.metadata = Some(metadata);
                effects.storage.extend(storage);
                self.read_more_metadata(effects);
            }
            Err(unjoined) => {
                effects.error(format!("the metadata log can't be used: {unjoined}: the node stops"));
                self.metadata_failed(effects);
            }
        }
    }

    pub(super) fn metadata_read(&mut self, batches: &[Bytes], effects: &mut Effects) {
        let Some(metadata) = &mut self.metadata else { return };
        if let Err(error) = metadata.read(batches) {
            effects.error(error.to_string());
            return self.metadata_failed(effects);
        }
        self.read_more_metadata(effects);
    }

    fn read_more_metadata(&mut self, effects: &mut Effects) {
        if let Some((from, upto)) = self.metadata.as_ref().and_then(MetadataLog::unread) {
            effects.storage.push(StorageOp::Read { log: LogId::Metadata, from, upto, bytes_max: METADATA_READ_BYTES });
        }
    }

    /// The metadata log is lost to this node: without it nothing can be decided, so the node stops.
    pub(super) fn metadata_failed(&mut self, effects: &mut Effects) {
        self.quorum.fail();
        self.controller = None;
        // Nobody is told an outcome that may never be committed: the connections end with the node.
        self.decided.abandon().for_each(drop);
        self.pending_voters = None;
        self.stage = Stage::Stopped;
        effects.stopped = true;
    }

    /// Goes on to the next stage, as often as one is reached.
    pub(super) fn advance_stage(&mut self, effects: &mut Effects) {
        loop {
            let next = match &self.stage {
                Stage::Loading { election: Some(last) } if self.is_metadata_read() => {
                    let last = last.clone();
                    effects.storage.extend(self.metadata.as_mut().and_then(MetadataLog::keep).map(|(_, keep)| keep));
                    self.stage = if self.settings.is_broker { Stage::Registering } else { Stage::Serving };
                    self.join_quorum(last.as_ref(), effects);
                    if self.settings.is_broker {
                        self.register(effects);
                    }
                    continue;
                }
                Stage::Registering if self.is_registered() => Stage::Opening { are_others_removed: !self.open_partitions(effects) },
                Stage::Opening { are_others_removed: true } if self.opening.is_empty() && self.deferred.is_empty() => {
                    self.stage = Stage::Unfencing;
                    self.heartbeat(effects);
                    continue;
                }
                Stage::Unfencing if self.is_unfenced() => {
                    effects.metadata_changed = true;
                    Stage::Serving
                }
                Stage::Stopping { is_handing_over: true, .. } if self.is_fenced() => {
                    self.handed_over(effects);
                    continue;
                }
                Stage::Stopping { is_handing_over: false, restless } if restless.is_empty() && !self.owes_answers() => {
                    effects.stopped = true;
                    Stage::Stopped
                }
                Stage::Loading { .. } | Stage::Registering | Stage::Opening { .. } | Stage::Unfencing => return,
                Stage::Serving | Stage::Stopping { .. } | Stage::Stopped => return,
            };
            self.stage = next;
        }
    }

    fn is_metadata_read(&self) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.unread().is_none())
    }

    pub(super) fn is_registered(&self) -> bool {
        self.image.brokers.get(&self.settings.node).is_some_and(|broker| broker.incarnation == self.settings.incarnation)
    }

    fn is_unfenced(&self) -> bool {
        self.image.brokers.get(&self.settings.node).is_some_and(|broker| !broker.is_fenced)
    }

    /// Opens the logs that this node has a replica of, and has others removed. Says whether that one is under way.
    fn open_partitions(&mut self, effects: &mut Effects) -> bool {
        let node = self.settings.node;
        let held = self.image.topics.iter().flat_map(|(topic, registered)| {
            let partitions = registered.partitions.iter().filter(|(_, partition)| partition.replicas.contains(&node));
            partitions.map(|(index, _)| TopicPartition { topic: *topic, partition: *index })
        });
        let held: Vec<TopicPartition> = held.collect();
        let was_cut = self.metadata.as_ref().is_some_and(MetadataLog::was_cut);
        if was_cut {
            // A crash's trace, as a rule. If a topic was forgotten, whoever runs the node can still save its files.
            effects
                .info("the metadata log was cut: logs of topics that it does not name are left where they are until the next start".to_owned());
        } else {
            effects.storage.push(StorageOp::RemoveOthers { known: held.iter().copied().map(LogId::Partition).collect() });
        }
        for id in held {
            self.open_partition(id, effects);
        }
        !was_cut
    }

    /// Answers what waits, and has every log kept so that the next start reads nothing twice.
    pub(super) fn stop(&mut self, effects: &mut Effects) {
        if self.is_stopping() {
            return;
        }
        let fetches: Vec<RequestId> = self.fetches.keys().copied().collect();
        for request in fetches {
            self.fetch_part_failed(request, effects);
        }
        self.refuse_calls(effects);
        self.end_coordinators(effects);
        let mut restless = BTreeMap::new();
        if let Some((upto, keep)) = self.metadata.as_mut().and_then(MetadataLog::keep) {
            effects.storage.push(keep);
            restless.insert(LogId::Metadata, upto);
        }
        for (id, partition) in &mut self.partitions {
            let Some(replica) = partition.replica_mut() else { continue };
            if let Some((upto, producers)) = replica.keep_producers() {
                let log = LogId::Partition(*id);
                effects.storage.push(StorageOp::KeepSnapshot { log, upto, producers });
                restless.insert(log, upto);
            }
        }
        let is_handing_over = self.settings.is_broker && self.is_serving() && self.has_others();
        self.stage = Stage::Stopping { is_handing_over, restless };
        if is_handing_over {
            self.timers.set(Timer::HandOver, self.now.monotonic.after(Wait::from_ms(HAND_OVER_MS_MAX)));
            self.heartbeat(effects);
        } else if !self.settings.is_broker {
            self.leave_quorum(effects);
            self.refuse_calls(effects);
        }
    }

    /// Others lead what this node led, or have had time enough to. What it decides over it gives up last.
    pub(super) fn handed_over(&mut self, effects: &mut Effects) {
        if let Stage::Stopping { is_handing_over, .. } = &mut self.stage
            && std::mem::take(is_handing_over)
        {
            self.timers.cancel(&Timer::HandOver);
            self.leave_quorum(effects);
            self.refuse_calls(effects);
        }
    }

    /// Whether there are brokers that could lead what this one leads.
    fn has_others(&self) -> bool {
        self.image.brokers.iter().any(|(node, broker)| *node != self.settings.node && !broker.is_fenced)
    }

    fn is_fenced(&self) -> bool {
        self.image.brokers.get(&self.settings.node).is_none_or(|broker| broker.is_fenced)
    }

    /// The state of a log's producers is kept up to there, or there is no log any more.
    pub(super) fn log_at_rest(&mut self, log: LogId, upto: Offset) {
        if let Stage::Stopping { restless, .. } = &mut self.stage
            && restless.get(&log).is_some_and(|awaited| *awaited <= upto)
        {
            restless.remove(&log);
        }
    }

    pub(super) fn others_removed(&mut self, effects: &mut Effects) {
        if let Stage::Opening { are_others_removed } = &mut self.stage {
            *are_others_removed = true;
        }
        for id in std::mem::take(&mut self.deferred) {
            self.open_partition(id, effects);
        }
    }

    /// Whether a log that was made now would be taken for one that was left behind.
    pub(super) fn may_not_open(&self) -> bool {
        self.stage == Stage::Opening { are_others_removed: false }
    }

    /// Whether a client waits for something that comes, or does not come before its time is up.
    fn owes_answers(&self) -> bool {
        let waiting = [self.produces.len(), self.offset_lists.len(), self.deletions.len(), self.doubtful.len()];
        waiting.into_iter().any(|count| count > 0) || self.calls.owe_answers()
    }

    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.stage, Stage::Stopping { .. } | Stage::Stopped)
    }

    pub(super) fn is_serving(&self) -> bool {
        self.stage == Stage::Serving
    }
}

/// How the metadata log is kept.
#[must_use]
pub fn metadata_log_settings(configs: &BrokerConfigs) -> LogSettings {
    let for_tests = configs.effective("internal.metadata.log.segment.bytes").and_then(|(value, _)| value.whole());
    let segment_bytes_max = for_tests.unwrap_or_else(|| configs.whole("metadata.log.segment.bytes"));
    LogSettings {
        durability: crate::boundary::Durability::Flushed,
        segment_bytes_max: u32::try_from(segment_bytes_max).unwrap_or(u32::MAX),
        segment_age_max_ms: configs.whole("metadata.log.segment.ms"),
        index_interval_bytes: 4096,
        file_delete_delay_ms: 0,
    }
}
