//! Metadata requests that wait: a leader that they ask about may be gone, and another is elected in a moment. Who is told of none asks again
//! only after a while, and of the dead one even later.

use serde::{Deserialize, Serialize};

use super::Broker;
use super::timers::Timer;
use crate::boundary::{Effects, Mark, MetadataRequest, MetadataResponse, Reply, RequestContext, Response};
use crate::ids::{ConnectionId, RequestId, TopicPartition};
use crate::limits::DOUBTFUL_METADATA_MS;
use crate::partition::requests_of;
use crate::time::Wait;

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DoubtfulMetadata {
    context: RequestContext,
    request: MetadataRequest,
    /// A partition of it whose leader may be gone.
    awaits: TopicPartition,
}

impl Broker {
    /// Answers a Metadata request, or has it wait for a leader that is about to be known.
    pub(super) fn answer_metadata_request(&mut self, id: RequestId, context: RequestContext, request: MetadataRequest, effects: &mut Effects) {
        let answer = self.describe_metadata(&context, &request);
        match self.awaited_leader(&answer).filter(|_| !self.is_stopping()) {
            Some(awaits) => {
                self.timers.set(Timer::Metadata(id), self.now.monotonic.after(Wait::from_ms(DOUBTFUL_METADATA_MS)));
                self.doubtful.insert(id, DoubtfulMetadata { context, request, awaits });
            }
            None => effects.replies.push(Reply { id, response: Response::Metadata(answer) }),
        }
    }

    /// A partition that is told to have no leader, and may have one in a moment.
    fn awaited_leader(&self, answer: &MetadataResponse) -> Option<TopicPartition> {
        if self.lost.is_empty() {
            return None;
        }
        let partitions = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| (TopicPartition { topic: topic.id, partition: partition.partition }, partition))
        });
        partitions.filter(|(_, partition)| partition.leader.is_none()).map(|(id, _)| id).find(|id| self.is_led_in_doubt(*id))
    }

    fn is_led_in_doubt(&self, id: TopicPartition) -> bool {
        self.image.partition(id).and_then(|registered| registered.leader).is_some_and(|leader| self.is_doubted(leader))
    }

    /// Answers whoever waits for leaders that are known.
    pub(super) fn settle_doubtful_metadata(&mut self, effects: &mut Effects) {
        let settled = self.doubtful.iter().filter(|(_, waiting)| !self.is_led_in_doubt(waiting.awaits)).map(|(id, _)| *id);
        for id in settled.collect::<Vec<_>>() {
            let Some(DoubtfulMetadata { context, request, .. }) = self.doubtful.remove(&id) else { continue };
            let answer = self.describe_metadata(&context, &request);
            if let Some(awaits) = self.awaited_leader(&answer) {
                self.doubtful.insert(id, DoubtfulMetadata { context, request, awaits });
                continue;
            }
            self.timers.cancel(&Timer::Metadata(id));
            effects.mark(Mark::MetadataAwaitedLeader);
            effects.replies.push(Reply { id, response: Response::Metadata(answer) });
        }
    }

    /// A request has waited long enough: what is known is told.
    pub(super) fn doubtful_metadata_timed_out(&mut self, id: RequestId, effects: &mut Effects) {
        if let Some(DoubtfulMetadata { context, request, .. }) = self.doubtful.remove(&id) {
            let answer = self.describe_metadata(&context, &request);
            effects.replies.push(Reply { id, response: Response::Metadata(answer) });
        }
    }

    /// Drops what waits for a client that is gone.
    pub(super) fn abandon_doubtful_metadata(&mut self, connection: ConnectionId) {
        while let Some(id) = self.doubtful.range(requests_of(connection)).next().map(|(id, _)| *id) {
            self.doubtful.remove(&id);
            self.timers.cancel(&Timer::Metadata(id));
        }
    }
}
