//! A socket and what was read from it and not yet used.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{ready, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::framing::{malformed, Framing};

const FIRST_SIZE: usize = 4 << 10;
/// Heads that are longer are refused.
const LARGEST: usize = 256 << 10;

pub struct Wire {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Wire {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; FIRST_SIZE], start: 0, end: 0 })
    }

    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub fn took(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads once; an end of the stream is an error, because more was wanted.
    pub async fn more(&mut self) -> io::Result<()> {
        match self.read().await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads once; 0 at the end of the stream.
    pub async fn read(&mut self) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.make_room()?;
        }
        let (stream, room) = (&mut self.stream, &mut self.buffer[self.end..]);
        let count = poll_fn(|context| {
            let mut into = ReadBuf::new(room);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut into))?;
            Poll::Ready(io::Result::Ok(into.filled().len()))
        })
        .await?;
        self.end += count;
        Ok(count)
    }

    /// Writes all of it.
    pub async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|context| Pin::new(&mut self.stream).poll_write(context, bytes)).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Shows the body that begins here, piece by piece.
    pub async fn body(&mut self, mut framing: Framing, show: &mut impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            let fed = framing.feed(self.unread(), show)?;
            self.took(fed.taken);
            if fed.ended {
                return Ok(());
            }
            if self.read().await? == 0 {
                return match framing {
                    Framing::Close => Ok(()),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else if self.buffer.len() < LARGEST {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else {
            return Err(malformed("a head that does not end"));
        }
        Ok(())
    }
}
