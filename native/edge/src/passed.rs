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
use hoosh_core::json::write_string;
use hoosh_core::wire::Websockets;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{handshake, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::{request, response};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::answer::{Answer, Cut, Held};
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
    pub fn ask(&self, passage: &Passage, held: Held, head: request::Parts, body: Incoming) -> Passing {
        let wire = held.wire().clone();
        let shakes = wire.shakes.get();
        let mut headers = head.headers;
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
        let mut asked = Request::new(Sent { incoming: body, wire });
        *asked.method_mut() = head.method;
        // In origin form, as it came.
        *asked.uri_mut() = head.uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
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

type Asking = Pin<Box<dyn Future<Output = Result<(Response<Incoming>, Line), Unreached>>>>;

async fn ask(way: Arc<Way>, request: Request<Sent>, shakes: bool) -> Result<(Response<Incoming>, Line), Unreached> {
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
    incoming: Incoming,
    wire: Rc<Wire>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        // A body that the guard refused must not seem whole.
        let is_refused = !matches!(polled, Poll::Ready(Some(Ok(_)))) && self.wire.body_refusal().is_some();
        match polled {
            _ if is_refused => Poll::Ready(Some(Err(Cut))),
            Poll::Ready(Some(frame)) => Poll::Ready(Some(frame.map_err(|_| Cut))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream() && self.wire.body_refusal().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
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
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Answer>, Cut>> {
        loop {
            if let Some(refusal) = self.held.wire().body_refusal() {
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
        mut answer: Response<Incoming>,
        line: Line,
        cx: &mut Context<'_>,
    ) -> Result<Response<Answer>, Cut> {
        let mut held = self.held.take();
        held.tell(|exchange| _ = exchange.mount_began(answer.status().as_u16()));
        held.wire().passes.set(true);
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !self.shakes {
                return Err(held.cut());
            }
            let upgrade = hyper::upgrade::on(&mut answer);
            let (head, _) = answer.into_parts();
            let wire = held.wire().clone();
            *wire.tunnel.borrow_mut() = Some(Box::new(Tunnel::new(upgrade, held, line)));
            return Ok(Response::from_parts(head, Answer::Nothing));
        }
        let manner = held.manner();
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
        let mut response = Response::from_parts(head, Answer::Passed(Box::new(relayed)));
        manner.write(&mut response);
        Ok(response)
    }
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

    pub fn size_hint(&self) -> SizeHint {
        if self.is_over {
            SizeHint::with_exact(0)
        } else {
            self.incoming.size_hint()
        }
    }

    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
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
                    return Poll::Ready(Some(Ok(Frame::data(data))));
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
