//! What the page shows, in the form in which it reads it: columns of numbers, and texts apart.

use std::collections::BTreeMap;

use gracchus_core::boundary::Input;
use gracchus_core::ids::{LogId, NodeId};
use serde::Serialize;

use crate::campaign::describe;
use crate::checkers::properties::property;
use crate::explain::{Watched, kind_of, words};
use crate::trace::{ClientTold, Event, Length, Role, Step, What};
use crate::world::{Ending, STARTS};

#[derive(Serialize)]
pub(super) struct Run {
    version: u8,
    title: String,
    ending: String,
    property: Option<Property>,
    violation: Option<u64>,
    plan: String,
    hash: String,
    lanes: Vec<Lane>,
    kinds: &'static [&'static str],
    /// The number of the first event of the columns.
    first: u64,
    events: Columns,
    /// Sent, received, and the place of its label.
    messages: Vec<(u64, u64, usize)>,
    labels: Vec<String>,
    cone: Vec<u64>,
    faults: Vec<Span>,
    leads: Vec<Lead>,
    watermarks: Vec<Watermark>,
    operations: Vec<Operation>,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    definition: &'static str,
}

#[derive(Serialize)]
struct Lane {
    name: String,
}

/// An entry for each event.
#[derive(Default, Serialize)]
struct Columns {
    time_us: Vec<u64>,
    lane: Vec<usize>,
    kind: Vec<usize>,
}

/// Something that befell a node, until it went on.
#[derive(Serialize)]
struct Span {
    lane: usize,
    from: u64,
    until: u64,
    label: String,
}

#[derive(Serialize)]
struct Lead {
    lane: usize,
    from: u64,
    until: u64,
    subject: String,
    epoch: i32,
}

#[derive(Serialize)]
struct Watermark {
    lane: usize,
    subject: String,
    points: Vec<(u64, i64)>,
}

#[derive(Serialize)]
struct Operation {
    lane: usize,
    from: u64,
    until: u64,
    label: String,
    outcome: &'static str,
}

/// What an event is, as the page tells them apart: it has a mark of its own for each of these names.
#[derive(Clone, Copy)]
enum Kind {
    World,
    Fault,
    Start,
    Request,
    Message,
    Connection,
    Storage,
    Deadline,
    Stop,
}

impl Kind {
    /// Their names, in their order.
    const NAMES: &[&str] = &["world", "fault", "start", "request", "peer message", "connection", "storage", "deadline", "stop"];

    fn of_step(step: &Step) -> Self {
        match &step.input {
            Input::Start => Self::Start,
            Input::Request { .. } => Self::Request,
            Input::Peer { .. } => Self::Message,
            Input::Disconnected(_) | Input::PeerLost(_) | Input::PeerRefused(_) | Input::ControllersFound(_) => Self::Connection,
            Input::Storage(_) => Self::Storage,
            Input::Deadline => Self::Deadline,
            Input::Stop => Self::Stop,
        }
    }
}

/// What the page shows of a run, and the text of each event.
pub(super) fn of(watched: &Watched) -> (Run, Vec<String>) {
    let trace = &watched.trace;
    let mut drawing = Drawing::new(watched);
    for event in &watched.events {
        drawing.take(event);
    }
    drawing.end();
    let violated = match &trace.ending {
        Ending::Violation { violation, .. } => property(&violation.property),
        Ending::Clean | Ending::Stopped(_) | Ending::Excused(_) | Ending::Panic { .. } | Ending::Hung { .. } => None,
    };
    let cone = watched.cone();
    let Drawing { lanes, columns, labels, messages, faults, leads, watermarks, operations, texts, .. } = drawing;
    let run = Run {
        version: 1,
        title: format!("seed {}, {} nodes", trace.plan.seed, trace.plan.nodes.len()),
        ending: describe(&trace.ending),
        property: violated.map(|property| Property { name: property.name, definition: property.definition }),
        violation: cone.as_ref().map(|cone| cone.shown),
        plan: trace.plan.to_string(),
        hash: trace.hash.to_string(),
        lanes: lanes.into_iter().map(|name| Lane { name }).collect(),
        kinds: Kind::NAMES,
        first: 1,
        events: columns,
        messages,
        labels: labels.all,
        cone: cone.map(|cone| cone.events.into_iter().collect()).unwrap_or_default(),
        faults,
        leads,
        watermarks: watermarks.into_values().collect(),
        operations,
    };
    (run, texts)
}

/// Texts, each once.
#[derive(Default)]
struct Labels {
    all: Vec<String>,
    known: BTreeMap<String, usize>,
}

impl Labels {
    fn place(&mut self, label: String) -> usize {
        *self.known.entry(label).or_insert_with_key(|label| {
            self.all.push(label.clone());
            self.all.len() - 1
        })
    }
}

struct Drawing<'a> {
    watched: &'a Watched,
    /// For each event that a message arrived in, where it was sent.
    sent: BTreeMap<u64, u64>,
    lanes: Vec<String>,
    columns: Columns,
    labels: Labels,
    messages: Vec<(u64, u64, usize)>,
    faults: Vec<Span>,
    leads: Vec<Lead>,
    watermarks: BTreeMap<(NodeId, LogId), Watermark>,
    operations: Vec<Operation>,
    texts: Vec<String>,
    /// What befell a node that has not gone on since.
    befell: BTreeMap<NodeId, (u64, String)>,
    leading: BTreeMap<(NodeId, LogId), (u64, i32)>,
    /// What clients have asked and were not told, the oldest first.
    asked: BTreeMap<(String, NodeId), Vec<(u64, String)>>,
}

