//! Every refused request, at every version, empty and with something in it.

use crate::records::Effort;
use bytes::{Buf, BytesMut};
use gracchus_core::boundary::Door;
use gracchus_core::broker::TopicDirectory;
use gracchus_core::time::Timestamp;
use kafka_wire::*;
use kafka_wire_core::{ApiVersion, DecodeLimits};

use super::*;
use crate::kafka::{Api, Decoded, decode_request};

const CORRELATION_ID: i32 = 0x0102_0304;

const NO_COORDINATOR: i16 = 15;
const ILLEGAL_SASL_STATE: i16 = 34;
const UNSUPPORTED: i16 = 35;
const SECURITY_DISABLED: i16 = 54;
const TOKENS_DISABLED: i16 = 61;

/// A frame's body as a client writes it.
fn request<Q: KafkaEncode>(api: RefusedApi, version: i16, asked: &Q) -> Bytes {
    let api = Api::Refused(api);
    let mut frame = BytesMut::new();
    for number in [api.key(), version] {
        frame.extend_from_slice(&number.to_be_bytes());
    }
    frame.extend_from_slice(&CORRELATION_ID.to_be_bytes());
    frame.extend_from_slice(b"\x00\x02me");
    if api.is_flexible(version) {
        frame.extend_from_slice(&[0]);
    }
    asked.encode_into(&mut frame, ApiVersion::new(version)).unwrap_or_else(|error| panic!("{api:?} {version}: {error}"));
    frame.freeze()
}

/// What is answered, read as a client reads it.
fn answered<Q: KafkaEncode, A: KafkaDecode>(api: RefusedApi, version: i16, asked: &Q) -> A {
    let decoded = decode_request(request(api, version, asked), Door::Brokers, &TopicDirectory::default(), Timestamp(0), Effort::FULL);
    let Ok(Decoded::Answer(mut frame)) = decoded else { panic!("{api:?} {version}: {decoded:?}") };
    assert_eq!(usize::try_from(frame.get_i32()), Ok(frame.len()), "{api:?} {version}");
    assert_eq!(frame.get_i32(), CORRELATION_ID, "{api:?} {version}");
    if Api::Refused(api).is_flexible(version) {
        assert_eq!(frame.get_u8(), 0, "{api:?} {version}: the header's tagged fields");
    }
    let mut decoder = Decoder::new(frame, DecodeLimits::default()).unwrap();
    let answer = A::decode(&mut decoder, ApiVersion::new(version)).unwrap_or_else(|error| panic!("{api:?} {version}: {error}"));
    assert_eq!(decoder.remaining(), 0, "{api:?} {version}");
    answer
}

/// Asks at every version, once for nothing and once for what `ask` makes, and looks for `error` in the answer to that.
fn is_refused<Q, A>(api: RefusedApi, error: i16, ask: impl Fn(i16) -> Q) -> RefusedApi
where
    Q: KafkaEncode + Default,
    A: KafkaDecode + std::fmt::Debug,
{
    for version in Api::Refused(api).versions() {
        answered::<Q, A>(api, version, &Q::default());
        let answer = format!("{:?}", answered::<Q, A>(api, version, &ask(version)));
        assert!(answer.contains(&format!("error_code: {error},")), "{api:?} {version}: {answer}");
    }
    api
}

macro_rules! refusals {
    ($($name:ident $request:ident $response:ident $error:ident |$version:pat_param| $ask:expr;)*) => {
        [$(is_refused::<$request, $response>(RefusedApi::$name, $error, |$version| $ask),)*]
    };
}

/// A request that asks for nothing in particular.
fn plain<Q: Default>() -> Q {
    Q::default()
}

fn names() -> Vec<StrBytes> {
    vec![StrBytes::from("a"), StrBytes::from("b")]
}

#[test]
fn groups_of_other_protocols_are_of_no_supported_version() {
    let refused = refusals! {
        StreamsGroupHeartbeat StreamsGroupHeartbeatRequest StreamsGroupHeartbeatResponse UNSUPPORTED |_| plain();
        StreamsGroupDescribe StreamsGroupDescribeRequest StreamsGroupDescribeResponse UNSUPPORTED |_| {
            filled!(StreamsGroupDescribeRequest { group_ids: names() })
        };
    };
    assert_eq!(refused.len(), 2);
}

