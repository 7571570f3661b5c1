//! A client's connection, bounded by the client's patience.

use std::fmt;
use std::time::Duration;

use gracchus_core::ids::NodeId;
use gracchus_net::client::{ClientError, Connection, ServedVersions};
use kafka_wire::RequestResponsePair;
use madsim::time::timeout;

use super::{Client, Topic, TopicKind};
use crate::checkers::Connected;
use crate::platform::net::{SimReader, SimWriter, Vanish};
use crate::trace::{ClientTold, Recorder, What};
use crate::world::Members;

/// The connection is of no use any more, and nobody knows what became of what was asked on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// A connection whose versions are agreed on.
#[derive(Debug)]
pub struct Wire {
    node: NodeId,
    connection: Connection<SimReader, SimWriter>,
    versions: ServedVersions,
    /// The newest version of Produce and Fetch that is spoken on it: old clients live long.
    ceiling: i16,
    patience: Duration,
    /// What had gone wrong before the process started that it leads to.
    connected: Connected,
    vanish: Vanish,
    /// Whether the node is left to wonder when this is given up.
    vanishes: bool,
    name: String,
    recorder: Recorder,
}

impl Wire {
    pub(super) async fn open(client: &mut Client, node: NodeId) -> Result<Self, Lost> {
        let patience = client.timeout();
        let connected = client.surroundings.net.connect(client.host, Members::address(node), patience).await;
        let (reader, writer) = connected.map_err(|_| Lost)?;
        let vanish = writer.vanishing();
        let mut connection = Connection::new(reader, writer, &client.name);
        let versions = timeout(patience, connection.negotiate()).await.map_err(|_| Lost)?.map_err(|_| Lost)?;
        let ceiling = client.draw.pick(&[i16::MAX, i16::MAX, 12, 7, 4]);
        let vanishes = client.draw.chance(200_000);
        let (name, recorder) = (client.name.clone(), client.surroundings.recorder.clone());
        let connected = recorder.tell(|checkers| Ok(checkers.connected(node))).unwrap_or_default();
        Ok(Self { node, connection, versions, ceiling, patience, connected, vanish, vanishes, name, recorder })
    }

    /// The node at its other end.
    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    /// The version at which `Q` is spoken here.
    pub(super) fn version<Q: RequestResponsePair>(&self) -> Result<i16, Lost> {
        self.versions.common::<Q>().map_err(|_| Lost)
    }

    /// As [`version`](Self::version), no newer than this client is.
    pub(super) fn old_version<Q: RequestResponsePair>(&self) -> Result<i16, Lost> {
        self.versions.common_up_to::<Q>(self.ceiling).map_err(|_| Lost)
    }

    /// As [`old_version`](Self::old_version), unless a topic is among them that comes and goes: it has to be meant by its id, since by its name
    /// another may be found.
    pub(super) fn version_about<'a, Q: RequestResponsePair>(&self, mut topics: impl Iterator<Item = &'a Topic>) -> Result<i16, Lost> {
        if topics.any(|topic| topic.kind == TopicKind::Passing) { self.version::<Q>() } else { self.old_version::<Q>() }
    }

    /// What had gone wrong before the process started that it leads to.
    pub(super) fn connected(&self) -> Connected {
        self.connected
    }

    pub(super) fn in_flight(&self) -> usize {
        self.connection.in_flight()
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask<Q>(&mut self, version: i16, request: &Q) -> Result<Q::Response, Lost>
    where
        Q: RequestResponsePair<Response: fmt::Debug> + fmt::Debug,
    {
        self.show(true, request);
        let answer = timeout(self.patience, self.connection.request(version, request)).await;
        self.settle(answer)
    }

    pub(super) async fn send<Q: RequestResponsePair + fmt::Debug>(&mut self, version: i16, request: &Q) -> Result<(), Lost> {
        self.show(true, request);
        let sent = timeout(self.patience, self.connection.send(version, request)).await;
        self.check(sent).map(drop)
    }

    pub(super) async fn send_unanswered<Q: RequestResponsePair + fmt::Debug>(&mut self, version: i16, request: &Q) -> Result<(), Lost> {
        self.show(true, request);
        let sent = timeout(self.patience, self.connection.send_unanswered(version, request)).await;
        self.check(sent)
    }

    pub(super) async fn receive<Q: RequestResponsePair<Response: fmt::Debug>>(&mut self) -> Result<Q::Response, Lost> {
        let received = timeout(self.patience, self.connection.receive::<Q>()).await;
        self.settle(received).map(|(_, response)| response)
    }

    fn settle<T: fmt::Debug>(&self, outcome: Result<Result<T, ClientError>, madsim::time::error::Elapsed>) -> Result<T, Lost> {
        self.show(false, &outcome);
        self.check(outcome)
    }

    /// Shows what was asked or told, to whoever watches.
    fn show(&self, asks: bool, what: &impl fmt::Debug) {
        let Self { name, node, .. } = self;
        self.recorder.remark(|| What::Client(Box::new(ClientTold { client: name.clone(), node: *node, asks, text: format!("{what:?}") })));
    }

    fn check<T>(&self, outcome: Result<Result<T, ClientError>, madsim::time::error::Elapsed>) -> Result<T, Lost> {
        match outcome {
            Ok(Ok(value)) => Ok(value),
            // What was decoded from a connection that lives must make sense: anything else is the node's mistake.
            Ok(Err(error @ (ClientError::Decode { .. } | ClientError::Correlation { .. } | ClientError::FrameLength { .. }))) => {
                panic!("the node answered nonsense: {error}")
            }
            Ok(Err(
                ClientError::Io(_) | ClientError::Closed | ClientError::Encode(_) | ClientError::Unsupported { .. } | ClientError::Refused(_),
            )) => Err(Lost),
            Err(_) => {
                if self.vanishes {
                    self.vanish.vanish();
                }
                Err(Lost)
            }
        }
    }
}
