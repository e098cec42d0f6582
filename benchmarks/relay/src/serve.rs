//! Callers: one task a connection, in which hyper, the driver and the exchange run.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoosh_core::exchange::{Caller, RequestHead};
use hoosh_core::gateway::Gateway;
use hoosh_core::http::Headers;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::drive::{Drive, Place, Say};
use crate::upstream::{Upstreams, View};

/// Bytes of one connection that hyper may hold: what a slow caller can be ahead of its socket.
const BUFFER: usize = 64 << 10;

/// The exchange cut this connection; hyper closes it when it sees an error.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by the exchange")
    }
}

impl Error for Cut {}

pub async fn listen(
    address: (String, u16),
    gateway: Arc<Gateway>,
    upstreams: Rc<Upstreams>,
) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = Gate { gateway: gateway.clone(), upstreams: upstreams.clone(), place: Rc::default() };
        tokio::task::spawn_local(async move {
            // An error is a caller that left or was cut; the exchange was told by the drop of its answer.
            let _ = http1::Builder::new()
                .writev(false)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Begins an exchange for each request of one connection.
struct Gate {
    gateway: Arc<Gateway>,
    upstreams: Rc<Upstreams>,
    place: Rc<Place>,
}

impl Service<Request<Incoming>> for Gate {
    type Response = Response<Answer>;
    type Error = Cut;
    type Future = Asked;

    fn call(&self, request: Request<Incoming>) -> Asked {
        let mut exchange = self.gateway.exchange(self.place.bell.clone(), 0);
        let (head, body) = request.into_parts();
        exchange.begin(RequestHead {
            method: head.method.as_str(),
            target: head.uri.path_and_query().map_or("/", |target| target.as_str()),
            headers: &View(&head.headers),
            caller: Caller::Http,
        });
        let drive = Drive::new(exchange, self.place.clone(), self.upstreams.clone(), Some(body));
        Asked(Held { drive: Some(Box::new(drive)), answered: false })
    }
}

/// An exchange in the hands of hyper, which drops it when the caller leaves.
pub struct Held {
    drive: Option<Box<Drive>>,
    /// The last word was said; what follows is no concern of the caller.
    answered: bool,
}

impl Held {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Say> {
        match &mut self.drive {
            Some(drive) => drive.poll(cx),
            None => Poll::Ready(Say::Done),
        }
    }

    fn written(&mut self, bytes: usize) {
        if let Some(drive) = &mut self.drive {
            drive.exchange.written(bytes);
        }
    }

    /// The caller has everything. Usually nothing else is left to do.
    fn settle(&mut self, cx: &mut Context<'_>) {
        self.answered = true;
        if let Poll::Ready(Say::Done) = self.poll(cx) {
            self.drive = None;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut drive) = self.drive.take() else { return };
        if !self.answered {
            drive.exchange.caller_gone();
        }
        tokio::task::spawn_local(std::future::poll_fn(move |cx| loop {
            match drive.poll(cx) {
                Poll::Ready(Say::Done) => return Poll::Ready(()),
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }));
    }
}

/// A request until its answer begins.
pub struct Asked(Held);

impl Future for Asked {
    type Output = Result<Response<Answer>, Cut>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(say) = self.0.poll(cx) else { return Poll::Pending };
        let held = Held { drive: self.0.drive.take(), answered: false };
        Poll::Ready(match say {
            Say::Reply(status, headers, body) => response(status, headers, Answer::Whole(held, body)),
            Say::Start(status, headers) => response(status, headers, Answer::Stream(held, 0)),
            Say::Emit(_) | Say::Finish | Say::Break | Say::Done => Err(Cut),
        })
    }
}

fn response(status: u16, headers: Headers, answer: Answer) -> Result<Response<Answer>, Cut> {
    let mut response = Response::new(answer);
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Cut)?;
    response.headers_mut().reserve(headers.len() + 2);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(&name).map_err(|_| Cut)?;
        response.headers_mut().append(name, HeaderValue::from_maybe_shared(value).map_err(|_| Cut)?);
    }
    Ok(response)
}

/// The body of an answer.
pub enum Answer {
    Whole(Held, Bytes),
    /// With the bytes that hyper was given last: it asks for more once it has them.
    Stream(Held, usize),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Answer::Whole(held, body) => {
                let body = std::mem::take(body);
                held.written(body.len());
                held.settle(cx);
                Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))))
            }
            Answer::Stream(held, given) => {
                held.written(std::mem::take(given));
                let Poll::Ready(say) = held.poll(cx) else { return Poll::Pending };
                Poll::Ready(match say {
                    Say::Emit(bytes) => {
                        *given = bytes.len();
                        Some(Ok(Frame::data(bytes)))
                    }
                    Say::Finish => {
                        held.settle(cx);
                        None
                    }
                    Say::Reply(..) | Say::Start(..) | Say::Break | Say::Done => Some(Err(Cut)),
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Answer::Whole(_, body) if body.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(_, body) => SizeHint::with_exact(body.len() as u64),
            Answer::Stream(..) => SizeHint::default(),
        }
    }
}
