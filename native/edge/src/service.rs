//! A caller's request, on its way to an exchange.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoosh_core::exchange::{Caller, Exchange, RequestHead};

use crate::answer::{Asked, Held, Manner};
use crate::caller::{Line, Next, Piece};
use crate::clock::now;
use crate::drive::{Drive, Place};
use crate::passed::Passer;
use crate::wire::Wire;

/// Begins an exchange for each request of one connection.
pub struct Gate {
    pub place: Rc<Place>,
    pub wire: Rc<Wire>,
    pub line: Line,
    /// The thread's number.
    pub lane: usize,
    /// Carries requests to applications, where any are mounted.
    pub passer: Option<Passer>,
}

impl Gate {
    /// Begins what comes next; `None`: nothing does.
    pub fn ask(&self, next: Next) -> Option<Asked> {
        let mut exchange = Box::new(self.place.shared.gateway.exchange(self.place.bell.clone(), self.lane));
        let (manner, body) = match next {
            Next::Over => return None,
            Next::Refused(failure) => {
                exchange.refused(failure);
                (Manner { closes: true, ..Manner::default() }, Body::none())
            }
            Next::Request(head) => {
                let method = head.method();
                let manner = Manner { is_old: head.is_old, is_head: method == "HEAD", closes: head.is_last };
                let target = below(&self.place.shared.prefix, head.target());
                exchange.begin(RequestHead { method, target, headers: &head, caller: Caller::Http });
                if let Some(passer) = &self.passer {
                    if let Some(passage) = exchange.passage(now()) {
                        let held = self.hold(exchange, Body::none(), manner);
                        return Some(Asked::Passed(passer.ask(&passage, held, &head, self.line.clone())));
                    }
                }
                (manner, Body { line: Some(self.line.clone()), ..Body::none() })
            }
        };
        Some(Asked::Exchange(self.hold(exchange, body, manner)))
    }

    fn hold(&self, exchange: Box<Exchange>, body: Body, manner: Manner) -> Held {
        self.wire.busy.set(true);
        Held::new(Drive::new(exchange, self.place.clone(), body), self.wire.clone(), manner)
    }
}

/// What of `target` lies below `prefix`.
fn below<'a>(prefix: &str, target: &'a str) -> &'a str {
    if prefix.is_empty() {
        return target;
    }
    target.strip_prefix(prefix).filter(|rest| rest.starts_with('/')).unwrap_or("/")
}

/// The body of a caller's request.
pub struct Body {
    line: Option<Line>,
    held: Bytes,
    /// What is held is the end.
    ends: bool,
}

impl Body {
    /// Of whoever has none.
    pub fn none() -> Body {
        Body { line: None, held: Bytes::new(), ends: false }
    }

    /// One that is there.
    pub fn whole(body: Bytes) -> Body {
        Body { line: None, held: body, ends: true }
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
            if std::mem::take(&mut self.ends) {
                exchange.body_end();
                return true;
            }
            let Some(line) = &self.line else { return used };
            let piece = line.borrow_mut().poll_body(cx);
            match piece {
                Poll::Pending => return used,
                Poll::Ready(Piece::Data(bytes)) => {
                    self.held = bytes;
                    continue;
                }
                Poll::Ready(Piece::End) => exchange.body_end(),
                Poll::Ready(Piece::Refused(failure)) => exchange.refused(failure),
                Poll::Ready(Piece::Gone) => exchange.caller_gone(),
            }
            self.line = None;
            return true;
        }
        used
    }
}
