//! Events in few words.

use std::collections::BTreeMap;
use std::fmt;

use gracchus_core::boundary::{Effects, Input, StorageOp};
use gracchus_core::ids::LogId;

use crate::trace::{Event, Step, What};

/// What logs are called.
#[derive(Clone, Debug, Default)]
pub struct Names {
    known: BTreeMap<LogId, String>,
    /// How each is described, and its name.
    described: Vec<(String, String)>,
}

impl Names {
    /// The log belongs to the topic.
    pub(super) fn learn(&mut self, log: LogId, topic: Option<&str>) {
        if self.known.contains_key(&log) {
            return;
        }
        let name = match (log, topic) {
            (LogId::Metadata, _) => "metadata".to_owned(),
            (LogId::Partition(id), Some(topic)) => format!("{topic}-{}", id.partition),
            (LogId::Partition(id), None) => id.to_string(),
        };
        if let LogId::Partition(id) = log {
            self.described.push((format!("{log:?}"), name.clone()));
            self.described.push((format!("{id:?}"), name.clone()));
        }
        self.known.insert(log, name);
    }

    /// All logs.
    pub fn all(&self) -> impl Iterator<Item = (LogId, &str)> {
        self.known.iter().map(|(log, name)| (*log, name.as_str()))
    }

    /// What a log is called.
    #[must_use]
    pub fn of(&self, log: LogId) -> String {
        self.known.get(&log).cloned().unwrap_or_else(|| format!("{log:?}"))
    }

    /// Describes a value in so many characters, and names logs.
    fn brief(&self, value: &impl fmt::Debug, chars_max: usize) -> String {
        let mut text = format!("{value:?}");
        for (description, name) in &self.described {
            if text.contains(description) {
                text = text.replace(description, name);
            }
        }
        match text.char_indices().nth(chars_max) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        }
    }
}

/// An event in one line, without its number and time.
#[must_use]
pub fn words(event: &Event, names: &Names) -> String {
    match &event.what {
        What::Step(step) => of_step(step, names),
        What::Note { node: Some(node), text } => format!("node {node}: {text}"),
        What::Note { node: None, text } | What::Remark(text) | What::State(text) => text.clone(),
        What::Client(told) if told.asks => format!("{} asks node {}: {}", told.client, told.node, kind_of(&told.text)),
        What::Client(told) => format!("{} is answered by node {}: {}", told.client, told.node, kind_of(&told.text)),
        What::Violation(text) => format!("violates {text}"),
    }
}

fn of_step(step: &Step, names: &Names) -> String {
    let mut text = format!("node {} {}", step.node, of_input(&step.input, names));
    let then = of_effects(&step.effects, names);
    if !then.is_empty() {
        text.push_str(", and ");
        text.push_str(&then.join(", "));
    }
    for changed in &step.changed {
        text.push_str(&format!("  [{changed}]"));
    }
    text
}

fn of_input(input: &Input, names: &Names) -> String {
    match input {
        Input::Start => "starts".to_owned(),
        Input::Request { context, request, .. } => {
            format!("is asked by {}: {}", context.client_id.as_deref().unwrap_or("a client"), kind_of(&format!("{request:?}")))
        }
        Input::Disconnected(_) => "loses a client's connection".to_owned(),
        Input::Peer { from, message } => format!("hears from node {from}: {}", kind_of(&format!("{message:?}"))),
        Input::PeerLost(node) => format!("loses its connection to node {node}"),
        Input::PeerRefused(node) => format!("finds that nobody listens at node {node}"),
        Input::ControllersFound(_) => "finds the controllers".to_owned(),
        Input::Storage(done) => format!("has of its store: {}", names.brief(done, 90)),
        Input::Deadline => "has a deadline".to_owned(),
        Input::Stop => "is asked to stop".to_owned(),
    }
}

fn of_effects(effects: &Effects, names: &Names) -> Vec<String> {
    let mut then = Vec::new();
    let tells: Vec<String> = effects.peers.iter().map(|told| format!("{} {}", told.to, kind_of(&format!("{:?}", told.message)))).collect();
    if !tells.is_empty() {
        then.push(format!("tells node {}", tells.join(", node ")));
    }
    let ops: Vec<String> = effects.storage.iter().filter(|op| !is_small(op)).map(|op| names.brief(op, 90)).collect();
    if !ops.is_empty() {
        then.push(format!("has its store {}", ops.join(", ")));
    }
    match effects.replies.len() {
        0 => {}
        1 => then.extend(effects.replies.first().map(|reply| format!("answers {}", names.brief(&reply.response, 90)))),
        more => then.push(format!("answers {more} requests")),
    }
    if !effects.marks.is_empty() {
        then.push(format!("reaches {:?}", effects.marks));
    }
    then
}

/// Follows from something else, and says little.
fn is_small(op: &StorageOp) -> bool {
    matches!(op, StorageOp::Sync { .. } | StorageOp::Configure { .. } | StorageOp::KeepSnapshot { .. })
}

/// What a value is, by its description: the name in front.
pub(crate) fn kind_of(description: &str) -> String {
    let inner = description.trim_start_matches("Ok(").trim_start_matches("Quorum(");
    inner.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}
