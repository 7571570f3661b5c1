//! What stands before every request.

use std::sync::Arc;

use kafka_wire_core::Decoder;

use super::DecodeError;
use super::versions::Api;

/// A request's header, with all that the form of its answer depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// What is asked.
    pub api: Api,
    /// The version that the request is in and the answer will be.
    pub version: i16,
    /// Comes back with the answer.
    pub correlation_id: i32,
    /// The client's own name for itself.
    pub client_id: Option<Arc<str>>,
    /// Which permissions the answer lists (KIP-430).
    pub operations: ListedOperations,
}

/// Which permissions an answer lists (KIP-430).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListedOperations {
    /// Those on the cluster.
    pub cluster: bool,
    /// Those on each topic.
    pub topics: bool,
    /// Those on each group.
    pub groups: bool,
}

/// The first eight bytes of a request, which are the same in every version of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Preamble {
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
}

impl Preamble {
    /// Reads the start of a request.
    pub(super) fn read(decoder: &mut Decoder) -> Result<Self, DecodeError> {
        Ok(Self { key: decoder.read_i16()?, version: decoder.read_i16()?, correlation_id: decoder.read_i32()? })
    }
}

impl RequestHeader {
    /// Reads the rest of a header.
    pub(super) fn read(api: Api, preamble: Preamble, decoder: &mut Decoder) -> Result<Self, DecodeError> {
        // Never compact: a broker must be able to read it whatever the version.
        let client_id = decoder.read_nullable_string()?.map(|name| Arc::from(name.as_str()));
        if api.is_flexible(preamble.version) {
            decoder.read_tagged_fields()?;
        }
        let Preamble { version, correlation_id, .. } = preamble;
        Ok(Self { api, version, correlation_id, client_id, operations: ListedOperations::default() })
    }

    /// Whether request and answer have compact lengths and tagged fields.
    pub(super) fn is_flexible(&self) -> bool {
        self.api.is_flexible(self.version)
    }

    /// Whether the answer's header has tagged fields.
    pub(super) fn has_tagged_answer(&self) -> bool {
        // KIP-511: a client that asks for versions can't know yet which header the broker writes.
        self.is_flexible() && self.api != Api::ApiVersions
    }
}
