//! The wire guard: judges an HTTP/1.1 request stream before a server's own parser sees it.
//!
//! It gives on only what two parsers cannot read in two ways (RFC 9112, RFC 9110): heads whole and bounded, framing
//! that is certain, chunk headers without their extensions, no trailers. What it refuses, it refuses with an error of
//! ours, which most servers' parsers cannot. docs/wire.md lists every rule.
//!
//! ```
//! let mut guard = hoosh_core::wire::Guard::new();
//! guard.feed(b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\nGET /");
//! assert_eq!(guard.next().unwrap().unwrap(), b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n");
//! assert_eq!(guard.next().unwrap(), None); // the next head is not whole yet
//! assert!(guard.in_head());
//! ```

mod body;
mod head;
mod request;

use bytes::Bytes;

use crate::config::Mount;
use crate::error::{Code, Failure};
use crate::sync::Arc;
use body::Chunks;
use head::Judged;
pub use request::{Head, Part};

/// Longest head in bytes, and so the most that is buffered. h11's and nginx's defaults are 16 and 32 KiB; agents send
/// long cookies and trace baggage.
pub const MAX_HEAD: usize = 64 << 10;
/// Most header lines of a head.
pub const MAX_HEADERS: usize = 100;

/// Written before the name of an `Expect: 100-continue` and of an `Upgrade`, so that the parser behind does not act on them
/// by itself: that would be before the exchange has looked at the head, which may be refused without a byte of the body.
/// A header that a caller names so itself gets it too.
pub const HIDDEN_PREFIX: &[u8] = b"hoosh-";

/// One connection's requests, from the first byte to the last. Refuses once; what follows is not read.
pub struct Guard {
    input: Vec<u8>,
    /// How much of `input` has been given on.
    taken: usize,
    /// How much of a head that is not whole yet has been looked at.
    seen: usize,
    /// Whether an empty line before the head was skipped.
    skipped: bool,
    /// Whether the request that is read is the connection's last, by its own word.
    last: bool,
    /// Whether the end of a body is still to be told as a part.
    ends: bool,
    /// Where websockets may begin.
    websockets: Option<Arc<Websockets>>,
    state: State,
}

enum State {
    Head,
    /// Bytes of a body with a length that are still to come.
    Length(u64),
    Chunks(Chunks),
    /// A handshake was given on. What comes is kept until it is known whether that is a websocket now.
    Shaking,
    /// What comes is a websocket's, and not looked at.
    Websocket,
    /// Refused, or behind the last request: nothing more is given on.
    Over,
}

/// The paths at and below which websockets may begin: those of applications that are mounted.
#[derive(Debug, Default)]
pub struct Websockets(Vec<String>);

impl Websockets {
    /// Those of `mounts`, where their paths begin with `prefix`; `None`: there are none.
    pub fn of(mounts: &[Arc<Mount>], prefix: &str) -> Option<Arc<Websockets>> {
        let paths: Vec<String> = mounts.iter().map(|mount| format!("{prefix}{}", mount.path)).collect();
        (!paths.is_empty()).then(|| Arc::new(Websockets(paths)))
    }

    /// Whether the target of this head, which was judged, is one of them. One that is written with `%XX` is none: then a
    /// handshake is a request like any other.
    fn begins_at(&self, head: &[u8]) -> bool {
        let target = head.split(|&b| b == b' ').nth(1).unwrap_or_default();
        self.0.iter().any(|path| {
            let rest = target.strip_prefix(path.as_bytes());
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/' | b'?')))
        })
    }
}

/// How a request's body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// Why a connection is refused, and what the parser behind may be given so that it sees a clean end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to answer.
    pub failure: Failure,
    /// `None`: the head was refused and no byte of it was given on. `Some(bytes)`: the body was; these end it, and none if
    /// nothing can: then the parser must not be told of the end before the answer is written.
    pub ending: Option<&'static [u8]>,
}

