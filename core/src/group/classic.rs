//! A group of the classic protocol: who is in it, what they have agreed on, and who waits for what.
//!
//! | phase | what it waits for | goes to |
//! | --- | --- | --- |
//! | `Empty` | a member | `PreparingRebalance`, when one joins |
//! | `PreparingRebalance` | all members to join anew, or for as long as the most patient of them allows | `CompletingRebalance`, with a new generation; `Empty`, without members |
//! | `CompletingRebalance` | the leader to say who gets what | `Stable`; back, when a member joins, leaves or is silent |
//! | `Stable` | nothing | `PreparingRebalance`, for the same reasons |
//!
//! A generation is decided when the leader has assigned, or the last member is gone: only that is kept. Who joins or waits to be assigned to is
//! forgotten with the coordinator, and asks its successor.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::{KeptGroup, KeptMember};
use crate::boundary::{Joined, JoinedMember, Synced};
use crate::error::ErrorCode;
use crate::ids::RequestId;
use crate::time::{Timestamp, Wait};

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassicGroup {
    /// What its members are; none if it never had any.
    pub(super) protocol_type: Option<String>,
    pub(super) generation: i32,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) phase: Phase,
    /// Since when it is as it was kept last.
    pub(super) since: Timestamp,
    pub(super) members: BTreeMap<String, Member>,
    /// The ids of static members, by their own names (KIP-345).
    pub(super) instances: BTreeMap<String, String>,
    /// Ids that were given out and not joined with (KIP-394).
    pub(super) invited: BTreeSet<String>,
    /// Members that have not been told of what they get in this generation.
    pub(super) unsynced: BTreeSet<String>,
}

/// What a group is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It has no members.
    #[default]
    Empty,
    /// Members are to join.
    PreparingRebalance {
        /// Of a group that was empty: more may come.
        gathering: Option<Gathering>,
    },
    /// The leader is to assign.
    CompletingRebalance,
    /// Everyone may have what it gets.
    Stable,
}

/// A new group waits for more members before it begins (`group.initial.rebalance.delay.ms`), the longer the more come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathering {
    /// How much longer it may.
    pub(super) remaining: Wait,
    /// Whether one has come since it began to wait.
    pub(super) has_grown: bool,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// What it can do, the best first.
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) assignment: Bytes,
    /// Its JoinGroup that waits for the others'.
    pub(super) joining: Option<RequestId>,
    /// Its SyncGroup that waits for the leader's.
    pub(super) syncing: Option<RequestId>,
    /// Whether it has never been in a generation.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn subscription(&self, protocol: Option<&str>) -> Bytes {
        let chosen = self.protocols.iter().find(|(name, _)| Some(name.as_str()) == protocol);
        chosen.map(|(_, subscription)| subscription.clone()).unwrap_or_default()
    }

    fn can(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }
}

impl ClassicGroup {
    /// A group as its log has kept it. Its members may go on.
    pub(super) fn kept(kept: KeptGroup) -> Self {
        let KeptGroup { protocol_type, generation, protocol, leader, since, members } = kept;
        let named = |member: &KeptMember| member.instance_id.clone().map(|instance| (instance, member.member_id.clone()));
        let instances = members.iter().filter_map(named).collect();
        let is_empty = members.is_empty();
        let members = members.into_iter().map(|member| {
            let KeptMember {
                member_id,
                instance_id,
                client_id,
                client_host,
                rebalance_timeout_ms,
                session_timeout_ms,
                subscription,
                assignment,
            } = member;
            let member = Member {
                instance_id,
                client_id,
                client_host,
                rebalance_timeout_ms,
                session_timeout_ms,
                protocols: vec![(protocol.clone().unwrap_or_default(), subscription)],
                assignment,
                joining: None,
                syncing: None,
                is_new: false,
            };
            (member_id, member)
        });
        Self {
            protocol_type: Some(protocol_type).filter(|named| !named.is_empty()),
            generation,
            members: members.collect(),
            protocol,
            leader,
            phase: if is_empty { Phase::Empty } else { Phase::Stable },
            since,
            instances,
            invited: BTreeSet::new(),
            unsynced: BTreeSet::new(),
        }
    }

    /// What is to be kept of it.
    pub(super) fn to_keep(&self) -> KeptGroup {
        let keep = |(member_id, member): (&String, &Member)| KeptMember {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.subscription(self.protocol.as_deref()),
            assignment: member.assignment.clone(),
        };
        KeptGroup {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            since: self.since,
            members: self.members.iter().map(keep).collect(),
        }
    }

