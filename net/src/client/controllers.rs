//! Who the controllers are, as one of them says (KIP-919).

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_wire::{
    DescribeClusterRequest, DescribeClusterResponse, OutboundFrameLimits, ResponseHeader, encode_request, response_header_version_for,
};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, KafkaDecode, StrBytes};

use super::{ClientError, WireError};

/// The first version that asks for controllers.
const VERSION: i16 = 1;
const CONTROLLERS: i8 = 2;

/// The longest answer that is read.
pub const CONTROLLERS_BYTES_MAX: u32 = 1 << 20;

/// The request as it leaves, its length before it: the only one on its connection.
///
/// # Errors
/// [`ClientError`]: never, for what is sent is short.
pub fn controllers_request(client_id: &str) -> Result<Bytes, ClientError> {
    let mut request = DescribeClusterRequest::default();
    request.endpoint_type = CONTROLLERS;
    let mut frame = BytesMut::new();
    let limits = OutboundFrameLimits::new(1 << 10);
    encode_request(&mut frame, 0, Some(StrBytes::from(client_id)), &request, ApiVersion::new(VERSION), limits)?;
    Ok(frame.freeze())
}

/// The controllers with their hosts and ports, by an answer without its length.
///
/// # Errors
/// [`ClientError`]: it is no such answer, or says why there is none.
pub fn controllers_of(answer: Bytes) -> Result<BTreeMap<i32, (String, u16)>, ClientError> {
    let unreadable = |error| ClientError::Decode { api: "DescribeCluster", error };
    let limits = DecodeLimits::default();
    let header_version = ApiVersion::new(response_header_version_for::<DescribeClusterRequest>(ApiVersion::new(VERSION))?);
    let mut decoder = Decoder::new(answer, limits).map_err(unreadable)?;
    ResponseHeader::decode(&mut decoder, header_version).map_err(unreadable)?;
    let response = DescribeClusterResponse::decode(&mut decoder, ApiVersion::new(VERSION)).map_err(unreadable)?;
    match WireError(response.error_code) {
        WireError::NONE => {}
        refused => return Err(ClientError::Refused(refused)),
    }
    let known = response.brokers.iter().filter_map(|node| Some((node.broker_id, (node.host.to_string(), u16::try_from(node.port).ok()?))));
    Ok(known.collect())
}
