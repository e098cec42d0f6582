//! A caller's socket as hyper sees it: only bytes that the core's wire guard has judged.
//!
//! After a refusal hyper is given a request in place of the one that was refused (its head was wrong) or the end of the one
//! it reads (its body was), so that the answer takes its turn behind earlier ones. A body that was cut off has no end for
//! hyper: it hears nothing more, and the exchange is told ([`Wire::body_refusal`]).

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{ready, Context, Poll};
use std::time::Duration;

use hoosh_core::wire::{Guard, Refusal, Websockets};
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::about_now;
use crate::wire::{Waits, Wire, HEAD, KEEP_ALIVE};

/// Read at once.
const READ: usize = 64 << 10;
/// How long what follows a refused request is read and dropped, so that the answer is not lost in a reset.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// The path of the request that hyper sees in place of one that was refused; nobody outside can name it.
pub fn place() -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| {
        use std::hash::{BuildHasher, RandomState};
        format!("/{:016x}{:016x}", RandomState::new().hash_one(1), RandomState::new().hash_one(2))
    })
}

/// A socket behind the guard.
pub struct Guarded {
    stream: TcpStream,
    guard: Guard,
    wire: Rc<Wire>,
    /// Judged, and not taken by hyper yet.
    ready: Vec<u8>,
    taken: usize,
    /// A request in place of a refused one was given.
    over: bool,
}

impl Guarded {
    /// `websockets`: where they may begin.
    pub fn new(stream: TcpStream, wire: Rc<Wire>, websockets: Option<Arc<Websockets>>) -> Guarded {
        let guard = Guard::plain().with_websockets(websockets);
        Guarded { stream, guard, wire, ready: Vec::new(), taken: 0, over: false }
    }

    /// Gives hyper what there is.
    fn hand_over(&mut self, buf: &mut ReadBufCursor<'_>) -> bool {
        let left = &self.ready[self.taken..];
        if left.is_empty() {
            return false;
        }
        let size = left.len().min(buf.remaining());
        buf.put_slice(&left[..size]);
        self.taken += size;
        if self.taken == self.ready.len() {
            (self.ready, self.taken) = (Vec::new(), 0);
        }
        true
    }

    /// What hyper gets in place of what was refused; `None`: nothing, not even an end.
    fn refuse(&mut self, refusal: Refusal) -> bool {
        let ending = refusal.ending;
        *self.wire.refusal.borrow_mut() = Some(refusal);
        self.wire.waits.set(Waits::No);
        self.over = true;
        self.ready = match ending {
            Some(ending) => ending.to_vec(),
            None => format!("GET {} HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n", place()).into_bytes(),
        };
        if ending.is_some() {
            use hoosh_core::wake::Wake;
            self.wire.bell.wake();
        }
        !self.ready.is_empty()
    }

    /// The next bytes of the socket for the guard: how many, 0 at the end.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buf = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            self.guard.feed(buf.filled());
            Poll::Ready(Ok(buf.filled().len()))
        })
    }

    /// Whether the time of what it waits for is up.
    fn is_late(&mut self) -> bool {
        let now = about_now();
        match self.wire.waits.get() {
            Waits::Idle(since) => now - since >= KEEP_ALIVE,
            Waits::Head(since) => now - since >= HEAD,
            Waits::No => false,
        }
    }

    fn note_what_is_waited_for(&mut self) {
        self.wire.in_head.set(self.guard.in_head());
        match (self.guard.in_head(), self.wire.busy.get(), self.wire.waits.get()) {
            (_, true, _) => self.wire.waits.set(Waits::No),
            (true, false, Waits::Head(_)) => {}
            (true, false, _) => self.wire.waits.set(Waits::Head(about_now())),
            (false, false, _) => self.wire.idles(),
        }
    }

    /// The connection is a websocket from now on.
    pub fn switched(&mut self) {
        self.guard.switched();
    }

    /// Ends writing, then reads and drops what still comes for a while.
    pub async fn linger(self) {
        let mut stream = self.stream;
        let _ = std::future::poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await;
        linger(stream).await;
    }

    /// Closes the socket with a reset: what was not taken yet is dropped.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

/// Reads and drops what still comes, for a while, after the last answer was written.
pub async fn linger(mut stream: TcpStream) {
    let mut scratch = vec![0; 8 << 10];
    let drain = std::future::poll_fn(|cx| loop {
        let mut buf = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut stream).poll_read(cx, &mut buf)) {
            Ok(()) if !buf.filled().is_empty() => {}
            _ => return Poll::Ready(()),
        }
    });
    let _ = tokio::time::timeout(LINGER, drain).await;
}

impl Read for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.wire.cut.get() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            if this.hand_over(&mut buf) {
                return Poll::Ready(Ok(()));
            }
            if this.over {
                // Behind the last request nothing is read: what comes is dropped when the answer is written.
                *this.wire.reader.borrow_mut() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if this.guard.is_shaking() && !this.wire.busy.get() {
                this.guard.stayed();
            }
            match this.guard.next() {
                Ok(Some(bytes)) => {
                    (this.ready, this.taken) = (bytes, 0);
                    this.wire.shakes.set(this.guard.is_shaking());
                    this.wire.waits.set(Waits::No);
                }
                Err(refusal) => {
                    this.refuse(refusal);
                }
                // What comes behind a handshake waits for what becomes of it.
                Ok(None) if this.guard.is_full() => {
                    *this.wire.reader.borrow_mut() = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Ok(None) => match this.fill(cx) {
                    Poll::Ready(Ok(0)) => match this.guard.end() {
                        Some(refusal) => {
                            this.refuse(refusal);
                        }
                        None => return Poll::Ready(Ok(())),
                    },
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        this.note_what_is_waited_for();
                        if this.guard.in_head() && this.is_late() {
                            let refusal = this.guard.slow_head();
                            this.refuse(refusal);
                            continue;
                        }
                        let idle = matches!(this.wire.waits.get(), Waits::Idle(_));
                        if idle && (this.wire.closing.get() || this.is_late()) {
                            this.wire.retired.set(true);
                            return Poll::Ready(Ok(()));
                        }
                        *this.wire.reader.borrow_mut() = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                },
            }
        }
    }
}

impl Write for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.wire.cut.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if written.is_pending() {
            if this.wire.stuck.get().is_none() {
                this.wire.stuck.set(Some(about_now()));
            }
            *this.wire.writer.borrow_mut() = Some(cx.waker().clone());
        } else {
            this.wire.stuck.set(None);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
