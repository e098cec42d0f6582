//! A transport as hyper has it, whose writes are watched: whether a request left whole, and whether anything can leave.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{ready, Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;

use crate::transport::Transport;

/// What became of the writes.
#[derive(Default)]
pub struct Writes {
    /// The transport took all that it was given.
    pub is_flushed: Cell<bool>,
    /// It takes nothing more.
    pub is_broken: Cell<bool>,
}

/// The transport.
pub struct Watched {
    io: TokioIo<Transport>,
    writes: Rc<Writes>,
}

impl Watched {
    pub fn new(transport: Transport, writes: Rc<Writes>) -> Watched {
        Watched { io: TokioIo::new(transport), writes }
    }

    /// An upstream may answer before it was told all, and close: what it said comes after the error of the write, and hyper would
    /// not read it. So a write that fails never ends, and the reads tell the rest.
    fn outlive<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Err(_)) => {
                self.writes.is_broken.set(true);
                Poll::Pending
            }
            other => other,
        }
    }
}

impl Read for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.is_flushed.set(false);
        if self.writes.is_broken.get() {
            return Poll::Pending;
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.outlive(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.writes.is_broken.get() {
            return Poll::Pending;
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        ready!(self.outlive(flushed))?;
        self.writes.is_flushed.set(true);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
