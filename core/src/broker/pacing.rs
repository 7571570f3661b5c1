//! How fast a node that is behind is sent what it lacks while clients write here: a round of records, and then a rest as long as it took the
//! node to keep them.
//!
//! Half of the time disks and processors are the clients' alone, and no more than a round is ever before them in a queue. Whoever would lose
//! ground against what clients write on this node, which may be more than it follows, is sent all that it can take, as it is where none write;
//! and so is whoever commits wait for. Of several partitions the first is brought up first. The rates that an operator sets for replicas by
//! name (KIP-73) are another thing, and go before this.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::boundary::{Durability, WantedPartition};
use crate::ids::TopicPartition;
use crate::limits::{CATCH_UP_ROUND_BYTES, CATCH_UP_ROUND_MS_MAX, CLIENTS_WRITE_MS};
use crate::offset::Offset;
use crate::time::{Monotonic, Wait};

/// What clients write on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClientWrites {
    bytes: u64,
    last: Option<Monotonic>,
}

impl ClientWrites {
    /// A batch was appended.
    pub(super) fn add(&mut self, bytes: u32, now: Monotonic) {
        self.bytes += u64::from(bytes);
        self.last = Some(now);
    }

    fn go_on(&self, now: Monotonic) -> bool {
        self.last.is_some_and(|last| now.since(last) < Wait::from_ms(CLIENTS_WRITE_MS))
    }
}

/// What a node is sent of partitions that it is not in sync for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pacing {
    sent_bytes: u32,
    /// When the first of the round were sent.
    began: Monotonic,
    /// Bytes that clients had written by then.
    written_before: u64,
    /// What is not known to be kept.
    under_way: BTreeMap<TopicPartition, Piece>,
    rests_until: Option<Monotonic>,
    /// Whether clients wrote more than half of what the last round brought.
    loses_ground: bool,
    /// What there is news of for the next round.
    waiting: BTreeSet<TopicPartition>,
}

/// Records that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    from: Offset,
    bytes: u32,
    /// Where they end, once the follower has said so.
    upto: Option<Offset>,
}

impl Pacing {
    /// Looks whether the round is over, and tells what waited for the next one if that may begin.
    pub(super) fn turn(&mut self, clients: &ClientWrites, now: Monotonic) -> BTreeSet<TopicPartition> {
        let took = now.since(self.began);
        // Of some nobody ever says that they are kept: a copy may have been cut, or follow another leader by now.
        if self.sent_bytes > 0 && (self.under_way.is_empty() || took >= Wait::from_ms(CATCH_UP_ROUND_MS_MAX)) {
            self.loses_ground = (clients.bytes - self.written_before).saturating_mul(2) > u64::from(self.sent_bytes);
            self.rests_until = Some(now.after(took));
            self.sent_bytes = 0;
            self.under_way.clear();
        }
        let is_free = self.loses_ground || !clients.go_on(now);
        self.rests_until = self.rests_until.filter(|until| *until > now && !is_free);
        if self.has_room(clients, now) { std::mem::take(&mut self.waiting) } else { BTreeSet::new() }
    }

    /// Whether more may be sent now.
    pub(super) fn has_room(&self, clients: &ClientWrites, now: Monotonic) -> bool {
        let is_free = self.loses_ground || !clients.go_on(now);
        self.rests_until.is_none() && (is_free || self.sent_bytes < CATCH_UP_ROUND_BYTES)
    }

    /// There is news of a partition, and no room for it.
    pub(super) fn wait(&mut self, id: TopicPartition) {
        self.waiting.insert(id);
    }

    /// When the rest is over that something waits for.
    pub(super) fn resumes(&self) -> Option<Monotonic> {
        self.rests_until.filter(|_| !self.waiting.is_empty())
    }

    /// Records were sent.
    pub(super) fn sent(&mut self, id: TopicPartition, from: Offset, bytes: u32, clients: &ClientWrites, now: Monotonic) {
        if self.sent_bytes == 0 {
            self.began = now;
            self.written_before = clients.bytes;
        }
        // A batch goes also where none fits.
        let bytes = bytes.max(1);
        self.sent_bytes = self.sent_bytes.saturating_add(bytes);
        self.under_way.insert(id, Piece { from, bytes, upto: None });
    }

    /// The follower says how far it is; where that has crossed an answer on the way, it does not know of that one.
    pub(super) fn heard(&mut self, want: &WantedPartition, durability: Durability, has_crossed: bool) {
        let Some(piece) = self.under_way.get_mut(&want.id) else { return };
        if want.at.fetch_offset > piece.from {
            let upto = *piece.upto.get_or_insert(want.at.fetch_offset);
            if want.at.kept(durability) >= upto {
                self.under_way.remove(&want.id);
            }
        } else if !has_crossed {
            // It got nothing: the log had changed, or could not be read.
            self.sent_bytes = self.sent_bytes.saturating_sub(piece.bytes);
            self.under_way.remove(&want.id);
        }
    }

    /// What there is news of for a partition is looked at anew.
    pub(super) fn leave(&mut self, id: TopicPartition) {
        self.waiting.remove(&id);
    }

