//! JoinGroup: who comes, and when those who are there have all come again.

use bytes::Bytes;

use super::classic::{ClassicGroup, Gathering, Member, Phase};
use super::record::GroupRecord;
use super::timers::GroupTimer;
use super::{Client, Decided, Groups, Moment};
use crate::boundary::{GroupResponse, JoinGroupRequest, JoinGroupResponse, SyncGroupResponse};
use crate::error::ErrorCode;
use crate::ids::RequestId;
use crate::limits::{
    INVITED_MAX, MEMBER_BYTES_MAX, MEMBER_ID_PREFIX_BYTES_MAX, MEMBER_PROTOCOLS_MAX, NEW_MEMBER_JOIN_MS_MAX, REBALANCE_MS_MIN,
};
use crate::time::Wait;

impl Groups {
    /// Somebody joins. It is answered when its group has a new generation, or at once.
    pub fn join(&mut self, id: RequestId, asked: &JoinGroupRequest, client: &Client, moment: &mut Moment<'_>) -> Decided {
        let mut decided = Decided::default();
        let named = asked.member_id.clone();
        match self.try_join(id, asked, client, moment, &mut decided) {
            Ok(()) => {}
            Err(Refusal { error, member_id }) => decided.refuse_join(id, error, member_id.unwrap_or(named)),
        }
        self.forget_blank(&asked.group);
        decided
    }

    fn try_join(
        &mut self,
        id: RequestId,
        asked: &JoinGroupRequest,
        client: &Client,
        moment: &mut Moment<'_>,
        decided: &mut Decided,
    ) -> Result<(), Refusal> {
        let bounds = moment.bounds;
        if asked.group.is_empty() {
            return Err(ErrorCode::InvalidGroupId.into());
        }
        if !(bounds.session_ms_min..=bounds.session_ms_max).contains(&asked.session_timeout_ms.into()) {
            return Err(ErrorCode::InvalidSessionTimeout.into());
        }
        let is_unknown = asked.member_id.is_empty();
        if !is_unknown && !self.groups.contains_key(&asked.group) {
            return Err(ErrorCode::UnknownMemberId.into());
        }
        if self.consumer(&asked.group).is_some_and(|group| is_unknown && group.members().next().is_none()) {
            check_sizes(asked)?;
            if !ClassicGroup::default().takes(&asked.protocol_type, &asked.protocols) {
                return Err(ErrorCode::InconsistentGroupProtocol.into());
            }
            // Nobody is left who would know the other protocol.
            self.drop_consumer(&asked.group, decided);
        }
        if self.consumer(&asked.group).is_some() {
            check_sizes(asked)?;
            return self.join_consumer(id, asked, client, moment, decided);
        }
        let group = &mut self.groups.entry(asked.group.clone()).or_default().classic;
        if !has_room(group, &asked.member_id, bounds.members_max) {
            group.invited.remove(&asked.member_id);
            return Err(ErrorCode::GroupMaxSizeReached.into());
        }
        check_sizes(asked)?;
        if !group.takes(&asked.protocol_type, &asked.protocols) {
            return Err(ErrorCode::InconsistentGroupProtocol.into());
        }
        match (&asked.instance_id, is_unknown) {
            (Some(instance), true) => {
                let member_id = member_id(instance, moment);
                match group.instances.get(instance).cloned() {
                    Some(former) => self.succeed(id, asked, client, &former, member_id, moment, decided),
                    None => self.enter(id, asked, client, member_id, moment, decided),
                }
                Ok(())
            }
            (None, true) => {
                let member_id = member_id(&client.id, moment);
                if asked.needs_member_id && group.invited.len() >= INVITED_MAX {
                    return Err(ErrorCode::GroupMaxSizeReached.into());
                }
                if asked.needs_member_id {
                    group.invited.insert(member_id.clone());
                    let patience = Wait::from_ms(asked.session_timeout_ms.into());
                    let timer = GroupTimer::Invitation { group: asked.group.clone(), member: member_id.clone() };
                    self.deadlines.set(timer, moment.now.monotonic.after(patience));
                    return Err(Refusal { error: ErrorCode::MemberIdRequired, member_id: Some(member_id) });
                }
                self.enter(id, asked, client, member_id, moment, decided);
                Ok(())
            }
            (None, false) if group.invited.contains(&asked.member_id) => {
                self.enter(id, asked, client, asked.member_id.clone(), moment, decided);
                Ok(())
            }
            (Some(_) | None, false) => self.come_again(id, asked, client, moment, decided),
        }
    }

