//! Requests as an independent codec writes them, each with what it asks of the core.

mod draw;
mod requests;

use bytes::{BufMut, Bytes, BytesMut};
use gracchus_core::boundary::Request;
use gracchus_net::kafka::Api;
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Encodable, StrBytes};

pub use draw::Draw;

/// What every sample's header says.
pub const CORRELATION_ID: i32 = 0x0102_0304;
/// What every sample's header says.
pub const CLIENT_ID: &str = "independent";

/// The latest version that is served and that the other codec knows: of some it lags one behind.
#[must_use]
pub fn latest(api: Api) -> i16 {
    let lags =
        matches!(api, Api::ListOffsets | Api::DescribeLogDirs | Api::InitProducerId | Api::AddRaftVoter | Api::OffsetCommit | Api::OffsetFetch);
    api.versions().end() - i16::from(lags)
}

/// The body of a frame with a request of that kind and version, and the request.
#[must_use]
pub fn request(api: Api, version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let mut frame = BytesMut::new();
    let mut header = RequestHeader::default();
    header.request_api_key = api.key();
    header.request_api_version = version;
    header.correlation_id = CORRELATION_ID;
    header.client_id = Some(StrBytes::from_static_str(CLIENT_ID));
    header.encode(&mut frame, if api.is_flexible(version) { 2 } else { 1 }).expect("a header fits every version");
    let (body, request) = requests::body(api, version, draw);
    frame.put(body);
    (frame.freeze(), request)
}