impl Default for Guard {
    fn default() -> Self {
        Guard::new()
    }
}

impl Guard {
    /// A guard at the beginning of a connection.
    pub fn new() -> Self {
        Guard {
            input: Vec::new(),
            taken: 0,
            seen: 0,
            skipped: false,
            last: false,
            ends: false,
            websockets: None,
            state: State::Head,
        }
    }

    /// The same, of a connection on which websockets may begin: a handshake there is given on with its `Upgrade`, and nothing
    /// behind it before [`Self::switched`] or [`Self::stayed`].
    pub fn with_websockets(self, websockets: Option<Arc<Websockets>>) -> Self {
        Guard { websockets, ..self }
    }

    /// A handshake was given on, and it is not known what became of it.
    pub fn is_shaking(&self) -> bool {
        matches!(self.state, State::Shaking)
    }

    /// Whether no more may be kept: what comes behind a handshake waits in the socket.
    pub fn is_full(&self) -> bool {
        self.is_shaking() && self.input.len() - self.taken >= MAX_HEAD
    }

    /// The handshake succeeded: what comes is given on as it is.
    pub fn switched(&mut self) {
        if self.is_shaking() {
            self.state = State::Websocket;
        }
    }

    /// The handshake was refused: the next request may come.
    pub fn stayed(&mut self) {
        if self.is_shaking() {
            self.state = self.after();
        }
    }

    /// What was fed and not given on.
    pub fn rest(&mut self) -> Vec<u8> {
        self.input.drain(..self.taken);
        self.taken = 0;
        std::mem::take(&mut self.input)
    }

    /// Takes what the socket gave, of any size. At most one head and what came with it is kept.
    pub fn feed(&mut self, data: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        if matches!(self.state, State::Over) {
            self.input.clear();
        } else {
            self.input.extend_from_slice(data);
        }
    }

    /// The peer will send no more. The refusal of a body that is not whole; anything else may end so.
    pub fn end(&mut self) -> Option<Refusal> {
        let cut = matches!(self.state, State::Length(_) | State::Chunks(_));
        self.state = State::Over;
        let words = "The body of the request ended before it was whole.";
        cut.then(|| Refusal { failure: Failure::new(Code::IncompleteBody, words), ending: Some(b"") })
    }

    /// Whether a head has begun and is not whole: the time of `slow_head` runs.
    pub fn in_head(&self) -> bool {
        matches!(self.state, State::Head) && self.taken < self.input.len()
    }

    /// The refusal of a head that takes too long.
    pub fn slow_head(&mut self) -> Refusal {
        self.state = State::Over;
        Refusal {
            failure: Failure::new(Code::BodyTimeout, "The head of the request did not arrive in time."),
            ending: None,
        }
    }

    /// Whether nothing that was fed waits to be given on.
    pub fn is_empty(&self) -> bool {
        self.taken == self.input.len()
    }

