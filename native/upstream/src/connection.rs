//! One connection to an upstream, which carries one request after another in HTTP/1.1.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use bytes::BytesMut;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{Origin, UpstreamRequest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::feed::{Feed, WrongLength, SLICE};
use crate::head::{self, Head};
use crate::request::Lines;
use crate::socket::Socket;
use crate::transport::Transport;

/// Read at once, and so how far an upstream gets ahead of its reader. The driver in Python has about the same bound.
const READ: usize = 64 << 10;
/// The longest head of an answer.
const MAX_HEAD: usize = 100 << 10;

thread_local! {
    /// What is read comes here first, so that a connection that waits holds no room for it.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// Why there is no head of an answer.
pub enum NoHead {
    /// What came is none.
    Malformed,
    /// The connection ended, or failed.
    Ended,
}

/// One connection. Dropping it closes it.
pub struct Connection {
    transport: Transport,
    socket: Socket,
    lines: Lines,
    /// To be written, of which the first `written` bytes were.
    out: Vec<u8>,
    written: usize,
    /// Read and not used yet.
    pub input: BytesMut,
    /// How much of a head that is not whole yet was looked at.
    seen: usize,
    /// A request is on its way.
    is_writing: bool,
    /// The transport takes nothing more.
    is_broken: bool,
    /// The last answer left it as it must be for another request.
    pub keeps: bool,
    /// It has answered before.
    pub used: bool,
    pub born: Instant,
    pub idle_since: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_writing {
            self.socket.reset_at_end();
        }
    }
}

impl Connection {
    /// Speaks HTTP/1.1 over `transport`, which is over `socket`. Apart, because connections are moved about.
    pub fn over(transport: Transport, socket: Socket, origin: &Origin) -> Result<Box<Connection>, Stage> {
        let now = Instant::now();
        Ok(Box::new(Connection {
            transport,
            socket,
            lines: Lines::of(origin)?,
            out: Vec::new(),
            written: 0,
            input: BytesMut::new(),
            seen: 0,
            is_writing: false,
            is_broken: false,
            keeps: true,
            used: false,
            born: now,
            idle_since: now,
        }))
    }

    /// Begins to write `request`, whose body goes through `feed`. `None`: it cannot be written, and nothing of it is.
    pub fn begin(&mut self, request: UpstreamRequest, feed: &mut Feed) -> Option<()> {
        self.lines.head(&request, &mut self.out)?;
        feed.begin(request.body);
        (self.is_writing, self.keeps) = (true, false);
        Some(())
    }

    /// Writes what there is of the request. An upstream may answer before it was told all, and close: what it said comes behind
    /// the error of the write. So a write that fails is not told, and the reads tell the rest.
    pub fn write(&mut self, cx: &mut Context<'_>, feed: &mut Feed) -> Result<(), WrongLength> {
        while self.is_writing && !self.is_broken {
            if self.out.len() < SLICE {
                feed.fill(&mut self.out)?;
            }
            let done = if self.written < self.out.len() {
                Pin::new(&mut self.transport).poll_write(cx, &self.out[self.written..])
            } else {
                Pin::new(&mut self.transport).poll_flush(cx).map_ok(|()| 0)
            };
            match done {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => self.is_broken = true,
                Poll::Ready(Ok(0)) if self.written < self.out.len() => self.is_broken = true,
                Poll::Ready(Ok(0)) => {
                    self.is_writing = !feed.is_taken();
                    break;
                }
                Poll::Ready(Ok(size)) => self.written += size,
            }
            if self.written == self.out.len() {
                self.written = 0;
                if feed.is_taken() {
                    self.out = Vec::new();
                } else {
                    self.out.clear();
                }
            }
        }
        Ok(())
    }

    /// Whether the transport took the request whole.
    pub fn has_sent(&self) -> bool {
        !self.is_writing
    }

    /// The head of the answer; those before it (RFC 9110, section 15.2) are skipped.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, NoHead>> {
        loop {
            let size = self.input.len().min(5);
            if self.input[..size] != b"HTTP/"[..size] {
                return Poll::Ready(Err(NoHead::Malformed));
            }
            match head::end_of(&self.input, self.seen) {
                Some(length) if length <= MAX_HEAD => {
                    self.seen = 0;
                    let Some(head) = head::read(self.input.split_to(length).freeze()) else {
                        return Poll::Ready(Err(NoHead::Malformed));
                    };
                    if head.status >= 200 || head.status == 101 {
                        return Poll::Ready(Ok(head));
                    }
                }
                None if self.input.len() <= MAX_HEAD => {
                    self.seen = self.input.len();
                    if !matches!(ready!(self.poll_read(cx)), Ok(1..)) {
                        return Poll::Ready(Err(NoHead::Ended));
                    }
                }
                _ => return Poll::Ready(Err(NoHead::Malformed)),
            }
        }
    }

    /// Reads once; how many bytes, 0 at the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buf = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.transport).poll_read(cx, &mut buf))?;
            let came = buf.filled();
            if self.input.is_empty() {
                self.input = BytesMut::from(came);
            } else {
                self.input.extend_from_slice(came);
            }
            Poll::Ready(Ok(came.len()))
        })
    }

    /// Whether it can take a request, as far as is known without asking the system.
    pub fn is_ready(&self) -> bool {
        self.keeps && !self.is_writing && !self.is_broken && self.input.is_empty()
    }

    /// Whether it can take a request, and nothing came behind its last answer: that could only be its end, or words that nobody
    /// asked for, and the next request would take them for its answer.
    pub fn stands(&self) -> bool {
        self.is_ready() && self.socket.is_quiet()
    }
}
