//! The body of a request, as hyper takes it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hoosh_core::http as core;
use http_body::{Body, Frame, SizeHint};

/// A request body that tells what was taken of it.
pub struct Outgoing(pub Rc<RefCell<Feed>>);

/// What is to be sent, and what hyper took.
#[derive(Default)]
pub struct Feed {
    pieces: VecDeque<Bytes>,
    /// All of it is there.
    complete: bool,
    /// Bytes; `None`: in chunks.
    length: Option<u64>,
    /// Bytes taken and not told.
    taken: usize,
    /// hyper has it all.
    is_sent: bool,
    /// Of hyper, which waits for more.
    waker: Option<Waker>,
    /// Of whoever is told what hyper took, where more is to follow.
    teller: Option<Waker>,
}

impl Feed {
    /// All of a body, or a place for its pieces.
    pub fn of(body: core::Body) -> Feed {
        match body {
            core::Body::Whole(bytes) => Feed {
                length: Some(bytes.len() as u64),
                pieces: Some(bytes).filter(|bytes| !bytes.is_empty()).into_iter().collect(),
                complete: true,
                ..Feed::default()
            },
            core::Body::Streamed { length } => Feed { length, ..Feed::default() },
        }
    }

    /// More of it; `None`: its end.
    pub fn put(&mut self, piece: Option<Bytes>) {
        match piece {
            Some(bytes) => self.pieces.push_back(bytes),
            None => self.complete = true,
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Bytes that hyper took since the last call. Its own buffer is a few hundred KiB at most.
    pub fn taken(&mut self) -> usize {
        std::mem::take(&mut self.taken)
    }

    /// Has `waker` called when hyper takes more of a streamed body, or has all of it.
    pub fn on_take(&mut self, waker: &Waker) {
        if !self.is_sent && !self.teller.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.teller = Some(waker.clone());
        }
    }

    fn took(&mut self) {
        if let Some(teller) = self.teller.take() {
            teller.wake();
        }
    }

    /// Whether hyper has it all.
    pub fn is_sent(&self) -> bool {
        self.is_sent
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut feed = self.0.borrow_mut();
        let Some(bytes) = feed.pieces.pop_front() else {
            if feed.complete {
                feed.is_sent = true;
                feed.took();
                return Poll::Ready(None);
            }
            feed.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        feed.taken += bytes.len();
        feed.is_sent = feed.complete && feed.pieces.is_empty();
        feed.took();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        let mut feed = self.0.borrow_mut();
        let ended = feed.complete && feed.pieces.is_empty();
        feed.is_sent |= ended;
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.0.borrow().length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
