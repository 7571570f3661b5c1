//! What can go wrong between a client and a broker, short of an error code in an answer.

use std::io;

use kafka_wire_core::{DecodeError, EncodeError, VersionRange};
use thiserror::Error;

use super::WireError;

/// Why a call failed. After any of these but [`Unsupported`](Self::Unsupported), [`Encode`](Self::Encode) and [`Refused`](Self::Refused) the
/// connection is of no further use.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Reading or writing failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The stream ended before an answer was whole.
    #[error("the broker closed the connection")]
    Closed,
    /// A frame is longer than the client accepts, or its length is negative.
    #[error("the broker announced an answer of {length} bytes; at most {limit} are accepted")]
    FrameLength {
        /// As it stands on the wire.
        length: i32,
        /// What is accepted.
        limit: usize,
    },
    /// An answer belongs to another request.
    #[error("the broker answered request {found} where request {expected} was due")]
    Correlation {
        /// The request that is due.
        expected: i32,
        /// The request that the answer names.
        found: i32,
    },
    /// The request can't be written at its version, or is too long.
    #[error("a request can't be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The answer is not what its version says.
    #[error("an answer to {api} can't be decoded: {error}")]
    Decode {
        /// The request's name.
        api: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// Broker and client have no version of an API in common.
    #[error("the broker serves {api} at {served:?}, this client knows {known}")]
    Unsupported {
        /// The request's name.
        api: &'static str,
        /// The broker's first and last version, if it serves the API at all.
        served: Option<(i16, i16)>,
        /// The client's versions.
        known: VersionRange,
    },
    /// The broker refused ApiVersions itself.
    #[error("the broker refused to name its versions: {0}")]
    Refused(WireError),
}
