//! What an exchange says to its caller, as hyper writes it.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoosh_core::exchange::Exchange;
use hoosh_core::http::Headers;
use http_body::{Body, Frame, SizeHint};
use hyper::header::{HeaderValue, CONNECTION, CONTENT_LENGTH};
use hyper::{Response, StatusCode, Version};

use crate::drive::{Drive, Say};
use crate::names::name_of;
use crate::passed::{Passing, Relayed};
use crate::wire::Wire;

/// Of a whole answer, given to hyper at once: how much a slow caller must take before it is known to take anything.
const PART: usize = 64 << 10;

/// The exchange cut this connection; hyper closes it when it sees an error.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by the exchange")
    }
}

impl Error for Cut {}

/// An exchange in the hands of hyper, which drops it when the caller leaves.
pub struct Held {
    drive: Option<Rc<RefCell<Drive>>>,
    wire: Rc<Wire>,
    is_head: bool,
    /// Asked in HTTP/1.0, in which no connection is kept.
    is_old: bool,
    /// The last word was said; what follows is no concern of the caller.
    answered: bool,
}

impl Held {
    pub fn new(drive: Drive, wire: Rc<Wire>, is_head: bool, is_old: bool) -> Held {
        let drive = Rc::new(RefCell::new(drive));
        *wire.current.borrow_mut() = Some(drive.clone());
        Held { drive: Some(drive), wire, is_head, is_old, answered: false }
    }

    /// Tells the exchange something.
    pub fn tell(&self, door: impl FnOnce(&mut Exchange)) {
        if let Some(drive) = &self.drive {
            door(&mut drive.borrow_mut().exchange);
        }
    }

    /// The connection.
    pub fn wire(&self) -> &Rc<Wire> {
        &self.wire
    }

    /// No byte of the answer's body is sent, whatever its head says.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    pub fn take(&mut self) -> Held {
        let Held { is_head, is_old, answered, .. } = *self;
        Held { drive: self.drive.take(), wire: self.wire.clone(), is_head, is_old, answered }
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Say> {
        match &self.drive {
            Some(drive) => drive.borrow_mut().poll(cx),
            None => Poll::Ready(Say::Done),
        }
    }

    fn written(&mut self, bytes: usize) {
        if let Some(drive) = self.drive.as_ref().filter(|_| bytes > 0) {
            drive.borrow_mut().exchange.written(bytes);
        }
    }

    /// The caller has everything. Usually nothing else is left to do.
    pub fn settle(&mut self, cx: &mut Context<'_>) {
        self.answered = true;
        self.wire.answered();
        if let Poll::Ready(Say::Done) = self.poll(cx) {
            self.drive = None;
        }
    }

    /// What the head of the answer is to say of the connection.
    pub fn manner(&self) -> Manner {
        // Of a refused head hyper is told by the request in its place, which may wait behind this one.
        let refused = self.wire.body_refusal().is_some() || self.wire.closing.get();
        let unread = self.drive.as_ref().is_some_and(|drive| drive.borrow().ends_connection());
        Manner { is_old: self.is_old, closes: refused || unread }
    }

    /// The connection ends without what was not taken yet.
    pub fn cut(&mut self) -> Cut {
        self.wire.cut();
        Cut
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(drive) = self.drive.take() else { return };
        if !self.answered {
            self.wire.answered();
            drive.borrow_mut().exchange.caller_gone();
        }
        // What is left has nobody to tell, and the connection goes on without it.
        tokio::task::spawn_local(std::future::poll_fn(move |cx| loop {
            match drive.borrow_mut().poll(cx) {
                Poll::Ready(Say::Done) => return Poll::Ready(()),
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }));
    }
}

/// A request until its answer begins.
pub enum Asked {
    /// An exchange answers it.
    Exchange(Held),
    /// An application does, beside an exchange that watches.
    Passed(Passing),
}

impl Future for Asked {
    type Output = Result<Response<Answer>, Cut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Asked::Exchange(held) => match held.poll(cx) {
                Poll::Ready(say) => Poll::Ready(held.take().answer(say, cx)),
                Poll::Pending => Poll::Pending,
            },
            Asked::Passed(passing) => passing.poll(cx),
        }
    }
}

