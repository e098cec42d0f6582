//! One TCP connection, which can be looked at while HTTP or TLS has it.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A peer that is gone without a word is noticed after a silence of so long, then
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// so many questions without an answer, each after so long. Long generations are silent for minutes, and what counts the time of
/// connections in between must not forget them.
const KEEP_ALIVE_AGAIN: Duration = Duration::from_secs(15);

/// A TCP connection. Its clones are the same one, which is closed with the last.
#[derive(Clone)]
pub struct Socket(Rc<RefCell<TcpStream>>);

impl Socket {
    /// Sets up what every connection to an upstream has.
    pub fn new(stream: TcpStream) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        let probes = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE_AGAIN);
        SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        Ok(Socket(Rc::new(RefCell::new(stream))))
    }

    /// Whether the system has nothing to read: no bytes, no end, no error. It is asked itself, because the runtime hears only
    /// when it waits, and the next request would take whatever came since then for its answer.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let seen = SockRef::from(&*self.0.borrow()).peek(&mut byte);
        matches!(seen, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Has the end of the connection be a reset: else the system goes on to send what it took, and the end comes behind it.
    pub fn reset_at_end(&self) {
        // Where it cannot be set, the connection is gone.
        let _ = SockRef::from(&*self.0.borrow()).set_linger(Some(Duration::ZERO));
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}