    /// A member that is none yet.
    fn enter(
        &mut self,
        id: RequestId,
        asked: &JoinGroupRequest,
        client: &Client,
        member_id: String,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) {
        self.deadlines.cancel(&GroupTimer::Invitation { group: asked.group.clone(), member: member_id.clone() });
        let Some(group) = self.groups.get_mut(&asked.group) else { return };
        let member = Member {
            instance_id: asked.instance_id.clone(),
            client_id: client.id.clone(),
            client_host: client.host.clone(),
            rebalance_timeout_ms: asked.rebalance_timeout_ms,
            session_timeout_ms: asked.session_timeout_ms,
            protocols: asked.protocols.clone(),
            assignment: Bytes::new(),
            joining: Some(id),
            syncing: None,
            is_new: true,
        };
        group.classic.add(&member_id, member, &asked.protocol_type);
        // A rebalance may never come to an end: whoever has never been in a generation does not wait for ever.
        let patience = Wait::from_ms(NEW_MEMBER_JOIN_MS_MAX);
        self.deadlines.set(GroupTimer::Session { group: asked.group.clone(), member: member_id }, moment.now.monotonic.after(patience));
        self.rebalance(&asked.group, moment, decided);
    }

    /// A member that the group knows.
    fn come_again(
        &mut self,
        id: RequestId,
        asked: &JoinGroupRequest,
        client: &Client,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) -> Result<(), Refusal> {
        let Some(group) = self.groups.get_mut(&asked.group) else { return Err(ErrorCode::UnknownMemberId.into()) };
        let group = &mut group.classic;
        group.check_member(&asked.member_id, asked.instance_id.as_ref())?;
        let leads = group.leader.as_ref() == Some(&asked.member_id);
        let is_as_before = group.members.get(&asked.member_id).is_some_and(|member| member.protocols == asked.protocols);
        let may_stay = match group.phase {
            Phase::Empty => return Err(ErrorCode::UnknownMemberId.into()),
            Phase::PreparingRebalance { .. } => false,
            // Its answer was lost.
            Phase::CompletingRebalance => is_as_before,
            // The leader may know of something that the others' subscriptions do not show.
            Phase::Stable => is_as_before && !leads,
        };
        if may_stay {
            let joined = JoinGroupResponse { result: Ok(group.joined(&asked.member_id, false)), member_id: asked.member_id.clone() };
            decided.answers.push((id, GroupResponse::JoinGroup(joined)));
            return Ok(());
        }
        self.renew(id, asked, client, &asked.member_id, decided);
        self.rebalance(&asked.group, moment, decided);
        Ok(())
    }

    /// A static member takes the place of the one that bore its name, which is fenced.
    #[expect(clippy::too_many_arguments, reason = "they are what a decision is made by")]
    fn succeed(
        &mut self,
        id: RequestId,
        asked: &JoinGroupRequest,
        client: &Client,
        former: &str,
        member_id: String,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) {
        self.deadlines.cancel(&GroupTimer::Session { group: asked.group.clone(), member: former.to_owned() });
        let Some(group) = self.groups.get_mut(&asked.group) else { return };
        let group = &mut group.classic;
        let leads = group.leader.as_deref() == Some(former);
        let is_unsynced = group.unsynced.contains(former);
        let Some(mut member) = group.members.remove(former) else { return };
        if let Some(waiting) = member.joining.take() {
            decided.refuse_join(waiting, ErrorCode::FencedInstanceId, former.to_owned());
        }
        if let Some(waiting) = member.syncing.take() {
            decided.refuse_sync(waiting, ErrorCode::FencedInstanceId);
        }
        if let Some(instance) = &member.instance_id {
            group.instances.insert(instance.clone(), member_id.clone());
        }
        if leads {
            group.leader = Some(member_id.clone());
        }
        group.unsynced.remove(former);
        if is_unsynced {
            group.unsynced.insert(member_id.clone());
        }
        let said = member.subscription(group.protocol.as_deref());
        group.members.insert(member_id.clone(), member);
        self.renew(id, asked, client, &member_id, decided);
        let Some(group) = self.groups.get_mut(&asked.group) else { return };
        let group = &mut group.classic;
        let says = group.members.get(&member_id).map(|member| member.subscription(group.protocol.as_deref()));
        // It gets what its predecessor had, if nothing has changed but its id.
        if group.phase == Phase::Stable && group.agreed() == group.protocol && says.as_ref() == Some(&said) {
            if let Some(member) = group.members.get_mut(&member_id) {
                member.joining = None;
            }
            let mut joined = group.joined(&member_id, asked.may_skip_assignment);
            if !asked.may_skip_assignment && leads {
                // It would assign to others what it does not know to have changed: it is told that another leads.
                (joined.leader, joined.members) = (former.to_owned(), Vec::new());
            }
            let record = GroupRecord::Classic { group: asked.group.clone(), kept: Some(group.to_keep()) };
            decided.records.push(record);
            let answer = JoinGroupResponse { result: Ok(joined), member_id: member_id.clone() };
            decided.answers.push((id, GroupResponse::JoinGroup(answer)));
            self.heard(&asked.group, &member_id, moment);
        } else {
            self.rebalance(&asked.group, moment, decided);
        }
    }

