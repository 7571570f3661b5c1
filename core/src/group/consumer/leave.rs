//! How members of a group of the consumer protocol go: for good, or, static ones, for a while.

use super::record::{ConsumerRecord, KeptCurrent};
use super::validate::{fenced_instance, unknown_instance};
use super::{Assigned, Standing};
use crate::boundary::{ConsumerGroupHeartbeatRequest, Heard, Mark};
use crate::epoch::GroupEpoch;
use crate::error::ApiError;
use crate::group::timers::GroupTimer;
use crate::group::{Decided, Groups, Moment};

impl Groups {
    /// A member leaves.
    pub(super) fn leave_consumer(
        &mut self,
        asked: &ConsumerGroupHeartbeatRequest,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) -> Result<Heard, ApiError> {
        let (name, id) = (&asked.group, &asked.member_id);
        let group = self.consumer(name).ok_or_else(|| self.is_no("consumer", name))?;
        if let Some(instance) = &asked.instance_id {
            let held = group.instances.get(instance).ok_or_else(|| unknown_instance(instance))?;
            if held != id {
                return Err(fenced_instance(id, instance, held));
            }
        }
        let member = group.members.get(id).ok_or_else(|| group.unknown(name, id))?;
        if asked.member_epoch == GroupEpoch::AWAY.0 {
            // It has what it had until its session ends, and gives the rest up by going.
            let current = KeptCurrent {
                epoch: GroupEpoch::AWAY,
                standing: if member.current.standing == Standing::Unrevoked { Standing::Stable } else { member.current.standing },
                revoking: Assigned::new(),
                ..member.current.clone()
            };
            self.keep_fact(name, ConsumerRecord::Current(id.clone(), Some(current)), decided);
            self.deadlines.cancel(&GroupTimer::Revocation { group: name.clone(), member: id.clone() });
        } else {
            self.remove_consumer(name, id, moment, decided);
        }
        Ok(Heard { member_id: id.clone(), member_epoch: asked.member_epoch, heartbeat_interval_ms: 0, assignment: None })
    }

    /// A member is gone: those who are left share what it had.
    pub(in crate::group) fn remove_consumer(&mut self, name: &str, id: &str, moment: &Moment<'_>, decided: &mut Decided) {
        self.forget_timers(name, id);
        if self.consumer(name).is_none_or(|group| !group.members.contains_key(id)) {
            return;
        }
        self.drop_member(name, id, decided);
        self.bump_without(name, moment, decided);
        self.downgrade_if_due(name, moment, decided);
    }

    /// A member has not given up in time what it was told to.
    pub(in crate::group) fn revocation_ended(&mut self, name: &str, id: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let member = self.consumer(name).and_then(|group| group.members.get(id));
        if member.is_some_and(|member| member.current.standing == Standing::Unrevoked) {
            decided.marks.push(Mark::RevocationOverdue);
            self.remove_consumer(name, id, moment, decided);
        }
    }

    /// Takes back all that a member is.
    pub(super) fn drop_member(&mut self, name: &str, id: &str, decided: &mut Decided) {
        let facts = [
            ConsumerRecord::Current(id.to_owned(), None),
            ConsumerRecord::Target(id.to_owned(), None),
            ConsumerRecord::Member(id.to_owned(), None),
        ];
        facts.into_iter().for_each(|fact| self.keep_fact(name, fact, decided));
    }

    /// Takes back all that a group is.
    pub(in crate::group) fn drop_consumer(&mut self, name: &str, decided: &mut Decided) {
        let Some(group) = self.consumer(name) else { return };
        let (members, patterns): (Vec<_>, Vec<_>) = (group.members.keys().cloned().collect(), group.patterns.keys().cloned().collect());
        for id in members {
            self.forget_timers(name, &id);
            self.drop_member(name, &id, decided);
        }
        for pattern in patterns {
            self.keep_fact(name, ConsumerRecord::Pattern(pattern, None), decided);
        }
        self.keep_fact(name, ConsumerRecord::TargetEpoch(None), decided);
        self.keep_fact(name, ConsumerRecord::Group(None), decided);
    }

    pub(super) fn forget_timers(&mut self, name: &str, id: &str) {
        let (group, member) = (name.to_owned(), id.to_owned());
        self.deadlines.cancel(&GroupTimer::Session { group: group.clone(), member: member.clone() });
        self.deadlines.cancel(&GroupTimer::Revocation { group: group.clone(), member: member.clone() });
        self.deadlines.cancel(&GroupTimer::Rejoining { group: group.clone(), member: member.clone() });
        self.deadlines.cancel(&GroupTimer::Resyncing { group, member });
    }
}
