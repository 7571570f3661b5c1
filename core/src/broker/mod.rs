//! The state machine that a node is: one door in, one struct of effects out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::boundary::{ApiVersionsResponse, Effects, Input, Reply, Request, Response};
use crate::config::TopicSettings;
use crate::ids::{DirectoryId, IncarnationId, NodeId, TopicId, TopicName};
use crate::time::{Monotonic, Now};

/// What a node is told about itself when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerSettings {
    /// `node.id`.
    pub node: NodeId,
    /// The cluster that the data folder was formatted for.
    pub cluster_id: String,
    /// The data folder's id.
    pub directory: DirectoryId,
    /// This run of the process.
    pub incarnation: IncarnationId,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// What clients are told, a listener an endpoint.
    pub endpoints: Vec<Endpoint>,
    /// The settings that the operator gave, by Kafka's names, validated.
    pub configs: BTreeMap<String, String>,
    /// The data folder as the operator named it, for DescribeLogDirs.
    pub log_directory: String,
    /// Feature levels that the folder was formatted with, finalised when the quorum first starts.
    pub features: BTreeMap<String, i16>,
    /// Where every random choice of the core comes from.
    pub seed: [u8; 32],
}

/// Where clients find a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub listener: Arc<str>,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// What connections need to know of topics: the settings that a batch is validated against. Published after each step that says
/// [`Effects::metadata_changed`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopicDirectory {
    /// By name.
    pub by_name: BTreeMap<TopicName, Arc<TopicSettings>>,
    /// By id.
    pub by_id: BTreeMap<TopicId, Arc<TopicSettings>>,
}

/// A node's whole state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Broker {
    settings: BrokerSettings,
}

impl Broker {
    /// A node that has not started.
    #[must_use]
    pub fn new(settings: BrokerSettings) -> Self {
        Self { settings }
    }

    /// Takes one input and says what follows from it.
    pub fn step(&mut self, _now: Now, input: Input, effects: &mut Effects) {
        match input {
            Input::Request { id, request: Request::ApiVersions(_), .. } => {
                let response = ApiVersionsResponse { supported: Vec::new(), finalized: Vec::new(), finalized_epoch: -1 };
                effects.replies.push(Reply { id, response: Response::ApiVersions(response) });
            }
            Input::Stop => effects.stopped = true,
            Input::Start | Input::Request { .. } | Input::Disconnected(_) | Input::Storage(_) | Input::Deadline => {}
        }
    }

    /// When [`Input::Deadline`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        None
    }

    /// The topics as connections need them.
    #[must_use]
    pub fn topic_directory(&self) -> TopicDirectory {
        TopicDirectory::default()
    }

    /// What the node was told when it started.
    #[must_use]
    pub fn settings(&self) -> &BrokerSettings {
        &self.settings
    }
}
