//! One request and its answer, told event by event.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{Origin, UpstreamRequest};
use http_body::Body;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::Response;
use tokio::task::coop::unconstrained;

use crate::body::Feed;
use crate::connect::connect;
use crate::connection::Connection;
use crate::failure;
use crate::pool::Upstreams;

/// What happened to an attempt, in the words of the exchange's doors.
#[derive(Debug)]
pub enum Event {
    /// A connection stands.
    Connected,
    /// So many more bytes of a body were taken.
    Took(usize),
    /// The request was written whole.
    Sent,
    /// The answer's head came.
    Head(u16, HeaderMap),
    /// More of the answer's body, within the credit.
    Data(Bytes),
    /// The answer is complete. Nothing follows.
    End,
    /// It failed. Nothing follows.
    Failed {
        /// How far it had come.
        stage: Stage,
        /// The connection had served another request before.
        reused: bool,
    },
}

type Connecting = Pin<Box<dyn Future<Output = Result<Connection, Stage>>>>;
type Asking = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>>>>;

enum State {
    Connecting(Connecting, UpstreamRequest),
    Connected(Connection, UpstreamRequest),
    Asking(Asking, Connection),
    Answered(hyper::Result<Response<Incoming>>, Connection),
    Reading(Reading),
    Over,
}

/// An answer's body.
struct Reading {
    incoming: Incoming,
    connection: Connection,
    held: Bytes,
    /// The connection may serve another request after it.
    is_clean: bool,
}

/// One attempt of an exchange. Dropping it closes its connection.
pub struct Attempt {
    upstreams: Rc<Upstreams>,
    origin: Arc<Origin>,
    credit: usize,
    state: State,
    feed: Rc<RefCell<Feed>>,
    sent: bool,
}

impl Attempt {
    /// Begins to send `request`, over an idle connection if there is one.
    pub fn new(upstreams: &Rc<Upstreams>, request: UpstreamRequest) -> Attempt {
        let origin = request.origin.clone();
        let state = match upstreams.take(&origin) {
            Some(connection) => State::Connected(connection, request),
            None => {
                let (origin, trust) = (origin.clone(), upstreams.trust().clone());
                State::Connecting(Box::pin(async move { connect(&origin, &trust).await }), request)
            }
        };
        Attempt { upstreams: upstreams.clone(), origin, credit: 0, state, feed: Rc::default(), sent: false }
    }

    /// Whether the last event was told.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// So many more bytes of the answer's body are wanted.
    pub fn wants(&mut self, credit: usize) {
        self.credit = self.credit.saturating_add(credit);
    }

    /// More of a streamed body; `None`: its end. After the answer's head it is not sent.
    pub fn feed(&mut self, piece: Option<Bytes>) {
        self.feed.borrow_mut().put(piece);
    }

    /// What happened next; pending also when it is over. To be asked again until it is pending, and after each wake.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Pending,
                State::Connecting(mut connecting, request) => match connecting.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Connecting(connecting, request);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(connection)) => self.state = State::Connected(connection, request),
                    Poll::Ready(Err(stage)) => return Poll::Ready(Event::Failed { stage, reused: false }),
                },
                State::Connected(connection, request) => return Poll::Ready(self.begin(connection, request)),
                State::Asking(mut asking, mut connection) => {
                    connection.drive(cx);
                    let event = self.written(&mut connection);
                    let answer = asking.as_mut().poll(&mut silent());
                    let is_there = answer.is_ready();
                    self.state = match answer {
                        Poll::Pending => State::Asking(asking, connection),
                        Poll::Ready(answer) => State::Answered(answer, connection),
                    };
                    match event {
                        Some(event) => return Poll::Ready(event),
                        None if !is_there => return Poll::Pending,
                        None => {}
                    }
                }
                State::Answered(answer, mut connection) => {
                    if let Some(event) = self.written(&mut connection) {
                        self.state = State::Answered(answer, connection);
                        return Poll::Ready(event);
                    }
                    return Poll::Ready(self.answered(answer, connection));
                }
                State::Reading(reading) => return self.read(reading, cx),
            }
        }
    }

    fn begin(&mut self, mut connection: Connection, request: UpstreamRequest) -> Event {
        let Some(request) = connection.head(request, &self.feed) else {
            return Event::Failed { stage: Stage::Send, reused: false };
        };
        connection.begin();
        // Polled without a waker of its own, so that it must never ask to be polled again for fairness' sake.
        let asking = Box::pin(unconstrained(connection.sender.send_request(request)));
        self.state = State::Asking(asking, connection);
        Event::Connected
    }

    /// What left of the request and was not told yet.
    fn written(&mut self, connection: &mut Connection) -> Option<Event> {
        let mut feed = self.feed.borrow_mut();
        let taken = feed.taken();
        if taken > 0 {
            return Some(Event::Took(taken));
        }
        (!self.sent && connection.has_sent(&feed)).then(|| {
            self.sent = true;
            Event::Sent
        })
    }

    fn answered(&mut self, answer: hyper::Result<Response<Incoming>>, connection: Connection) -> Event {
        match answer {
            Ok(answer) => {
                let (head, incoming) = answer.into_parts();
                // The rest of a request that was answered before is not sent, and no other may follow it. Nor where the answer
                // says its length in two ways (RFC 9112, section 6.3).
                let twice = head.headers.contains_key(TRANSFER_ENCODING) && head.headers.contains_key(CONTENT_LENGTH);
                if !self.sent {
                    self.feed.borrow_mut().stop();
                }
                let is_clean = self.sent && !twice;
                self.state = State::Reading(Reading { incoming, connection, held: Bytes::new(), is_clean });
                Event::Head(head.status.as_u16(), head.headers)
            }
            Err(error) => self.failed(failure::before_head(&error, self.sent), &connection),
        }
    }

    fn read(&mut self, mut reading: Reading, cx: &mut Context<'_>) -> Poll<Event> {
        let mut driven = false;
        loop {
            if !reading.held.is_empty() {
                if self.credit == 0 {
                    break;
                }
                let piece = reading.held.split_to(self.credit.min(reading.held.len()));
                self.credit -= piece.len();
                self.state = State::Reading(reading);
                return Poll::Ready(Event::Data(piece));
            }
            // Without credit hyper's window, one read, is as far as the upstream gets ahead.
            if self.credit == 0 && !reading.incoming.is_end_stream() {
                break;
            }
            match Pin::new(&mut reading.incoming).poll_frame(&mut silent()) {
                Poll::Ready(Some(Ok(frame))) => reading.held = frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(error))) => {
                    let stage = failure::within_body(&error);
                    return Poll::Ready(self.failed(stage, &reading.connection));
                }
                Poll::Ready(None) => {
                    if reading.is_clean {
                        self.upstreams.give_back(&self.origin, reading.connection);
                    }
                    return Poll::Ready(Event::End);
                }
                Poll::Pending if driven => break,
                Poll::Pending => {
                    reading.connection.drive(cx);
                    driven = true;
                }
            }
        }
        self.state = State::Reading(reading);
        Poll::Pending
    }

    fn failed(&mut self, stage: Stage, connection: &Connection) -> Event {
        if connection.used && matches!(stage, Stage::Send | Stage::Head) {
            self.upstreams.forget(&self.origin, connection);
        }
        Event::Failed { stage, reused: connection.used }
    }
}

/// For what only [`Connection::drive`] moves, which was polled before it with the task's own waker.
fn silent() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
