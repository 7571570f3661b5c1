//! What both ends of a connection share.

use std::net::SocketAddr;
use std::task::{Context, Waker};

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Who connected.
    Client,
    /// Who accepted.
    Server,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Bytes written and not read: no more than the window.
    pub(super) unread_bytes: usize,
    /// Its writer will write no more.
    is_closed: bool,
    /// Nobody will read it.
    is_deaf: bool,
    /// Nothing arrives for the time being: what its writer's host sends does not reach the reader's.
    is_lost: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) window_bytes: usize,
    up: Pipe,
    down: Pipe,
    is_reset: bool,
    /// Nothing arrives for the time being, in either direction.
    is_stalled: bool,
    /// One end has vanished without a word.
    is_half_open: bool,
    /// The host that vanished is back and knows nothing of this: who writes is told so.
    is_unknown: bool,
}

/// What a writer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Write so many bytes.
    Bytes(usize),
    /// Write so many bytes that will never arrive.
    Void(usize),
    /// Wait.
    None,
    /// The connection is gone.
    Reset,
}

/// What a reader may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// Look whether something has arrived.
    Maybe,
    /// Wait.
    Held,
    /// There will be no more.
    End,
    /// The connection is gone.
    Reset,
}

impl Link {
    pub(super) fn new(client: SocketAddr, server: SocketAddr, window_bytes: usize) -> Self {
        Self {
            client,
            server,
            window_bytes,
            up: Pipe::default(),
            down: Pipe::default(),
            is_reset: false,
            is_stalled: false,
            is_half_open: false,
            is_unknown: false,
        }
    }

    /// Whether both ends have been dropped, or the connection is gone.
    pub(super) fn is_over(&self) -> bool {
        self.is_reset || (self.up.is_closed && self.down.is_closed && self.up.is_deaf && self.down.is_deaf)
    }

    pub(super) fn outgoing(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.up,
            Side::Server => &mut self.down,
        }
    }

    pub(super) fn incoming(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Client => &mut self.down,
            Side::Server => &mut self.up,
        }
    }

    /// What the reader on `side` may do; its task is woken when that changes.
    pub(super) fn poll_incoming(&mut self, side: Side, cx: &Context<'_>) -> Incoming {
        let (is_reset, is_stalled, is_half_open) = (self.is_reset, self.is_stalled, self.is_half_open);
        let pipe = self.incoming(side);
        if is_reset {
            return Incoming::Reset;
        }
        pipe.reader = Some(cx.waker().clone());
        if is_stalled || pipe.is_lost || is_half_open {
            Incoming::Held
        } else if pipe.is_closed && pipe.unread_bytes == 0 {
            Incoming::End
        } else {
            Incoming::Maybe
        }
    }

    /// What the writer on `side` may do; its task is woken when that changes.
    pub(super) fn poll_room(&mut self, side: Side, cx: &Context<'_>) -> Room {
        if self.is_unknown {
            self.reset();
        }
        let (is_reset, is_half_open, window_bytes) = (self.is_reset, self.is_half_open, self.window_bytes);
        let pipe = self.outgoing(side);
        if is_reset || (pipe.is_deaf && !is_half_open) {
            return Room::Reset;
        }
        match window_bytes.saturating_sub(pipe.unread_bytes) {
            0 => {
                pipe.writer = Some(cx.waker().clone());
                Room::None
            }
            room if is_half_open => Room::Void(room),
            room => Room::Bytes(room),
        }
    }

    /// The reader on `side` has taken bytes.
    pub(super) fn took(&mut self, side: Side, bytes: usize) {
        let pipe = self.incoming(side);
        pipe.unread_bytes = pipe.unread_bytes.saturating_sub(bytes);
        wake(&mut pipe.writer);
    }

    /// The writer on `side` is done.
    pub(super) fn close(&mut self, side: Side) {
        let pipe = self.outgoing(side);
        pipe.is_closed = true;
        wake(&mut pipe.reader);
    }

    /// The reader on `side` is gone.
    pub(super) fn deafen(&mut self, side: Side) {
        let pipe = self.incoming(side);
        pipe.is_deaf = true;
        wake(&mut pipe.writer);
    }

    /// Ends the connection at once, for both ends.
    pub(super) fn reset(&mut self) {
        self.is_reset = true;
        self.wake_all();
    }

    pub(super) fn set_stalled(&mut self, is_stalled: bool) {
        self.is_stalled = is_stalled;
        self.wake_all();
    }

    /// What the writer on `side` sends arrives no longer, or again.
    pub(super) fn set_lost(&mut self, side: Side, is_lost: bool) {
        self.outgoing(side).is_lost = is_lost;
        self.wake_all();
    }

    /// One end vanishes: the other hears nothing of it.
    pub(super) fn set_half_open(&mut self) {
        self.is_half_open = true;
    }

    /// The host that vanished is back: it answers what is sent on this with a reset.
    pub(super) fn set_unknown(&mut self) {
        self.is_unknown |= self.is_half_open;
    }

    fn wake_all(&mut self) {
        for pipe in [&mut self.up, &mut self.down] {
            wake(&mut pipe.reader);
            wake(&mut pipe.writer);
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
