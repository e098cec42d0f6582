//! One connection to an upstream, which carries one request after another.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;

use bytes::Bytes;
use hoosh_core::config::Secret;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{Origin, UpstreamRequest};
use hyper::client::conn::http1::{self, Builder, SendRequest};
use hyper::header::{HeaderName, HeaderValue, HOST, PROXY_AUTHORIZATION};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Uri};
use tokio::time::Instant;

use crate::body::{Feed, Outgoing};
use crate::socket::Socket;
use crate::transport::Transport;
use crate::watched::{Watched, Writes};

/// Read of an answer at once, and about the longest head of one: how far an upstream gets ahead of its reader. The driver in
/// Python has the same bound.
const BUFFER: usize = 100 << 10;

/// One connection. Dropping it closes it.
pub struct Connection {
    pub sender: SendRequest<Outgoing>,
    /// `None`: it has ended.
    http: Option<http1::Connection<Watched, Outgoing>>,
    socket: Socket,
    writes: Rc<Writes>,
    /// A request is on its way.
    is_writing: bool,
    /// The value of `host`.
    host: HeaderValue,
    /// `None`: there is no proxy that must be told where to.
    via: Option<Via>,
    /// It has answered before.
    pub used: bool,
    pub born: Instant,
    pub idle_since: Instant,
}

/// What a proxy that passes requests on is told with each (RFC 9112, section 3.2.2).
struct Via {
    /// Goes before the target.
    prefix: String,
    authorization: Option<HeaderValue>,
}

impl Via {
    fn of(origin: &Origin) -> Result<Option<Via>, Stage> {
        let Some(proxy) = origin.proxy.as_ref().filter(|_| !origin.tls) else { return Ok(None) };
        let value = |secret: &Secret| HeaderValue::from_str(secret.expose()).map_err(|_| Stage::Connect);
        let authorization = proxy.authorization.as_ref().map(value).transpose()?;
        Ok(Some(Via { prefix: format!("http://{}", origin.authority()), authorization }))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_writing {
            self.socket.reset_at_end();
        }
    }
}

impl Connection {
    /// Speaks HTTP/1.1 over `transport`, which is over `socket`.
    pub async fn over(transport: Transport, socket: Socket, origin: &Origin) -> Result<Connection, Stage> {
        let host = HeaderValue::from_maybe_shared(Bytes::from(origin.authority())).map_err(|_| Stage::Connect)?;
        let via = Via::of(origin)?;
        let writes = Rc::<Writes>::default();
        let watched = Watched::new(transport, writes.clone());
        let handshake = Builder::new().writev(false).max_buf_size(BUFFER).handshake(watched).await;
        let (sender, http) = handshake.map_err(|_| Stage::Connect)?;
        let now = Instant::now();
        let http = Some(http);
        Ok(Connection {
            sender,
            http,
            socket,
            writes,
            is_writing: false,
            host,
            via,
            used: false,
            born: now,
            idle_since: now,
        })
    }

    /// `request` as hyper writes it, its body through `feed`. `None`: it cannot be written.
    pub fn head(&self, request: UpstreamRequest, feed: &Rc<RefCell<Feed>>) -> Option<Request<Outgoing>> {
        let UpstreamRequest { method, target, headers, body, .. } = request;
        *feed.borrow_mut() = Feed::of(body);
        let mut out = Request::new(Outgoing(feed.clone()));
        *out.method_mut() = method.parse().ok()?;
        let target = PathAndQuery::from_maybe_shared(target).ok()?;
        *out.uri_mut() = match &self.via {
            None => Uri::from(target),
            Some(via) => format!("{}{target}", via.prefix).parse().ok()?,
        };
        out.headers_mut().reserve(headers.len() + 3);
        out.headers_mut().append(HOST, self.host.clone());
        if let Some(authorization) = self.via.as_ref().and_then(|via| via.authorization.as_ref()) {
            out.headers_mut().append(PROXY_AUTHORIZATION, authorization.clone());
        }
        for (name, value) in headers {
            let name = HeaderName::from_bytes(&name).ok()?;
            out.headers_mut().append(name, HeaderValue::from_maybe_shared(value).ok()?);
        }
        Some(out)
    }

    /// Moves bytes: all that happens on the connection happens in here.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(http) = &mut self.http else { return };
        if Pin::new(http).poll(cx).is_ready() {
            // Whoever waits for an answer hears now that there is none.
            self.http = None;
        }
    }

    /// A request begins.
    pub fn begin(&mut self) {
        self.is_writing = true;
    }

    /// Whether the transport took the request whole, of which hyper took what `feed` says.
    pub fn has_sent(&mut self, feed: &Feed) -> bool {
        if self.is_writing && feed.is_taken() && self.writes.is_flushed.get() {
            self.is_writing = false;
        }
        !self.is_writing
    }

    /// Whether it can take a request, as far as was read.
    pub fn is_ready(&self) -> bool {
        self.http.is_some() && !self.is_writing && self.sender.is_ready()
    }

    /// Whether nothing came behind its last answer either: that could only be its end, or words that nobody asked for, and the
    /// next request would take them for its answer. Asks the system, which takes a fraction of a microsecond.
    pub fn stands(&self) -> bool {
        self.is_ready() && self.socket.is_quiet()
    }
}
