//! Batches as they lie in a segment's file, one behind the other.

use bytes::Bytes;
use gracchus_core::boundary::StorageError;
use gracchus_core::record::{BatchHeader, CorruptBatch, HEADER_BYTES, PATCHED_HEAD_BYTES, check_crc, patched_head};

use super::failure;
use crate::platform::Disk;

/// Bytes read at once where only headers are wanted: a few small batches, or one header and little more.
const HEADERS_CHUNK_BYTES: u64 = 4 << 10;
/// Bytes read at once where whole batches are wanted.
const BATCHES_CHUNK_BYTES: u64 = 256 << 10;

/// Reads a file through a window that moves forward.
struct Window<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    /// Nothing from here on is read.
    end: u64,
    chunk_at: u64,
    chunk: Bytes,
    chunk_bytes: u64,
    /// Nothing is believed before it has been read the same twice: a bit may have flipped on the way.
    is_doubted: bool,
}

impl<'a, D: Disk> Window<'a, D> {
    fn new(disk: &'a D, file: &'a D::File, end: u64, chunk_bytes: u64) -> Self {
        Self { disk, file, end, chunk_at: 0, chunk: Bytes::new(), chunk_bytes, is_doubted: false }
    }

    /// `wanted` bytes from `at` on, fewer at the end.
    async fn read(&mut self, at: u64, wanted: u64) -> Result<Bytes, StorageError> {
        let wanted = wanted.min(self.end.saturating_sub(at));
        if let Some(held) = self.held(at, wanted) {
            return Ok(held);
        }
        let length = wanted.max(self.chunk_bytes).min(self.end.saturating_sub(at));
        let length = usize::try_from(length).map_err(|_| failure::corrupt("a batch larger than memory"))?;
        self.chunk = self.read_chunk(at, length).await?;
        while self.is_doubted {
            let again = self.read_chunk(at, length).await?;
            if again == self.chunk {
                break;
            }
            self.chunk = again;
        }
        self.chunk_at = at;
        let wanted = wanted.min(self.chunk.len() as u64);
        Ok(self.held(at, wanted).unwrap_or_default())
    }

    async fn read_chunk(&self, at: u64, length: usize) -> Result<Bytes, StorageError> {
        self.disk.read_at(self.file, at, length).await.map_err(|error| failure::from_io(&error))
    }

    fn held(&self, at: u64, wanted: u64) -> Option<Bytes> {
        let from = usize::try_from(at.checked_sub(self.chunk_at)?).ok()?;
        let upto = from.checked_add(usize::try_from(wanted).ok()?)?;
        (upto <= self.chunk.len()).then(|| self.chunk.slice(from..upto))
    }
}

/// Walks the headers of a file's batches. What they say of the bytes behind them is believed: those were checked when they were written
/// or recovered.
pub(super) struct Headers<'a, D: Disk> {
    window: Window<'a, D>,
    position: u64,
}

impl<'a, D: Disk> Headers<'a, D> {
    /// The batches from `position`, where one starts, up to `end`, where one ends.
    pub(super) fn new(disk: &'a D, file: &'a D::File, position: u64, end: u64) -> Self {
        Self { window: Window::new(disk, file, end, HEADERS_CHUNK_BYTES), position }
    }

    /// The next batch and its position; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<(u64, BatchHeader)>, StorageError> {
        let position = self.position;
        if position >= self.window.end {
            return Ok(None);
        }
        let bytes = self.window.read(position, HEADER_BYTES as u64).await?;
        let header = BatchHeader::parse_prefix(&bytes).map_err(|error| failure::corrupt(format!("at byte {position}: {error:?}")))?;
        self.position = position.saturating_add(u64::from(header.batch_bytes));
        if self.position > self.window.end {
            return Err(failure::corrupt(format!("a batch at byte {position} reaches past the end")));
        }
        Ok(Some((position, header)))
    }
}

/// What stands at a place in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A batch, whole and with the right CRC.
    Batch {
        /// Its header.
        header: BatchHeader,
        /// All of it.
        bytes: Bytes,
    },
    /// Nothing: the file ends here, or holds zeros that were set aside.
    End,
    /// No batch.
    Bad(CorruptBatch),
}

/// Reads a file's batches and checks each: length, header and CRC. Base offset and leader epoch lie outside the CRC, and an epoch that is misread
/// may look right: everything is read until it is the same twice.
pub(super) struct CheckedBatches<'a, D: Disk> {
    window: Window<'a, D>,
    position: u64,
}

impl<'a, D: Disk> CheckedBatches<'a, D> {
    /// The batches from `position` up to `end`.
    pub(super) fn new(disk: &'a D, file: &'a D::File, position: u64, end: u64) -> Self {
        let window = Window { is_doubted: true, ..Window::new(disk, file, end, BATCHES_CHUNK_BYTES) };
        Self { window, position }
    }

    /// Where the next batch is looked for.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch. After [`Found::End`] and [`Found::Bad`] the same place is looked at again.
    ///
    /// # Errors
    /// When the disk does not read.
    pub(super) async fn next(&mut self) -> Result<Found, StorageError> {
        let found = self.look().await?;
        if let Found::Batch { header, .. } = &found {
            self.position = self.position.saturating_add(u64::from(header.batch_bytes));
        }
        Ok(found)
    }

    async fn look(&mut self) -> Result<Found, StorageError> {
        let prefix = self.window.read(self.position, HEADER_BYTES as u64).await?;
        if prefix.iter().all(|&byte| byte == 0) {
            return Ok(Found::End);
        }
        let header = match BatchHeader::parse_prefix(&prefix) {
            Ok(header) => header,
            Err(error) => return Ok(Found::Bad(error)),
        };
        let (needed, found) = (u64::from(header.batch_bytes), self.window.end.saturating_sub(self.position));
        if needed > found {
            return Ok(Found::Bad(CorruptBatch::Short { needed, found }));
        }
        let bytes = self.window.read(self.position, needed).await?;
        match check_crc(&bytes) {
            Ok(()) => Ok(Found::Batch { header, bytes }),
            Err(error) => Ok(Found::Bad(error)),
        }
    }
}

/// The batch as it is written, in two pieces: base offset and leader epoch stand outside the CRC and are the header's, the rest is the
/// payload's own memory.
pub(super) fn patched(header: &BatchHeader, payload: &Bytes) -> [Bytes; 2] {
    [Bytes::copy_from_slice(&patched_head(header)), payload.slice(PATCHED_HEAD_BYTES..)]
}
