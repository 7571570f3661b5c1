//! Events in few words.

use gracchus_core::boundary::{Effects, Input, StorageOp};
use gracchus_core::ids::LogId;

use crate::trace::{Event, Step, What};

/// An event in one line, without its number and time.
#[must_use]
pub fn words(event: &Event) -> String {
    match &event.what {
        What::Step(step) => of_step(step),
        What::Note { node: Some(node), text } => format!("node {node}: {text}"),
        What::Note { node: None, text } | What::Remark(text) | What::State(text) => text.clone(),
        What::Client(told) if told.asks => format!("{} asks node {}: {}", told.client, told.node, kind_of(&told.text)),
        What::Client(told) => format!("{} is answered by node {}: {}", told.client, told.node, kind_of(&told.text)),
        What::Violation(text) => format!("violates {text}"),
    }
}

fn of_step(step: &Step) -> String {
    let mut text = format!("node {} {}", step.node, of_input(&step.input));
    let then = of_effects(&step.effects);
    if !then.is_empty() {
        text.push_str(", and ");
        text.push_str(&then.join(", "));
    }
    for changed in &step.changed {
        text.push_str(&format!("  [{changed}]"));
    }
    text
}

fn of_input(input: &Input) -> String {
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
        Input::Storage(done) => format!("has of its store: {}", brief(&format!("{done:?}"), 90)),
        Input::Deadline => "has a deadline".to_owned(),
        Input::Stop => "is asked to stop".to_owned(),
    }
}

fn of_effects(effects: &Effects) -> Vec<String> {
    let mut then = Vec::new();
    let tells: Vec<String> = effects.peers.iter().map(|told| format!("{} {}", told.to, kind_of(&format!("{:?}", told.message)))).collect();
    if !tells.is_empty() {
        then.push(format!("tells node {}", tells.join(", node ")));
    }
    let ops: Vec<String> = effects.storage.iter().filter(|op| !is_small(op)).map(|op| brief(&format!("{op:?}"), 90)).collect();
    if !ops.is_empty() {
        then.push(format!("has its store {}", ops.join(", ")));
    }
    match effects.replies.len() {
        0 => {}
        1 => then.push(format!("answers {}", brief(&format!("{:?}", effects.replies.first().map(|reply| &reply.response)), 90))),
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
pub(super) fn kind_of(description: &str) -> String {
    let inner = description.trim_start_matches("Ok(").trim_start_matches("Quorum(");
    inner.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

fn brief(text: &str, chars_max: usize) -> String {
    let text = text.replace("LogId::", "").replace("Offset(", "(");
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// What a log is called, by the name of its topic where that is known.
#[must_use]
pub fn log_name(log: LogId, topic: Option<&str>) -> String {
    match (log, topic) {
        (LogId::Metadata, _) => "metadata".to_owned(),
        (LogId::Partition(id), Some(topic)) => format!("{topic}-{}", id.partition),
        (LogId::Partition(id), None) => id.to_string(),
    }
}
