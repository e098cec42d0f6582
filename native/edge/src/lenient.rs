//! A connection to an application that may end before all of the request is written.
//!
//! Whoever answers without reading hangs up with the answer, and hyper gives up an answer that it could read when it cannot
//! write. Here such writes go nowhere, and what was answered is read to its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// The connection.
pub struct Lenient {
    stream: UnixStream,
    /// Whether it matters that nobody reads.
    is_strict: bool,
}

impl Lenient {
    /// `is_strict`: for a websocket, whose end is that of both ways.
    pub fn new(stream: UnixStream, is_strict: bool) -> Lenient {
        Lenient { stream, is_strict }
    }

    fn forgive<T>(&self, done: Poll<io::Result<T>>, instead: T) -> Poll<io::Result<T>> {
        match done {
            Poll::Ready(Err(error)) if !self.is_strict && is_gone(&error) => Poll::Ready(Ok(instead)),
            done => done,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

impl AsyncRead for Lenient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What was not read there is told here as a reset, once and in place of the end or before it.
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match read {
            Poll::Ready(Err(error)) if !self.is_strict && is_gone(&error) => {
                Pin::new(&mut self.stream).poll_read(cx, buf)
            }
            read => read,
        }
    }
}

impl AsyncWrite for Lenient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, data);
        self.forgive(done, data.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.forgive(done, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.forgive(done, ())
    }
}
