//! Frames, correlation ids, and answers in the order of their requests.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use kafka_wire::{
    ApiVersionsRequest, ApiVersionsResponse, KafkaMessage, KafkaRequest, OutboundFrameLimits, RequestResponsePair, ResponseHeader,
    encode_request, response_header_version_for,
};
use kafka_wire_core::{ApiVersion, DecodeError, DecodeLimits, Decoder, EncodeError, KafkaDecode, StrBytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{ClientError, ServedVersions, WireError};

/// Length of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Where a request's correlation id stands in its frame: behind the length, the API key and the version.
const CORRELATION_BYTES: Range<usize> = 8..12;

/// The longest frame accepted or sent unless [`Connection::set_frame_bytes_max`] says otherwise.
const FRAME_BYTES_MAX: usize = 128 << 20;

/// Room made for reading when no frame's length is known.
const READ_BYTES: usize = 16 << 10;

/// Names one request on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CorrelationId(pub i32);

/// A client's end of a connection.
pub struct Connection<R, W> {
    reader: R,
    writer: W,
    client_id: StrBytes,
    limits: DecodeLimits,
    next_correlation: i32,
    awaited: VecDeque<Awaited>,
    incoming: BytesMut,
    outgoing: BytesMut,
}

/// A request whose answer is due.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    correlation: CorrelationId,
    api_key: i16,
    version: ApiVersion,
    header_version: ApiVersion,
}

impl<R, W> fmt::Debug for Connection<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client_id", &self.client_id).field("awaited", &self.awaited).finish_non_exhaustive()
    }
}

impl<R, W> Connection<R, W> {
    /// A client that introduces itself as `client_id` on streams that are connected to a broker.
    pub fn new(reader: R, writer: W, client_id: &str) -> Self {
        let mut connection = Self {
            reader,
            writer,
            client_id: StrBytes::from(client_id),
            limits: DecodeLimits::default(),
            next_correlation: 0,
            awaited: VecDeque::new(),
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
        };
        connection.set_frame_bytes_max(FRAME_BYTES_MAX);
        connection
    }

