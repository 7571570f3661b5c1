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
use crate::ids::{RequestId, TopicPartition};
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

    /// An expression that the group knows is sound. Those count that others subscribe by: what nobody does by is about to go.
    fn check_pattern(&self, asked: &ConsumerGroupHeartbeatRequest) -> Result<(), ApiError> {
        let Some(text) = asked.pattern.as_ref().filter(|text| !text.is_empty()) else { return Ok(()) };
        if let Some(group) = self.consumer(&asked.group) {
            let interest = &group.interest;
            let own = group.members.get(&asked.member_id).and_then(|member| member.said.pattern.as_ref());
            let is_own_alone = own.is_some_and(|own| interest.users(own) == 1);
            let used = interest.patterns().len() - usize::from(is_own_alone);
            if used >= GROUP_PATTERNS_MAX && interest.users(text) == 0 {
                return Err(ApiError::new(ErrorCode::InvalidRequest, "The group has too many regular expressions."));
            }
            if group.patterns.contains_key(text) {
                return Ok(());
            }
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
        self.see_what_it_knows(name, id, owned.as_ref());
        let Some((group, member)) = self.consumer(name).and_then(|group| Some((group, group.members.get(id)?))) else {
            return Err(ErrorCode::UnknownMemberId.into());
        };
        // librdkafka gives up on an answer after the interval that it was told, and does not ask anew for what that one said.
        let is_news = asked.is_full() || !group.knowing.contains(id);
        Ok(Heard {
            member_id: id.clone(),
            member_epoch: member.current.epoch.0,
            heartbeat_interval_ms: group.heartbeat_interval_ms(
                member.has_come_to(group.epoch),
                moment.consumer_bounds(name).heartbeat_ms(),
                moment,
            ),
            assignment: is_news.then(|| member.current.assigned.keys().copied().collect::<Partitions>()),
        })
    }

    fn see_what_it_knows(&mut self, name: &str, id: &str, owned: Option<&Partitions>) {
        let Some(group) = self.consumer_mut(name) else { return };
        let Some(member) = group.members.get(id) else { return };
        let Some(owned) = owned else { return };
        if owned.iter().eq(member.current.assigned.keys()) {
            group.knowing.insert(id.to_owned());
        } else {
            group.knowing.remove(id);
        }
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
                Some(consumer) if joins && consumer.members.is_empty() && consumer.check_epoch_left().is_err() => {
                    self.drop_consumer(name, decided);
                    Ok(())
                }
                Some(consumer) => {
                    consumer.check_epoch_left()?;
                    let is_known = |instance: &String| consumer.bearer(instance).is_some();
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
        let name_of = |partition: &TopicPartition| moment.image.topics.get(&partition.topic).map(|topic| &topic.name);
        let is_wanted = |partition: &TopicPartition| name_of(partition).is_some_and(|topic| group.subscribes(member, topic));
        let goal = reconcile::Goal { epoch: group.assignment_epoch, is_outdated: group.epoch > group.assignment_epoch };
        let next = reconcile::next(member, goal, owned, is_free, is_wanted);
        let (is_news, patience) = (next != member.current, member.patience());
        // One of the classic protocol has another timer for that.
        let is_timed = next.standing == Standing::Unrevoked && !member.is_classic();
        let timer = GroupTimer::Revocation { group: name.to_owned(), member: id.to_owned() };
        if !is_timed {
            self.deadlines.cancel(&timer);
        } else if is_news || !self.deadlines.is_set(&timer) {
            self.deadlines.set(timer, moment.now.monotonic.after(patience));
        }
        if is_news {
            match next.standing {
                Standing::Unrevoked => decided.marks.push(Mark::MemberUnrevoked),
                Standing::Unreleased => decided.marks.push(Mark::MemberUnreleased),
                Standing::Stable | Standing::Unknown => {}
            }
            self.keep_fact(name, ConsumerRecord::Current(id.to_owned(), Some(next)), decided);
        }
    }
}

impl Groups {
    /// All members may be silent for a session from here on, and take as long again to do what they were told to.
    pub(in crate::group) fn watch_consumers(&mut self, name: &str, moment: &Moment<'_>) {
        let Some(group) = self.consumer(name) else { return };
        let is_unrevoked = |member: &ConsumerMember| member.current.standing == Standing::Unrevoked && !member.is_classic();
        let members: Vec<_> = group.members.iter().map(|(id, member)| (id.clone(), is_unrevoked(member), member.patience())).collect();
        for (id, is_unrevoked, patience) in members {
            self.heard(name, &id, moment);
            let (group, member, ends) = (name.to_owned(), id, moment.now.monotonic.after(patience));
            if is_unrevoked {
                self.deadlines.set(GroupTimer::Revocation { group: group.clone(), member: member.clone() }, ends);
            }
            let rejoining = GroupTimer::Rejoining { group: group.clone(), member: member.clone() };
            for timer in [rejoining, GroupTimer::Resyncing { group, member }] {
                if self.deadlines.is_set(&timer) {
                    self.deadlines.set(timer, ends);
                }
            }
        }
    }
}

impl ConsumerGroup {
    /// When a member is to be heard of again: often, while it or others may soon be told something, so that they need not wait long for each
    /// other.
    fn heartbeat_interval_ms(&self, is_settled: bool, usual: i64, moment: &Moment<'_>) -> i32 {
        let is_quiet = is_settled && moment.now.monotonic >= self.settles_until;
        let members = i64::try_from(self.members.len()).unwrap_or(i64::MAX);
        let often = members.saturating_mul(RECONCILING_HEARTBEAT_MEMBER_MS).max(RECONCILING_HEARTBEAT_MS).min(usual);
        i32::try_from(if is_quiet { usual } else { often }).unwrap_or(i32::MAX)
    }

    /// Nothing that is not kept is known: it looks at topics when a member is next heard of.
    pub(in crate::group) fn loaded(&mut self) {
        self.is_stale = true;
        (self.settles_until, self.assigns_from) = (Monotonic(0), Monotonic(0));
        self.knowing.clear();
        let owned = self.members.iter().flat_map(|(id, member)| {
            let current = &member.current;
            current.assigned.keys().chain(current.revoking.keys()).map(move |partition| (*partition, id.clone()))
        });
        self.owners = owned.collect();
    }
}
