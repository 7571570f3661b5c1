//! SyncGroup, Heartbeat and LeaveGroup: what members get, that they live, and how they go.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::classic::Phase;
use super::record::GroupRecord;
use super::timers::GroupTimer;
use super::{Decided, Groups, Moment};
use crate::boundary::{
    GroupResponse, HeartbeatRequest, HeartbeatResponse, LeaveGroupRequest, LeaveGroupResponse, Leaver, Membership, SyncGroupRequest,
    SyncGroupResponse,
};
use crate::error::ErrorCode;
use crate::ids::RequestId;
use crate::limits::GROUP_BYTES_MAX;
use crate::time::Wait;

impl Groups {
    /// A member asks what it gets, and the leader says it. It is answered once the leader has.
    pub fn sync(&mut self, id: RequestId, asked: &SyncGroupRequest, moment: &Moment<'_>) -> Decided {
        let mut decided = Decided::default();
        if let Err(error) = self.try_sync(id, asked, moment, &mut decided) {
            decided.refuse_sync(id, error);
        }
        decided
    }

    fn try_sync(&mut self, id: RequestId, asked: &SyncGroupRequest, moment: &Moment<'_>, decided: &mut Decided) -> Result<(), ErrorCode> {
        let Membership { group: name, generation, member_id, instance_id } = &asked.member;
        if name.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if self.consumer(name).is_some() {
            let answer = SyncGroupResponse { result: Ok(self.sync_consumer(asked, moment)?) };
            decided.answers.push((id, GroupResponse::SyncGroup(answer)));
            return Ok(());
        }
        let group = &mut self.groups.get_mut(name).ok_or(ErrorCode::UnknownMemberId)?.classic;
        group.check_generation(member_id, instance_id.as_ref(), *generation)?;
        let differs = |said: &Option<String>, held: &Option<String>| said.is_some() && said != held;
        if differs(&asked.protocol_type, &group.protocol_type) || differs(&asked.protocol, &group.protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match group.phase {
            Phase::Empty => return Err(ErrorCode::UnknownMemberId),
            Phase::PreparingRebalance { .. } => return Err(ErrorCode::RebalanceInProgress),
            Phase::Stable => {
                group.unsynced.remove(member_id);
                if let Some(member) = group.members.get(member_id) {
                    let answer = SyncGroupResponse { result: Ok(group.synced(member)) };
                    decided.answers.push((id, GroupResponse::SyncGroup(answer)));
                }
                self.watch_sync(name);
                self.heard(name, member_id, moment);
            }
            Phase::CompletingRebalance => {
                group.unsynced.remove(member_id);
                if let Some(former) = group.members.get_mut(member_id).and_then(|member| member.syncing.replace(id)) {
                    decided.refuse_sync(former, ErrorCode::UnknownMemberId);
                }
                // It has said all that it can: the leader is waited for, and that by another clock.
                self.deadlines.cancel(&GroupTimer::Session { group: name.clone(), member: member_id.clone() });
                if group.leader.as_ref() == Some(member_id) {
                    return self.assign(asked, moment, decided);
                }
            }
        }
        Ok(())
    }

    /// The leader has assigned: that is what the group keeps.
    fn assign(&mut self, asked: &SyncGroupRequest, moment: &Moment<'_>, decided: &mut Decided) -> Result<(), ErrorCode> {
        let name = &asked.member.group;
        let Some(group) = self.groups.get_mut(name) else { return Err(ErrorCode::UnknownMemberId) };
        let group = &mut group.classic;
        let given: BTreeMap<&String, &Bytes> = asked.assignments.iter().map(|(member_id, assignment)| (member_id, assignment)).collect();
        let assigned: usize = given.values().map(|assignment| assignment.len()).sum();
        if assigned + group.said_bytes() > GROUP_BYTES_MAX {
            // Kafka's, where the record is larger than its log takes. The others wait until the leader says less, or is out.
            if let Some(member) = group.members.get_mut(&asked.member.member_id) {
                member.syncing = None;
            }
            group.unsynced.insert(asked.member.member_id.clone());
            return Err(ErrorCode::UnknownServerError);
        }
        for (member_id, member) in &mut group.members {
            // Whom it does not name gets nothing.
            member.assignment = given.get(member_id).map(|assignment| Bytes::clone(assignment)).unwrap_or_default();
        }
        decided.tally.classic_rebalances += 1;
        group.phase = Phase::Stable;
        group.since = moment.now.wall;
        decided.records.push(GroupRecord::Classic { group: name.clone(), kept: Some(group.to_keep()) });
        let mut told = Vec::new();
        let ids: Vec<String> = group.members.keys().cloned().collect();
        for member_id in ids {
            let waiting = group.members.get_mut(&member_id).and_then(|member| member.syncing.take());
            if let (Some(waiting), Some(member)) = (waiting, group.members.get(&member_id)) {
                decided.answers.push((waiting, GroupResponse::SyncGroup(SyncGroupResponse { result: Ok(group.synced(member)) })));
                told.push(member_id);
            }
        }
        for member_id in told {
            self.heard(name, &member_id, moment);
        }
        self.watch_sync(name);
        Ok(())
    }

    /// Nobody is waited for any longer who has asked for what it gets.
    fn watch_sync(&mut self, name: &str) {
        if self.groups.get(name).is_some_and(|group| group.classic.unsynced.is_empty()) {
            self.deadlines.cancel(&GroupTimer::Syncing(name.to_owned()));
        }
    }

    /// A member lives.
    pub fn heartbeat(&mut self, id: RequestId, asked: &HeartbeatRequest, moment: &Moment<'_>) -> Decided {
        let error = self.try_heartbeat(&asked.member, moment).err();
        Decided { answers: vec![(id, GroupResponse::Heartbeat(HeartbeatResponse { error }))], ..Decided::default() }
    }

    fn try_heartbeat(&mut self, member: &Membership, moment: &Moment<'_>) -> Result<(), ErrorCode> {
        if member.group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if self.consumer(&member.group).is_some() {
            return self.heartbeat_consumer(member, moment);
        }
        let group = &self.groups.get(&member.group).ok_or(ErrorCode::UnknownMemberId)?.classic;
        group.check_generation(&member.member_id, member.instance_id.as_ref(), member.generation)?;
        let is_rebalancing = match group.phase {
            Phase::Empty => return Err(ErrorCode::UnknownMemberId),
            Phase::PreparingRebalance { .. } => true,
            Phase::CompletingRebalance | Phase::Stable => false,
        };
        self.heard(&member.group, &member.member_id, moment);
        if is_rebalancing { Err(ErrorCode::RebalanceInProgress) } else { Ok(()) }
    }

    /// Members leave.
    pub fn leave(&mut self, id: RequestId, asked: &LeaveGroupRequest, moment: &Moment<'_>) -> Decided {
        let mut decided = Decided::default();
        let result = if asked.group.is_empty() {
            Err(ErrorCode::InvalidGroupId)
        } else {
            let leave = |leaver: &Leaver| (leaver.clone(), self.try_leave(&asked.group, leaver, moment, &mut decided).err());
            Ok(asked.members.iter().map(leave).collect())
        };
        decided.answers.push((id, GroupResponse::LeaveGroup(LeaveGroupResponse { result })));
        decided
    }

    fn try_leave(&mut self, name: &str, leaver: &Leaver, moment: &Moment<'_>, decided: &mut Decided) -> Result<(), ErrorCode> {
        if self.consumer(name).is_some() {
            return self.leave_as_classic(name, leaver, moment, decided);
        }
        let group = &mut self.groups.get_mut(name).ok_or(ErrorCode::UnknownMemberId)?.classic;
        if group.invited.remove(&leaver.member_id) {
            self.deadlines.cancel(&GroupTimer::Invitation { group: name.to_owned(), member: leaver.member_id.clone() });
            self.complete_if_all_joined(name, moment, decided);
            self.forget_blank(name);
            return Ok(());
        }
        // An operator who removes a static member knows its name and not its id.
        let member_id = match &leaver.instance_id {
            Some(instance) if leaver.member_id.is_empty() => group.instances.get(instance).cloned().ok_or(ErrorCode::UnknownMemberId)?,
            Some(_) | None => leaver.member_id.clone(),
        };
        group.check_member(&member_id, leaver.instance_id.as_ref())?;
        self.remove_member(name, &member_id, moment, decided);
        Ok(())
    }

    /// A member is gone: those who are left share anew.
    pub(super) fn remove_member(&mut self, name: &str, member_id: &str, moment: &Moment<'_>, decided: &mut Decided) {
        self.deadlines.cancel(&GroupTimer::Session { group: name.to_owned(), member: member_id.to_owned() });
        let Some(member) = self.groups.get_mut(name).and_then(|group| group.classic.remove(member_id)) else { return };
        if let Some(waiting) = member.joining {
            decided.refuse_join(waiting, ErrorCode::UnknownMemberId, String::new());
        }
        if let Some(waiting) = member.syncing {
            decided.refuse_sync(waiting, ErrorCode::UnknownMemberId);
        }
        self.rebalance(name, moment, decided);
    }

    /// A member has been heard: it may be silent for a session from here on.
    pub(super) fn heard(&mut self, name: &str, member_id: &str, moment: &Moment<'_>) {
        let timer = GroupTimer::Session { group: name.to_owned(), member: member_id.to_owned() };
        if let Some(group) = self.consumer(name) {
            let Some(member) = group.members.get(member_id) else { return };
            return self.deadlines.set(timer, moment.now.monotonic.after(member.session(&moment.consumer_bounds(name))));
        }
        let Some(member) = self.groups.get(name).and_then(|group| group.classic.members.get(member_id)) else { return };
        if member.joining.is_some() || member.syncing.is_some() {
            return;
        }
        let patience = Wait::from_ms(member.session_timeout_ms.into());
        self.deadlines.set(timer, moment.now.monotonic.after(patience));
    }

    /// All members of a group may be silent for a session from here on.
    pub(super) fn watch_members(&mut self, name: &str, moment: &Moment<'_>) {
        if self.consumer(name).is_some() {
            return self.watch_consumers(name, moment);
        }
        let ids: Vec<String> = self.groups.get(name).map(|group| group.classic.members.keys().cloned().collect()).unwrap_or_default();
        for member_id in ids {
            self.heard(name, &member_id, moment);
        }
    }
}
