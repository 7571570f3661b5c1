//! The batches of a segment, one behind the other.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use gracchus_core::record::{BatchHeader, Codec, HEADER_BYTES, check_crc, validate_records};

use super::super::batch;
use super::super::error::CliError;
use super::report::Report;

const READ_BYTES: usize = 1 << 20;

/// Shows a segment, whose first batch should start at `starts_at`, and says at which offset the next segment should.
pub(super) fn dump_segment(path: &Path, starts_at: Option<i64>, compacted: bool, report: &mut Report) -> Result<Option<i64>, CliError> {
    let failed = |error| CliError::failure(format!("{} can't be read: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let file_bytes = file.metadata().map_err(failed)?.len();
    let mut segment = Segment { source: BufReader::with_capacity(READ_BYTES, file), position: 0, file_bytes };
    let mut expected = starts_at;
    loop {
        let position = segment.position;
        match segment.next().map_err(failed)? {
            Found::Batch { header, bytes } => {
                check_place(&header, expected, compacted, position, report)?;
                check_content(&header, &bytes, position, report)?;
                report.batch(position, &header, &bytes)?;
                expected = Some(header.next_offset().0);
            }
            Found::End => return Ok(expected),
            Found::Zeros { bytes } => {
                report.note(position, &format!("{bytes} bytes are allocated and not written"))?;
                return Ok(expected);
            }
            Found::Corrupt(what) => {
                report.problem(position, &what)?;
                return Ok(None);
            }
        }
    }
}

/// Offsets follow on from each other; compaction leaves gaps, but never goes back.
fn check_place(header: &BatchHeader, expected: Option<i64>, compacted: bool, position: u64, report: &mut Report) -> Result<(), CliError> {
    let (first, last) = (header.base_offset.0, header.last_offset().0);
    match expected {
        Some(expected) if first < expected => {
            report.problem(position, &format!("offsets {first} to {last} come behind offset {}", expected - 1))
        }
        Some(expected) if first > expected && !compacted => {
            report.problem(position, &format!("offsets {expected} to {} are missing (or --compacted is)", first - 1))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_content(header: &BatchHeader, bytes: &Bytes, position: u64, report: &mut Report) -> Result<(), CliError> {
    let (first, last) = (header.base_offset, header.last_offset());
    if let Err(corrupt) = check_crc(bytes) {
        return report.problem(position, &format!("offsets {first} to {last}: {corrupt}"));
    }
    let checked = match batch::open(header, bytes) {
        // A batch that compaction emptied has nothing to be decompressed.
        Err(_) if header.record_count == 0 && header.codec != Codec::None => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(section) => validate_records(&section, header).map(|_| ()).map_err(|error| error.to_string()),
    };
    checked.or_else(|what| report.problem(position, &format!("offsets {first} to {last}: {what}")))
}

/// A segment that is being read.
#[derive(Debug)]
struct Segment {
    source: BufReader<File>,
    position: u64,
    file_bytes: u64,
}

/// What comes next in a segment.
#[derive(Debug)]
enum Found {
    /// A batch, whole.
    Batch {
        /// Its header.
        header: BatchHeader,
        /// All of it.
        bytes: Bytes,
    },
    /// Nothing.
    End,
    /// Nothing but zeros to the end of the file.
    Zeros {
        /// How many.
        bytes: u64,
    },
    /// Something else, behind which no batch can be found.
    Corrupt(String),
}

impl Segment {
    fn next(&mut self) -> io::Result<Found> {
        let left = self.file_bytes - self.position;
        if left == 0 {
            return Ok(Found::End);
        }
        let mut head = Vec::with_capacity(HEADER_BYTES);
        (&mut self.source).take(HEADER_BYTES as u64).read_to_end(&mut head)?;
        if head.iter().all(|&byte| byte == 0) && self.is_zero_from_here()? {
            return Ok(Found::Zeros { bytes: left });
        }
        let header = match BatchHeader::parse_prefix(&head) {
            Ok(header) => header,
            Err(corrupt) => return Ok(Found::Corrupt(corrupt.to_string())),
        };
        let batch_bytes = u64::from(header.batch_bytes);
        if batch_bytes > left {
            return Ok(Found::Corrupt(format!(
                "offsets {} to {}: the batch is cut off, {left} of its {batch_bytes} bytes are there",
                header.base_offset,
                header.last_offset()
            )));
        }
        (&mut self.source).take(batch_bytes - HEADER_BYTES as u64).read_to_end(&mut head)?;
        if head.len() as u64 != batch_bytes {
            return Ok(Found::Corrupt("the file has become shorter while it was read".to_owned()));
        }
        self.position += batch_bytes;
        Ok(Found::Batch { header, bytes: head.into() })
    }

    fn is_zero_from_here(&mut self) -> io::Result<bool> {
        let mut block = vec![0; READ_BYTES];
        loop {
            let length = self.source.read(&mut block)?;
            if length == 0 {
                return Ok(true);
            }
            if block.iter().take(length).any(|&byte| byte != 0) {
                return Ok(false);
            }
        }
    }
}
