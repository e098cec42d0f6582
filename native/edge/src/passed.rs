//! Requests for applications of Python that are mounted beside the gateway, carried to them over a private Unix socket.
//!
//! Each has a connection of its own there, on which the edge writes a head of its own: nothing that a caller wrote decides
//! where a request ends, and one header of it, which begins with a secret of this process and is taken from nobody else, says
//! who the caller is. The exchange watches beside: it lets the request pass, and ends it when the gateway goes down.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hoosh_core::config::Mount;
use hoosh_core::exchange::{Exchange, Passage};
use hoosh_core::http::Headers;
use hoosh_core::json::write_string;
use hoosh_core::wire::{Head, Websockets};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{handshake, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::response;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::answer::{Answer, Cut, Held, Response};
use crate::caller::{Line as CallerLine, Piece};
use crate::lenient::Lenient;
use crate::tunnel::Tunnel;
use crate::wire::Wire;

/// What says who the caller is. A caller's own header of this name is dropped.
const CALLER: HeaderName = HeaderName::from_static("hoosh-caller");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a connection to the socket may take: a server that is there takes it at once.
const CONNECT: Duration = Duration::from_secs(5);
/// Of one connection (RFC 9110 section 7.6.1), and what is answered here (`Expect`).
const HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

/// The way to the applications.
pub struct Way {
    socket: PathBuf,
    secret: String,
    websockets: Option<Arc<Websockets>>,
}

impl Way {
    /// `prefix`: where the paths of the gateway begin.
    pub fn new(socket: PathBuf, secret: &str, mounts: &[Arc<Mount>], prefix: &str) -> Way {
        Way { socket, secret: secret.to_owned(), websockets: Websockets::of(mounts, prefix) }
    }
}

/// Carries the requests of one connection.
pub struct Passer {
    way: Arc<Way>,
    caller: Option<SocketAddr>,
    here: Option<SocketAddr>,
}

impl Passer {
    pub fn new(way: &Arc<Way>, stream: &TcpStream) -> Passer {
        Passer { way: way.clone(), caller: stream.peer_addr().ok(), here: stream.local_addr().ok() }
    }

    /// Where websockets may begin.
    pub fn websockets(&self) -> Option<Arc<Websockets>> {
        self.way.websockets.clone()
    }

    /// Begins to ask the application that `passage` leads to.
    pub fn ask(&self, passage: &Passage, held: Held, head: &Head, line: CallerLine) -> Passing {
        let wire = held.wire().clone();
        let shakes = head.shakes;
        let mut headers = map_of(head);
        strip(&mut headers);
        headers.remove(CALLER);
        if passage.key.is_some() {
            headers.remove(header::AUTHORIZATION);
        }
        if shakes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        } else {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let id = HeaderValue::from_str(&passage.request_id).ok();
        if let (Some(caller), Some(id)) = (self.presented(passage), id.clone()) {
            headers.insert(CALLER, caller);
            headers.insert(REQUEST_ID, id);
        }
        let mut asked = Request::new(Sent { line, wire });
        *asked.method_mut() = Method::from_bytes(head.method().as_bytes()).unwrap_or_default();
        // In origin form, as it came.
        *asked.uri_mut() = head.target().parse().unwrap_or_else(|_| Uri::default());
        *asked.headers_mut() = headers;
        Passing { held, shakes, id, asking: Some(Box::pin(ask(self.way.clone(), asked, shakes))) }
    }

    /// The secret, then who asks as JSON.
    fn presented(&self, passage: &Passage) -> Option<HeaderValue> {
        let mut words = format!("{} ", self.way.secret).into_bytes();
        words.extend_from_slice(b"{\"mount\":");
        write_string(&mut words, &passage.mount.path);
        words.extend_from_slice(b",\"request_id\":");
        write_string(&mut words, &passage.request_id);
        words.extend_from_slice(b",\"key\":");
        match &passage.key {
            Some(key) => write_string(&mut words, key),
            None => words.extend_from_slice(b"null"),
        }
        for (name, address) in [("client", self.caller), ("server", self.here)] {
            let Some(address) = address else { continue };
            let (ip, port) = (address.ip().to_canonical(), address.port());
            words.extend_from_slice(format!(",\"{name}\":[\"{ip}\",{port}]").as_bytes());
        }
        words.push(b'}');
        let mut value = HeaderValue::from_bytes(&words).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The headers of a request, as hyper has them.
fn map_of(head: &Head) -> HeaderMap {
    let named = |(name, value)| Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?));
    let mut headers = HeaderMap::new();
    head.fields().filter_map(named).for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

/// Takes off what is of one connection.
fn strip(headers: &mut HeaderMap) {
    // What `Connection` names besides is of that connection too.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&b| b == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
        .collect();
    for name in HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// The application cannot be reached.
pub struct Unreached;

type Asking = Pin<Box<dyn Future<Output = Result<(hyper::Response<Incoming>, Line), Unreached>>>>;

async fn ask(
    way: Arc<Way>,
    request: Request<Sent>,
    shakes: bool,
) -> Result<(hyper::Response<Incoming>, Line), Unreached> {
    let connecting = tokio::time::timeout(CONNECT, tokio::net::UnixStream::connect(&way.socket));
    let stream = connecting.await.map_err(|_| Unreached)?.map_err(|_| Unreached)?;
    let (mut sender, connection) =
        handshake(TokioIo::new(Lenient::new(stream, shakes))).await.map_err(|_| Unreached)?;
    let task = tokio::task::spawn_local(connection.with_upgrades());
    let asked = sender.send_request(request);
    let line = Line { task: task.abort_handle(), _sender: sender };
    Ok((asked.await.map_err(|_| Unreached)?, line))
}

/// A connection to the socket. Dropping it closes it, so that the application hears of a caller that left.
pub struct Line {
    task: AbortHandle,
    _sender: SendRequest<Sent>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The body of a request, as it comes.
pub struct Sent {
    line: CallerLine,
    wire: Rc<Wire>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let piece = ready!(self.line.borrow_mut().poll_body(cx));
        if !matches!(piece, Piece::Data(_)) {
            // Nobody here reads it any more, and whoever serves the connection sees whether its caller leaves.
            self.wire.wake_task();
        }
        Poll::Ready(match piece {
            Piece::Data(bytes) => Some(Ok(Frame::data(bytes))),
            // A body that was refused must not seem whole.
            Piece::End if self.wire.refusal.borrow().is_none() => None,
            Piece::End | Piece::Refused(_) | Piece::Gone => Some(Err(Cut)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.line.borrow().has_all() && self.wire.refusal.borrow().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.line.borrow().left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A request until its application begins to answer.
pub struct Passing {
    held: Held,
    shakes: bool,
    id: Option<HeaderValue>,
    asking: Option<Asking>,
}

impl Passing {
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response, Cut>> {
        loop {
            let refusal = self.held.wire().refusal.borrow().clone();
            if let Some(refusal) = refusal {
                self.held.tell(|exchange| exchange.refused(refusal.failure));
            }
            if let Poll::Ready(say) = self.held.poll(cx) {
                self.asking = None;
                return Poll::Ready(self.held.take().answer(say, cx));
            }
            let Some(asking) = &mut self.asking else { return Poll::Pending };
            match ready!(asking.as_mut().poll(cx)) {
                Ok((answer, line)) => return Poll::Ready(self.begin(answer, line, cx)),
                Err(Unreached) => {
                    self.asking = None;
                    self.held.tell(Exchange::mount_failed);
                }
            }
        }
    }

    fn begin(
        &mut self,
        mut answer: hyper::Response<Incoming>,
        line: Line,
        cx: &mut Context<'_>,
    ) -> Result<Response, Cut> {
        let mut held = self.held.take();
        let status = answer.status();
        held.tell(|exchange| _ = exchange.mount_began(status.as_u16()));
        held.wire().passes.set(true);
        let manner = held.manner();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            if !self.shakes {
                return Err(held.cut());
            }
            let upgrade = hyper::upgrade::on(&mut answer);
            let headers = list_of(answer.headers());
            let wire = held.wire().clone();
            *wire.tunnel.borrow_mut() = Some(Box::new(Tunnel::new(upgrade, held, line)));
            return Ok(Response { status: status.as_u16(), headers, manner, answer: Answer::Nothing });
        }
        let (mut head, incoming): (response::Parts, Incoming) = answer.into_parts();
        strip(&mut head.headers);
        if let Some(id) = self.id.take() {
            head.headers.entry(REQUEST_ID).or_insert(id);
        }
        let is_over = held.is_head() || incoming.is_end_stream();
        let mut relayed = Relayed { held, incoming, _line: line, is_over: false };
        if is_over {
            relayed.end(cx);
        }
        let (headers, answer) = (list_of(&head.headers), Answer::Passed(Box::new(relayed)));
        Ok(Response { status: status.as_u16(), headers, manner, answer })
    }
}

/// hyper's headers as the core has them.
fn list_of(headers: &HeaderMap) -> Headers {
    let one = |(name, value): (&HeaderName, &HeaderValue)| {
        (Bytes::copy_from_slice(name.as_str().as_bytes()), Bytes::copy_from_slice(value.as_bytes()))
    };
    headers.iter().map(one).collect()
}

/// An application's answer on its way to the caller.
pub struct Relayed {
    held: Held,
    incoming: Incoming,
    _line: Line,
    is_over: bool,
}

impl Relayed {
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    pub fn length(&self) -> Option<u64> {
        if self.is_over {
            Some(0)
        } else {
            self.incoming.size_hint().exact()
        }
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.held.poll(cx).is_ready() {
            // The gateway goes down, and its time is up.
            return Poll::Ready(Some(Err(self.held.cut())));
        }
        loop {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers are nobody's.
                    let Ok(data) = frame.into_data() else { continue };
                    if self.incoming.is_end_stream() {
                        self.end(cx);
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
                None => {
                    self.end(cx);
                    return Poll::Ready(None);
                }
                Some(Err(_)) => {
                    self.held.tell(Exchange::mount_failed);
                    return Poll::Ready(Some(Err(self.held.cut())));
                }
            }
        }
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        self.is_over = true;
        self.held.tell(Exchange::mount_ended);
        self.held.settle(cx);
    }
}
