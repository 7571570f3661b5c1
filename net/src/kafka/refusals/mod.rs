//! The requests that are known and not served: each is decoded within the usual bounds and answered in its own form.
//!
//! The answer is Kafka's own where Kafka can lack the same thing: no authorizer, no delegation tokens, no coordinator at hand. For what
//! every Kafka can do it is UNSUPPORTED_VERSION, which clients take as final. No refusal changes or reads any state, and none closes the
//! connection.

mod cluster;
mod groups;
mod security;
mod share;
#[cfg(test)]
mod tests;
mod transactions;

use bytes::Bytes;
use gracchus_core::error::ErrorCode;
use kafka_wire_core::{Decoder, KafkaDecode, KafkaEncode, StrBytes};

use super::errors::number_of;
use super::versions::RefusedApi;
use super::{DecodeError, RequestHeader, wire};

/// A message with the fields that are named, and Kafka's defaults for the others.
macro_rules! filled {
    ($message:ty { $($field:ident: $value:expr),* $(,)? }) => {{
        let mut message = <$message>::default();
        $(message.$field = $value;)*
        message
    }};
}
use filled;

/// The whole frame that refuses a request.
pub(super) fn answer(api: RefusedApi, body: Decoder, header: &RequestHeader) -> Result<Bytes, DecodeError> {
    match api {
        RefusedApi::StreamsGroupHeartbeat => reply(body, header, groups::streams_heartbeat),
        RefusedApi::StreamsGroupDescribe => reply(body, header, groups::streams_describe),
        RefusedApi::ShareGroupHeartbeat => reply(body, header, share::heartbeat),
        RefusedApi::ShareGroupDescribe => reply(body, header, share::describe),
        RefusedApi::ShareFetch => reply(body, header, share::fetch),
        RefusedApi::ShareAcknowledge => reply(body, header, share::acknowledge),
        RefusedApi::InitializeShareGroupState => reply(body, header, share::initialize_state),
        RefusedApi::ReadShareGroupState => reply(body, header, share::read_state),
        RefusedApi::WriteShareGroupState => reply(body, header, share::write_state),
        RefusedApi::DeleteShareGroupState => reply(body, header, share::delete_state),
        RefusedApi::ReadShareGroupStateSummary => reply(body, header, share::read_state_summary),
        RefusedApi::DescribeShareGroupOffsets => reply(body, header, share::describe_offsets),
        RefusedApi::AlterShareGroupOffsets => reply(body, header, share::alter_offsets),
        RefusedApi::DeleteShareGroupOffsets => reply(body, header, share::delete_offsets),
        RefusedApi::AddPartitionsToTxn => reply(body, header, |asked| transactions::add_partitions(asked, header.version)),
        RefusedApi::AddOffsetsToTxn => reply(body, header, transactions::add_offsets),
        RefusedApi::EndTxn => reply(body, header, transactions::end),
        RefusedApi::WriteTxnMarkers => reply(body, header, transactions::write_markers),
        RefusedApi::TxnOffsetCommit => reply(body, header, transactions::offset_commit),
        RefusedApi::DescribeTransactions => reply(body, header, transactions::describe),
        RefusedApi::ListTransactions => reply(body, header, transactions::list),
        RefusedApi::DescribeProducers => reply(body, header, transactions::describe_producers),
        RefusedApi::SaslHandshake => reply(body, header, security::handshake),
        RefusedApi::SaslAuthenticate => reply(body, header, security::authenticate),
        RefusedApi::DescribeAcls => reply(body, header, security::describe_acls),
        RefusedApi::CreateAcls => reply(body, header, security::create_acls),
        RefusedApi::DeleteAcls => reply(body, header, security::delete_acls),
        RefusedApi::CreateDelegationToken => reply(body, header, security::create_token),
        RefusedApi::RenewDelegationToken => reply(body, header, security::renew_token),
        RefusedApi::ExpireDelegationToken => reply(body, header, security::expire_token),
        RefusedApi::DescribeDelegationToken => reply(body, header, security::describe_tokens),
        RefusedApi::DescribeClientQuotas => reply(body, header, security::describe_quotas),
        RefusedApi::AlterClientQuotas => reply(body, header, security::alter_quotas),
        RefusedApi::DescribeUserScramCredentials => reply(body, header, security::describe_scram),
        RefusedApi::AlterUserScramCredentials => reply(body, header, security::alter_scram),
        RefusedApi::AlterReplicaLogDirs => reply(body, header, cluster::alter_log_dirs),
    }
}

fn reply<Q: KafkaDecode, A: KafkaEncode>(body: Decoder, header: &RequestHeader, refuse: impl FnOnce(Q) -> A) -> Result<Bytes, DecodeError> {
    let refusal = refuse(wire::decode(body, header.version)?);
    Ok(wire::frame(header, &refusal).expect("a refusal repeats no more than its request, and fits its version"))
}

fn unsupported() -> i16 {
    number_of(ErrorCode::UnsupportedVersion)
}

fn no_coordinator() -> i16 {
    number_of(ErrorCode::CoordinatorNotAvailable)
}

/// What a person should know.
fn say(message: &'static str) -> Option<StrBytes> {
    Some(StrBytes::from(message))
}

/// `refuse` for each of `asked`.
fn each<Q, A>(asked: Vec<Q>, refuse: impl FnMut(Q) -> A) -> Vec<A> {
    asked.into_iter().map(refuse).collect()
}
