//! The version that both sides know.

use std::collections::BTreeMap;

use kafka_wire::{ApiVersionsResponse, KafkaRequest};

use super::ClientError;

/// The versions of each API that a broker serves, by API key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedVersions {
    ranges: BTreeMap<i16, (i16, i16)>,
}

impl ServedVersions {
    /// As the broker's answer has them.
    #[must_use]
    pub fn from_response(response: &ApiVersionsResponse) -> Self {
        let ranges = response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Self { ranges }
    }

    /// First and last version of an API, if the broker serves it.
    #[must_use]
    pub fn range(&self, api_key: i16) -> Option<(i16, i16)> {
        self.ranges.get(&api_key).copied()
    }

    /// The newest version of `Q` that both sides know.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] when there is none.
    pub fn common<Q: KafkaRequest>(&self) -> Result<i16, ClientError> {
        self.common_up_to::<Q>(i16::MAX)
    }

    /// The newest version of `Q` that both sides know, `ceiling` at most.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] when there is none.
    pub fn common_up_to<Q: KafkaRequest>(&self, ceiling: i16) -> Result<i16, ClientError> {
        let known = Q::SUPPORTED_VERSIONS;
        let served = self.range(Q::API_KEY.value());
        let newest_known = Q::API_DESCRIPTOR.latest_stable_version().unwrap_or(known.min()).value().min(ceiling);
        let common = served.and_then(|(first, last)| {
            let version = newest_known.min(last);
            (version >= known.min().value().max(first)).then_some(version)
        });
        common.ok_or_else(|| ClientError::Unsupported { api: Q::NAME.strip_suffix("Request").unwrap_or(Q::NAME), served, known })
    }
}