    /// A member says anew what it can do, and waits.
    fn renew(&mut self, id: RequestId, asked: &JoinGroupRequest, client: &Client, member_id: &str, decided: &mut Decided) {
        let Some(group) = self.groups.get_mut(&asked.group) else { return };
        let Some(member) = group.classic.members.get_mut(member_id) else { return };
        if let Some(former) = member.joining.replace(id) {
            decided.refuse_join(former, ErrorCode::UnknownMemberId, member_id.to_owned());
        }
        member.protocols.clone_from(&asked.protocols);
        (member.rebalance_timeout_ms, member.session_timeout_ms) = (asked.rebalance_timeout_ms, asked.session_timeout_ms);
        (member.client_id, member.client_host) = (client.id.clone(), client.host.clone());
        if !member.is_new {
            self.deadlines.cancel(&GroupTimer::Session { group: asked.group.clone(), member: member_id.to_owned() });
        }
    }

    /// Members are to join anew, if they are not about to.
    pub(super) fn rebalance(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let group = &mut group.classic;
        let joining = GroupTimer::Joining(name.to_owned());
        match group.phase {
            Phase::PreparingRebalance { .. } => {}
            Phase::Empty => {
                let delay = moment.bounds.initial_delay;
                let remaining = Wait(group.patience().0.saturating_sub(delay.0));
                group.phase = Phase::PreparingRebalance { gathering: Some(Gathering { remaining, has_grown: false }) };
                self.deadlines.set(joining, moment.now.monotonic.after(delay));
            }
            Phase::CompletingRebalance | Phase::Stable => {
                let unassigned: Vec<String> = group.members.keys().filter(|_| group.phase == Phase::CompletingRebalance).cloned().collect();
                group.phase = Phase::PreparingRebalance { gathering: None };
                group.unsynced.clear();
                self.deadlines.set(joining, moment.now.monotonic.after(group.patience()));
                self.deadlines.cancel(&GroupTimer::Syncing(name.to_owned()));
                for member_id in unassigned {
                    self.fail_sync(name, &member_id, moment, decided);
                }
            }
        }
        self.complete_if_all_joined(name, moment, decided);
    }

    fn fail_sync(&mut self, name: &str, member_id: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let member = self.groups.get_mut(name).and_then(|group| group.classic.members.get_mut(member_id));
        let Some(member) = member else { return };
        member.assignment = Bytes::new();
        if let Some(waiting) = member.syncing.take() {
            decided.refuse_sync(waiting, ErrorCode::RebalanceInProgress);
            self.heard(name, member_id, moment);
        }
    }

    /// Begins the next generation as soon as everyone has come. A new group gathers for its time, whoever has come.
    pub(super) fn complete_if_all_joined(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.groups.get(name) else { return };
        if group.classic.phase == (Phase::PreparingRebalance { gathering: None }) && group.classic.has_all_joined() {
            self.complete_join(name, moment, decided);
        }
    }

    /// The time to join is up.
    pub(super) fn joining_ended(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let Phase::PreparingRebalance { gathering } = &mut group.classic.phase else { return };
        if let Some(gathering) = gathering
            && gathering.has_grown
            && gathering.remaining > Wait::default()
        {
            let delay = moment.bounds.initial_delay.min(gathering.remaining);
            *gathering = Gathering { remaining: Wait(gathering.remaining.0 - delay.0), has_grown: false };
            return self.deadlines.set(GroupTimer::Joining(name.to_owned()), moment.now.monotonic.after(delay));
        }
        self.complete_join(name, moment, decided);
    }

