//! Between the wire's types and the core's: what every API needs.

use bytes::{BufMut, Bytes, BytesMut};
use gracchus_core::error::{ApiError, ErrorCode};
use gracchus_core::ids::{NodeId, PartitionIndex, TopicId, TopicName, Uuid};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, KafkaDecode, KafkaEncode, StrBytes};

use super::errors::number_of;
use super::{DecodeError, EncodeError, RequestHeader};
use crate::limits;

/// The node that is none.
pub(super) const NO_NODE: i32 = -1;

/// The longest string: what a length of two bytes can say, and Kafka takes none longer in versions with compact lengths.
const STRING_BYTES_MAX: usize = 0x7fff;

/// A decoder of a whole request, bounded by the bytes that are there.
pub(super) fn decoder(frame: Bytes) -> Result<Decoder, DecodeError> {
    let mut bounds = DecodeLimits::default();
    bounds.max_frame_bytes = usize::MAX;
    bounds.max_bytes_bytes = usize::MAX;
    bounds.max_string_bytes = STRING_BYTES_MAX;
    bounds.max_array_elements = limits::ARRAY_ELEMENTS_MAX;
    bounds.max_tagged_fields = limits::TAGGED_FIELDS_MAX;
    Ok(Decoder::new(frame, bounds)?)
}

/// Decodes a request's body. What follows it is not looked at, nor does Kafka.
pub(super) fn decode<M: KafkaDecode>(mut decoder: Decoder, version: i16) -> Result<M, DecodeError> {
    check_length(&decoder)?;
    Ok(M::decode(&mut decoder, ApiVersion::new(version))?)
}

/// Checks that a request is no longer than one without records may be.
pub(super) fn check_length(decoder: &Decoder) -> Result<(), DecodeError> {
    let (length, bytes_max) = (decoder.remaining(), limits::COLD_REQUEST_BYTES_MAX);
    if length > bytes_max { Err(DecodeError::TooLarge { length, bytes_max }) } else { Ok(()) }
}

/// A whole frame: length, header and `body`.
pub(super) fn frame<M: KafkaEncode>(header: &RequestHeader, body: &M) -> Result<Bytes, EncodeError> {
    let mut frame = BytesMut::new();
    start_frame(&mut frame, header);
    body.encode_into(&mut frame, ApiVersion::new(header.version))?;
    let whole = frame.len() as u64;
    finish_frame(&mut frame, whole)?;
    Ok(frame.freeze())
}

/// Leaves room for the length, and writes the header.
pub(super) fn start_frame(frame: &mut BytesMut, header: &RequestHeader) {
    frame.put_i32(0);
    frame.put_i32(header.correlation_id);
    if header.has_tagged_answer() {
        frame.put_u8(0);
    }
}

/// Writes the length of a frame of `whole` bytes, which counts those of the length itself, at its start.
pub(super) fn finish_frame(start: &mut BytesMut, whole: u64) -> Result<(), EncodeError> {
    let length = i32::try_from(whole - size_of::<i32>() as u64).map_err(|_| EncodeError::TooLarge(whole))?;
    *start.first_chunk_mut().expect("the frame was started") = length.to_be_bytes();
    Ok(())
}

pub(super) fn text(value: impl AsRef<str>) -> StrBytes {
    StrBytes::from(value.as_ref())
}

/// As much of a message as a string can hold.
pub(super) fn cut(message: &str) -> &str {
    message.get(..message.floor_char_boundary(STRING_BYTES_MAX)).expect("it is cut between characters")
}

pub(super) fn string(value: &StrBytes) -> String {
    value.as_str().to_owned()
}

pub(super) fn optional_text(value: Option<&String>) -> Option<StrBytes> {
    value.map(text)
}

pub(super) fn topic_name(name: &StrBytes) -> TopicName {
    TopicName::from(name.as_str())
}

pub(super) fn topic_text(name: &TopicName) -> StrBytes {
    text(name.as_str())
}

pub(super) fn topic_id(id: kafka_wire_core::Uuid) -> TopicId {
    TopicId(Uuid(id.to_bytes()))
}

pub(super) fn uuid(id: TopicId) -> kafka_wire_core::Uuid {
    kafka_wire_core::Uuid::from_bytes(id.0.0)
}

pub(super) fn nodes(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|node| node.0).collect()
}

pub(super) fn node_ids(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

pub(super) fn node_or_none(node: Option<NodeId>) -> i32 {
    node.map_or(NO_NODE, |node| node.0)
}

pub(super) fn partitions(indexes: &[i32]) -> Vec<PartitionIndex> {
    indexes.iter().copied().map(PartitionIndex).collect()
}

/// The error's number and message; 0 and null without one.
pub(super) fn api_error(error: Option<&ApiError>) -> (i16, Option<StrBytes>) {
    match error {
        Some(error) => (number_of(error.code), error.message.as_deref().map(|message| text(cut(message)))),
        None => (0, None),
    }
}

/// The value and 0, or `otherwise` and the error's number.
pub(super) fn value_or<T: Copy>(result: &Result<T, ErrorCode>, otherwise: T) -> (T, i16) {
    match result {
        Ok(value) => (*value, 0),
        Err(code) => (otherwise, number_of(*code)),
    }
}
