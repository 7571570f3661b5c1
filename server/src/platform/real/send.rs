//! Feeds a socket from memory and from files.
//!
//! A small message leaves as one segment: small file ranges are read and written together with the bytes around them, and where a large one
//! goes by `sendfile` the socket is corked meanwhile. What is not in the page cache is read in on another thread first, since `sendfile` and
//! `read` would block the runtime's worker until the disk has answered.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::RealFile;
use crate::platform::Part;

/// File ranges up to this long are copied: the calls that `sendfile` needs around it cost more.
const SMALL_BYTES_MAX: u64 = 16 << 10;

/// Bytes of a file that are sent before other tasks get their turn.
const STEP_BYTES_MAX: u64 = 1 << 20;

/// Length of a buffer that files are copied through.
const COPY_BYTES: u64 = 1 << 20;

/// Buffers that are kept for the next copy.
const IDLE_BUFFERS_MAX: usize = 4;

/// How far apart a range is probed for being in the page cache, beside its last byte. Pages come into the cache and leave it in about the order
/// of the file, so that both ends tell most of what lies between; a probe every 128 KiB was seen to take 4% of the sender's time.
const PROBE_BYTES: u64 = 512 << 10;

/// Bytes that are read at once to bring them into the page cache.
const PAGE_IN_BYTES: u64 = 128 << 10;

/// The half of a connection that is written.
#[derive(Debug)]
pub struct Writer {
    socket: OwnedWriteHalf,
}

/// How files get to sockets.
#[derive(Debug)]
pub(super) enum FileSending {
    /// By `sendfile`.
    Sendfile,
    /// Through memory.
    Copy(Buffers),
}

impl FileSending {
    pub(super) fn new(by_copy: bool) -> Self {
        if by_copy { Self::Copy(Buffers::default()) } else { Self::Sendfile }
    }
}

impl Writer {
    pub(super) fn new(socket: OwnedWriteHalf) -> Self {
        Self { socket }
    }

    /// Sends the parts in order.
    pub(super) async fn send(&mut self, parts: Vec<Part<RealFile>>, files: &FileSending) -> io::Result<()> {
        let socket: &TcpStream = self.socket.as_ref();
        let is_corked = parts.iter().any(|part| matches!(part, Part::File(_, range) if length(range) > SMALL_BYTES_MAX));
        if is_corked {
            rustix::net::sockopt::set_tcp_cork(socket, true)?;
        }
        let mut gathered = Gathered::default();
        for part in parts {
            match part {
                Part::Bytes(bytes) => gathered.push(bytes),
                Part::File(file, range) if length(&range) <= SMALL_BYTES_MAX => gathered.push(read_small(&file.0, range).await?),
                Part::File(file, range) => {
                    gathered.write_to(socket).await?;
                    match files {
                        FileSending::Sendfile => send_file(socket, &file.0, range).await?,
                        FileSending::Copy(buffers) => copy_file(socket, &file.0, range, buffers).await?,
                    }
                }
            }
            if gathered.bytes >= STEP_BYTES_MAX {
                gathered.write_to(socket).await?;
            }
        }
        gathered.write_to(socket).await?;
        if is_corked {
            rustix::net::sockopt::set_tcp_cork(socket, false)?;
        }
        Ok(())
    }
}

/// Buffers between copies: fresh ones would cost a fault for each of their pages.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    fn take(&self) -> Vec<u8> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| vec![0; size(COPY_BYTES)])
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_BUFFERS_MAX {
            idle.push(buffer);
        }
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
        write_all(socket, &mut slices).await
    }
}

async fn write_all(socket: &TcpStream, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
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

async fn send_file(socket: &TcpStream, file: &Arc<File>, range: Range<u64>) -> io::Result<()> {
    for step in steps(range, STEP_BYTES_MAX) {
        if !is_cached(file, &step) {
            page_in(file, step.clone()).await?;
        }
        let Range { start: mut at, end } = step;
        while at < end {
            let count = size(end - at);
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
    let within = steps(range.clone(), PROBE_BYTES).map(|step| step.start);
    let last = range.clone().next_back();
    within.chain(last).all(|at| {
        let mut byte = [0];
        rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT) != Err(Errno::AGAIN)
    })
}

/// Brings the range into the page cache.
async fn page_in(file: &Arc<File>, range: Range<u64>) -> io::Result<()> {
    let file = Arc::clone(file);
    let read = move || {
        let mut scratch = vec![0; size(PAGE_IN_BYTES)];
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

async fn copy_file(socket: &TcpStream, file: &Arc<File>, range: Range<u64>, buffers: &Buffers) -> io::Result<()> {
    let mut buffer = buffers.take();
    for step in steps(range, COPY_BYTES) {
        buffer = read_into(buffer, file, &step).await?;
        let (filled, _) = buffer.split_at(size(length(&step)));
        write_all(socket, &mut [IoSlice::new(filled)]).await?;
        tokio::task::yield_now().await;
    }
    buffers.give_back(buffer);
    Ok(())
}

async fn read_small(file: &Arc<File>, range: Range<u64>) -> io::Result<Bytes> {
    let buffer = vec![0; size(length(&range))];
    Ok(read_into(buffer, file, &range).await?.into())
}

/// Fills the front of the buffer from a file: at once if that is in the page cache, otherwise on another thread.
async fn read_into(mut buffer: Vec<u8>, file: &Arc<File>, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let (count, start) = (size(length(range)), range.start);
    let (front, _) = buffer.split_at_mut(count);
    if rustix::io::preadv2(file, &mut [IoSliceMut::new(front)], start, ReadWriteFlags::NOWAIT) == Ok(count) {
        return Ok(buffer);
    }
    let file = Arc::clone(file);
    let read = move || {
        let (front, _) = buffer.split_at_mut(count);
        file.read_exact_at(front, start)?;
        Ok(buffer)
    };
    tokio::task::spawn_blocking(read).await?
}

fn steps(range: Range<u64>, bytes_max: u64) -> impl Iterator<Item = Range<u64>> + Send {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let step = at..range.end.min(at.saturating_add(bytes_max));
        at = step.end;
        (!step.is_empty()).then_some(step)
    })
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

/// A length in memory of what was bounded before.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a step fits memory")
}
