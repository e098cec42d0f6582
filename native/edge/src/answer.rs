//! What an exchange says to its caller, piece by piece.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoosh_core::exchange::Exchange;
use hoosh_core::http::Headers;

use crate::drive::{Drive, Say};
use crate::passed::{Passing, Relayed};
use crate::wire::Wire;

/// Of a whole answer, given at once: how much a slow caller must take before it is known to take anything.
const PART: usize = 64 << 10;

/// The exchange cut this connection.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by the exchange")
    }
}

impl Error for Cut {}

/// What of a request decides how it is answered.
#[derive(Clone, Copy, Default)]
pub struct Manner {
    /// Asked in HTTP/1.0, in which no connection is kept.
    pub is_old: bool,
    /// No byte of the answer's body is sent, whatever its head says.
    pub is_head: bool,
    /// The connection ends behind the answer.
    pub closes: bool,
}

/// An answer that begins.
pub struct Response {
    pub status: u16,
    /// All but those that frame it.
    pub headers: Headers,
    pub manner: Manner,
    pub answer: Answer,
}

/// An exchange in the hands of its connection, which drops it when the caller leaves.
pub struct Held {
    drive: Option<Rc<RefCell<Drive>>>,
    wire: Rc<Wire>,
    asked: Manner,
    /// The last word was said; what follows is no concern of the caller.
    answered: bool,
}

impl Held {
    pub fn new(drive: Drive, wire: Rc<Wire>, asked: Manner) -> Held {
        let drive = Rc::new(RefCell::new(drive));
        *wire.current.borrow_mut() = Some(drive.clone());
        Held { drive: Some(drive), wire, asked, answered: false }
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
        self.asked.is_head
    }

    pub fn take(&mut self) -> Held {
        let Held { asked, answered, .. } = *self;
        Held { drive: self.drive.take(), wire: self.wire.clone(), asked, answered }
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

    /// How the answer is given now.
    pub fn manner(&self) -> Manner {
        let refused = self.wire.refusal.borrow().is_some() || self.wire.closing.get();
        Manner { closes: self.asked.closes || refused, ..self.asked }
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
        drive.borrow_mut().leave_caller();
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

impl Asked {
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response, Cut>> {
        match self {
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
    pub fn answer(self, say: Say, cx: &mut Context<'_>) -> Result<Response, Cut> {
        let mut held = self;
        let manner = held.manner();
        match say {
            Say::Reply(status, mut headers, body) if manner.is_head || body.is_empty() => {
                if manner.is_head {
                    headers.push((Bytes::from_static(b"content-length"), Bytes::from(body.len().to_string())));
                }
                held.written(body.len());
                held.settle(cx);
                Ok(Response { status, headers, manner, answer: Answer::Nothing })
            }
            Say::Reply(status, headers, body) => {
                Ok(Response { status, headers, manner, answer: Answer::Whole(held, body) })
            }
            Say::Start(status, headers) => {
                let length = headers.iter().find(|(name, _)| &name[..] == b"content-length");
                let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
                Ok(Response { status, headers, manner, answer: Answer::Stream { held, given: 0, length } })
            }
            Say::Emit(_) | Say::Finish | Say::Break | Say::Done => Err(held.cut()),
        }
    }
}

/// The body of an answer.
pub enum Answer {
    Whole(Held, Bytes),
    Stream {
        held: Held,
        /// Bytes that were given last: more is asked for once there is room behind them.
        given: usize,
        /// What is to come, where its head says that.
        length: Option<u64>,
    },
    /// An application's.
    Passed(Box<Relayed>),
    /// There is none.
    Nothing,
}

impl Answer {
    /// The next piece; none is its end.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        match self {
            Answer::Whole(held, body) => {
                let part = body.split_to(body.len().min(PART));
                held.written(part.len());
                if body.is_empty() {
                    held.settle(cx);
                } else if held.poll(cx).is_ready() {
                    // It took too long, and the exchange gave it up.
                    return Poll::Ready(Some(Err(held.cut())));
                }
                Poll::Ready((!part.is_empty()).then_some(Ok(part)))
            }
            Answer::Stream { held, given, .. } => {
                held.written(std::mem::take(given));
                let Poll::Ready(say) = held.poll(cx) else { return Poll::Pending };
                Poll::Ready(match say {
                    Say::Emit(bytes) => {
                        *given = bytes.len();
                        Some(Ok(bytes))
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

    /// Whether no piece of it comes any more.
    pub fn is_over(&self) -> bool {
        match self {
            Answer::Whole(_, body) => body.is_empty(),
            Answer::Stream { .. } => false,
            Answer::Passed(relayed) => relayed.is_over(),
            Answer::Nothing => true,
        }
    }

    /// How long it is, where that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Answer::Whole(_, body) => Some(body.len() as u64),
            Answer::Stream { length, .. } => *length,
            Answer::Passed(relayed) => relayed.length(),
            Answer::Nothing => Some(0),
        }
    }
}