impl Held {
    /// The answer that begins so.
    pub fn answer(self, say: Say, cx: &mut Context<'_>) -> Result<Response<Answer>, Cut> {
        let mut held = self;
        let manner = held.manner();
        match say {
            Say::Reply(status, headers, body) if held.is_head => {
                let length = HeaderValue::from(body.len());
                held.written(body.len());
                held.settle(cx);
                response(manner, status, headers, Answer::Whole(held, Bytes::new())).map(|mut answer| {
                    answer.headers_mut().insert(CONTENT_LENGTH, length);
                    answer
                })
            }
            Say::Reply(status, headers, body) => response(manner, status, headers, Answer::Whole(held, body)),
            Say::Start(status, headers) => {
                let length = headers.iter().find(|(name, _)| &name[..] == b"content-length");
                let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
                response(manner, status, headers, Answer::Stream { held, given: 0, length })
            }
            Say::Emit(_) | Say::Finish | Say::Break | Say::Done => Err(held.cut()),
        }
    }
}

/// What becomes of the connection behind an answer.
pub struct Manner {
    is_old: bool,
    closes: bool,
}

fn response(manner: Manner, status: u16, headers: Headers, answer: Answer) -> Result<Response<Answer>, Cut> {
    let mut response = Response::new(answer);
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Cut)?;
    let map = response.headers_mut();
    map.reserve(headers.len() + 2);
    for (name, value) in headers {
        let name = name_of(&name).ok_or(Cut)?;
        map.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| Cut)?);
    }
    manner.write(&mut response);
    Ok(response)
}

impl Manner {
    /// Adds to the head what it says.
    pub fn write(&self, response: &mut Response<Answer>) {
        if self.is_old {
            // hyper keeps a connection whose caller asks for it, unless the answer is as old.
            *response.version_mut() = Version::HTTP_10;
        } else if self.closes {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// The body of an answer.
pub enum Answer {
    Whole(Held, Bytes),
    Stream {
        held: Held,
        /// Bytes that hyper was given last: it asks for more once it has them.
        given: usize,
        /// What is to come, where its head says that.
        length: Option<u64>,
    },
    /// An application's.
    Passed(Box<Relayed>),
    /// There is none.
    Nothing,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Answer::Whole(held, body) => {
                let part = body.split_to(body.len().min(PART));
                held.written(part.len());
                if body.is_empty() {
                    held.settle(cx);
                } else if held.poll(cx).is_ready() {
                    // It took too long, and the exchange gave it up.
                    return Poll::Ready(Some(Err(held.cut())));
                }
                Poll::Ready((!part.is_empty()).then(|| Ok(Frame::data(part))))
            }
            Answer::Stream { held, given, .. } => {
                held.written(std::mem::take(given));
                let Poll::Ready(say) = held.poll(cx) else { return Poll::Pending };
                Poll::Ready(match say {
                    Say::Emit(bytes) => {
                        *given = bytes.len();
                        Some(Ok(Frame::data(bytes)))
                    }
                    Say::Finish => {
                        held.settle(cx);
                        None
                    }
                    Say::Reply(..) | Say::Start(..) | Say::Break | Say::Done => Some(Err(held.cut())),
                })
            }
            Answer::Passed(relayed) => relayed.poll(cx),
            Answer::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(_, body) => body.is_empty(),
            Answer::Stream { .. } => false,
            Answer::Passed(relayed) => relayed.is_over(),
            Answer::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(_, body) => SizeHint::with_exact(body.len() as u64),
            Answer::Stream { length, .. } => length.map_or_else(SizeHint::default, SizeHint::with_exact),
            Answer::Passed(relayed) => relayed.size_hint(),
            Answer::Nothing => SizeHint::with_exact(0),
        }
    }
}
