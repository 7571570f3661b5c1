//! How a connection between nodes begins: who connects says who it is and whom it means, and is let in or told why not.

use std::fmt;

use bytes::Bytes;
use gracchus_core::boundary::Lane;
use gracchus_core::ids::{IncarnationId, NodeId};
use serde::{Deserialize, Serialize};

use super::{PeerError, append_frame, read_whole};

/// What every connection between nodes begins with. Read as the length of a Kafka frame it is negative.
pub const MAGIC: [u8; 4] = *b"\xffGRC";

/// Who connects, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The cluster that the node belongs to.
    pub cluster_id: String,
    /// The node that connects.
    pub from: NodeId,
    /// Its run.
    pub incarnation: IncarnationId,
    /// The node that it means to reach: an address may have come to be another's.
    pub to: NodeId,
    /// What it will say over this connection.
    pub lane: Lane,
    /// Where it can be reached, host and port: a broker that is no voter has to be answered before it is registered, and also where it has
    /// moved since.
    pub at: Option<(String, u16)>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It may speak.
    Welcome,
    /// It may not.
    Refused(Refusal),
}

/// Why a node is not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The node that it reached belongs to this other cluster.
    OtherCluster(String),
    /// It reached this node instead of the one that it means.
    OtherNode(NodeId),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherCluster(cluster_id) => write!(f, "the node there belongs to cluster {cluster_id}"),
            Self::OtherNode(node) => write!(f, "the node there is {node}"),
        }
    }
}

/// How a hello stands on the wire: its version is that of all that follows on the connection.
#[derive(Serialize, Deserialize)]
enum VersionedHello {
    V1(Hello),
}

#[derive(Serialize, Deserialize)]
enum VersionedAnswer {
    V1(Answer),
}

impl Hello {
    /// The magic, and the hello as a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = MAGIC.to_vec();
        append_frame(&mut bytes, &VersionedHello::V1(self.clone()));
        bytes.into()
    }

    /// Reads the frame behind the magic.
    ///
    /// # Errors
    /// It is no hello of a version that this release knows.
    pub fn decode(frame: &[u8]) -> Result<Self, PeerError> {
        let VersionedHello::V1(hello) = read_whole(frame)?;
        Ok(hello)
    }
}

impl Answer {
    /// The answer as a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::new();
        append_frame(&mut bytes, &VersionedAnswer::V1(self.clone()));
        bytes.into()
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// It is no answer of a version that this release knows.
    pub fn decode(frame: &[u8]) -> Result<Self, PeerError> {
        let VersionedAnswer::V1(answer) = read_whole(frame)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::ids::Uuid;

    use super::*;

    fn hello() -> Hello {
        Hello {
            cluster_id: "c".to_owned(),
            from: NodeId(1),
            incarnation: IncarnationId(Uuid([7; 16])),
            to: NodeId(2),
            lane: Lane::Records,
            at: Some(("h".to_owned(), 9092)),
        }
    }

    #[test]
    fn the_magic_is_no_length_of_a_kafka_frame() {
        assert!(i32::from_be_bytes(MAGIC) < 0);
    }

    #[test]
    fn a_hello_keeps_its_bytes_between_releases() {
        let expected = [&MAGIC[..], &[0, 0, 0, 27], &[0, 1, b'c', 2], &[7; 16], &[4, 1], &[1, 1, b'h', 0x84, 0x47]].concat();
        assert_eq!(hello().encode(), expected);
        assert_eq!(Hello::decode(&expected[8..]).unwrap(), hello());
    }

    #[test]
    fn answers_survive_a_round_trip() {
        for answer in [Answer::Welcome, Answer::Refused(Refusal::OtherCluster("d".to_owned())), Answer::Refused(Refusal::OtherNode(NodeId(3)))]
        {
            assert_eq!(Answer::decode(&answer.encode()[4..]).unwrap(), answer);
        }
    }

    #[test]
    fn a_hello_that_is_cut_longer_or_of_another_version_is_refused() {
        let frame = hello().encode().slice(8..);
        for end in 0..frame.len() {
            assert!(Hello::decode(&frame[..end]).is_err(), "{end} bytes");
        }
        assert!(matches!(Hello::decode(&[&frame[..], &[0]].concat()), Err(PeerError::Trailing(1))));
        assert!(Hello::decode(&[&[1], &frame[1..]].concat()).is_err());
    }
}
