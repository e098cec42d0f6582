//! Connections to upstreams, kept while they live, and one attempt over one of them.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{ready, Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use hoosh_core::exchange::{Exchange, Stage, UpstreamId};
use hoosh_core::http::{self as core, HeaderView, Origin, UpstreamRequest};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{HeaderMap, HeaderName, HeaderValue, HOST};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// Idle connections kept for each origin.
const MAX_IDLE: usize = 1_024;

type Failed = Box<dyn Error + Send + Sync>;

/// Header access for the core.
pub struct View<'a>(pub &'a HeaderMap);

impl HeaderView for View<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(HeaderValue::as_bytes)
    }
}

/// One connection. Dropping it closes it.
struct Connection {
    sender: SendRequest<Outgoing>,
    task: AbortHandle,
    /// The value of `host`.
    host: HeaderValue,
    /// It has answered before.
    used: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All idle connections of this thread.
#[derive(Default)]
pub struct Upstreams {
    idle: RefCell<HashMap<Arc<Origin>, Vec<Connection>>>,
}

impl Upstreams {
    fn take(&self, origin: &Arc<Origin>) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(origin)?;
        // The latest is the least likely to have been closed by its peer.
        while let Some(connection) = idle.pop() {
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn give_back(&self, origin: &Arc<Origin>, mut connection: Connection) {
        connection.used = true;
        let mut idle = self.idle.borrow_mut();
        if !idle.contains_key(origin) {
            idle.insert(origin.clone(), Vec::new());
        }
        if let Some(idle) = idle.get_mut(origin).filter(|idle| idle.len() < MAX_IDLE) {
            idle.push(connection);
        }
    }

    /// One connection was closed by its peer, so the others are no better.
    fn forget(&self, origin: &Arc<Origin>) {
        self.idle.borrow_mut().remove(origin);
    }

    /// The whole answer to a request of the gateway itself.
    pub async fn fetch(&self, request: UpstreamRequest) -> Result<(u16, Bytes), Failed> {
        let mut connection = match self.take(&request.origin) {
            Some(connection) => connection,
            None => connect(request.origin.clone()).await.map_err(|_| "no connection")?,
        };
        let origin = request.origin.clone();
        let answer = connection.sender.send_request(head(request, connection.host.clone(), &Rc::default())?).await?;
        let status = answer.status().as_u16();
        let (mut incoming, mut body) = (answer.into_body(), BytesMut::new());
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
            if let Ok(data) = frame?.into_data() {
                if body.len() + data.len() > 16 << 20 {
                    return Err("the answer is too long".into());
                }
                body.extend_from_slice(&data);
            }
        }
        self.give_back(&origin, connection);
        Ok((status, body.freeze()))
    }
}

async fn connect(origin: Arc<Origin>) -> Result<Connection, Stage> {
    if origin.tls {
        return Err(Stage::Tls);
    }
    let stream = TcpStream::connect((origin.host.as_str(), origin.port)).await.map_err(|_| Stage::Connect)?;
    stream.set_nodelay(true).map_err(|_| Stage::Connect)?;
    let (sender, connection) =
        Builder::new().writev(false).handshake(TokioIo::new(stream)).await.map_err(|_| Stage::Connect)?;
    let task = tokio::task::spawn_local(async move { drop(connection.await) }).abort_handle();
    let host = HeaderValue::from_maybe_shared(Bytes::from(origin.authority())).map_err(|_| Stage::Connect)?;
    Ok(Connection { sender, task, host, used: false })
}

fn head(request: UpstreamRequest, host: HeaderValue, feed: &Rc<RefCell<Feed>>) -> Result<Request<Outgoing>, Failed> {
    let UpstreamRequest { method, target, headers, body, .. } = request;
    *feed.borrow_mut() = Feed::of(body);
    let mut out = Request::new(Outgoing { feed: feed.clone() });
    *out.method_mut() = method.parse()?;
    *out.uri_mut() = Uri::from(PathAndQuery::from_maybe_shared(target)?);
    out.headers_mut().reserve(headers.len() + 2);
    out.headers_mut().append(HOST, host);
    for (name, value) in headers {
        out.headers_mut().append(HeaderName::from_bytes(&name)?, HeaderValue::from_maybe_shared(value)?);
    }
    Ok(out)
}

/// A request body that tells what was taken of it.
struct Outgoing {
    feed: Rc<RefCell<Feed>>,
}

/// What is to be sent, and what hyper took.
#[derive(Default)]
struct Feed {
    pieces: VecDeque<Bytes>,
    /// All of it is there.
    complete: bool,
    /// Bytes; `None`: in chunks.
    length: Option<u64>,
    /// Bytes taken and not told.
    taken: usize,
    /// hyper has it all.
    is_sent: bool,
    waker: Option<Waker>,
}

impl Feed {
    fn of(body: core::Body) -> Feed {
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
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut feed = self.feed.borrow_mut();
        let Some(bytes) = feed.pieces.pop_front() else {
            if feed.complete {
                feed.is_sent = true;
                return Poll::Ready(None);
            }
            feed.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        feed.taken += bytes.len();
        feed.is_sent = feed.complete && feed.pieces.is_empty();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        let mut feed = self.feed.borrow_mut();
        let ended = feed.complete && feed.pieces.is_empty();
        feed.is_sent |= ended;
        ended
    }

    fn size_hint(&self) -> SizeHint {
        let feed = self.feed.borrow();
        feed.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<Connection, Stage>>>>;
type Asking = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>>>>;

enum State {
    Connecting(Connecting, Option<UpstreamRequest>),
    Asking(Asking, Connection),
    Reading(Incoming, Connection, Bytes),
    Over,
}

/// One attempt of an exchange. Dropping it closes its connection.
pub struct Attempt {
    pub u: UpstreamId,
    pub credit: usize,
    origin: Arc<Origin>,
    state: State,
    feed: Rc<RefCell<Feed>>,
    sent: bool,
}

impl Attempt {
    pub fn new(u: UpstreamId, request: UpstreamRequest, upstreams: &Upstreams, exchange: &mut Exchange) -> Attempt {
        let origin = request.origin.clone();
        let mut attempt = Attempt { u, credit: 0, origin, state: State::Over, feed: Rc::default(), sent: false };
        match upstreams.take(&attempt.origin) {
            Some(connection) => attempt.ask(connection, request, exchange),
            None => attempt.state = State::Connecting(Box::pin(connect(attempt.origin.clone())), Some(request)),
        }
        attempt
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn ask(&mut self, mut connection: Connection, request: UpstreamRequest, exchange: &mut Exchange) {
        exchange.connected(self.u);
        match head(request, connection.host.clone(), &self.feed) {
            Ok(request) => {
                let asking = Box::pin(connection.sender.send_request(request));
                self.state = State::Asking(asking, connection);
            }
            Err(_) => exchange.failed(self.u, Stage::Send, false),
        }
    }

    /// More of a streamed body; `None`: its end.
    pub fn feed(&mut self, piece: Option<Bytes>) {
        let mut feed = self.feed.borrow_mut();
        match piece {
            Some(bytes) => feed.pieces.push_back(bytes),
            None => feed.complete = true,
        }
        if let Some(waker) = feed.waker.take() {
            waker.wake();
        }
    }

    /// Tells what hyper took of the request. Its own buffer is a few hundred KiB at most.
    fn tell_taken(&mut self, exchange: &mut Exchange) {
        let (taken, is_sent) = {
            let mut feed = self.feed.borrow_mut();
            (std::mem::take(&mut feed.taken), feed.is_sent)
        };
        if taken > 0 {
            exchange.took(self.u, taken);
        }
        if is_sent && !std::mem::replace(&mut self.sent, true) {
            exchange.sent(self.u);
        }
    }

    /// Tells `exchange` what happened. Ready as long as there may be more.
    pub fn poll(&mut self, cx: &mut Context<'_>, upstreams: &Upstreams, exchange: &mut Exchange) -> Poll<()> {
        match &mut self.state {
            State::Over => return Poll::Pending,
            State::Connecting(connecting, request) => match (ready!(connecting.as_mut().poll(cx)), request.take()) {
                (Ok(connection), Some(request)) => self.ask(connection, request, exchange),
                (Err(stage), _) => self.fail(stage, upstreams, exchange),
                _ => self.fail(Stage::Connect, upstreams, exchange),
            },
            State::Asking(asking, _) => {
                let answer = asking.as_mut().poll(cx);
                self.tell_taken(exchange);
                match ready!(answer) {
                    Ok(answer) => {
                        exchange.head(self.u, answer.status().as_u16(), &View(answer.headers()));
                        let State::Asking(_, connection) = std::mem::replace(&mut self.state, State::Over) else {
                            return Poll::Ready(());
                        };
                        self.state = State::Reading(answer.into_body(), connection, Bytes::new());
                    }
                    Err(error) => {
                        let stage = if self.sent { Stage::Head } else { Stage::Send };
                        self.fail(if error.is_parse() { Stage::Protocol } else { stage }, upstreams, exchange);
                    }
                }
            }
            State::Reading(incoming, _, held) => {
                if !held.is_empty() {
                    if self.credit == 0 {
                        return Poll::Pending;
                    }
                    let piece = held.split_to(self.credit.min(held.len()));
                    self.credit -= piece.len();
                    exchange.data(self.u, piece);
                    return Poll::Ready(());
                }
                // Without credit hyper's window, one read, is as far as the upstream gets ahead.
                if self.credit == 0 && !incoming.is_end_stream() {
                    return Poll::Pending;
                }
                match ready!(Pin::new(incoming).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            *held = data;
                        }
                    }
                    Some(Err(_)) => self.fail(Stage::Body, upstreams, exchange),
                    None => {
                        exchange.end(self.u);
                        if let State::Reading(_, connection, _) = std::mem::replace(&mut self.state, State::Over) {
                            upstreams.give_back(&self.origin, connection);
                        }
                    }
                }
            }
        }
        Poll::Ready(())
    }

    fn fail(&mut self, stage: Stage, upstreams: &Upstreams, exchange: &mut Exchange) {
        let reused = match std::mem::replace(&mut self.state, State::Over) {
            State::Asking(_, connection) | State::Reading(_, connection, _) => connection.used,
            _ => false,
        };
        if reused && matches!(stage, Stage::Send | Stage::Head) {
            upstreams.forget(&self.origin);
        }
        exchange.failed(self.u, stage, reused);
    }
}