    /// Begins the next generation with those who have come. Static members stay, who are only away.
    fn complete_join(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let group = &mut group.classic;
        let is_gone = |member: &Member| member.joining.is_none() && member.instance_id.is_none();
        let gone: Vec<String> = group.members.iter().filter(|(_, member)| is_gone(member)).map(|(id, _)| id.clone()).collect();
        for member_id in gone {
            group.remove(&member_id);
            self.deadlines.cancel(&GroupTimer::Session { group: name.to_owned(), member: member_id });
        }
        let joining = GroupTimer::Joining(name.to_owned());
        if !group.members.is_empty() && !group.elect_joined() {
            let patience = group.patience().max(Wait::from_ms(REBALANCE_MS_MIN));
            return self.deadlines.set(joining, moment.now.monotonic.after(patience));
        }
        self.deadlines.cancel(&joining);
        group.generation = group.generation.checked_add(1).unwrap_or(1);
        group.protocol = group.agreed();
        if group.members.is_empty() {
            group.phase = Phase::Empty;
            (group.leader, group.since) = (None, moment.now.wall);
            decided.records.push(GroupRecord::Classic { group: name.to_owned(), kept: Some(group.to_keep()) });
            return;
        }
        group.phase = Phase::CompletingRebalance;
        group.unsynced = group.members.keys().cloned().collect();
        self.deadlines.set(GroupTimer::Syncing(name.to_owned()), moment.now.monotonic.after(group.patience()));
        let members: Vec<String> = group.members.keys().cloned().collect();
        for member_id in &members {
            let joined = group.joined(member_id, false);
            let Some(member) = group.members.get_mut(member_id) else { continue };
            member.is_new = false;
            if let Some(waiting) = member.joining.take() {
                let answer = JoinGroupResponse { result: Ok(joined), member_id: member_id.clone() };
                decided.answers.push((waiting, GroupResponse::JoinGroup(answer)));
            }
        }
        for member_id in members {
            self.heard(name, &member_id, moment);
        }
    }
}

/// Why somebody may not join, and the id that it is told.
pub(super) struct Refusal {
    pub(super) error: ErrorCode,
    pub(super) member_id: Option<String>,
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Self {
        Self { error, member_id: None }
    }
}

impl Decided {
    pub(super) fn refuse_join(&mut self, id: RequestId, error: ErrorCode, member_id: String) {
        self.answers.push((id, GroupResponse::JoinGroup(JoinGroupResponse { result: Err(error), member_id })));
    }

    pub(super) fn refuse_sync(&mut self, id: RequestId, error: ErrorCode) {
        self.answers.push((id, GroupResponse::SyncGroup(SyncGroupResponse { result: Err(error) })));
    }
}

fn check_sizes(asked: &JoinGroupRequest) -> Result<(), ErrorCode> {
    let bytes: usize = asked.protocols.iter().map(|(name, subscription)| name.len() + subscription.len()).sum();
    let is_much = asked.protocols.len() > MEMBER_PROTOCOLS_MAX || bytes > MEMBER_BYTES_MAX;
    if is_much { Err(ErrorCode::InconsistentGroupProtocol) } else { Ok(()) }
}

/// A new id, which begins with whose it is. A record holds no more of that.
pub(super) fn member_id(of: &str, moment: &mut Moment<'_>) -> String {
    let shown = of.get(..of.floor_char_boundary(MEMBER_ID_PREFIX_BYTES_MAX)).unwrap_or_default();
    format!("{shown}-{}", moment.random.uuid())
}

/// Whether a member has room in its group: one that is in it, or is on its way back into it, has.
fn has_room(group: &ClassicGroup, member_id: &str, members_max: usize) -> bool {
    let is_in = match group.phase {
        Phase::Empty => return true,
        Phase::PreparingRebalance { .. } => group.members.get(member_id).is_some_and(|member| member.joining.is_some()),
        Phase::CompletingRebalance | Phase::Stable => group.members.contains_key(member_id),
    };
    let joined = match group.phase {
        Phase::PreparingRebalance { .. } => group.members.values().filter(|member| member.joining.is_some()).count(),
        Phase::Empty | Phase::CompletingRebalance | Phase::Stable => group.members.len(),
    };
    is_in || joined < members_max
}
