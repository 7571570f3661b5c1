//! Frames: a length of four bytes, then that many bytes.
//!
//! Memory grows with the bytes that came, not with the length that was claimed: a claim alone buys [`READ_AHEAD_BYTES`], or as much as the
//! connection's last whole frame has already shown that it sends. A frame that fits in the read-ahead takes one read, together with what
//! follows it; a longer one is read up to its own end, so that the next one never has to be copied out of its buffer.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Room for a frame's first read, and for a whole small frame.
const READ_AHEAD_BYTES: usize = 16 << 10;

/// Bodies up to this long are copied out of the buffer, which can then be used again: a slice would keep all of it.
const COPIED_BYTES_MAX: usize = 4 << 10;

/// Room that a growing frame gets at least.
const GROWTH_BYTES_MIN: usize = 64 << 10;

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Takes a stream of bytes apart into frames.
///
/// First [`length`](Self::length), then [`body`](Self::body), in turn: between the two the caller decides whether it has room. Both may be
/// dropped before they are done and called again.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    buffer: BytesMut,
    bytes_max: u32,
    last_body_bytes: usize,
}

/// Why a stream ends.
#[derive(Debug, Error)]
pub enum FrameError {
    /// A length below zero.
    #[error("a frame of {0} bytes was announced")]
    Negative(i32),
    /// A length above the limit.
    #[error("a frame of {length} bytes was announced, and {bytes_max} are allowed")]
    TooLarge {
        /// As announced.
        length: u32,
        /// The limit.
        bytes_max: u32,
    },
    /// The stream ended inside a frame.
    #[error("the connection ended inside a frame")]
    Truncated,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How many bytes of memory the body of a frame of this length keeps at most.
#[must_use]
pub fn kept_bytes(length: u32) -> u32 {
    let is_copied = usize::try_from(length).is_ok_and(|length| length <= COPIED_BYTES_MAX);
    let read_ahead_bytes = u32::try_from(READ_AHEAD_BYTES).expect("it is small");
    if is_copied { length } else { length.max(read_ahead_bytes) }
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames of up to `bytes_max` bytes from `reader`.
    pub fn new(reader: R, bytes_max: u32) -> Self {
        Self { reader, buffer: BytesMut::new(), bytes_max, last_body_bytes: 0 }
    }

    /// Reads frames of up to `bytes_max` bytes from what [`into_parts`](Self::into_parts) gave.
    pub fn from_parts(reader: R, buffer: BytesMut, bytes_max: u32) -> Self {
        Self { reader, buffer, bytes_max, last_body_bytes: 0 }
    }

    /// The reader, and what was read of it and not taken.
    pub fn into_parts(self) -> (R, BytesMut) {
        (self.reader, self.buffer)
    }

    /// Waits for the bytes of the next frame's length, and takes nothing; `None` when the stream has ended between two frames. May be dropped
    /// before it is done and called again.
    ///
    /// # Errors
    /// [`FrameError`]: nothing more can be read from this stream.
    pub async fn first_word(&mut self) -> Result<Option<[u8; LENGTH_BYTES]>, FrameError> {
        while self.buffer.len() < LENGTH_BYTES {
            self.buffer.reserve(READ_AHEAD_BYTES);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
        Ok(self.buffer.first_chunk().copied())
    }

    /// As [`first_word`](Self::first_word), and takes it.
    ///
    /// # Errors
    /// [`FrameError`]: nothing more can be read from this stream.
    pub async fn take_word(&mut self) -> Result<Option<[u8; LENGTH_BYTES]>, FrameError> {
        let word = self.first_word().await?;
        if word.is_some() {
            self.buffer.advance(LENGTH_BYTES);
        }
        Ok(word)
    }

    /// Waits for the next frame's length, `None` when the stream has ended between two frames.
    ///
    /// # Errors
    /// [`FrameError`]: nothing more can be read from this stream.
    pub async fn length(&mut self) -> Result<Option<u32>, FrameError> {
        let Some(prefix) = self.first_word().await? else { return Ok(None) };
        let claimed = i32::from_be_bytes(prefix);
        let length = u32::try_from(claimed).map_err(|_| FrameError::Negative(claimed))?;
        if length > self.bytes_max {
            return Err(FrameError::TooLarge { length, bytes_max: self.bytes_max });
        }
        Ok(Some(length))
    }

    /// Waits for the body of the frame whose `length` was told.
    ///
    /// # Errors
    /// [`FrameError`]: nothing more can be read from this stream.
    pub async fn body(&mut self, length: u32) -> Result<Bytes, FrameError> {
        let body_bytes = usize::try_from(length).expect("32 bits fit");
        let whole = LENGTH_BYTES + body_bytes;
        self.make_room(whole, self.last_body_bytes.max(GROWTH_BYTES_MIN));
        while self.buffer.len() < whole {
            if self.buffer.capacity() == self.buffer.len() {
                self.make_room(whole, self.buffer.len());
            }
            let missing = whole - self.buffer.len();
            if self.reader.read_buf(&mut (&mut self.buffer).limit(missing)).await? == 0 {
                return Err(FrameError::Truncated);
            }
        }
        self.last_body_bytes = body_bytes;
        let mut frame = self.buffer.split_to(whole);
        let _ = frame.split_to(LENGTH_BYTES);
        Ok(if body_bytes <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&frame) } else { frame.freeze() })
    }

