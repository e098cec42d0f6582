//! The body of a request, as hyper takes it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hoosh_core::http as core;
use http_body::{Body, Frame, SizeHint};

/// Given to hyper at once. It copies what it is given.
const SLICE: usize = 64 << 10;

/// A body that is not as long as its head says. What was sent of it is cut off, so that nobody takes it for the whole.
#[derive(Debug)]
pub struct WrongLength;

impl std::fmt::Display for WrongLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body is not as long as its head says")
    }
}

impl std::error::Error for WrongLength {}

/// A request body that tells what was taken of it.
pub struct Outgoing(pub Rc<RefCell<Feed>>);

/// What is to be sent, and what hyper took.
#[derive(Default)]
pub struct Feed {
    pieces: VecDeque<Bytes>,
    /// All of it is there.
    complete: bool,
    /// Nothing more of it is to be sent.
    stopped: bool,
    /// Bytes that are still to be taken; `None`: in chunks, as many as come.
    left: Option<u64>,
    /// Bytes taken and not told.
    taken: usize,
    /// hyper has it all.
    is_taken: bool,
    waker: Option<Waker>,
}

impl Feed {
    /// What is known of a body when its head is written: all of it, or how long it is. Pieces of a streamed one may have been put
    /// before, while the connection was made.
    pub fn begin(&mut self, body: core::Body) {
        match body {
            core::Body::Whole(bytes) => {
                self.left = Some(bytes.len() as u64);
                self.put(Some(bytes));
                self.put(None);
            }
            core::Body::Streamed { length } => self.left = length,
        }
    }

    /// More of it; `None`: its end.
    pub fn put(&mut self, piece: Option<Bytes>) {
        match piece {
            Some(bytes) => self.pieces.extend((!bytes.is_empty()).then_some(bytes)),
            None => self.complete = true,
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The rest is not sent.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.pieces.clear();
    }

    /// Bytes that hyper took since the last call. Its own buffer is twice a slice at most.
    pub fn taken(&mut self) -> usize {
        std::mem::take(&mut self.taken)
    }

    /// Whether hyper has it all.
    pub fn is_taken(&self) -> bool {
        self.is_taken
    }

    fn has_ended(&self) -> bool {
        self.complete && self.pieces.is_empty() && !self.stopped
    }

    fn next(&mut self) -> Result<Option<Bytes>, WrongLength> {
        let Some(first) = self.pieces.front_mut() else {
            let is_short = self.has_ended() && self.left.is_some_and(|left| left > 0);
            return if is_short { Err(WrongLength) } else { Ok(None) };
        };
        let piece = first.split_to(first.len().min(SLICE));
        if first.is_empty() {
            self.pieces.pop_front();
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(piece.len() as u64).ok_or(WrongLength)?;
        }
        self.taken += piece.len();
        Ok(Some(piece))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = WrongLength;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, WrongLength>>> {
        let mut feed = self.0.borrow_mut();
        if let Some(bytes) = feed.next().transpose() {
            return Poll::Ready(Some(bytes.map(Frame::data)));
        }
        if feed.has_ended() {
            feed.is_taken = true;
            return Poll::Ready(None);
        }
        feed.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let mut feed = self.0.borrow_mut();
        let ended = feed.has_ended() && feed.left.unwrap_or(0) == 0;
        feed.is_taken |= ended;
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.0.borrow().left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