/// The request about a share group's state of one partition.
macro_rules! about_state {
    ($module:ident $request:ident $topic:ident) => {{
        let partitions = vec![filled!($module::PartitionData { partition: 3 })];
        filled!($request { topics: vec![filled!($module::$topic { partitions: partitions })] })
    }};
}

#[test]
fn requests_of_share_groups_are_of_no_supported_version() {
    let refused = refusals! {
        ShareGroupHeartbeat ShareGroupHeartbeatRequest ShareGroupHeartbeatResponse UNSUPPORTED |_| plain();
        ShareGroupDescribe ShareGroupDescribeRequest ShareGroupDescribeResponse UNSUPPORTED |_| {
            filled!(ShareGroupDescribeRequest { group_ids: names() })
        };
        ShareFetch ShareFetchRequest ShareFetchResponse UNSUPPORTED |_| plain();
        ShareAcknowledge ShareAcknowledgeRequest ShareAcknowledgeResponse UNSUPPORTED |_| plain();
        InitializeShareGroupState InitializeShareGroupStateRequest InitializeShareGroupStateResponse UNSUPPORTED |_| {
            about_state!(initialize_share_group_state_request InitializeShareGroupStateRequest InitializeStateData)
        };
        ReadShareGroupState ReadShareGroupStateRequest ReadShareGroupStateResponse UNSUPPORTED |_| {
            about_state!(read_share_group_state_request ReadShareGroupStateRequest ReadStateData)
        };
        WriteShareGroupState WriteShareGroupStateRequest WriteShareGroupStateResponse UNSUPPORTED |_| {
            about_state!(write_share_group_state_request WriteShareGroupStateRequest WriteStateData)
        };
        DeleteShareGroupState DeleteShareGroupStateRequest DeleteShareGroupStateResponse UNSUPPORTED |_| {
            about_state!(delete_share_group_state_request DeleteShareGroupStateRequest DeleteStateData)
        };
        ReadShareGroupStateSummary ReadShareGroupStateSummaryRequest ReadShareGroupStateSummaryResponse UNSUPPORTED |_| {
            about_state!(read_share_group_state_summary_request ReadShareGroupStateSummaryRequest ReadStateSummaryData)
        };
        DescribeShareGroupOffsets DescribeShareGroupOffsetsRequest DescribeShareGroupOffsetsResponse UNSUPPORTED |_| {
            use describe_share_group_offsets_request::*;
            let group = filled!(DescribeShareGroupOffsetsRequestGroup { group_id: StrBytes::from("g") });
            filled!(DescribeShareGroupOffsetsRequest { groups: vec![group] })
        };
        AlterShareGroupOffsets AlterShareGroupOffsetsRequest AlterShareGroupOffsetsResponse UNSUPPORTED |_| plain();
        DeleteShareGroupOffsets DeleteShareGroupOffsetsRequest DeleteShareGroupOffsetsResponse UNSUPPORTED |_| plain();
    };
    assert_eq!(refused.len(), 12);
}

#[test]
fn requests_of_transactions_find_no_coordinator() {
    let refused = refusals! {
        AddPartitionsToTxn AddPartitionsToTxnRequest AddPartitionsToTxnResponse NO_COORDINATOR |version| {
            use add_partitions_to_txn_request::*;
            let topics = vec![filled!(AddPartitionsToTxnTopic { partitions: vec![3] })];
            if version < 4 {
                filled!(AddPartitionsToTxnRequest { v3_and_below_topics: topics })
            } else {
                filled!(AddPartitionsToTxnRequest { transactions: vec![filled!(AddPartitionsToTxnTransaction { topics: topics })] })
            }
        };
        AddOffsetsToTxn AddOffsetsToTxnRequest AddOffsetsToTxnResponse NO_COORDINATOR |_| plain();
        EndTxn EndTxnRequest EndTxnResponse NO_COORDINATOR |_| plain();
        WriteTxnMarkers WriteTxnMarkersRequest WriteTxnMarkersResponse UNSUPPORTED |_| {
            use write_txn_markers_request::*;
            let topics = vec![filled!(WritableTxnMarkerTopic { partition_indexes: vec![3] })];
            filled!(WriteTxnMarkersRequest { markers: vec![filled!(WritableTxnMarker { topics: topics })] })
        };
        TxnOffsetCommit TxnOffsetCommitRequest TxnOffsetCommitResponse NO_COORDINATOR |_| {
            use txn_offset_commit_request::*;
            let partitions = vec![filled!(TxnOffsetCommitRequestPartition { partition_index: 3 })];
            filled!(TxnOffsetCommitRequest { topics: vec![filled!(TxnOffsetCommitRequestTopic { partitions: partitions })] })
        };
        DescribeTransactions DescribeTransactionsRequest DescribeTransactionsResponse NO_COORDINATOR |_| {
            filled!(DescribeTransactionsRequest { transactional_ids: names() })
        };
        ListTransactions ListTransactionsRequest ListTransactionsResponse NO_COORDINATOR |_| plain();
        DescribeProducers DescribeProducersRequest DescribeProducersResponse UNSUPPORTED |_| {
            let topic = filled!(describe_producers_request::TopicRequest { partition_indexes: vec![3] });
            filled!(DescribeProducersRequest { topics: vec![topic] })
        };
    };
    assert_eq!(refused.len(), 8);
}

