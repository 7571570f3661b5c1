//! Who may do what, and how much: clients are not authenticated, and anyone may do anything, as on a Kafka without an authorizer whose
//! listeners are PLAINTEXT.

use gracchus_core::error::ErrorCode;
use kafka_wire::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    CreateAclsRequest, CreateAclsResponse, CreateDelegationTokenRequest, CreateDelegationTokenResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse, DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse, RenewDelegationTokenRequest, RenewDelegationTokenResponse, SaslAuthenticateRequest,
    SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse, alter_client_quotas_response, alter_user_scram_credentials_response,
    create_acls_response, delete_acls_response,
};
use kafka_wire_core::StrBytes;

use super::{each, filled, number_of, say, unsupported};

/// In Kafka's words, which tools show.
const NO_AUTHORIZER: &str = "No Authorizer is configured.";
const NO_SASL: &str = "This listener does not authenticate its clients.";
const NO_QUOTAS: &str = "This broker does not keep client quotas yet.";
const NO_SCRAM: &str = "This broker does not keep SCRAM credentials yet.";

/// The time of what never happens.
const NEVER_MS: i64 = -1;

fn security_disabled() -> i16 {
    number_of(ErrorCode::SecurityDisabled)
}

fn illegal_sasl_state() -> i16 {
    number_of(ErrorCode::IllegalSaslState)
}

fn tokens_disabled() -> i16 {
    number_of(ErrorCode::DelegationTokenAuthDisabled)
}

pub(super) fn handshake(_: SaslHandshakeRequest) -> SaslHandshakeResponse {
    filled!(SaslHandshakeResponse { error_code: illegal_sasl_state() })
}

pub(super) fn authenticate(_: SaslAuthenticateRequest) -> SaslAuthenticateResponse {
    filled!(SaslAuthenticateResponse { error_code: illegal_sasl_state(), error_message: say(NO_SASL) })
}

pub(super) fn describe_acls(_: DescribeAclsRequest) -> DescribeAclsResponse {
    filled!(DescribeAclsResponse { error_code: security_disabled(), error_message: say(NO_AUTHORIZER) })
}

pub(super) fn create_acls(asked: CreateAclsRequest) -> CreateAclsResponse {
    let results = each(asked.creations, |_| {
        filled!(create_acls_response::AclCreationResult { error_code: security_disabled(), error_message: say(NO_AUTHORIZER) })
    });
    filled!(CreateAclsResponse { results: results })
}

pub(super) fn delete_acls(asked: DeleteAclsRequest) -> DeleteAclsResponse {
    let results = each(asked.filters, |_| {
        filled!(delete_acls_response::DeleteAclsFilterResult { error_code: security_disabled(), error_message: say(NO_AUTHORIZER) })
    });
    filled!(DeleteAclsResponse { filter_results: results })
}

pub(super) fn create_token(_: CreateDelegationTokenRequest) -> CreateDelegationTokenResponse {
    filled!(CreateDelegationTokenResponse {
        error_code: tokens_disabled(),
        // Whom Kafka takes a client for that it did not authenticate.
        principal_type: StrBytes::from("User"),
        principal_name: StrBytes::from("ANONYMOUS"),
        issue_timestamp_ms: NEVER_MS,
        expiry_timestamp_ms: NEVER_MS,
        max_timestamp_ms: NEVER_MS,
    })
}

pub(super) fn renew_token(_: RenewDelegationTokenRequest) -> RenewDelegationTokenResponse {
    filled!(RenewDelegationTokenResponse { error_code: tokens_disabled(), expiry_timestamp_ms: NEVER_MS })
}

pub(super) fn expire_token(_: ExpireDelegationTokenRequest) -> ExpireDelegationTokenResponse {
    filled!(ExpireDelegationTokenResponse { error_code: tokens_disabled(), expiry_timestamp_ms: NEVER_MS })
}

pub(super) fn describe_tokens(_: DescribeDelegationTokenRequest) -> DescribeDelegationTokenResponse {
    filled!(DescribeDelegationTokenResponse { error_code: tokens_disabled() })
}

pub(super) fn describe_quotas(_: DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
    filled!(DescribeClientQuotasResponse { error_code: unsupported(), error_message: say(NO_QUOTAS), entries: None })
}

pub(super) fn alter_quotas(asked: AlterClientQuotasRequest) -> AlterClientQuotasResponse {
    use alter_client_quotas_response::{EntityData, EntryData};
    let entries = each(asked.entries, |entry| {
        let entity = each(entry.entity, |entity| filled!(EntityData { entity_type: entity.entity_type, entity_name: entity.entity_name }));
        filled!(EntryData { error_code: unsupported(), error_message: say(NO_QUOTAS), entity: entity })
    });
    filled!(AlterClientQuotasResponse { entries: entries })
}

pub(super) fn describe_scram(_: DescribeUserScramCredentialsRequest) -> DescribeUserScramCredentialsResponse {
    filled!(DescribeUserScramCredentialsResponse { error_code: unsupported(), error_message: say(NO_SCRAM) })
}

pub(super) fn alter_scram(asked: AlterUserScramCredentialsRequest) -> AlterUserScramCredentialsResponse {
    let users = asked.deletions.into_iter().map(|deletion| deletion.name).chain(asked.upsertions.into_iter().map(|upsertion| upsertion.name));
    let results = users.map(|user| {
        filled!(alter_user_scram_credentials_response::AlterUserScramCredentialsResult {
            user: user,
            error_code: unsupported(),
            error_message: say(NO_SCRAM),
        })
    });
    filled!(AlterUserScramCredentialsResponse { results: results.collect() })
}
