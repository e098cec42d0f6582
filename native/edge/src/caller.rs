//! A caller's socket: requests as the core's wire guard has judged them, and what is written back.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hoosh_core::error::Failure;
use hoosh_core::wake::Wake;
use hoosh_core::wire::{Guard, Head, Part, Refusal, Websockets};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::about_now;
use crate::wire::{Waits, Wire};

/// Read at once.
const READ: usize = 64 << 10;
/// How long what follows a refused request is read and dropped, so that the answer is not lost in a reset.
const LINGER: Duration = Duration::from_secs(2);
/// Of a body that nobody wants, what is read and dropped so that the connection serves another request, bytes.
const DROPPED: u64 = 64 << 10;
/// The same where nobody knows what is still to come, so that the answer could not say that the connection ends.
const DROPPED_UNTOLD: u64 = 4 * DROPPED;

thread_local! {
    /// What is read comes here first, so that a connection that waits holds no room for it.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// What comes next of a connection.
#[allow(clippy::large_enum_variant)]
pub enum Next {
    Request(Head),
    /// A head that is none, or takes too long. It is answered, and is the last.
    Refused(Failure),
    /// Nothing.
    Over,
}

/// What comes next of a request's body.
pub enum Piece {
    Data(Bytes),
    End,
    /// What comes is no body: [`Wire::refusal`] says why.
    Refused(Failure),
    /// The caller left.
    Gone,
}

/// A connection as all who read and write it share it.
pub type Line = Rc<RefCell<Caller>>;

/// A caller's socket.
pub struct Caller {
    stream: TcpStream,
    guard: Guard,
    wire: Rc<Wire>,
    /// The end of the request that came last was not read.
    in_body: bool,
    /// Its body is sent once `100 Continue` was said.
    expects: bool,
    /// Bytes that are still to come of it, where it has said how many.
    left: Option<u64>,
    /// Bytes of it that were read for nobody.
    dropped: u64,
    /// A request was refused: what follows is not read.
    over: bool,
    /// To be written, of which the first `written` bytes were.
    out: Vec<u8>,
    written: usize,
}

impl Caller {
    /// `websockets`: where they may begin.
    pub fn new(stream: TcpStream, wire: Rc<Wire>, websockets: Option<Arc<Websockets>>) -> Line {
        let guard = Guard::new().with_websockets(websockets);
        Rc::new(RefCell::new(Caller {
            stream,
            guard,
            wire,
            in_body: false,
            expects: false,
            left: None,
            dropped: 0,
            over: false,
            out: Vec::new(),
            written: 0,
        }))
    }

    /// The next request, once the last one is answered.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if !ready!(self.poll_rest(cx)) {
            return Poll::Ready(Next::Over);
        }
        self.guard.stayed();
        loop {
            match self.guard.next_part() {
                Ok(Some(Part::Head(head))) => {
                    self.wire.waits.set(Waits::No);
                    self.wire.wants_word.set(false);
                    (self.in_body, self.left, self.dropped) = (head.length != Some(0), head.length, 0);
                    self.expects = head.expects;
                    return Poll::Ready(Next::Request(head));
                }
                // Those of a request come behind its head.
                Ok(Some(Part::Data(_) | Part::End)) => {}
                Err(refusal) => return Poll::Ready(self.refuse_head(refusal)),
                Ok(None) => match self.fill(cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => return Poll::Ready(Next::Over),
                    Poll::Pending => return self.wait_for_head(),
                },
            }
        }
    }

    fn wait_for_head(&mut self) -> Poll<Next> {
        let wire = &self.wire;
        match (self.guard.in_head(), wire.waits.get()) {
            (true, Waits::Head(_)) => {}
            (true, _) => wire.waits.set(Waits::Head(about_now())),
            (false, _) => wire.idles(),
        }
        let is_late = wire.waits.get().is_up(about_now());
        match wire.waits.get() {
            Waits::Head(_) if is_late => {
                let refusal = self.guard.slow_head();
                Poll::Ready(self.refuse_head(refusal))
            }
            Waits::Idle(_) if is_late || wire.closing.get() => {
                wire.retired.set(true);
                Poll::Ready(Next::Over)
            }
            _ => Poll::Pending,
        }
    }

    fn refuse_head(&mut self, refusal: Refusal) -> Next {
        self.wire.waits.set(Waits::No);
        self.over = true;
        Next::Refused(refusal.failure)
    }

    /// More of the request's body, for whoever wants it.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        if !self.in_body {
            return Poll::Ready(Piece::End);
        }
        if std::mem::take(&mut self.expects) {
            self.wire.wants_word.set(true);
            self.wire.wake_task();
        }
        loop {
            match self.guard.next_part() {
                Ok(Some(Part::Data(bytes))) => {
                    self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                    return Poll::Ready(Piece::Data(bytes));
                }
                Ok(Some(Part::End | Part::Head(_))) => {
                    self.in_body = false;
                    return Poll::Ready(Piece::End);
                }
                Err(refusal) => return Poll::Ready(self.refuse_body(refusal)),
                Ok(None) => match ready!(self.fill(cx)) {
                    Ok(1..) => {}
                    Ok(0) => {
                        let refusal = self.guard.end();
                        return Poll::Ready(refusal.map_or(Piece::Gone, |refusal| self.refuse_body(refusal)));
                    }
                    Err(_) => {
                        self.in_body = false;
                        return Poll::Ready(Piece::Gone);
                    }
                },
            }
        }
    }

    fn refuse_body(&mut self, refusal: Refusal) -> Piece {
        let failure = refusal.failure.clone();
        *self.wire.refusal.borrow_mut() = Some(refusal);
        (self.in_body, self.over) = (false, true);
        self.wire.bell.wake();
        Piece::Refused(failure)
    }

    /// Whether the body was read to its end.
    pub fn has_all(&self) -> bool {
        !self.in_body
    }

    /// What is still to come of it, where that is known.
    pub fn left(&self) -> Option<u64> {
        if self.in_body {
            self.left
        } else {
            Some(0)
        }
    }

    /// Whether the connection ends for what of the body was not read: too much to be dropped, or what may never come.
    pub fn is_stopped(&self) -> bool {
        self.in_body && (self.expects || self.left.is_some_and(|left| left > DROPPED))
    }

    /// Drops what nobody has read of the body; whether another request may follow.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.in_body {
            match self.poll_body(cx) {
                Poll::Ready(Piece::Data(bytes)) => {
                    self.dropped += bytes.len() as u64;
                    if self.dropped > DROPPED_UNTOLD {
                        return Poll::Ready(false);
                    }
                }
                Poll::Ready(Piece::End) => {}
                Poll::Ready(Piece::Refused(_) | Piece::Gone) => return Poll::Ready(false),
                Poll::Pending => {
                    if self.wire.waits.get() == Waits::No {
                        self.wire.waits.set(Waits::Rest(about_now()));
                    }
                    return if self.wire.waits.get().is_up(about_now()) { Poll::Ready(false) } else { Poll::Pending };
                }
            }
        }
        Poll::Ready(true)
    }

    /// Ready when the caller has left while it is answered. What it sends meanwhile waits, so that no more than that is read.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.in_body && !self.over {
            let has_room = self.guard.is_empty() || self.guard.is_shaking() && !self.guard.is_full();
            if !has_room {
                return Poll::Pending;
            }
            match ready!(self.fill(cx)) {
                Ok(1..) => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// The next bytes of the socket for the guard: how many, 0 at the end.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.wire.cut.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buf = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            self.guard.feed(buf.filled());
            Poll::Ready(Ok(buf.filled().len()))
        })
    }

    /// What is to be written goes behind this.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Bytes that the socket has not taken.
    pub fn behind(&self) -> usize {
        self.out.len() - self.written
    }

    /// Writes what there is; whether that was anything.
    pub fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.out.is_empty() {
            return Poll::Ready(Ok(false));
        }
        while self.written < self.out.len() {
            if self.wire.cut.get() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..]) {
                Poll::Pending => {
                    self.wire.is_stuck();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(size)) => self.written += size,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
            self.wire.stuck.set(None);
        }
        // One that waits holds no room for answers.
        (self.out, self.written) = (Vec::new(), 0);
        Poll::Ready(Ok(true))
    }

    /// Closes the socket with a reset: what was not taken yet is dropped.
    pub fn reset(&self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

/// A connection that has become a websocket.
pub struct Switched(Line);

impl Switched {
    pub fn new(line: &Line) -> Switched {
        line.borrow_mut().guard.switched();
        Switched(line.clone())
    }
}

impl AsyncRead for Switched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut caller = self.0.borrow_mut();
        caller.wire.note_task(cx);
        if caller.wire.cut.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if caller.guard.is_empty() {
            return Pin::new(&mut caller.stream).poll_read(cx, buf);
        }
        // What came behind the handshake.
        let early = caller.guard.rest();
        let size = early.len().min(buf.remaining());
        buf.put_slice(&early[..size]);
        caller.guard.feed(&early[size..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Switched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut caller = self.0.borrow_mut();
        caller.wire.note_task(cx);
        if caller.wire.cut.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut caller.stream).poll_write(cx, bytes);
        match written {
            Poll::Pending => caller.wire.is_stuck(),
            Poll::Ready(_) => caller.wire.stuck.set(None),
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_shutdown(cx)
    }
}

/// Ends writing, then reads and drops what still comes for a while.
pub async fn end(line: &Line) {
    let _ = std::future::poll_fn(|cx| Pin::new(&mut line.borrow_mut().stream).poll_shutdown(cx)).await;
    drain(|cx, buf| Pin::new(&mut line.borrow_mut().stream).poll_read(cx, buf)).await;
}

/// Reads and drops what still comes, for a while, after the last answer was written.
pub async fn linger(mut stream: TcpStream) {
    drain(|cx, buf| Pin::new(&mut stream).poll_read(cx, buf)).await;
}

async fn drain(mut read: impl FnMut(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>) {
    let until_end = std::future::poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| loop {
            let mut buf = ReadBuf::new(scratch);
            match ready!(read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        })
    });
    let _ = tokio::time::timeout(LINGER, until_end).await;
}
