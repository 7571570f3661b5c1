//! Fetch answers read past, not in: only batch headers are looked at, and everything goes through one small buffer, so that what is measured
//! is the broker and not this client's memory.

use std::io;

use bytes::BytesMut;
use gracchus_core::record::{BatchHeader, HEADER_BYTES};
use gracchus_net::client::{FetchPosition, WireError, fetch_request};
use kafka_wire::{OutboundFrameLimits, encode_request};
use kafka_wire_core::{ApiVersion, StrBytes};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The newest Fetch without tags, whose answer has its fields at fixed places.
pub(super) const FETCH_VERSION_MAX: i16 = 11;
/// The first whose answer has the fields read here.
pub(super) const FETCH_VERSION_MIN: i16 = 11;

/// Fits the second-level cache of most machines.
const BUFFER_BYTES: usize = 256 << 10;

/// How long a leader waits for records before it answers without.
const FETCH_WAIT_MS: i32 = 500;

/// A connection that fetches and throws away.
#[derive(Debug)]
pub(super) struct RawFetcher {
    stream: BufReader<TcpStream>,
    request: BytesMut,
}

/// What an answer brought of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) partition: i32,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// Behind the last batch that came whole.
    pub(super) next_offset: Option<i64>,
}

/// Why an answer can't be read past.
#[derive(Debug, Error)]
pub(super) enum RawFetchError {
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("partition {partition} can't be read: {error}")]
    Partition { partition: i32, error: WireError },
    #[error("the fetch was refused: {0}")]
    Refused(WireError),
    #[error("the answer does not parse")]
    Malformed,
}

impl RawFetcher {
    /// On a stream to the leader.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: BufReader::with_capacity(BUFFER_BYTES, stream), request: BytesMut::new() }
    }

    /// Asks for about `bytes_max` and reads past the answer.
    pub(super) async fn fetch(&mut self, bytes_max: i32, positions: Vec<FetchPosition>) -> Result<Vec<Passed>, RawFetchError> {
        let request = fetch_request(FETCH_WAIT_MS, 1, bytes_max, positions);
        self.request.clear();
        let limits = OutboundFrameLimits::new(BUFFER_BYTES);
        let client_id = Some(StrBytes::from("gracchus-perf"));
        encode_request(&mut self.request, 0, client_id, &request, ApiVersion::new(FETCH_VERSION_MAX), limits)
            .map_err(|_| RawFetchError::Malformed)?;
        self.stream.write_all(&self.request).await?;
        self.stream.flush().await?;

        let _length = self.stream.read_i32().await?;
        let _correlation = self.stream.read_i32().await?;
        let _throttle_ms = self.stream.read_i32().await?;
        WireError(self.stream.read_i16().await?).check().map_err(RawFetchError::Refused)?;
        let _session = self.stream.read_i32().await?;
        let mut passed = Vec::new();
        for _ in 0..self.stream.read_i32().await? {
            let name_bytes = self.stream.read_i16().await?;
            self.skip(unsigned(i32::from(name_bytes))?).await?;
            for _ in 0..self.stream.read_i32().await? {
                passed.push(self.pass_partition().await?);
            }
        }
        Ok(passed)
    }

    async fn pass_partition(&mut self) -> Result<Passed, RawFetchError> {
        let partition = self.stream.read_i32().await?;
        WireError(self.stream.read_i16().await?).check().map_err(|error| RawFetchError::Partition { partition, error })?;
        let high_watermark_and_other_offsets = 3 * 8;
        self.skip(high_watermark_and_other_offsets).await?;
        let aborted = self.stream.read_i32().await?.max(0);
        self.skip(unsigned(aborted)? * 16).await?;
        let _preferred_replica = self.stream.read_i32().await?;
        let bytes = unsigned(self.stream.read_i32().await?.max(0))?;
        let mut passed = Passed { partition, records: 0, bytes, next_offset: None };
        let mut left = bytes;
        while left >= HEADER_BYTES as u64 {
            let mut header = [0; HEADER_BYTES];
            self.stream.read_exact(&mut header).await?;
            left -= HEADER_BYTES as u64;
            let header = BatchHeader::parse_prefix(&header).map_err(|_| RawFetchError::Malformed)?;
            let rest = u64::from(header.batch_bytes) - HEADER_BYTES as u64;
            if rest > left {
                break;
            }
            self.skip(rest).await?;
            left -= rest;
            passed.records += u64::from(header.record_count.unsigned_abs());
            passed.next_offset = Some(header.next_offset().0);
        }
        self.skip(left).await?;
        Ok(passed)
    }

    async fn skip(&mut self, mut bytes: u64) -> Result<(), RawFetchError> {
        while bytes > 0 {
            let there = self.stream.fill_buf().await?.len();
            if there == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let skipped = usize::try_from(bytes).unwrap_or(usize::MAX).min(there);
            self.stream.consume(skipped);
            bytes -= skipped as u64;
        }
        Ok(())
    }
}

fn unsigned(length: i32) -> Result<u64, RawFetchError> {
    u64::try_from(length).map_err(|_| RawFetchError::Malformed)
}
