//! One request and its answer, told event by event.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use bytes::Bytes;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{self as core, Origin, UpstreamRequest};
use http_body::Body;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::Response;

use crate::body::Feed;
use crate::connect::connect;
use crate::connection::Connection;
use crate::pool::Upstreams;

/// What happened to an attempt, in the words of the exchange's doors.
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
    Reading(Incoming, Connection, Bytes),
    Over,
}

/// One attempt of an exchange. Dropping it closes its connection.
pub struct Attempt {
    upstreams: Rc<Upstreams>,
    origin: Arc<Origin>,
    credit: usize,
    state: State,
    feed: Rc<RefCell<Feed>>,
    /// Its body follows in pieces.
    streams: bool,
    sent: bool,
}

impl Attempt {
    /// Begins to send `request`, over an idle connection if there is one.
    pub fn new(upstreams: &Rc<Upstreams>, request: UpstreamRequest) -> Attempt {
        let origin = request.origin.clone();
        let streams = matches!(request.body, core::Body::Streamed { .. });
        let state = match upstreams.take(&origin) {
            Some(connection) => State::Connected(connection, request),
            None => {
                let origin = origin.clone();
                State::Connecting(Box::pin(async move { connect(&origin).await }), request)
            }
        };
        Attempt { upstreams: upstreams.clone(), origin, credit: 0, state, feed: Rc::default(), streams, sent: false }
    }

    /// Whether the last event was told.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// So many more bytes of the answer's body are wanted.
    pub fn wants(&mut self, credit: usize) {
        self.credit += credit;
    }

    /// More of a streamed body; `None`: its end.
    pub fn feed(&mut self, piece: Option<Bytes>) {
        self.feed.borrow_mut().put(piece);
    }

    /// What happened next; pending also when it is over.
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
                State::Connected(mut connection, request) => {
                    let Some(request) = connection.head(request, &self.feed) else {
                        return Poll::Ready(Event::Failed { stage: Stage::Send, reused: false });
                    };
                    self.state = State::Asking(Box::pin(connection.sender.send_request(request)), connection);
                    return Poll::Ready(Event::Connected);
                }
                State::Asking(mut asking, connection) => {
                    let answer = asking.as_mut().poll(cx);
                    let is_there = answer.is_ready();
                    self.state = match answer {
                        Poll::Pending => State::Asking(asking, connection),
                        Poll::Ready(answer) => State::Answered(answer, connection),
                    };
                    if let Some(event) = self.written() {
                        return Poll::Ready(event);
                    }
                    if !is_there {
                        if self.streams {
                            self.feed.borrow_mut().on_take(cx.waker());
                        }
                        return Poll::Pending;
                    }
                }
                State::Answered(answer, connection) => {
                    if let Some(event) = self.written() {
                        self.state = State::Answered(answer, connection);
                        return Poll::Ready(event);
                    }
                    return Poll::Ready(self.answered(answer, connection));
                }
                State::Reading(incoming, connection, held) => {
                    self.state = State::Reading(incoming, connection, held);
                    return self.read(cx);
                }
            }
        }
    }

    /// What hyper took of the request and was not told yet.
    fn written(&mut self) -> Option<Event> {
        let mut feed = self.feed.borrow_mut();
        let taken = feed.taken();
        if taken > 0 {
            return Some(Event::Took(taken));
        }
        (feed.is_sent() && !std::mem::replace(&mut self.sent, true)).then_some(Event::Sent)
    }

    fn answered(&mut self, answer: hyper::Result<Response<Incoming>>, connection: Connection) -> Event {
        match answer {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                self.state = State::Reading(body, connection, Bytes::new());
                Event::Head(head.status.as_u16(), head.headers)
            }
            Err(error) => {
                let stage = if self.sent { Stage::Head } else { Stage::Send };
                self.failed(if error.is_parse() { Stage::Protocol } else { stage }, &connection)
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let State::Reading(incoming, _, held) = &mut self.state else { return Poll::Pending };
        loop {
            if !held.is_empty() {
                if self.credit == 0 {
                    return Poll::Pending;
                }
                let piece = held.split_to(self.credit.min(held.len()));
                self.credit -= piece.len();
                return Poll::Ready(Event::Data(piece));
            }
            // Without credit hyper's window, one read, is as far as the upstream gets ahead.
            if self.credit == 0 && !incoming.is_end_stream() {
                return Poll::Pending;
            }
            match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                Some(Ok(frame)) => *held = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => {
                    let State::Reading(_, connection, _) = std::mem::replace(&mut self.state, State::Over) else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(self.failed(Stage::Body, &connection));
                }
                None => {
                    if let State::Reading(_, connection, _) = std::mem::replace(&mut self.state, State::Over) {
                        // An answer that came before all of the request: the rest of it must not follow.
                        if self.feed.borrow().is_sent() {
                            self.upstreams.give_back(&self.origin, connection);
                        }
                    }
                    return Poll::Ready(Event::End);
                }
            }
        }
    }

    fn failed(&mut self, stage: Stage, connection: &Connection) -> Event {
        if connection.used && matches!(stage, Stage::Send | Stage::Head) {
            self.upstreams.forget(&self.origin, connection);
        }
        Event::Failed { stage, reused: connection.used }
    }
}