impl<'a> Drawing<'a> {
    fn new(watched: &'a Watched) -> Self {
        let mut lanes = vec!["world".to_owned()];
        lanes.extend((1..=watched.trace.plan.nodes.len()).map(|node| format!("node {node}")));
        Self {
            watched,
            sent: watched.causes.messages().map(|(sent, received)| (received, sent)).collect(),
            lanes,
            columns: Columns::default(),
            labels: Labels::default(),
            messages: Vec::new(),
            faults: Vec::new(),
            leads: Vec::new(),
            watermarks: BTreeMap::new(),
            operations: Vec::new(),
            texts: Vec::new(),
            befell: BTreeMap::new(),
            leading: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    fn take(&mut self, event: &Event) {
        match &event.what {
            What::Step(step) => self.step(event, step),
            What::Note { node, text } => {
                let is_start = text == STARTS;
                let kind = if node.is_some() && !is_start { Kind::Fault } else { Kind::World };
                self.row(event, node.map_or(0, lane_of), kind);
                if let Some(node) = node.as_ref().filter(|_| !is_start) {
                    self.goes_on(*node, event.number);
                    self.befell.insert(*node, (event.number, words(event, &self.watched.names)));
                }
            }
            What::Client(told) => self.client(event.number, told),
            What::Remark(text) | What::Violation(text) => self.add_text(text),
            What::State(_) => {}
        }
    }

    fn row(&mut self, event: &Event, lane: usize, kind: Kind) {
        self.columns.time_us.push(u64::try_from(event.at.as_micros()).unwrap_or(u64::MAX));
        self.columns.lane.push(lane);
        self.columns.kind.push(kind as usize);
        self.texts.push(format!("{}\n{}", words(event, &self.watched.names), event.line(Length::Brief).trim_start()));
    }

    /// What is no event is told with the one that it follows.
    fn add_text(&mut self, text: &str) {
        if let Some(last) = self.texts.last_mut() {
            last.push('\n');
            last.push_str(text);
        }
    }

    fn step(&mut self, event: &Event, step: &Step) {
        let (node, number) = (step.node, event.number);
        self.row(event, lane_of(node), Kind::of_step(step));
        let befell = self.befell.get(&node).map_or(number, |(from, _)| *from);
        self.goes_on(node, number);
        if let Input::Start = &step.input {
            // It leads nothing any more since its process ended.
            let led: Vec<_> = self.leading.keys().filter(|(of, _)| *of == node).copied().collect();
            led.into_iter().for_each(|key| self.end_lead(key, befell));
        }
        if let (Some(sent), Input::Peer { message, .. }) = (self.sent.get(&number), &step.input) {
            self.messages.push((*sent, number, self.labels.place(kind_of(&format!("{message:?}")))));
        }
        for changed in &step.changed {
            let key = (node, changed.log);
            let leads = (changed.standing.role == Role::Leads).then_some(changed.standing.epoch);
            if self.leading.get(&key).map(|(_, epoch)| *epoch) != leads {
                self.end_lead(key, number);
                if let Some(epoch) = leads {
                    self.leading.insert(key, (number, epoch));
                }
            }
            if let Some(copy) = changed.standing.copy {
                let (lane, subject) = (lane_of(node), self.name(changed.log));
                let watermark = self.watermarks.entry(key).or_insert_with(|| Watermark { lane, subject, points: Vec::new() });
                if watermark.points.last().map(|(_, offset)| *offset) != Some(copy.high_watermark.0) {
                    watermark.points.push((number, copy.high_watermark.0));
                }
            }
        }
    }

    fn goes_on(&mut self, node: NodeId, number: u64) {
        if let Some((from, label)) = self.befell.remove(&node) {
            self.faults.push(Span { lane: lane_of(node), from, until: number, label });
        }
    }

    fn end_lead(&mut self, (node, log): (NodeId, LogId), until: u64) {
        if let Some((from, epoch)) = self.leading.remove(&(node, log)) {
            self.leads.push(Lead { lane: lane_of(node), from, until, subject: self.name(log), epoch });
        }
    }

    fn client(&mut self, number: u64, told: &ClientTold) {
        let ClientTold { client, node, asks, text } = told;
        let asked = self.asked.entry((client.clone(), *node)).or_default();
        if *asks {
            asked.push((number, text.clone()));
            return;
        }
        if asked.is_empty() {
            return;
        }
        let (from, question) = asked.remove(0);
        let outcome = if !text.starts_with("Ok(Ok(") {
            asked.clear();
            "unknown"
        } else if refuses(text) {
            "refused"
        } else {
            "ok"
        };
        let lane = self.lanes.iter().position(|name| name == client).unwrap_or_else(|| {
            self.lanes.push(client.clone());
            self.lanes.len() - 1
        });
        let label = format!("{} of node {node}", kind_of(&question).trim_end_matches("Request"));
        self.operations.push(Operation { lane, from, until: number, label, outcome });
        self.add_text(&format!("{client} has  {}", cut(text)));
    }

    fn end(&mut self) {
        let last = self.watched.trace.events;
        let leading: Vec<_> = self.leading.keys().copied().collect();
        leading.into_iter().for_each(|key| self.end_lead(key, last));
        for (node, _) in self.befell.clone() {
            self.goes_on(node, last);
        }
    }

    fn name(&self, log: LogId) -> String {
        self.watched.names.of(log)
    }
}

fn lane_of(node: NodeId) -> usize {
    usize::try_from(node.0).expect("nodes are numbered from 1")
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Whether an answer names an error.
fn refuses(answer: &str) -> bool {
    answer.split("error_code: ").skip(1).any(|rest| !rest.starts_with('0'))
}
