//! Kafka's requests and answers: from a frame's bytes to the core's request, and from its response back to bytes.
//!
//! The version stops here. What differs between versions is a field of the core's request, and an answer is written as the version of its
//! request wants it, errors that old clients don't know included. Produce and Fetch are decoded and encoded in [`hot`] without copying
//! records; everything else goes through generated messages.

mod administration;
mod api_versions;
mod cluster;
mod configs;
mod coordinators;
mod errors;
mod groups;
mod header;
mod hot;
mod metadata;
mod offsets;
mod operations;
mod refusals;
#[cfg(test)]
mod tests;
mod topics;
mod versions;
mod voters;
mod wire;

use bytes::Bytes;
use gracchus_core::boundary::{Door, Request, Response};
use gracchus_core::broker::TopicDirectory;
use gracchus_core::time::Timestamp;
use kafka_wire_core::Decoder;
use thiserror::Error;

pub use errors::{code_of, number_of};
use header::Preamble;

use crate::records::Effort;
pub use header::{ListedOperations, RequestHeader};
pub use versions::{Api, RefusedApi};

/// What a frame turned out to be.
#[derive(Debug)]
pub enum Decoded {
    /// A request for the core.
    Request {
        /// What its answer will be encoded with.
        header: RequestHeader,
        /// The request.
        request: Box<Request>,
        /// Whether the client waits for an answer: not of a Produce without acknowledgements.
        is_answered: bool,
    },
    /// Something that is answered here: a whole frame to send.
    Answer(Bytes),
}