    /// Bounds the frames sent and accepted, their length field not counted.
    pub fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.limits.max_frame_bytes = frame_bytes_max;
        self.limits.max_bytes_bytes = frame_bytes_max;
    }

    /// Requests sent whose answers have not been received.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.awaited.len()
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Connection<R, W> {
    /// Sends a request at `version` and waits for its answer. No other answer may be due.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Panics
    /// When an earlier answer has not been received.
    pub async fn request<Q: RequestResponsePair>(&mut self, version: i16, request: &Q) -> Result<Q::Response, ClientError> {
        assert!(self.awaited.is_empty(), "a lone request follows one whose answer is still due");
        self.send(version, request).await?;
        let (_, response) = self.receive::<Q>().await?;
        Ok(response)
    }

    /// Sends a request at `version`; its answer is [received](Self::receive) later, after those of earlier requests.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send<Q: RequestResponsePair>(&mut self, version: i16, request: &Q) -> Result<CorrelationId, ClientError> {
        let version = ApiVersion::new(version);
        let header_version = ApiVersion::new(response_header_version_for::<Q>(version)?);
        let correlation = self.encode(version, request)?;
        self.awaited.push_back(Awaited { correlation, api_key: Q::API_KEY.value(), version, header_version });
        self.write_out().await?;
        Ok(correlation)
    }

    /// Sends a request that was encoded before, length and all, under a correlation id of its own. Saves encoding where the same request goes
    /// out many times. Unlike the other calls, a part of it may have been written when the future is dropped.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Panics
    /// When `frame` is shorter than a request's header.
    pub async fn send_encoded<Q: RequestResponsePair>(&mut self, version: i16, frame: &mut [u8]) -> Result<CorrelationId, ClientError> {
        let version = ApiVersion::new(version);
        let header_version = ApiVersion::new(response_header_version_for::<Q>(version)?);
        let correlation = self.take_correlation();
        frame.get_mut(CORRELATION_BYTES).expect("a frame starts with its header").copy_from_slice(&correlation.0.to_be_bytes());
        self.awaited.push_back(Awaited { correlation, api_key: Q::API_KEY.value(), version, header_version });
        self.send_encoded_unanswered(frame).await?;
        Ok(correlation)
    }

    /// As [`send_encoded`](Self::send_encoded), where the broker does not answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send_encoded_unanswered(&mut self, frame: &[u8]) -> Result<(), ClientError> {
        self.write_out().await?;
        self.writer.write_all(frame).await?;
        self.writer.flush().await?;
        Ok(())
    }

    /// Sends a request that the broker does not answer: Produce with acks=0.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send_unanswered<Q: KafkaRequest>(&mut self, version: i16, request: &Q) -> Result<(), ClientError> {
        self.encode(ApiVersion::new(version), request)?;
        self.write_out().await
    }

    /// Waits for the answer to the earliest request that has none, which must be a `Q`.
    ///
    /// # Errors
    /// [`ClientError`].
    ///
    /// # Panics
    /// When no answer is due, or one to another API.
    pub async fn receive<Q: RequestResponsePair>(&mut self) -> Result<(CorrelationId, Q::Response), ClientError> {
        let (awaited, body) = self.receive_body::<Q>().await?;
        let response = Q::Response::decode_from_bytes(body, awaited.version, self.limits).map_err(undecodable::<Q>)?;
        Ok((awaited.correlation, response))
    }

    /// Asks which versions the broker serves.
    ///
    /// A broker that does not know the newest ApiVersions answers at version 0 with UNSUPPORTED_VERSION and what it knows (KIP-511); it is
    /// then asked again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn negotiate(&mut self) -> Result<ServedVersions, ClientError> {
        let newest = ApiVersionsRequest::SUPPORTED_VERSIONS.max().value().min(API_VERSIONS_MAX);
        let first = self.api_versions(newest).await?;
        let answer = if WireError(first.error_code) == WireError::UNSUPPORTED_VERSION {
            let retry = ServedVersions::from_response(&first).common::<ApiVersionsRequest>().unwrap_or(0);
            self.api_versions(retry.min(API_VERSIONS_MAX)).await?
        } else {
            first
        };
        match WireError(answer.error_code) {
            WireError::NONE => Ok(ServedVersions::from_response(&answer)),
            refused => Err(ClientError::Refused(refused)),
        }
    }

    async fn api_versions(&mut self, version: i16) -> Result<ApiVersionsResponse, ClientError> {
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            request.client_software_name = StrBytes::from("gracchus");
            request.client_software_version = StrBytes::from(env!("CARGO_PKG_VERSION"));
        }
        self.send(version, &request).await?;
        let (awaited, body) = self.receive_body::<ApiVersionsRequest>().await?;
        // The error code comes first at every version: an answer with this one is of version 0, whatever was asked for.
        let refused = body.get(..2) == Some(&WireError::UNSUPPORTED_VERSION.0.to_be_bytes());
        let version = if refused { ApiVersion::new(0) } else { awaited.version };
        ApiVersionsResponse::decode_from_bytes(body, version, self.limits).map_err(undecodable::<ApiVersionsRequest>)
    }

    /// The next answer without its header.
    async fn receive_body<Q: RequestResponsePair>(&mut self) -> Result<(Awaited, Bytes), ClientError> {
        let due = self.awaited.front().expect("an answer is awaited only after a request");
        assert_eq!(due.api_key, Q::API_KEY.value(), "answers are received in the order of their requests");
        let frame = self.read_frame().await?;
        let awaited = self.awaited.pop_front().expect("it was at the front");
        let mut decoder = Decoder::new(frame, self.limits).map_err(undecodable::<Q>)?;
        let header = ResponseHeader::decode(&mut decoder, awaited.header_version).map_err(undecodable::<Q>)?;
        if header.correlation_id != awaited.correlation.0 {
            return Err(ClientError::Correlation { expected: awaited.correlation.0, found: header.correlation_id });
        }
        let body = decoder.take_bytes(decoder.remaining()).map_err(undecodable::<Q>)?;
        Ok((awaited, body))
    }

    fn encode<Q: KafkaRequest>(&mut self, version: ApiVersion, request: &Q) -> Result<CorrelationId, EncodeError> {
        let correlation = self.take_correlation();
        let limits = OutboundFrameLimits::new(self.limits.max_frame_bytes);
        encode_request(&mut self.outgoing, correlation.0, Some(self.client_id.clone()), request, version, limits)?;
        Ok(correlation)
    }

    fn take_correlation(&mut self) -> CorrelationId {
        let correlation = CorrelationId(self.next_correlation);
        self.next_correlation = self.next_correlation.checked_add(1).unwrap_or(0);
        correlation
    }

    async fn write_out(&mut self) -> Result<(), ClientError> {
        while self.outgoing.has_remaining() {
            if self.writer.write_buf(&mut self.outgoing).await? == 0 {
                return Err(ClientError::Closed);
            }
        }
        self.writer.flush().await?;
        Ok(())
    }

    /// The next frame without its length. Dropped in the middle, it goes on where it stopped.
    async fn read_frame(&mut self) -> Result<Bytes, ClientError> {
        self.fill(LENGTH_BYTES).await?;
        let length = self.incoming.as_ref().get_i32();
        let limit = self.limits.max_frame_bytes;
        let frame_bytes = usize::try_from(length).ok().filter(|&bytes| bytes <= limit).ok_or(ClientError::FrameLength { length, limit })?;
        self.fill(LENGTH_BYTES + frame_bytes).await?;
        self.incoming.advance(LENGTH_BYTES);
        Ok(self.incoming.split_to(frame_bytes).freeze())
    }

    /// Reads until `wanted` bytes have come in.
    async fn fill(&mut self, wanted: usize) -> Result<(), ClientError> {
        while let Some(missing) = wanted.checked_sub(self.incoming.len()).filter(|&missing| missing > 0) {
            self.incoming.reserve(missing.max(READ_BYTES));
            if self.reader.read_buf(&mut self.incoming).await? == 0 {
                return Err(ClientError::Closed);
            }
        }
        Ok(())
    }
}

/// The newest ApiVersions that asks nothing of the client but its name: from version 5 it may state which node it means to reach (KIP-1242).
const API_VERSIONS_MAX: i16 = 4;

fn undecodable<Q: KafkaMessage>(error: DecodeError) -> ClientError {
    ClientError::Decode { api: Q::NAME.strip_suffix("Request").unwrap_or(Q::NAME), error }
}
