//! One connection to an upstream, which carries one request after another.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use hoosh_core::exchange::Stage;
use hoosh_core::http::{Origin, UpstreamRequest};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{HeaderName, HeaderValue, HOST};
use hyper::http::uri::PathAndQuery;
use hyper::rt::{Read, Write};
use hyper::{Request, Uri};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::body::{Feed, Outgoing};

/// Read of an answer at once, and the longest head of one: how far an upstream gets ahead of its reader.
const BUFFER: usize = 64 << 10;

/// One connection. Dropping it closes it.
pub struct Connection {
    pub sender: SendRequest<Outgoing>,
    task: AbortHandle,
    /// The value of `host`.
    host: HeaderValue,
    /// It has answered before.
    pub used: bool,
    pub idle_since: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Speaks HTTP/1.1 over `stream`.
    pub async fn over<S>(stream: S, origin: &Origin) -> Result<Connection, Stage>
    where
        S: Read + Write + Unpin + 'static,
    {
        let mut builder = Builder::new();
        let handshake = builder.writev(false).max_buf_size(BUFFER).handshake(stream).await;
        let (sender, connection) = handshake.map_err(|_| Stage::Connect)?;
        let task = tokio::task::spawn_local(async move { drop(connection.await) }).abort_handle();
        let host = HeaderValue::from_maybe_shared(Bytes::from(origin.authority())).map_err(|_| Stage::Connect)?;
        Ok(Connection { sender, task, host, used: false, idle_since: Instant::now() })
    }

    /// `request` as hyper writes it, its body through `feed`. `None`: it cannot be written.
    pub fn head(&self, request: UpstreamRequest, feed: &Rc<RefCell<Feed>>) -> Option<Request<Outgoing>> {
        let UpstreamRequest { method, target, headers, body, .. } = request;
        *feed.borrow_mut() = Feed::of(body);
        let mut out = Request::new(Outgoing(feed.clone()));
        *out.method_mut() = method.parse().ok()?;
        *out.uri_mut() = Uri::from(PathAndQuery::from_maybe_shared(target).ok()?);
        out.headers_mut().reserve(headers.len() + 2);
        out.headers_mut().append(HOST, self.host.clone());
        for (name, value) in headers {
            let name = HeaderName::from_bytes(&name).ok()?;
            out.headers_mut().append(name, HeaderValue::from_maybe_shared(value).ok()?);
        }
        Some(out)
    }
}
