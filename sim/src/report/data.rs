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

const KINDS: &[&str] = &["world", "fault", "start", "request", "message", "connection", "storage", "deadline", "stop"];

fn kind_of_step(step: &Step) -> usize {
    match &step.input {
        Input::Start => 2,
        Input::Request { .. } => 3,
        Input::Peer { .. } => 4,
        Input::Disconnected(_) | Input::PeerLost(_) | Input::PeerRefused(_) | Input::ControllersFound(_) => 5,
        Input::Storage(_) => 6,
        Input::Deadline => 7,
        Input::Stop => 8,
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
        violation: cone.as_ref().and_then(|cone| cone.targets.last().copied()),
        plan: trace.plan.to_string(),
        hash: trace.hash.to_string(),
        lanes: lanes.into_iter().map(|name| Lane { name }).collect(),
        kinds: KINDS,
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
                self.row(event, node.map_or(0, lane_of), usize::from(node.is_some() && !is_start));
                if let Some(node) = node.as_ref().filter(|_| !is_start) {
                    self.goes_on(*node, event.number);
                    self.befell.insert(*node, (event.number, words(event, &self.watched.names)));
                    self.leads_no_more(*node, event.number);
                }
            }
            What::Client(told) => self.client(event.number, told),
            What::Remark(text) | What::Violation(text) => self.add_text(text),
            What::State(_) => {}
        }
    }

    fn row(&mut self, event: &Event, lane: usize, kind: usize) {
        self.columns.time_us.push(u64::try_from(event.at.as_micros()).unwrap_or(u64::MAX));
        self.columns.lane.push(lane);
        self.columns.kind.push(kind);
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
        self.row(event, lane_of(node), kind_of_step(step));
        self.goes_on(node, number);
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

    fn leads_no_more(&mut self, node: NodeId, until: u64) {
        let ended: Vec<_> = self.leading.keys().filter(|(of, _)| *of == node).copied().collect();
        // A node that only stands still goes on leading, and says so at its next step that changes something.
        ended.into_iter().for_each(|key| self.end_lead(key, until));
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
