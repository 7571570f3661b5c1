//! Feeds a socket from memory and from files.
//!
//! A small message leaves as one segment: small file ranges are read and written together with the bytes around them, and where a large one
//! goes by `sendfile` the socket is corked meanwhile. What is not in the page cache is read in on another thread first, since `sendfile` and
//! `read` would block the runtime's worker until the disk has answered.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::RealFile;
use crate::platform::Part;

/// File ranges up to this long are copied: the calls that `sendfile` needs around it cost more.
const SMALL_BYTES_MAX: u64 = 16 << 10;

/// Bytes of a file that are sent, or copied, before other tasks get their turn.
const STEP_BYTES_MAX: u64 = 1 << 20;

/// How far apart a range is probed for being in the page cache: the kernel reads ahead in windows about this long.
const PROBE_BYTES: u64 = 128 << 10;

/// The half of a connection that is written.
#[derive(Debug)]
pub struct Writer {
    socket: OwnedWriteHalf,
}

impl Writer {
    pub(super) fn new(socket: OwnedWriteHalf) -> Self {
        Self { socket }
    }

    /// Sends the parts in order. With `by_copy` no file goes by `sendfile`.
    pub(super) async fn send(&mut self, parts: Vec<Part<RealFile>>, by_copy: bool) -> io::Result<()> {
        let socket: &TcpStream = self.socket.as_ref();
        let goes_by_sendfile = |range: &Range<u64>| !by_copy && length(range) > SMALL_BYTES_MAX;
        let is_corked = parts.iter().any(|part| matches!(part, Part::File(_, range) if goes_by_sendfile(range)));
        if is_corked {
            rustix::net::sockopt::set_tcp_cork(socket, true)?;
        }
        let mut gathered = Gathered::default();
        for part in parts {
            match part {
                Part::Bytes(bytes) => gathered.push(bytes),
                Part::File(file, range) if goes_by_sendfile(&range) => {
                    gathered.write_to(socket).await?;
                    send_file(socket, &file.0, range).await?;
                }
                Part::File(file, range) => {
                    for step in steps(range) {
                        gathered.push(read_step(&file.0, step).await?);
                        if gathered.bytes >= STEP_BYTES_MAX {
                            gathered.write_to(socket).await?;
                        }
                    }
                }
            }
        }
        gathered.write_to(socket).await?;
        if is_corked {
            rustix::net::sockopt::set_tcp_cork(socket, false)?;
        }
        Ok(())
    }
}

/// Bytes that wait to be written at once.
#[derive(Default)]
struct Gathered {
    pieces: Vec<Bytes>,
    bytes: u64,
}

impl Gathered {
    fn push(&mut self, piece: Bytes) {
        self.bytes += u64::try_from(piece.len()).expect("a length fits 64 bits");
        self.pieces.push(piece);
    }

    async fn write_to(&mut self, socket: &TcpStream) -> io::Result<()> {
        let pieces = std::mem::take(&mut self.pieces);
        self.bytes = 0;
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut slices = slices.as_mut_slice();
        // Drops empty slices at the front, which would read as a write of nothing.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match socket.try_write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

async fn send_file(socket: &TcpStream, file: &Arc<File>, range: Range<u64>) -> io::Result<()> {
    for step in steps(range) {
        if !is_cached(file, &step) {
            page_in(file, step.clone()).await?;
        }
        let Range { start: mut at, end } = step;
        while at < end {
            let count = usize::try_from(end - at).expect("a step fits memory");
            let sent = socket.try_io(Interest::WRITABLE, || Ok(rustix::fs::sendfile(socket, file, Some(&mut at), count)?));
            match sent {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A peer that reads as fast as this writes would never make it wait.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Whether sending the range would not wait for the disk, as far as probes tell. What can't be probed counts as cached.
fn is_cached(file: &File, range: &Range<u64>) -> bool {
    let mut at = range.start;
    while at < range.end {
        let mut byte = [0];
        let probe = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
        if probe == Err(Errno::AGAIN) {
            return false;
        }
        at += PROBE_BYTES;
    }
    true
}

/// Brings the range into the page cache.
async fn page_in(file: &Arc<File>, range: Range<u64>) -> io::Result<()> {
    let file = Arc::clone(file);
    let read = move || {
        let mut scratch = vec![0; usize::try_from(PROBE_BYTES).expect("a small number")];
        let mut at = range.start;
        while at < range.end {
            match rustix::io::pread(&file, scratch.as_mut_slice(), at) {
                Ok(0) => break,
                Ok(read) => at += u64::try_from(read).expect("a length fits 64 bits"),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(read).await?
}

/// Reads a step of a file into memory: at once if it is in the page cache, otherwise on another thread.
async fn read_step(file: &Arc<File>, step: Range<u64>) -> io::Result<Bytes> {
    let count = usize::try_from(length(&step)).expect("a step fits memory");
    let mut bytes = vec![0; count];
    let cached = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut bytes)], step.start, ReadWriteFlags::NOWAIT);
    if cached == Ok(count) {
        return Ok(bytes.into());
    }
    let file = Arc::clone(file);
    let read = move || {
        std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, step.start)?;
        Ok(Bytes::from(bytes))
    };
    tokio::task::spawn_blocking(read).await?
}

fn steps(range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Send {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let step = at..range.end.min(at.saturating_add(STEP_BYTES_MAX));
        at = step.end;
        (!step.is_empty()).then_some(step)
    })
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}