    /// Kafka's name for what it is doing.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match self.phase {
            Phase::Empty => "Empty",
            Phase::PreparingRebalance { .. } => "PreparingRebalance",
            Phase::CompletingRebalance => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phase == Phase::Empty
    }

    /// Whether nothing has to be remembered of it.
    pub(super) fn is_blank(&self) -> bool {
        self.is_empty() && self.invited.is_empty() && self.protocol_type.is_none()
    }

    /// How long a rebalance waits for its members.
    pub(super) fn patience(&self) -> Wait {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or_default();
        Wait::from_ms(longest.into())
    }

    /// Bytes of what its members say of themselves, as a record keeps it.
    pub(super) fn said_bytes(&self) -> usize {
        let names = |member: &Member| member.client_id.len() + member.client_host.len() + member.instance_id.as_ref().map_or(0, String::len);
        let said = |member: &Member| names(member) + member.subscription(self.protocol.as_deref()).len();
        self.members.iter().map(|(member_id, member)| member_id.len() + said(member)).sum()
    }

    /// Whether somebody who can do that may join.
    pub(super) fn takes(&self, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let is_common = |(name, _): &(String, Bytes)| self.members.values().all(|member| member.can(name));
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(is_common)
    }

    /// What its members agree on: of what all can do, what most would rather do.
    pub(super) fn agreed(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let vote = member.protocols.iter().find(|(name, _)| self.members.values().all(|other| other.can(name)));
            *votes.entry(vote.map(|(name, _)| name.as_str())?).or_default() += 1;
        }
        let most = votes.values().max().copied()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
    }

    /// Adds a member. The first one leads.
    pub(super) fn add(&mut self, member_id: &str, member: Member, protocol_type: &str) {
        self.invited.remove(member_id);
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), member_id.to_owned());
        }
        self.protocol_type = Some(protocol_type.to_owned());
        self.leader.get_or_insert_with(|| member_id.to_owned());
        if let Phase::PreparingRebalance { gathering: Some(gathering) } = &mut self.phase {
            gathering.has_grown = true;
        }
        self.members.insert(member_id.to_owned(), member);
    }

    /// Takes a member out. Another leads, if it did.
    pub(super) fn remove(&mut self, member_id: &str) -> Option<Member> {
        self.unsynced.remove(member_id);
        let member = self.members.remove(member_id)?;
        if let Some(instance) = &member.instance_id
            && self.instances.get(instance).is_some_and(|held| held == member_id)
        {
            self.instances.remove(instance);
        }
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Whether all have joined that are to.
    pub(super) fn has_all_joined(&self) -> bool {
        self.invited.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    /// Lets somebody lead who has joined. False if nobody has.
    pub(super) fn elect_joined(&mut self) -> bool {
        let has_joined = |leader: &String| self.members.get(leader).is_some_and(|member| member.joining.is_some());
        if !self.leader.as_ref().is_some_and(has_joined) {
            let first = self.members.iter().find(|(_, member)| member.joining.is_some()).map(|(id, _)| id.clone());
            let Some(first) = first else { return false };
            self.leader = Some(first);
        }
        true
    }

    /// A member speaks that has to be who it says it is.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID: its instance has another id by now.
    pub(super) fn check_member(&self, member_id: &str, instance_id: Option<&String>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance_id {
            let held = self.instances.get(instance).ok_or(ErrorCode::UnknownMemberId)?;
            if held != member_id {
                return Err(ErrorCode::FencedInstanceId);
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// The same, of a generation.
    ///
    /// # Errors
    /// As [`check_member`](Self::check_member), or ILLEGAL_GENERATION.
    pub(super) fn check_generation(&self, member_id: &str, instance_id: Option<&String>, generation: i32) -> Result<(), ErrorCode> {
        self.check_member(member_id, instance_id)?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// What a member is told of this generation.
    pub(super) fn joined(&self, member_id: &str, skip_assignment: bool) -> Joined {
        let is_leader = self.leader.as_deref() == Some(member_id);
        let tell = |(member_id, member): (&String, &Member)| JoinedMember {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            subscription: member.subscription(self.protocol.as_deref()),
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: self.protocol.clone().unwrap_or_default(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: skip_assignment && is_leader,
            members: if is_leader { self.members.iter().map(tell).collect() } else { Vec::new() },
        }
    }

    /// What a member gets.
    pub(super) fn synced(&self, member: &Member) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: self.protocol.clone().unwrap_or_default(),
            assignment: member.assignment.clone(),
        }
    }
}
