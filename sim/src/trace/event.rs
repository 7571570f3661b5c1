//! What a run is made of, for who looks at it.

use std::fmt;
use std::time::Duration;

use gracchus_core::boundary::{Effects, Input};
use gracchus_core::ids::{LogId, NodeId, TopicName};
use gracchus_core::time::Now;

use super::standing::Standing;

/// Something that happened, or that helps who reads what happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Events are numbered from 1. What is no event of its own has the number of the one that it follows.
    pub number: u64,
    /// In simulated time.
    pub at: Duration,
    /// What it is.
    pub what: What,
}

/// What an event is.
#[derive(Clone, Debug)]
pub enum What {
    /// A node has taken a step.
    Step(Box<Step>),
    /// Something befell the world, or one node of it.
    Note {
        /// The node.
        node: Option<NodeId>,
        /// In words.
        text: String,
    },
    /// No event: a client has asked something, or was told something.
    Client(Box<ClientTold>),
    /// No event: it follows from events.
    Remark(String),
    /// No event: the whole state of the node that has taken the last step.
    State(String),
    /// No event: a property did not hold.
    Violation(String),
}

/// A node's step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The node.
    pub node: NodeId,
    /// Its clocks.
    pub now: Now,
    /// What it was told.
    pub input: Input,
    /// What followed.
    pub effects: Effects,
    /// What it is by now to logs to which it was something else before.
    pub changed: Vec<Changed>,
}

/// What a node is to a log, if it was something else before.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The log.
    pub log: LogId,
    /// The topic of the log; none for the metadata log.
    pub topic: Option<TopicName>,
    /// What it is by now.
    pub standing: Standing,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.topic, self.log) {
            (Some(topic), LogId::Partition(id)) => write!(f, "{topic}-{}: {}", id.partition, self.standing),
            (None, LogId::Partition(id)) => write!(f, "{id}: {}", self.standing),
            (_, LogId::Metadata) => write!(f, "metadata: {}", self.standing),
        }
    }
}

/// What passed between a client and a node, as the client saw it.
#[derive(Clone, Debug)]
pub struct ClientTold {
    /// The client's name.
    pub client: String,
    /// The node.
    pub node: NodeId,
    /// Whether the client asks; it is told otherwise.
    pub asks: bool,
    /// What it asks or is told.
    pub text: String,
}

/// How long the description of an input, of the effects or of an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// At most 600 characters; what is cut off ends with an ellipsis.
    Brief,
    /// As long as it is.
    Whole,
}

const BRIEF_CHARS_MAX: usize = 600;

impl Length {
    /// Describes a value as long as is wanted.
    pub fn describe(self, value: &impl fmt::Debug) -> String {
        self.cut(format!("{value:?}"))
    }

    fn cut(self, mut text: String) -> String {
        if self == Self::Brief
            && let Some((end, _)) = text.char_indices().nth(BRIEF_CHARS_MAX)
        {
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

impl Event {
    /// A line that says it, without a line's end; of a state, many.
    #[must_use]
    pub fn line(&self, length: Length) -> String {
        let what = match &self.what {
            What::Step(step) => {
                let (input, effects) = (length.describe(&step.input), length.describe(&step.effects));
                let changed = step.changed.iter().map(|changed| format!("  [{changed}]"));
                let stands: String = changed.collect();
                format!("node {}  {input}  ->  {effects}{stands}", step.node)
            }
            What::Note { node: Some(node), text } => format!("node {node}: {text}"),
            What::Note { node: None, text } => text.clone(),
            What::Client(told) => {
                let ClientTold { client, node, asks, text } = &**told;
                let (verb, text) = (if *asks { "asks" } else { "has" }, length.cut(text.clone()));
                format!("{client} {verb}  {text}  {} node {node}", if *asks { "of" } else { "from" })
            }
            What::Remark(text) => format!("        {text}"),
            What::State(text) => return text.clone(),
            What::Violation(text) => format!("VIOLATION of {text}"),
        };
        format!("{:>8}  {:>12.6}  {what}", self.number, self.at.as_secs_f64())
    }
}
