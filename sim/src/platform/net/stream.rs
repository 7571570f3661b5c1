//! The two halves of a connection.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use madsim::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};

use super::link::{Incoming, Link, Room, Side};
use super::{SimNet, lock};

/// Bytes that leave as one message at most.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// The half of a connection that is read.
#[derive(Debug)]
pub struct SimReader {
    half: ReadHalf<TcpStream>,
    link: Arc<Mutex<Link>>,
    side: Side,
    net: SimNet,
    scratch: Vec<u8>,
}

/// The half of a connection that is written. What is written leaves at once; dropping it ends the stream for the peer.
#[derive(Debug)]
pub struct SimWriter {
    half: WriteHalf<TcpStream>,
    link: Arc<Mutex<Link>>,
    side: Side,
    net: SimNet,
}

pub(super) fn split(stream: TcpStream, link: &Arc<Mutex<Link>>, side: Side, net: &SimNet) -> (SimReader, SimWriter) {
    let (read, write) = tokio::io::split(stream);
    let reader = SimReader { half: read, link: Arc::clone(link), side, net: net.clone(), scratch: Vec::new() };
    let writer = SimWriter { half: write, link: Arc::clone(link), side, net: net.clone() };
    (reader, writer)
}

impl SimWriter {
    /// A handle by which this end can vanish, for who does not hold it.
    #[must_use]
    pub fn vanishing(&self) -> Vanish {
        Vanish { link: Arc::clone(&self.link), net: self.net.clone() }
    }
}

/// Lets an end of a connection vanish.
#[derive(Clone, Debug)]
pub struct Vanish {
    link: Arc<Mutex<Link>>,
    net: SimNet,
}

impl Vanish {
    /// Ends the connection without a word: the peer hears nothing more, not even that it is over.
    pub fn vanish(&self) {
        self.net.count(|counts| counts.half_open += 1);
        lock(&self.link).set_half_open();
    }
}

impl AsyncRead for SimReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match lock(&this.link).poll_incoming(this.side, cx) {
            Incoming::Maybe => {}
            Incoming::Held => return Poll::Pending,
            Incoming::End => return Poll::Ready(Ok(())),
            Incoming::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let size = this.net.draw_read_size(buf.remaining().min(MESSAGE_BYTES_MAX));
        if this.scratch.len() < size {
            this.scratch.resize(size, 0);
        }
        let mut part = ReadBuf::new(this.scratch.get_mut(..size).expect("it is as large"));
        ready!(Pin::new(&mut this.half).poll_read(cx, &mut part))?;
        buf.put_slice(part.filled());
        lock(&this.link).took(this.side, part.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let room = lock(&this.link).poll_room(this.side, cx);
        let room_bytes = match room {
            Room::Bytes(room) | Room::Void(room) => room,
            Room::None => return Poll::Pending,
            Room::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        };
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let length = this.net.draw_write_size(buf.len().min(room_bytes).min(MESSAGE_BYTES_MAX));
        lock(&this.link).outgoing(this.side).unread_bytes += length;
        if let Room::Void(_) = room {
            return Poll::Ready(Ok(length));
        }
        let sent = buf.get(..length).expect("no more than the buffer holds");
        let written = ready!(Pin::new(&mut this.half).poll_write(cx, sent))?;
        assert_eq!(written, length, "madsim takes all that it is given");
        // madsim sends on a flush alone.
        if let Err(error) = ready!(Pin::new(&mut this.half).poll_flush(cx)) {
            lock(&this.link).reset();
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.link).close(self.side);
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimReader {
    fn drop(&mut self) {
        lock(&self.link).deafen(self.side);
    }
}

impl Drop for SimWriter {
    fn drop(&mut self) {
        lock(&self.link).close(self.side);
    }
}