    /// The follower wants a partition no longer.
    pub(super) fn dropped(&mut self, id: TopicPartition) {
        self.leave(id);
        self.under_way.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::LeaderEpoch;
    use crate::ids::{PartitionIndex, TopicId, Uuid};
    use crate::replica::Positions;

    const ID: TopicPartition = TopicPartition { topic: TopicId(Uuid([7; 16])), partition: PartitionIndex(0) };

    fn ms(ms: i64) -> Monotonic {
        Monotonic(0).after(Wait::from_ms(ms))
    }

    fn want(fetch: i64, durable: i64) -> WantedPartition {
        let at = Positions { fetch_offset: Offset(fetch), written_offset: Offset(fetch), durable_offset: Offset(durable) };
        WantedPartition {
            id: ID,
            leader_epoch: LeaderEpoch(1),
            at,
            last_fetched_epoch: None,
            high_watermark: Offset(0),
            log_start: Offset(0),
            start_heard: Offset(0),
            bytes_max: u32::MAX,
        }
    }

    fn writing(bytes: u32, now: Monotonic) -> ClientWrites {
        let mut clients = ClientWrites::default();
        clients.add(bytes, now);
        clients
    }

    #[test]
    fn a_round_ends_when_it_is_kept_and_a_rest_as_long_follows() {
        let clients = writing(100, ms(1));
        let mut pacing = Pacing::default();
        assert!(pacing.has_room(&clients, ms(1)));
        pacing.sent(ID, Offset(0), CATCH_UP_ROUND_BYTES, &clients, ms(1));
        assert!(!pacing.has_room(&clients, ms(1)));
        pacing.wait(ID);

        pacing.heard(&want(0, 0), Durability::Flushed, true);
        pacing.heard(&want(10, 9), Durability::Flushed, false);
        assert!(pacing.turn(&clients, ms(5)).is_empty(), "one record is not on disk");
        pacing.heard(&want(12, 10), Durability::Flushed, false);
        assert!(pacing.turn(&clients, ms(11)).is_empty());
        assert_eq!(pacing.resumes(), Some(ms(21)), "it took ten milliseconds");
        assert_eq!(pacing.turn(&clients, ms(21)), BTreeSet::from([ID]));
        assert!(pacing.has_room(&clients, ms(21)));
    }

    #[test]
    fn nothing_holds_back_while_nobody_writes() {
        let mut pacing = Pacing::default();
        assert!(pacing.has_room(&ClientWrites::default(), ms(1)));
        let clients = writing(100, ms(1));
        pacing.sent(ID, Offset(0), CATCH_UP_ROUND_BYTES, &clients, ms(1));
        pacing.wait(ID);
        assert_eq!(pacing.turn(&clients, ms(2)), BTreeSet::new());
        assert_eq!(pacing.turn(&clients, ms(1 + CLIENTS_WRITE_MS)), BTreeSet::from([ID]));
    }

    #[test]
    fn whoever_loses_ground_is_sent_all_that_it_can_take() {
        let mut clients = writing(100, ms(1));
        let mut pacing = Pacing::default();
        pacing.sent(ID, Offset(0), CATCH_UP_ROUND_BYTES, &clients, ms(1));
        clients.add(CATCH_UP_ROUND_BYTES / 2 + 1, ms(4));
        pacing.heard(&want(10, 10), Durability::Flushed, false);
        pacing.turn(&clients, ms(5));
        assert!(pacing.has_room(&clients, ms(5)));
        pacing.sent(ID, Offset(10), CATCH_UP_ROUND_BYTES, &clients, ms(5));
        assert!(pacing.has_room(&clients, ms(5)), "a round without an end");
        pacing.heard(&want(20, 20), Durability::Flushed, false);
        pacing.turn(&clients, ms(9));
        assert!(!pacing.has_room(&clients, ms(9)), "it gains");
    }

    #[test]
    fn what_could_not_be_read_takes_no_room() {
        let clients = writing(100, ms(1));
        let mut pacing = Pacing::default();
        pacing.sent(ID, Offset(5), CATCH_UP_ROUND_BYTES, &clients, ms(1));
        pacing.heard(&want(5, 5), Durability::Flushed, true);
        assert!(!pacing.has_room(&clients, ms(2)), "it was said before the answer came");
        pacing.heard(&want(5, 5), Durability::Flushed, false);
        pacing.turn(&clients, ms(2));
        assert!(pacing.has_room(&clients, ms(2)));
    }

    #[test]
    fn what_is_never_said_to_be_kept_holds_up_nothing_for_long() {
        let clients = writing(100, ms(900));
        let mut pacing = Pacing::default();
        pacing.sent(ID, Offset(0), CATCH_UP_ROUND_BYTES, &clients, ms(0));
        pacing.wait(ID);
        assert!(pacing.turn(&clients, ms(CATCH_UP_ROUND_MS_MAX - 1)).is_empty());
        pacing.turn(&clients, ms(CATCH_UP_ROUND_MS_MAX));
        assert_eq!(pacing.resumes(), Some(ms(2 * CATCH_UP_ROUND_MS_MAX)));
        pacing.dropped(ID);
        assert_eq!(pacing.resumes(), None);
    }
}
