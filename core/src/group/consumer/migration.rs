//! A group changes from one protocol to the other while it works (`group.consumer.migration.policy`): to this one when the first such member
//! joins it, back when the last one is gone. Members of the classic protocol stay in it as `classic_members` says.

use super::Assigned;
use super::member::Standing;
use super::record::{ConsumerRecord, KeptClassic, KeptCurrent, KeptEpoch, KeptSubscriber};
use super::{ConsumerBounds, ConsumerMember, Partitions};
use crate::boundary::Mark;
use crate::epoch::GroupEpoch;
use crate::error::ErrorCode;
use crate::group::classic::{ClassicGroup, Member};
use crate::group::embedded::{Subscription, assignment, parse_assignment};
use crate::group::timers::GroupTimer;
use crate::group::{Decided, GroupRecord, Groups, Moment};
use crate::limits::GROUP_BYTES_MAX;
use crate::metadata::Image;

/// What consumers of the classic protocol call their protocol.
pub(super) const CONSUMER: &str = "consumer";

impl ClassicGroup {
    /// Whether it may become a group of the consumer protocol: its members are consumers, and say what can be understood.
    pub(super) fn may_upgrade(&self, bounds: &ConsumerBounds) -> bool {
        let is_understood = |member: &Member| member.embedded().is_some() && parse_assignment(&member.assignment, &Image::default()).is_ok();
        let has_epoch = (GroupEpoch::NONE..GroupEpoch::LAST).contains(&GroupEpoch(self.generation));
        bounds.may_upgrade && has_epoch && self.protocol_type.as_deref() == Some(CONSUMER) && self.members.values().all(is_understood)
    }
}

impl Member {
    /// What it subscribes to: consumers say the same for all that they can do.
    fn embedded(&self) -> Option<Subscription> {
        self.protocols.first().and_then(|(_, said)| Subscription::parse(said).ok())
    }

    /// What it is in a group of the consumer protocol.
    fn as_consumer(&self, epoch: GroupEpoch, image: &Image) -> ConsumerMember {
        let embedded = self.embedded();
        let target = parse_assignment(&self.assignment, image).unwrap_or_default();
        let classic = KeptClassic { session_timeout_ms: self.session_timeout_ms, protocols: self.protocols.clone() };
        let said = KeptSubscriber {
            instance_id: self.instance_id.clone(),
            rack_id: embedded.as_ref().and_then(|said| said.rack_id.clone()),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            topics: embedded.into_iter().flat_map(|said| said.topics).collect(),
            pattern: None,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            assignor: None,
            classic: Some(classic),
        };
        let assigned: Assigned = target.iter().map(|id| (*id, epoch)).collect();
        let current = KeptCurrent { epoch, previous_epoch: epoch, standing: Standing::Stable, assigned, revoking: Assigned::new() };
        ConsumerMember { said, target, current }
    }
}

