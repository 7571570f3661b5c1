//! Records of the metadata log: postcard inside a versioned enum, a record a value.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::image::PartitionRegistration;
use crate::broker::Endpoint;
use crate::ids::{DirectoryId, IncarnationId, NodeId, PartitionIndex, TopicId, TopicName, TopicPartition};
use crate::record::Voter;

/// A change of the cluster's metadata. The variants' order is part of the format: add at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetadataRecord {
    /// A broker has started and is not to be given anything yet; its epoch is this record's offset.
    RegisterBroker {
        /// The broker.
        node: NodeId,
        /// This run of it.
        incarnation: IncarnationId,
        /// Its log directory.
        directory: DirectoryId,
        /// Its rack.
        rack: Option<String>,
        /// Where clients find it.
        endpoints: BrokerEndpoints,
    },
    /// A broker is up and may lead.
    UnfenceBroker {
        /// The broker.
        node: NodeId,
    },
    /// A topic exists.
    Topic {
        /// Its id.
        id: TopicId,
        /// Its name.
        name: TopicName,
    },
    /// A partition exists, or is in another state.
    Partition {
        /// Which.
        id: TopicPartition,
        /// All that is known of it.
        state: PartitionRegistration,
    },
    /// A topic is gone, with its partitions and settings.
    RemoveTopic {
        /// Its id.
        id: TopicId,
    },
    /// A setting has a value, or falls back to its default.
    Config {
        /// Whose setting.
        target: ConfigTarget,
        /// Its name.
        name: String,
        /// Its value; none takes it away.
        value: Option<String>,
    },
    /// Producer ids below `next` have been given out (KIP-730).
    ProducerIds {
        /// The first id that has not been.
        next: i64,
    },
    /// A feature is finalised (KIP-584).
    Feature {
        /// Its name.
        name: String,
        /// Its level.
        level: i16,
    },
    /// A broker is down, or about to be, and may not lead.
    FenceBroker {
        /// The broker.
        node: NodeId,
    },
    /// A broker is none of the cluster's any more.
    UnregisterBroker {
        /// The broker.
        node: NodeId,
    },
    /// Who votes in the metadata quorum from this record on (KIP-853): in force as soon as it is appended, and no longer if it is cut off.
    Voters {
        /// All of them, by node.
        voters: Vec<VoterRegistration>,
    },
}

/// A voter of the metadata quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoterRegistration {
    /// The node.
    pub node: NodeId,
    /// Its data folder, zero until the leader has heard which it is.
    pub directory: DirectoryId,
    /// Where it is; none of a voter that only the settings name.
    pub endpoints: Vec<Endpoint>,
}

impl VoterRegistration {
    /// A voter of which only the folder is known.
    #[must_use]
    pub fn of(voter: Voter) -> Self {
        Self { node: voter.node, directory: voter.directory, endpoints: Vec::new() }
    }

    /// The voter itself.
    #[must_use]
    pub fn voter(&self) -> Voter {
        Voter { node: self.node, directory: self.directory }
    }
}

/// Where clients find a broker, a listener an endpoint.
pub type BrokerEndpoints = Vec<Endpoint>;

/// What a setting belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConfigTarget {
    /// A topic.
    Topic(TopicId),
    /// A broker.
    Broker(NodeId),
    /// All brokers.
    DefaultBroker,
    /// A group by its name, whether there is such a group or not.
    Group(String),
}

/// How records stand in the log.
#[derive(Serialize, Deserialize)]
enum Versioned {
    V1(MetadataRecord),
}

/// A record as the value of a record in the log.
///
/// # Panics
/// Never: metadata is always serialisable.
#[must_use]
pub fn encode(record: &MetadataRecord) -> Bytes {
    postcard::to_stdvec(&Versioned::V1(record.clone())).expect("metadata records serialise").into()
}

/// Reads a record back.
///
/// # Errors
/// The bytes are no record of a version that this release knows.
pub fn decode(value: &[u8]) -> Result<MetadataRecord, Arc<str>> {
    match postcard::from_bytes(value) {
        Ok(Versioned::V1(record)) => Ok(record),
        Err(error) => Err(format!("a metadata record does not decode: {error}").into()),
    }
}

/// A partition's number as its place in a list.
impl From<PartitionIndex> for usize {
    fn from(index: PartitionIndex) -> Self {
        Self::try_from(index.0).unwrap_or(Self::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Uuid;

    #[test]
    fn records_keep_their_bytes_between_releases() {
        let record = MetadataRecord::ProducerIds { next: 1000 };
        assert_eq!(encode(&record).as_ref(), [0, 6, 208, 15]);
        let record = MetadataRecord::Feature { name: "metadata.version".into(), level: 29 };
        assert_eq!(encode(&record).as_ref(), b"\x00\x07\x10metadata.version\x3a");
        let record = MetadataRecord::Config { target: ConfigTarget::Group("g".into()), name: "n".into(), value: None };
        assert_eq!(&encode(&record)[2..], b"\x03\x01g\x01n\x00");
        let endpoint = Endpoint { listener: "C".into(), host: "h".into(), port: 300 };
        let voter = VoterRegistration { node: NodeId(2), directory: DirectoryId(Uuid([7; 16])), endpoints: vec![endpoint] };
        let expected = [&[0, 10, 1, 4][..], &encode_id(7), &[1, 1, b'C', 1, b'h', 0xac, 2]].concat();
        assert_eq!(encode(&MetadataRecord::Voters { voters: vec![voter] }).as_ref(), expected);
    }

    fn encode_id(byte: u8) -> Vec<u8> {
        postcard::to_stdvec(&Uuid([byte; 16])).unwrap()
    }

    #[test]
    fn an_unknown_version_is_an_error() {
        assert!(decode(&[1, 7, 208, 15]).is_err());
        assert!(decode(&[]).is_err());
    }
}
