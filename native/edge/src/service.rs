//! A caller's request, from hyper to an exchange.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hoosh_core::exchange::{Caller, Exchange, RequestHead};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::header::EXPECT;
use hyper::service::Service;
use hyper::{Method, Request, Response, Version};

use crate::answer::{Answer, Asked, Cut, Held};
use crate::clock::now;
use crate::drive::{Drive, Place};
use crate::guarded::place;
use crate::passed::Passer;
use crate::view::View;
use crate::wire::{Waits, Wire};

/// Of a body that nobody wants, what is read and dropped so that the connection serves another request, bytes.
const DROPPED: u64 = 64 << 10;
/// A piece of a body up to this size is copied out of the buffer that it was read into.
const SMALL: usize = 4 << 10;
/// How long that may take to come.
const DROPPING: Duration = Duration::from_secs(2);

/// Begins an exchange for each request of one connection.
pub struct Gate {
    pub place: Rc<Place>,
    pub wire: Rc<Wire>,
    /// The thread's number.
    pub lane: usize,
    /// Carries requests to applications, where any are mounted.
    pub passer: Option<Passer>,
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
                if let Some(passer) = &self.passer {
                    if let Some(passage) = exchange.passage(now()) {
                        let (is_head, is_old) = (head.method == Method::HEAD, head.version == Version::HTTP_10);
                        let drive = Drive::new(exchange, self.place.clone(), Body::none());
                        let held = Held::new(drive, self.wire.clone(), is_head, is_old);
                        return Asked::Passed(passer.ask(&passage, held, head, body));
                    }
                }
                let awaits_word = head.version != Version::HTTP_10 && head.headers.contains_key(EXPECT);
                Body {
                    incoming: Some(body),
                    held: Bytes::new(),
                    ends: false,
                    wire: Some(self.wire.clone()),
                    awaits_word,
                }
            }
        };
        let drive = Drive::new(exchange, self.place.clone(), body);
        Asked::Exchange(Held::new(
            drive,
            self.wire.clone(),
            head.method == Method::HEAD,
            head.version == Version::HTTP_10,
        ))
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
    /// It is not sent before hyper says `100 Continue`, which it does when it is first asked for.
    awaits_word: bool,
}

impl Body {
    /// Of whoever has none.
    pub fn none() -> Body {
        Body { incoming: None, held: Bytes::new(), ends: false, wire: None, awaits_word: false }
    }

    /// One that is there.
    pub fn whole(body: Bytes) -> Body {
        Body { incoming: None, held: body, ends: true, wire: None, awaits_word: false }
    }

    /// Whether the connection ends for what of it was not read: too much to be dropped, or what may never come.
    pub fn ends_connection(&self) -> bool {
        let left = self.incoming.as_ref().filter(|incoming| !incoming.is_end_stream());
        left.is_some_and(|left| self.awaits_word || left.size_hint().exact().is_some_and(|left| left > DROPPED))
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
                // Nothing is asked for before the credit reaches to the end of what is held.
                continue;
            }
            if self.ends && self.held.is_empty() {
                self.ends = false;
                exchange.body_end();
                return true;
            }
            let Some(incoming) = &mut self.incoming else { return used };
            self.awaits_word = false;
            let frame = if incoming.is_end_stream() { Poll::Ready(None) } else { Pin::new(incoming).poll_frame(cx) };
            match frame {
                Poll::Ready(Some(Ok(frame))) => self.held = apart(frame.into_data().unwrap_or_default()),
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

impl Drop for Body {
    /// What is left is read and dropped while the answer is written, and hyper closes the connection if it is too much.
    fn drop(&mut self) {
        if self.ends_connection() {
            return;
        }
        if let Some(incoming) = self.incoming.take().filter(|incoming| !incoming.is_end_stream()) {
            tokio::task::spawn_local(tokio::time::timeout(DROPPING, read_and_drop(incoming)));
        }
    }
}

/// `piece` without the rest of hyper's buffer (8 KiB at least), which it would keep in memory for as long as the exchange keeps
/// the body, and which hyper fills again when nobody else holds it.
fn apart(piece: Bytes) -> Bytes {
    if piece.len() > SMALL {
        return piece;
    }
    Bytes::copy_from_slice(&piece)
}

async fn read_and_drop(mut incoming: Incoming) {
    let mut left = DROPPED;
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
        let size = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{apart, Bytes, SMALL};

    #[test]
    fn a_small_body_does_not_keep_what_it_was_read_into() {
        let read = Bytes::from(vec![7; 2 * SMALL]);
        let (small, large) = (apart(read.slice(..SMALL)), apart(read.slice(..=SMALL)));
        assert!(!read.is_unique(), "what is large is shared");
        drop(large);
        assert!(read.is_unique());
        assert_eq!(small, vec![7; SMALL]);
    }
}
