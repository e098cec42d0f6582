//! One request and its answer, told event by event.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hoosh_core::exchange::Stage;
use hoosh_core::http::{Origin, UpstreamRequest};

use crate::connect::connect;
use crate::connection::{Connection, NoHead};
use crate::feed::Feed;
use crate::framing::{Framing, Piece};
use crate::head::{AnswerHeaders, Head};
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
    Head(u16, AnswerHeaders),
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

type Connecting = Pin<Box<dyn Future<Output = Result<Box<Connection>, Stage>>>>;

enum State {
    Connecting(Connecting, UpstreamRequest),
    Connected(Box<Connection>, UpstreamRequest),
    Asking(Box<Connection>),
    Reading(Box<Connection>, Framing),
    Over,
}

/// One attempt of an exchange. Dropping it closes its connection.
pub struct Attempt {
    upstreams: Rc<Upstreams>,
    origin: Arc<Origin>,
    credit: usize,
    state: State,
    feed: Feed,
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
        Attempt { upstreams: upstreams.clone(), origin, credit: 0, state, feed: Feed::default(), sent: false }
    }

    /// Whether the last event was told.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// So many more bytes of the answer's body are wanted.
    pub fn wants(&mut self, credit: usize) {
        self.credit = self.credit.saturating_add(credit);
    }

    /// More of a streamed body; `None`: its end. After the answer's head it is not sent. To be asked again after it.
    pub fn feed(&mut self, piece: Option<Bytes>) {
        self.feed.put(piece);
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
                State::Asking(mut connection) => {
                    if connection.write(cx, &mut self.feed).is_err() {
                        return Poll::Ready(self.failed(Stage::Send, &connection));
                    }
                    if let Some(event) = self.written(&connection) {
                        self.state = State::Asking(connection);
                        return Poll::Ready(event);
                    }
                    let Poll::Ready(answer) = connection.poll_head(cx) else {
                        self.state = State::Asking(connection);
                        return Poll::Pending;
                    };
                    return Poll::Ready(self.answered(answer, connection));
                }
                State::Reading(connection, framing) => return self.read(connection, framing, cx),
            }
        }
    }

    fn begin(&mut self, mut connection: Box<Connection>, request: UpstreamRequest) -> Event {
        if connection.begin(request, &mut self.feed).is_none() {
            return Event::Failed { stage: Stage::Send, reused: false };
        }
        self.state = State::Asking(connection);
        Event::Connected
    }

    /// What left of the request and was not told yet.
    fn written(&mut self, connection: &Connection) -> Option<Event> {
        let taken = self.feed.taken();
        if taken > 0 {
            return Some(Event::Took(taken));
        }
        (!self.sent && connection.has_sent()).then(|| {
            self.sent = true;
            Event::Sent
        })
    }

    fn answered(&mut self, answer: Result<Head, NoHead>, mut connection: Box<Connection>) -> Event {
        let Head { status, headers, framing, keeps } = match answer {
            Ok(head) => head,
            Err(NoHead::Malformed) => return self.failed(Stage::Protocol, &connection),
            Err(NoHead::Ended) if self.sent => return self.failed(Stage::Head, &connection),
            Err(NoHead::Ended) => return self.failed(Stage::Send, &connection),
        };
        // The rest of a request that was answered before is not sent, and no other may follow it.
        if !self.sent {
            self.feed.stop();
        }
        connection.keeps = self.sent && keeps;
        self.state = State::Reading(connection, framing);
        Event::Head(status, headers)
    }

    /// Without credit nothing is read: what was read before is as far as the upstream gets ahead.
    fn read(&mut self, mut connection: Box<Connection>, mut framing: Framing, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            match framing.next(&mut connection.input, self.credit) {
                Ok(Piece::Data(bytes)) => {
                    self.credit -= bytes.len();
                    self.state = State::Reading(connection, framing);
                    return Poll::Ready(Event::Data(bytes));
                }
                Ok(Piece::End) => return Poll::Ready(self.ended(connection)),
                Err(_) => return Poll::Ready(self.failed(Stage::Protocol, &connection)),
                Ok(Piece::More) => {}
            }
            let read = if self.credit == 0 { Poll::Pending } else { connection.poll_read(cx) };
            match read {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) if matches!(framing, Framing::UntilEnd) => return Poll::Ready(Event::End),
                Poll::Ready(_) => return Poll::Ready(self.failed(Stage::Body, &connection)),
                Poll::Pending => {
                    self.state = State::Reading(connection, framing);
                    return Poll::Pending;
                }
            }
        }
    }

    fn ended(&mut self, mut connection: Box<Connection>) -> Event {
        if connection.input.is_empty() {
            // Which would keep the last answer in memory.
            connection.input = BytesMut::new();
        }
        self.upstreams.give_back(&self.origin, connection);
        Event::End
    }

    fn failed(&mut self, stage: Stage, connection: &Connection) -> Event {
        if connection.used && matches!(stage, Stage::Send | Stage::Head) {
            self.upstreams.forget(&self.origin, connection);
        }
        Event::Failed { stage, reused: connection.used }
    }
}