    /// The next bytes for the parser behind, never beyond the end of a request; `None`: feed more.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        if self.is_empty() {
            return Ok(None);
        }
        match self.state {
            State::Over | State::Shaking => Ok(None),
            State::Websocket => Ok(Some(self.rest())),
            State::Head => {
                let Some((judged, size)) = self.head(false)? else { return Ok(None) };
                let mut out = self.input[self.taken..self.taken + size].to_vec();
                let shown = judged.websocket.filter(|_| self.is_shaking());
                for at in judged.hidden.into_iter().rev().filter(|at| Some(*at) != shown) {
                    out.splice(at..at, HIDDEN_PREFIX.iter().copied());
                }
                self.taken += size;
                Ok(Some(out))
            }
            State::Length(_) | State::Chunks(_) => self.body(),
        }
    }

    /// The same for a driver without a parser of its own: the next part of a request; `None`: feed more.
    pub fn next_part(&mut self) -> Result<Option<Part>, Refusal> {
        if std::mem::take(&mut self.ends) {
            return Ok(Some(Part::End));
        }
        if self.is_empty() {
            return Ok(None);
        }
        match self.state {
            State::Over | State::Shaking => Ok(None),
            State::Websocket => Ok(Some(Part::Data(Bytes::from(self.rest())))),
            State::Head => {
                let Some((judged, size)) = self.head(true)? else { return Ok(None) };
                let bytes = Bytes::copy_from_slice(&self.input[self.taken..self.taken + size]);
                self.taken += size;
                Ok(Some(Part::Head(Head::new(bytes, judged, self.is_shaking()))))
            }
            State::Length(_) | State::Chunks(_) => {
                let data = self.body()?;
                self.ends = !self.in_body();
                match data {
                    Some(data) if data.is_empty() => Ok(std::mem::take(&mut self.ends).then_some(Part::End)),
                    data => Ok(data.map(|data| Part::Data(Bytes::from(data)))),
                }
            }
        }
    }

    fn in_body(&self) -> bool {
        matches!(self.state, State::Length(_) | State::Chunks(_))
    }

    /// More of a body. Nothing but its end may be found, which is no bytes where chunks have no headers.
    fn body(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let rest = &self.input[self.taken..];
        match &mut self.state {
            State::Length(left) => {
                let size = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let out = rest[..size].to_vec();
                *left -= size as u64;
                if *left == 0 {
                    self.state = self.after();
                }
                self.taken += size;
                Ok(Some(out))
            }
            State::Chunks(chunks) => {
                let mut out = Vec::with_capacity(rest.len());
                let (size, result) = chunks.pass(rest, &mut out);
                self.taken += size;
                let ended = chunks.ended();
                if !out.is_empty() || ended {
                    // A fault is met again by the next call, when what was good has been given on.
                    if ended {
                        self.state = self.after();
                    }
                    return Ok(Some(out));
                }
                let Err(failure) = result else { return Ok(None) };
                let ending = Some(chunks.ending());
                self.state = State::Over;
                Err(Refusal { failure, ending })
            }
            _ => Ok(None),
        }
    }

    /// What follows a request.
    fn after(&self) -> State {
        if self.last {
            State::Over
        } else {
            State::Head
        }
    }

    /// The next head, once it is whole, and its length. `bare`: of a chunked body only its bytes are given on.
    fn head(&mut self, bare: bool) -> Result<Option<(Judged, usize)>, Refusal> {
        match self.whole_head(bare) {
            Ok(found) => Ok(found),
            Err(failure) => {
                self.state = State::Over;
                Err(Refusal { failure, ending: None })
            }
        }
    }

    fn whole_head(&mut self, bare: bool) -> Result<Option<(Judged, usize)>, Failure> {
        // RFC 9112 section 2.2: an empty line before the request line is skipped. One, since more is a flood.
        if !self.skipped && self.seen == 0 {
            match &self.input[self.taken..] {
                b"\r" => return Ok(None),
                [b'\r', b'\n', ..] => (self.taken, self.skipped) = (self.taken + 2, true),
                _ => {}
            }
        }
        let rest = &self.input[self.taken..];
        let Some(size) = head::end_of(rest, self.seen)? else {
            self.seen = rest.len();
            return Ok(None);
        };
        let head = &rest[..size];
        let judged = head::judge(head)?;
        let shakes = judged.websocket.is_some() && self.websockets.as_ref().is_some_and(|known| known.begins_at(head));
        (self.seen, self.skipped, self.last) = (0, false, judged.last);
        self.state = match judged.framing {
            _ if shakes => State::Shaking,
            Framing::Length(0) => self.after(),
            Framing::Length(left) => State::Length(left),
            Framing::Chunked => State::Chunks(Chunks::new(bare)),
        };
        Ok(Some((judged, size)))
    }
}

fn malformed(what: &str) -> Failure {
    Failure::new(Code::MalformedRequest, format!("The request is not HTTP/1.1 as everybody reads it: {what}."))
}
