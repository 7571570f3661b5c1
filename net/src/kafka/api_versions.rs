//! ApiVersions (KIP-35, KIP-511): what this broker answers.

use bytes::Bytes;
use gracchus_core::boundary::{ApiVersionsRequest, ApiVersionsResponse, Door, Request};
use gracchus_core::error::ErrorCode;
use kafka_wire::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_wire_core::{Decoder, StrBytes};

use super::errors::number_of;
use super::versions::Api;
use super::{Asked, DecodeError, ListedOperations, RequestHeader, wire};

/// The first version that names the client's software.
const SOFTWARE_NAME_FROM: i16 = 3;

/// The first version whose supported features may start at level 0.
const FEATURES_FROM_LEVEL_0_FROM: i16 = 4;

pub(super) fn decode(decoder: Decoder, header: &RequestHeader, door: Door) -> Result<Asked, DecodeError> {
    let asked: kafka_wire::ApiVersionsRequest = wire::decode(decoder, header.version)?;
    let is_sound = [&asked.client_software_name, &asked.client_software_version].into_iter().all(is_software_name);
    if header.version >= SOFTWARE_NAME_FROM && !is_sound {
        return Ok(Asked::Answered(refusal(header, door, ErrorCode::InvalidRequest)));
    }
    Ok(Request::ApiVersions(ApiVersionsRequest {}).into())
}

/// Whether KIP-511 allows it: letters, digits, `-` and `.`, the two last neither at the start nor at the end.
fn is_software_name(name: &StrBytes) -> bool {
    let name = name.as_bytes();
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    is_edge(name.first()) && is_edge(name.last()) && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte))
}

/// The answer to a version that nobody knows here: in version 0, which every client can read, with the versions that there are.
pub(super) fn unsupported_version(correlation_id: i32, door: Door) -> Bytes {
    let header = RequestHeader { api: Api::ApiVersions, version: 0, correlation_id, client_id: None, operations: ListedOperations::default() };
    refusal(&header, door, ErrorCode::UnsupportedVersion)
}

fn refusal(header: &RequestHeader, door: Door, error: ErrorCode) -> Bytes {
    let mut answer = kafka_wire::ApiVersionsResponse::default();
    answer.error_code = number_of(error);
    if error == ErrorCode::UnsupportedVersion {
        answer.api_keys = api_keys(door, false);
    }
    wire::frame(header, &answer).expect("a short answer fits every version")
}

pub(super) fn encode(response: &ApiVersionsResponse, version: i16, throttle_ms: i32) -> kafka_wire::ApiVersionsResponse {
    let mut answer = kafka_wire::ApiVersionsResponse::default();
    answer.api_keys = api_keys(response.door, response.are_unstable_versions_told);
    answer.throttle_time_ms = throttle_ms;
    answer.finalized_features_epoch = response.finalized_epoch;
    // KAFKA-17492: clients before version 4 fail on a feature whose lowest level is 0.
    let is_told = |lowest: i16| lowest != 0 || version >= FEATURES_FROM_LEVEL_0_FROM;
    answer.supported_features = response
        .supported
        .iter()
        .filter(|&&(_, lowest, _)| is_told(lowest))
        .map(|(name, lowest, highest)| supported(name, *lowest, *highest))
        .collect();
    answer.finalized_features =
        response.finalized.iter().filter(|&&(_, level)| level != 0).map(|(name, level)| finalized(name, *level)).collect();
    answer
}

fn api_keys(door: Door, are_unstable_told: bool) -> Vec<ApiVersion> {
    Api::advertised_at(door).into_iter().map(|api| api_key(api, are_unstable_told)).collect()
}

fn api_key(api: Api, are_unstable_told: bool) -> ApiVersion {
    let versions = api.advertised_versions(are_unstable_told);
    let mut key = ApiVersion::default();
    key.api_key = api.key();
    key.min_version = *versions.start();
    key.max_version = *versions.end();
    key
}

fn supported(name: &str, lowest: i16, highest: i16) -> SupportedFeatureKey {
    let mut feature = SupportedFeatureKey::default();
    feature.name = wire::text(name);
    feature.min_version = lowest;
    feature.max_version = highest;
    feature
}

fn finalized(name: &str, level: i16) -> FinalizedFeatureKey {
    let mut feature = FinalizedFeatureKey::default();
    feature.name = wire::text(name);
    feature.min_version_level = level;
    feature.max_version_level = level;
    feature
}