#[test]
fn requests_of_security_are_answered_as_by_an_open_broker() {
    let refused = refusals! {
        SaslHandshake SaslHandshakeRequest SaslHandshakeResponse ILLEGAL_SASL_STATE |_| plain();
        SaslAuthenticate SaslAuthenticateRequest SaslAuthenticateResponse ILLEGAL_SASL_STATE |_| plain();
        DescribeAcls DescribeAclsRequest DescribeAclsResponse SECURITY_DISABLED |_| plain();
        CreateAcls CreateAclsRequest CreateAclsResponse SECURITY_DISABLED |_| {
            filled!(CreateAclsRequest { creations: vec![plain()] })
        };
        DeleteAcls DeleteAclsRequest DeleteAclsResponse SECURITY_DISABLED |_| filled!(DeleteAclsRequest { filters: vec![plain()] });
        CreateDelegationToken CreateDelegationTokenRequest CreateDelegationTokenResponse TOKENS_DISABLED |_| plain();
        RenewDelegationToken RenewDelegationTokenRequest RenewDelegationTokenResponse TOKENS_DISABLED |_| plain();
        ExpireDelegationToken ExpireDelegationTokenRequest ExpireDelegationTokenResponse TOKENS_DISABLED |_| plain();
        DescribeDelegationToken DescribeDelegationTokenRequest DescribeDelegationTokenResponse TOKENS_DISABLED |_| plain();
        DescribeClientQuotas DescribeClientQuotasRequest DescribeClientQuotasResponse UNSUPPORTED |_| plain();
        AlterClientQuotas AlterClientQuotasRequest AlterClientQuotasResponse UNSUPPORTED |_| {
            use alter_client_quotas_request::*;
            // The default user's quota: a name that is null.
            let entity = vec![filled!(EntityData { entity_type: StrBytes::from("user"), entity_name: None })];
            filled!(AlterClientQuotasRequest { entries: vec![filled!(EntryData { entity: entity })] })
        };
        DescribeUserScramCredentials DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse UNSUPPORTED |_| plain();
        AlterUserScramCredentials AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse UNSUPPORTED |_| {
            filled!(AlterUserScramCredentialsRequest { deletions: vec![plain()], upsertions: vec![plain()] })
        };
    };
    assert_eq!(refused.len(), 13);
}

#[test]
fn operations_of_several_nodes_are_of_no_supported_version() {
    let refused = refusals! {
        AlterReplicaLogDirs AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse UNSUPPORTED |_| {
            use alter_replica_log_dirs_request::*;
            let topics = vec![filled!(AlterReplicaLogDirTopic { partitions: vec![3] })];
            filled!(AlterReplicaLogDirsRequest { dirs: vec![filled!(AlterReplicaLogDir { topics: topics })] })
        };
    };
    // With the other families: all that there are.
    assert_eq!(refused.len() + 2 + 12 + 8 + 13, RefusedApi::ALL.len());
}

#[test]
fn a_version_that_kafka_does_not_know_is_not_answered() {
    let unknown = request(RefusedApi::WriteShareGroupState, 1, &WriteShareGroupStateRequest::default());
    let mut unknown = BytesMut::from(&unknown[..]);
    unknown[3] = 2;
    assert!(decode_request(unknown.freeze(), Door::Brokers, &TopicDirectory::default(), Timestamp(0), Effort::FULL).is_err());
}
