//! Why a run failed: all that led to it, out of all that happened.
//!
//! The run is replayed and watched. What led to the event at which the violation showed is its *causal cone*; what turned something in there (a
//! role, an epoch, a fault, a rare event) tells the story, and the cone's last steps say how it ended.

mod causes;
mod subjects;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use gracchus_core::boundary::Input;
use gracchus_core::ids::LogId;
use serde::Serialize;

pub use self::causes::{Causes, Link};
pub(crate) use self::words::kind_of;
pub use self::words::{Names, words};
use crate::campaign::describe;
use crate::checkers::properties::{Property, property};
use crate::plan::Plan;
use crate::platform::lock;
use crate::trace::{Event, Role, Trace, Watch, What};
use crate::world::{self, Ending};

/// A run, with all that it was made of.
#[derive(Debug)]
pub struct Watched {
    /// What it was, without its events: they are here.
    pub trace: Trace,
    /// All of them, and what helps who reads them.
    pub events: Vec<Event>,
    /// What led to what.
    pub causes: Causes,
    /// What logs are called.
    pub names: Names,
}

/// What led to a failure.
#[derive(Debug)]
pub struct Cone {
    /// The event at which it showed.
    pub shown: u64,
    /// The log that it is about, if it is about one.
    pub log: Option<LogId>,
    /// All that led to that, and it itself.
    pub events: BTreeSet<u64>,
}

/// Runs a plan and watches all of it.
#[must_use]
pub fn watch(plan: &Plan) -> Watched {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = Arc::clone(&seen);
    let (_, trace) = world::record(plan, 0, Some(Watch::all(move |event| lock(&see).push(event))));
    let events = std::mem::take(&mut *lock(&seen));
    let mut names = Names::default();
    for event in &events {
        if let What::Step(step) = &event.what {
            step.changed.iter().for_each(|changed| names.learn(changed.log, changed.topic.as_ref().map(|topic| &*topic.0)));
        }
    }
    // What follows once the run is lost is no cause of that.
    let upto = events.iter().position(|event| matches!(event.what, What::Violation(_))).unwrap_or(events.len());
    let causes = Causes::find(events.get(..upto).unwrap_or_default());
    Watched { causes, trace, events, names }
}

impl Watched {
    /// What led to the run's failure. None if it did not fail.
    #[must_use]
    pub fn cone(&self) -> Option<Cone> {
        let what = match &self.trace.ending {
            Ending::Violation { violation, .. } => violation.what.as_str(),
            Ending::Panic { what, .. } => what.as_str(),
            Ending::Clean | Ending::Stopped(_) | Ending::Excused(_) | Ending::Hung { .. } => return None,
        };
        // Its id tells a topic from another of its name.
        let is_identified = |log: LogId| matches!(log, LogId::Partition(id) if what.contains(&id.to_string()));
        let identified = self.names.all().find(|(log, _)| is_identified(*log));
        let log = identified.or_else(|| self.names.all().find(|(_, name)| what.contains(*name))).map(|(log, _)| log);
        let shown = self.shown();
        // It was held against what every node had of the log.
        let targets = [shown].into_iter().chain(log.into_iter().flat_map(|log| self.causes.last_changes(log)));
        Some(Cone { events: self.causes.cone(targets, log), shown, log })
    }

    /// The event at which the failure showed: the step that broke the property, or the one that answered the client who was told what can't be; of
    /// something that did not happen, and of a panic, whose step is none that was seen, the last one.
    fn shown(&self) -> u64 {
        let shown = self.events.iter().position(|event| matches!(event.what, What::Violation(_)));
        let before = self.events.get(..shown.unwrap_or(self.events.len())).unwrap_or_default();
        let last = before.last().map_or(0, |event| event.number);
        for event in before.iter().rev().take_while(|event| event.number == last) {
            match &event.what {
                What::Client(told) if !told.asks => return self.answer_to(&told.client, before).unwrap_or(last),
                What::Step(_) => return event.number,
                What::Note { .. } | What::Client(_) | What::Remark(_) | What::State(_) | What::Violation(_) => {}
            }
        }
        last
    }

    /// The last step that answered a client.
    fn answer_to(&self, client: &str, before: &[Event]) -> Option<u64> {
        let mut asked = BTreeSet::new();
        let mut answered = None;
        for event in before {
            let What::Step(step) = &event.what else { continue };
            if let Input::Request { id, context, .. } = &step.input
                && context.client_id.as_deref() == Some(client)
            {
                asked.insert((step.node, *id));
            }
            if step.effects.replies.iter().any(|reply| asked.contains(&(step.node, reply.id))) {
                answered = Some(event.number);
            }
        }
        answered
    }

    /// Whether an event turned something of what matters: somebody's role or epoch, or it was a fault or a rare event.
    fn turns(&self, event: &Event, log: Option<LogId>, roles: &mut BTreeMap<(i32, LogId), (Role, i32)>) -> bool {
        match &event.what {
            What::Note { .. } => true,
            What::Step(step) => {
                let mut has_turned = false;
                for changed in &step.changed {
                    let now = (changed.standing.role, changed.standing.epoch);
                    let is_news = roles.insert((step.node.0, changed.log), now) != Some(now);
                    has_turned |= is_news && log.is_none_or(|log| changed.log == log);
                }
                has_turned || !step.effects.marks.is_empty()
            }
            What::Client(_) | What::Remark(_) | What::State(_) | What::Violation(_) => false,
        }
    }
}

