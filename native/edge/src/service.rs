//! A caller's request, from hyper to an exchange.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoosh_core::exchange::{Caller, Exchange, RequestHead};
use hoosh_upstream::View;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Method, Request, Response};

use crate::answer::{Answer, Asked, Cut, Held};
use crate::drive::{Drive, Place};
use crate::guarded::place;
use crate::wire::{Waits, Wire};

/// Begins an exchange for each request of one connection.
pub struct Gate {
    pub place: Rc<Place>,
    pub wire: Rc<Wire>,
    /// The thread's number.
    pub lane: usize,
}

impl Service<Request<Incoming>> for Gate {
    type Response = Response<Answer>;
    type Error = Cut;
    type Future = Asked;

    fn call(&self, request: Request<Incoming>) -> Asked {
        self.wire.busy.set(true);
        self.wire.waits.set(Waits::No);
        let mut exchange = self.place.shared.gateway.exchange(self.place.bell.clone(), self.lane);
        let (head, body) = request.into_parts();
        let target = below(&self.place.shared.prefix, head.uri.path_and_query().map_or("/", |target| target.as_str()));
        let refusal = if target == place() { self.wire.refusal.borrow().clone() } else { None };
        let body = match refusal {
            Some(refusal) => {
                exchange.refused(refusal.failure);
                Body::none()
            }
            None => {
                let (method, headers) = (head.method.as_str(), &View(&head.headers));
                exchange.begin(RequestHead { method, target, headers, caller: Caller::Http });
                Body { incoming: Some(body), wire: Some(self.wire.clone()), ..Body::none() }
            }
        };
        let drive = Drive::new(exchange, self.place.clone(), body);
        Asked(Held::new(drive, self.wire.clone(), head.method == Method::HEAD))
    }
}

/// What of `target` lies below `prefix`.
fn below<'a>(prefix: &str, target: &'a str) -> &'a str {
    if prefix.is_empty() || target == place() {
        return target;
    }
    target.strip_prefix(prefix).filter(|rest| rest.starts_with('/')).unwrap_or("/")
}

/// The body of a caller's request.
pub struct Body {
    incoming: Option<Incoming>,
    held: Bytes,
    /// What is held is the end.
    ends: bool,
    wire: Option<Rc<Wire>>,
}

impl Body {
    /// Of whoever has none.
    pub fn none() -> Body {
        Body { incoming: None, held: Bytes::new(), ends: false, wire: None }
    }

    /// One that is there.
    pub fn whole(body: Bytes) -> Body {
        Body { held: body, ends: true, ..Body::none() }
    }

    /// Hands over what there is, within the credit; whether that was anything.
    pub fn read(&mut self, cx: &mut Context<'_>, credit: &mut usize, exchange: &mut Exchange) -> bool {
        let mut used = false;
        while *credit > 0 {
            if !self.held.is_empty() {
                let piece = self.held.split_to((*credit).min(self.held.len()));
                *credit -= piece.len();
                exchange.body(piece);
                used = true;
            }
            if self.ends && self.held.is_empty() {
                self.ends = false;
                exchange.body_end();
                return true;
            }
            let Some(incoming) = &mut self.incoming else { return used };
            let frame = if incoming.is_end_stream() { Poll::Ready(None) } else { Pin::new(incoming).poll_frame(cx) };
            match frame {
                Poll::Ready(Some(Ok(frame))) => self.held = frame.into_data().unwrap_or_default(),
                Poll::Pending => {
                    if let Some(refusal) = self.wire.as_ref().and_then(|wire| wire.body_refusal()) {
                        self.incoming = None;
                        exchange.refused(refusal.failure);
                        return true;
                    }
                    return used;
                }
                Poll::Ready(end) => {
                    self.incoming = None;
                    match (self.wire.as_ref().and_then(|wire| wire.body_refusal()), end) {
                        (Some(refusal), _) => exchange.refused(refusal.failure),
                        (None, None) => exchange.body_end(),
                        (None, Some(_)) => exchange.caller_gone(),
                    }
                    return true;
                }
            }
        }
        used
    }
}
