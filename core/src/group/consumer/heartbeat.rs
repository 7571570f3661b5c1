//! ConsumerGroupHeartbeat: a member joins, lives, changes its mind, and is told what it may use.

use super::pattern::Pattern;
use super::reconcile;
use super::record::{ConsumerRecord, KeptCurrent};
use super::{ConsumerGroup, ConsumerMember, Partitions, Standing};
use crate::boundary::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupResponse, Heard, Mark};
use crate::epoch::GroupEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::group::timers::GroupTimer;
use crate::group::{Client, Decided, GroupRecord, Groups, Moment};
use crate::ids::RequestId;
use crate::limits::{GROUP_PATTERNS_MAX, RECONCILING_HEARTBEAT_MEMBER_MS, RECONCILING_HEARTBEAT_MS};
use crate::time::Monotonic;

impl Groups {
    /// A member of a group of the consumer protocol is heard of.
    pub fn consumer_heartbeat(
        &mut self,
        id: RequestId,
        asked: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        moment: &mut Moment<'_>,
    ) -> Decided {
        let mut decided = Decided::default();
        let result = self.try_consumer_heartbeat(asked, client, moment, &mut decided);
        let answer = ConsumerGroupHeartbeatResponse { result };
        decided.answers.push((id, GroupResponse::ConsumerGroupHeartbeat(answer)));
        decided
    }

    fn try_consumer_heartbeat(
        &mut self,
        asked: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        moment: &mut Moment<'_>,
        decided: &mut Decided,
    ) -> Result<Heard, ApiError> {
        asked.check(&moment.bounds.consumer)?;
        if asked.member_epoch < 0 {
            return self.leave_consumer(asked, moment, decided);
        }
        self.check_pattern(asked)?;
        if asked.member_id.is_empty() {
            let asked = ConsumerGroupHeartbeatRequest { member_id: moment.random.uuid().to_string(), ..asked.clone() };
            return self.hear_consumer(&asked, client, moment, decided);
        }
        self.hear_consumer(asked, client, moment, decided)
    }

    /// An expression that the group knows is sound.
    fn check_pattern(&self, asked: &ConsumerGroupHeartbeatRequest) -> Result<(), ApiError> {
        let Some(text) = asked.pattern.as_ref().filter(|text| !text.is_empty()) else { return Ok(()) };
        let group = self.consumer(&asked.group);
        if group.is_some_and(|group| group.patterns.contains_key(text)) {
            return Ok(());
        }
        if group.is_some_and(|group| group.patterns.len() >= GROUP_PATTERNS_MAX) {
            return Err(ApiError::new(ErrorCode::InvalidRequest, "The group has too many regular expressions."));
        }
        let refuse = |reason| {
            let message = format!("SubscribedTopicRegex `{text}` is not a valid regular expression: {reason}.");
            ApiError::new(ErrorCode::InvalidRegularExpression, message)
        };
        Pattern::parse(text).map(|_| ()).map_err(refuse)
    }

    fn hear_consumer(
        &mut self,
        asked: &ConsumerGroupHeartbeatRequest,
        client: &Client,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) -> Result<Heard, ApiError> {
        let (name, id) = (&asked.group, &asked.member_id);
        self.open_consumer(asked, moment, decided)?;
        let owned = asked.owned_partitions();
        let blank = ConsumerGroup::default();
        let group = self.consumer(name).unwrap_or(&blank);
        let former = group.check_member(asked, owned.as_ref())?;
        // Nobody is left who would know the other protocol.
        if self.groups.get(name).is_some_and(|group| group.classic.protocol_type.is_some()) {
            self.keep(GroupRecord::Classic { group: name.clone(), kept: None }, decided);
        }
        if let Some(former) = former {
            self.succeed_consumer(name, &former, id, decided);
        }
        let before = self.consumer(name).and_then(|group| group.members.get(id)).cloned().unwrap_or_default();
        let said = asked.said(&before.said, &client.id, &client.host);
        self.take_on(name, id, &before, said, moment, decided);
        self.deadlines.cancel(&GroupTimer::Rejoining { group: name.clone(), member: id.clone() });
        self.deadlines.cancel(&GroupTimer::Resyncing { group: name.clone(), member: id.clone() });
        self.reconcile_consumer(name, id, owned.as_ref(), moment, decided);
        self.heard(name, id, moment);
        let Some((group, member)) = self.consumer(name).and_then(|group| Some((group, group.members.get(id)?))) else {
            return Err(ErrorCode::UnknownMemberId.into());
        };
        let is_news = asked.is_full() || !member.current.assigned.keys().eq(before.current.assigned.keys());
        Ok(Heard {
            member_id: id.clone(),
            member_epoch: member.current.epoch.0,
            heartbeat_interval_ms: group.heartbeat_interval_ms(member.has_come_to(group.epoch), moment),
            assignment: is_news.then(|| member.current.assigned.keys().copied().collect::<Partitions>()),
        })
    }