    /// Makes room for what is missing of `whole` bytes, but no more than `bytes_max` at once.
    fn make_room(&mut self, whole: usize, bytes_max: usize) {
        self.buffer.reserve(whole.saturating_sub(self.buffer.len()).min(bytes_max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::ReadBuf;

    /// Gives its bytes in pieces of the given sizes, over and over.
    struct Pieces {
        bytes: Bytes,
        sizes: Vec<usize>,
        at: usize,
        reads: usize,
    }

    impl Pieces {
        fn new(bytes: Vec<u8>, sizes: &[usize]) -> Self {
            Self { bytes: bytes.into(), sizes: sizes.to_vec(), at: 0, reads: 0 }
        }
    }

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let size = self.sizes[self.at % self.sizes.len()];
            self.at += 1;
            self.reads += 1;
            let taken = size.min(into.remaining()).min(self.bytes.len());
            let piece = self.bytes.split_to(taken);
            into.put_slice(&piece);
            Poll::Ready(Ok(()))
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        match future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
        bodies.iter().flat_map(|body| [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()).collect()
    }

    async fn read_all<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> Vec<Bytes> {
        let mut bodies = Vec::new();
        while let Some(length) = reader.length().await.unwrap() {
            bodies.push(reader.body(length).await.unwrap());
        }
        bodies
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_come_in() {
        let bodies: Vec<Vec<u8>> =
            [0usize, 1, 3, 17_000, 70_000, 4, 300_000].iter().map(|&n| [b'a', 1, 255].repeat(n / 3 + 1)[..n].to_vec()).collect();
        for sizes in [&[1][..], &[3, 1], &[4], &[7, 16 << 10], &[usize::MAX]] {
            let mut reader = FrameReader::new(Pieces::new(framed(&bodies), sizes), 1 << 20);
            assert_eq!(run(read_all(&mut reader)), bodies, "pieces of {sizes:?}");
        }
    }

    #[test]
    fn a_length_below_zero_or_above_the_limit_ends_the_stream() {
        let mut reader = FrameReader::new(Pieces::new(vec![255, 255, 255, 255], &[4]), 100);
        assert!(matches!(run(reader.length()), Err(FrameError::Negative(-1))));
        let mut reader = FrameReader::new(Pieces::new(vec![0, 0, 0, 101], &[4]), 100);
        assert!(matches!(run(reader.length()), Err(FrameError::TooLarge { length: 101, bytes_max: 100 })));
    }

    #[test]
    fn an_end_inside_a_frame_is_an_error_and_between_frames_is_none() {
        for cut in 1..8 {
            let mut bytes = framed(&[vec![1, 2, 3, 4]]);
            bytes.truncate(cut);
            let mut reader = FrameReader::new(Pieces::new(bytes, &[2]), 100);
            let ended = run(async {
                let length = reader.length().await?;
                reader.body(length.unwrap()).await
            });
            assert!(matches!(ended, Err(FrameError::Truncated)), "cut at {cut}");
        }
        let mut reader = FrameReader::new(Pieces::new(Vec::new(), &[1]), 100);
        assert_eq!(run(reader.length()).unwrap(), None);
    }

    #[test]
    fn a_claim_alone_buys_no_memory() {
        let mut reader = FrameReader::new(Pieces::new(vec![0x06, 0, 0, 0, 1], &[5]), 200 << 20);
        let length = run(reader.length()).unwrap().unwrap();
        assert_eq!(length, 0x0600_0000);
        assert!(matches!(run(reader.body(length)), Err(FrameError::Truncated)));
        assert!(reader.buffer.capacity() <= READ_AHEAD_BYTES + GROWTH_BYTES_MIN, "{}", reader.buffer.capacity());
    }

    #[test]
    fn small_bodies_that_are_kept_keep_no_buffer() {
        let bodies = vec![vec![7; 100]; 1000];
        let mut reader = FrameReader::new(Pieces::new(framed(&bodies), &[104]), 1 << 20);
        let kept = run(read_all(&mut reader));
        assert_eq!(kept, bodies);
        assert!(reader.buffer.capacity() <= READ_AHEAD_BYTES);
        // Its buffer belongs to nobody else, so that the same memory was read into each time.
        assert!(reader.buffer.try_reclaim(READ_AHEAD_BYTES));
    }

    #[test]
    fn a_connection_that_sends_large_frames_is_read_in_few_reads() {
        let bodies = vec![vec![7; 1 << 20]; 3];
        let mut reader = FrameReader::new(Pieces::new(framed(&bodies), &[usize::MAX]), 2 << 20);
        let first = run(reader.length()).unwrap().unwrap();
        run(reader.body(first)).unwrap();
        let before = reader.reader.reads;
        assert_eq!(run(read_all(&mut reader)).len(), 2);
        // For each of the two its first read and the rest; then the end.
        assert_eq!(reader.reader.reads - before, 2 * 2 + 1);
    }
}