impl Groups {
    /// Makes a group of the consumer protocol of one of the classic. Whoever waits is to join anew: there is another rebalance.
    pub(super) fn upgrade(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let classic = std::mem::take(&mut group.classic);
        decided.marks.push(Mark::GroupUpgraded);
        for (id, member) in &classic.members {
            if let Some(waiting) = member.joining {
                decided.refuse_join(waiting, ErrorCode::RebalanceInProgress, id.clone());
            }
            if let Some(waiting) = member.syncing {
                decided.refuse_sync(waiting, ErrorCode::RebalanceInProgress);
            }
            self.deadlines.cancel(&GroupTimer::Session { group: name.to_owned(), member: id.clone() });
        }
        for id in &classic.invited {
            self.deadlines.cancel(&GroupTimer::Invitation { group: name.to_owned(), member: id.clone() });
        }
        self.deadlines.cancel(&GroupTimer::Joining(name.to_owned()));
        self.deadlines.cancel(&GroupTimer::Syncing(name.to_owned()));
        let epoch = GroupEpoch(classic.generation);
        let mut members: Vec<_> = classic.members.iter().map(|(id, member)| (id, member.as_consumer(epoch, moment.image))).collect();
        let mut owned = Partitions::new();
        for (_, member) in &mut members {
            // A leader may have given a partition to two: the second is told that it does not get it.
            member.target.retain(|id| owned.insert(*id));
            member.current.assigned.retain(|id, _| member.target.contains(id));
        }
        for (member, (_, kept)) in classic.members.values().zip(&mut members) {
            // One of the cooperative kind had more than it was given, and may not have heard of that yet.
            let said = member.embedded().map(|said| said.owned(moment.image)).unwrap_or_default();
            kept.current.revoking = said.into_iter().filter(|id| owned.insert(*id)).map(|id| (id, epoch)).collect();
            if !kept.current.revoking.is_empty() {
                kept.current.standing = Standing::Unrevoked;
            }
        }
        self.keep(GroupRecord::Classic { group: name.to_owned(), kept: None }, decided);
        for (id, member) in &members {
            self.keep_fact(name, ConsumerRecord::Member((*id).clone(), Some(member.said.clone())), decided);
        }
        self.keep_fact(name, ConsumerRecord::Group(Some(KeptEpoch { epoch, topics_hash: 0 })), decided);
        for (id, member) in members {
            self.keep_fact(name, ConsumerRecord::Target(id.clone(), Some(member.target)), decided);
            self.keep_fact(name, ConsumerRecord::Current(id.clone(), Some(member.current)), decided);
            self.heard(name, id, moment);
        }
        self.keep_fact(name, ConsumerRecord::TargetEpoch(Some(epoch)), decided);
    }

    /// Makes a group of the classic protocol of one that only has such members, if it may be one and a record holds it. They are to join anew.
    pub(super) fn downgrade_if_due(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let bounds = moment.bounds;
        let Some(group) = self.consumer(name) else { return };
        let is_due = !group.members.is_empty() && group.members.values().all(ConsumerMember::is_classic);
        if !is_due || !bounds.consumer.may_downgrade || group.members.len() > bounds.members_max {
            return;
        }
        let members: Vec<(String, ConsumerMember)> = group.members.iter().map(|(id, member)| (id.clone(), member.clone())).collect();
        let mut classic = ClassicGroup { generation: group.epoch.0, ..ClassicGroup::default() };
        for (id, member) in &members {
            classic.add(id, member.as_classic(moment.image), CONSUMER);
        }
        classic.protocol = classic.agreed();
        classic.since = moment.now.wall;
        let assigned: usize = classic.members.values().map(|member| member.assignment.len()).sum();
        if assigned + classic.said_bytes() > GROUP_BYTES_MAX {
            return;
        }
        decided.marks.push(Mark::GroupDowngraded);
        let kept = classic.to_keep();
        self.drop_consumer(name, decided);
        self.keep(GroupRecord::Classic { group: name.to_owned(), kept: Some(kept) }, decided);
        let Some(group) = self.groups.get_mut(name) else { return };
        for (id, member) in classic.members {
            // The log keeps of a protocol only what was agreed on.
            if let Some(held) = group.classic.members.get_mut(&id) {
                held.protocols = member.protocols;
            }
        }
        for (id, _) in members {
            self.heard(name, &id, moment);
        }
        self.rebalance(name, moment, decided);
    }
}

impl ConsumerMember {
    /// What it is in a group of the classic protocol.
    fn as_classic(&self, image: &Image) -> Member {
        let classic = self.said.classic.clone().unwrap_or_default();
        // Not what it is to get: the group may change back before anybody joins anew, and others have that still.
        let held: Partitions = self.current.assigned.keys().chain(self.current.revoking.keys()).copied().collect();
        Member {
            instance_id: self.said.instance_id.clone(),
            client_id: self.said.client_id.clone(),
            client_host: self.said.client_host.clone(),
            rebalance_timeout_ms: self.said.rebalance_timeout_ms,
            session_timeout_ms: classic.session_timeout_ms,
            assignment: assignment(held.iter(), classic.version(), image),
            protocols: classic.protocols,
            joining: None,
            syncing: None,
            is_new: false,
        }
    }
}

impl KeptClassic {
    /// The version of what it says, which it is answered in.
    pub(super) fn version(&self) -> i16 {
        let said = self.protocols.first().and_then(|(_, said)| Subscription::parse(said).ok());
        said.map_or(0, |said| said.version)
    }
}