    /// Sees that there is a group of this protocol to be heard in, or may be one.
    fn open_consumer(&mut self, asked: &ConsumerGroupHeartbeatRequest, moment: &Moment<'_>, decided: &mut Decided) -> Result<(), ApiError> {
        let name = &asked.group;
        let (joins, bounds) = (asked.member_epoch == GroupEpoch::NONE.0, &moment.bounds.consumer);
        let full = || {
            let message = format!("The consumer group has reached its maximum capacity of {} members.", bounds.members_max);
            ApiError::new(ErrorCode::GroupMaxSizeReached, message)
        };
        match self.groups.get(name) {
            None if joins => Ok(()),
            None => Err(self.is_no("consumer", name)),
            Some(group) => match &group.consumer {
                Some(consumer) => {
                    let is_known = |instance: &String| consumer.instances.contains_key(instance);
                    let is_in = consumer.members.contains_key(&asked.member_id) || asked.instance_id.as_ref().is_some_and(is_known);
                    if consumer.members.len() >= bounds.members_max && !is_in { Err(full()) } else { Ok(()) }
                }
                None if joins && group.classic.is_empty() => Ok(()),
                None if joins && group.classic.may_upgrade(bounds) => {
                    if group.classic.members.len() >= bounds.members_max {
                        return Err(full());
                    }
                    self.upgrade(name, moment, decided);
                    Ok(())
                }
                None => Err(self.is_no("consumer", name)),
            },
        }
    }

    /// A static member takes the place of the one that bore its name, and has what that one had.
    pub(super) fn succeed_consumer(&mut self, name: &str, former: &str, id: &str, decided: &mut Decided) {
        self.forget_timers(name, former);
        let Some(held) = self.consumer(name).and_then(|group| group.members.get(former)).cloned() else { return };
        decided.marks.push(Mark::StaticMemberSucceeded);
        self.drop_member(name, former, decided);
        let current = KeptCurrent { epoch: GroupEpoch::NONE, previous_epoch: GroupEpoch::NONE, ..held.current };
        let facts = [
            ConsumerRecord::Member(id.to_owned(), Some(held.said)),
            ConsumerRecord::Target(id.to_owned(), Some(held.target)),
            ConsumerRecord::Current(id.to_owned(), Some(current)),
        ];
        facts.into_iter().for_each(|fact| self.keep_fact(name, fact, decided));
    }

    /// Takes a member a step on. It has only so long to give up what it is told to.
    pub(super) fn reconcile_consumer(&mut self, name: &str, id: &str, owned: Option<&Partitions>, moment: &Moment<'_>, decided: &mut Decided) {
        let Some((group, member)) = self.consumer(name).and_then(|group| Some((group, group.members.get(id)?))) else { return };
        let is_free = |partition: &_| group.owners.get(partition).is_none_or(|owner| owner == id);
        let next = reconcile::next(member, group.assignment_epoch, owned, is_free);
        if next == member.current {
            return;
        }
        let (is_classic, patience) = (member.is_classic(), member.patience());
        let is_unrevoked = next.standing == Standing::Unrevoked;
        match next.standing {
            Standing::Unrevoked => decided.marks.push(Mark::MemberUnrevoked),
            Standing::Unreleased => decided.marks.push(Mark::MemberUnreleased),
            Standing::Stable | Standing::Unknown => {}
        }
        self.keep_fact(name, ConsumerRecord::Current(id.to_owned(), Some(next)), decided);
        let timer = GroupTimer::Revocation { group: name.to_owned(), member: id.to_owned() };
        if is_unrevoked && !is_classic {
            self.deadlines.set(timer, moment.now.monotonic.after(patience));
        } else {
            self.deadlines.cancel(&timer);
        }
    }
}

impl Groups {
    /// All members may be silent for a session from here on, and take as long again to give up what they are to.
    pub(in crate::group) fn watch_consumers(&mut self, name: &str, moment: &Moment<'_>) {
        let Some(group) = self.consumer(name) else { return };
        let is_unrevoked = |member: &ConsumerMember| member.current.standing == Standing::Unrevoked && !member.is_classic();
        let members: Vec<_> = group.members.iter().map(|(id, member)| (id.clone(), is_unrevoked(member), member.patience())).collect();
        for (id, is_unrevoked, patience) in members {
            self.heard(name, &id, moment);
            if is_unrevoked {
                let timer = GroupTimer::Revocation { group: name.to_owned(), member: id };
                self.deadlines.set(timer, moment.now.monotonic.after(patience));
            }
        }
    }
}

impl ConsumerGroup {
    /// When a member is to be heard of again: often, while it or others may soon be told something, so that they need not wait long for each
    /// other.
    fn heartbeat_interval_ms(&self, is_settled: bool, moment: &Moment<'_>) -> i32 {
        let usual = moment.bounds.consumer.heartbeat_ms;
        let is_quiet = is_settled && moment.now.monotonic >= self.settles_until;
        let members = i64::try_from(self.members.len()).unwrap_or(i64::MAX);
        let often = members.saturating_mul(RECONCILING_HEARTBEAT_MEMBER_MS).max(RECONCILING_HEARTBEAT_MS).min(usual);
        i32::try_from(if is_quiet { usual } else { often }).unwrap_or(i32::MAX)
    }

    /// Nothing that is not kept is known: it looks at topics when a member is next heard of.
    pub(in crate::group) fn loaded(&mut self) {
        self.is_stale = true;
        (self.settles_until, self.assigns_from) = (Monotonic(0), Monotonic(0));
        let owned = self.members.iter().flat_map(|(id, member)| {
            let current = &member.current;
            current.assigned.keys().chain(current.revoking.keys()).map(move |partition| (*partition, id.clone()))
        });
        self.owners = owned.collect();
    }
}