/// A failure, explained.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// How the run ended.
    pub ending: String,
    /// The property that did not hold, if it was one.
    pub property: Option<&'static str>,
    /// What it says.
    pub definition: Option<&'static str>,
    /// Where it comes from.
    pub source: Option<&'static str>,
    /// The log that it is about.
    pub about: Option<String>,
    /// How many events there were.
    pub events: u64,
    /// What led to it, by the events' numbers.
    pub cone: Vec<u64>,
    /// What turned something, of all that led to it.
    pub turns: Vec<Told>,
    /// The last of all that led to it.
    pub last: Vec<Told>,
}

/// An event, in words.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Its number.
    pub event: u64,
    /// When it was, in simulated seconds.
    pub seconds: f64,
    /// What it was.
    pub what: String,
}

impl Told {
    fn of(event: &Event, names: &Names) -> Self {
        Self { event: event.number, seconds: event.at.as_secs_f64(), what: words(event, names) }
    }
}

/// Explains a failure, with so many turns and last steps at most. None if the run did not fail.
#[must_use]
pub fn explain(watched: &Watched, turns_max: usize, last_max: usize) -> Option<Explanation> {
    let cone = watched.cone()?;
    let in_cone = |event: &&Event| cone.events.contains(&event.number) && matches!(event.what, What::Step(_) | What::Note { .. });
    let of_cone: Vec<&Event> = watched.events.iter().filter(in_cone).collect();
    let mut roles = BTreeMap::new();
    let turning: Vec<&Event> = of_cone.iter().copied().filter(|event| watched.turns(event, cone.log, &mut roles)).collect();
    let tail = |events: &[&Event], most: usize| {
        events.iter().skip(events.len().saturating_sub(most)).map(|event| Told::of(event, &watched.names)).collect()
    };
    let property: Option<&Property> = match &watched.trace.ending {
        Ending::Violation { violation, .. } => property(&violation.property),
        Ending::Clean | Ending::Stopped(_) | Ending::Excused(_) | Ending::Panic { .. } | Ending::Hung { .. } => None,
    };
    Some(Explanation {
        ending: describe(&watched.trace.ending),
        property: property.map(|property| property.name),
        definition: property.map(|property| property.definition),
        source: property.map(|property| property.source),
        about: cone.log.map(|log| watched.names.of(log)),
        events: watched.trace.events,
        turns: tail(&turning, turns_max),
        last: tail(&of_cone, last_max),
        cone: cone.events.into_iter().collect(),
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.ending)?;
        if let (Some(name), Some(definition), Some(source)) = (self.property, self.definition, self.source) {
            writeln!(f, "\n{name}: {definition}\n  ({source})")?;
        }
        if let Some(about) = &self.about {
            writeln!(f, "\nIt is about {about}.")?;
        }
        writeln!(f, "{} of {} events led to it.", self.cone.len(), self.events)?;
        for (title, told) in [("What turned, of those", &self.turns), ("The last of those", &self.last)] {
            writeln!(f, "\n{title}:")?;
            for Told { event, seconds, what } in told {
                writeln!(f, "{event:>8}  {seconds:>12.6}  {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(plan: &Plan) -> Watched {
        watch(&Plan { duration_ms: 3_000, ..plan.clone() })
    }

    #[test]
    fn a_message_that_arrived_is_known_by_who_sent_it() {
        let watched = run(&Plan::draw_for(3, 3));
        let nodes: BTreeMap<u64, _> = watched
            .events
            .iter()
            .filter_map(|event| {
                let What::Step(step) = &event.what else { return None };
                Some((event.number, step.node))
            })
            .collect();
        let (mut heard, mut known) = (0, 0);
        for event in &watched.events {
            if let What::Step(step) = &event.what
                && let Input::Peer { from, .. } = &step.input
            {
                heard += 1;
                let sent = watched.causes.of(event.number).iter().find(|(_, link)| *link == Link::Message);
                known += usize::from(sent.is_some_and(|(sent, _)| *sent < event.number && nodes[sent] == *from));
            }
        }
        assert!(heard > 500, "{heard}");
        assert_eq!(known, heard);
    }

    #[test]
    fn what_did_not_happen_is_explained_by_what_did() {
        let watched = run(&Plan { recovery_ms_max: 40, ..Plan::draw_for(3, 3) });
        let told = explain(&watched, 5, 5).unwrap();
        assert_eq!(told.property, Some("MakesTopics"));
        assert!((2..told.events).contains(&(told.cone.len() as u64)), "{told:?}");
        assert!(!told.last.is_empty() && told.last.len() <= 5 && told.to_string().contains("topics are made"));
        assert!(told.cone.is_sorted());
    }

    #[test]
    fn who_watches_changes_nothing() {
        let mut plan = Plan { duration_ms: 20_000, ..Plan::draw_for(2, 3) };
        // What is held of requests counts against this: somebody who kept them would have the nodes wait for ever.
        plan.nodes.iter_mut().for_each(|node| node.queued_bytes_max = 20_000);
        let watched = watch(&plan);
        assert_eq!(watched.trace.hash, world::run(&plan, None).hash);
    }

    #[test]
    fn a_run_that_goes_well_is_not_explained() {
        assert!(explain(&run(&Plan::draw_for(1, 1)), 5, 5).is_none());
    }
}
