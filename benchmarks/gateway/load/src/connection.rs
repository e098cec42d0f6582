//! One connection of a caller: a request out, its answer in.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::events::Events;
use crate::framing::{malformed, Framing};
use crate::wire::Wire;

const MOST_HEADERS: usize = 64;

pub struct Connection {
    wire: Wire,
    /// Whether another request may follow.
    pub reusable: bool,
}

/// What the head of an answer says that matters here.
struct Head {
    length: usize,
    status: u16,
    framing: Framing,
    streamed: bool,
    closes: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { wire: Wire::new(TcpStream::connect(address).await?)?, reusable: true })
    }

    /// The status of the answer, when all of it was read. `look` sees the events after each piece of a stream.
    pub async fn ask(&mut self, request: &[u8], events: &mut Events, mut look: impl FnMut(&Events)) -> io::Result<u16> {
        self.reusable = false;
        self.wire.write(request).await?;
        let head = self.head().await?;
        let streamed = head.streamed;
        let mut show = |piece: &[u8]| {
            if streamed {
                events.feed(piece);
                look(events);
            }
        };
        self.wire.body(head.framing, &mut show).await?;
        self.reusable = !head.closes;
        Ok(head.status)
    }

    /// Whether nothing has come since the last answer: no end, and no byte.
    pub fn is_quiet(&self) -> bool {
        let would_block = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        self.wire.unread().is_empty() && self.wire.stream.try_read(&mut [0]).is_err_and(would_block)
    }

    async fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(head) = parse(self.wire.unread())? {
                self.wire.took(head.length);
                if head.status >= 200 {
                    return Ok(head);
                }
            } else {
                self.wire.more().await?;
            }
        }
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(&error.to_string())),
    };
    let says = |name: &str, value: &[u8]| {
        response.headers.iter().any(|h| h.name.eq_ignore_ascii_case(name) && h.value.starts_with(value))
    };
    let framing = Framing::of(response.headers, Framing::Close)?;
    Ok(Some(Head {
        length,
        status: response.code.unwrap_or_default(),
        streamed: says("content-type", b"text/event-stream"),
        closes: says("connection", b"close") || matches!(framing, Framing::Close),
        framing,
    }))
}