/// Why a frame closes its connection.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// A request that is not known here.
    #[error("unknown API key {0}")]
    UnknownApi(i16),
    /// A version that is not known here. Only ApiVersions has an answer for that: a client that asks it first never gets here.
    #[error("{api:?} version {version} is not served")]
    UnsupportedVersion {
        /// The request.
        api: Api,
        /// Its version.
        version: i16,
    },
    /// A request that brokers serve, on a listener of controllers.
    #[error("{0:?} is not served on the listeners of controllers")]
    NotServedHere(Api),
    /// More bytes than a request without records may have.
    #[error("a request of {length} bytes without records, and {bytes_max} are allowed")]
    TooLarge {
        /// Its length.
        length: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A batch takes more than [`Effort::Light`] to look into: with all effort the request is decoded.
    #[error("a batch has to be decompressed or compressed")]
    Laborious,
    /// More partitions than one Produce may name.
    #[error("a Produce names more than {0} partitions")]
    TooManyPartitions(usize),
    /// Bytes that are not what they should be.
    #[error("malformed request: {0}")]
    Malformed(#[from] kafka_wire_core::DecodeError),
}

/// Why a response can't be sent.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// It would take this many bytes, and a frame's length has 31 bits.
    #[error("a frame of {0} bytes")]
    TooLarge(u64),
    /// It does not fit the request's version.
    #[error(transparent)]
    Unrepresentable(#[from] kafka_wire_core::EncodeError),
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// The bytes of the fetch's slice of that number. A slice of no bytes has no piece.
    Slice(usize),
}

/// What the body of a request asks.
enum Asked {
    /// The core.
    Core(Request),
    /// Nobody: here is the answer.
    Answered(Bytes),
}

impl From<Request> for Asked {
    fn from(request: Request) -> Self {
        Self::Core(request)
    }
}

/// Decodes a frame's body that has come in by `door`. A Produce's batches are validated on the way, each against its topic's settings in `topics`, with as much effort
/// as is allowed.
///
/// # Errors
/// [`DecodeError`]: the connection is to be closed, and the error is the line to log; but for [`DecodeError::Laborious`], which asks for
/// more effort.
pub fn decode_request(frame: Bytes, door: Door, topics: &TopicDirectory, now: Timestamp, effort: Effort) -> Result<Decoded, DecodeError> {
    let mut decoder = wire::decoder(frame)?;
    let preamble = Preamble::read(&mut decoder)?;
    let api = Api::from_key(preamble.key).ok_or(DecodeError::UnknownApi(preamble.key))?;
    let version = preamble.version;
    if !api.is_at(door) {
        return Err(DecodeError::NotServedHere(api));
    }
    if !api.versions().contains(&version) {
        if api == Api::ApiVersions {
            return Ok(Decoded::Answer(api_versions::unsupported_version(preamble.correlation_id, door)));
        }
        return Err(DecodeError::UnsupportedVersion { api, version });
    }
    let mut header = RequestHeader::read(api, preamble, &mut decoder)?;
    let asked = decode_body(&mut header, decoder, door, topics, now, effort)?;
    Ok(match asked {
        Asked::Core(request) => Decoded::Request { header, is_answered: is_answered(&request), request: Box::new(request) },
        Asked::Answered(frame) => Decoded::Answer(frame),
    })
}

fn decode_body(
    header: &mut RequestHeader,
    body: Decoder,
    door: Door,
    topics: &TopicDirectory,
    now: Timestamp,
    effort: Effort,
) -> Result<Asked, DecodeError> {
    let version = header.version;
    Ok(Asked::Core(match header.api {
        Api::Metadata => return metadata::decode(body, header),
        Api::ApiVersions => return api_versions::decode(body, header, door),
        Api::InitProducerId => return coordinators::decode_init(body, header),
        Api::Produce => hot::decode_produce(body, header, topics, now, effort)?,
        Api::Fetch => hot::decode_fetch(body, header)?,
        Api::ListOffsets => offsets::decode_list(body, version)?,
        Api::FindCoordinator => coordinators::decode_find(body, version)?,
        Api::CreateTopics => topics::decode_create(body, version)?,
        Api::DeleteTopics => topics::decode_delete(body, version)?,
        Api::DeleteRecords => topics::decode_delete_records(body, version)?,
        Api::OffsetForLeaderEpoch => offsets::decode_epochs(body, version)?,
        Api::DescribeConfigs => configs::decode_describe(body, version)?,
        Api::AlterConfigs => configs::decode_alter(body, version)?,
        Api::DescribeLogDirs => cluster::decode_log_dirs(body, version)?,
        Api::CreatePartitions => topics::decode_partitions(body, version)?,
        Api::IncrementalAlterConfigs => configs::decode_incremental_alter(body, version)?,
        Api::DescribeCluster => cluster::decode_describe(body, header)?,
        Api::ListConfigResources => configs::decode_list(body, version)?,
        Api::DescribeTopicPartitions => metadata::decode_describe(body, version)?,
        Api::AlterPartitionReassignments => administration::decode_alter_reassignments(body, version)?,
        Api::ListPartitionReassignments => administration::decode_list_reassignments(body, version)?,
        Api::ElectLeaders => administration::decode_elect_leaders(body, version)?,
        Api::DescribeQuorum => administration::decode_describe_quorum(body, version)?,
        Api::UpdateFeatures => administration::decode_update_features(body, version)?,
        Api::UnregisterBroker => administration::decode_unregister(body, version)?,
        Api::AddRaftVoter => voters::decode_add(body, version)?,
        Api::RemoveRaftVoter => voters::decode_remove(body, version)?,
        Api::OffsetCommit => Request::from(groups::decode_commit(body, version)?),
        Api::OffsetFetch => Request::OffsetFetch(groups::decode_fetch(body, version)?),
        Api::OffsetDelete => Request::from(groups::decode_delete_offsets(body, version)?),
        Api::JoinGroup => Request::from(groups::decode_join(body, version)?),
        Api::SyncGroup => Request::from(groups::decode_sync(body, version)?),
        Api::Heartbeat => Request::from(groups::decode_heartbeat(body, version)?),
        Api::LeaveGroup => Request::from(groups::decode_leave(body, version)?),
        Api::ListGroups => Request::ListGroups(groups::decode_list(body, version)?),
        Api::DescribeGroups => Request::DescribeGroups(groups::decode_describe(body, header)?),
        Api::ConsumerGroupHeartbeat => Request::from(groups::decode_consumer_heartbeat(body, version)?),
        Api::ConsumerGroupDescribe => Request::ConsumerGroupDescribe(groups::decode_describe_consumer(body, header)?),
        Api::DeleteGroups => Request::DeleteGroups(groups::decode_delete(body, version)?),
        Api::Refused(refused) => return Ok(Asked::Answered(refusals::answer(refused, body, header)?)),
    }))
}

fn is_answered(request: &Request) -> bool {
    use gracchus_core::boundary::Acks;
    !matches!(request, Request::Produce(produce) if produce.acks == Ok(Acks::None))
}

/// Encodes a response as a whole frame, its length included.
///
/// Of a fetch, `slices` says for each slice in the order of the response how many bytes it has.
///
/// # Errors
/// [`EncodeError`]: a mistake of ours, and the connection is of no use.
pub fn encode_response(header: &RequestHeader, response: &Response, slices: &[u64], throttle_ms: i32) -> Result<Vec<Piece>, EncodeError> {
    let version = header.version;
    let throttle = throttle_ms;
    let frame = match response {
        Response::Fetch(answer) => return hot::encode_fetch(header, answer, slices, throttle),
        Response::Produce(answer) => hot::encode_produce(header, answer, throttle),
        Response::ApiVersions(answer) => wire::frame(header, &api_versions::encode(answer, version, throttle)),
        Response::ListOffsets(answer) => wire::frame(header, &offsets::encode_list(answer, version, throttle)),
        Response::OffsetForLeaderEpoch(answer) => wire::frame(header, &offsets::encode_epochs(answer, throttle)),
        Response::Metadata(answer) => wire::frame(header, &metadata::encode(answer, header, throttle)),
        Response::DescribeCluster(answer) => wire::frame(header, &cluster::encode_describe(answer, header, throttle)),
        Response::DescribeTopicPartitions(answer) => wire::frame(header, &metadata::encode_describe(answer, throttle)),
        Response::CreateTopics(answer) => wire::frame(header, &topics::encode_create(answer, throttle)),
        Response::DeleteTopics(answer) => wire::frame(header, &topics::encode_delete(answer, version, throttle)),
        Response::CreatePartitions(answer) => wire::frame(header, &topics::encode_partitions(answer, throttle)),
        Response::DeleteRecords(answer) => wire::frame(header, &topics::encode_delete_records(answer, throttle)),
        Response::DescribeConfigs(answer) => wire::frame(header, &configs::encode_describe(answer, throttle)),
        Response::AlterConfigs(answer) if header.api == Api::IncrementalAlterConfigs => {
            wire::frame(header, &configs::encode_incremental_alter(answer, throttle))
        }
        Response::AlterConfigs(answer) => wire::frame(header, &configs::encode_alter(answer, throttle)),
        Response::ListConfigResources(answer) => wire::frame(header, &configs::encode_list(answer, throttle)),
        Response::DescribeLogDirs(answer) => wire::frame(header, &cluster::encode_log_dirs(answer, throttle)),
        Response::InitProducerId(answer) => wire::frame(header, &coordinators::encode_init(answer, version, throttle)),
        Response::FindCoordinator(answer) => wire::frame(header, &coordinators::encode_find(answer, version, throttle)),
        Response::AlterPartitionReassignments(answer) => wire::frame(header, &administration::encode_alter_reassignments(answer, throttle)),
        Response::ListPartitionReassignments(answer) => wire::frame(header, &administration::encode_list_reassignments(answer, throttle)),
        Response::ElectLeaders(answer) => wire::frame(header, &administration::encode_elect_leaders(answer, version, throttle)),
        Response::DescribeQuorum(answer) => wire::frame(header, &administration::encode_describe_quorum(answer, version)),
        Response::UpdateFeatures(answer) => wire::frame(header, &administration::encode_update_features(answer, version, throttle)),
        Response::UnregisterBroker(answer) => wire::frame(header, &administration::encode_unregister(answer, throttle)),
        Response::RaftVoter(answer) if header.api == Api::RemoveRaftVoter => wire::frame(header, &voters::encode_remove(answer, throttle)),
        Response::Group(answer) => groups::encode(header, answer, throttle),
        Response::RaftVoter(answer) => wire::frame(header, &voters::encode_add(answer, throttle)),
    }?;
    Ok(vec![Piece::Bytes(frame)])
}
