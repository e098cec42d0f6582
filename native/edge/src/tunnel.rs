//! A connection that has become a websocket: bytes both ways between a caller and an application, looked at by nobody.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use hoosh_core::exchange::Exchange;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::answer::Held;
use crate::caller::{Line as CallerLine, Switched};
use crate::passed::Line;
use crate::wire::Wire;

/// What is needed once the head of the answer is written.
pub struct Tunnel {
    upgrade: OnUpgrade,
    held: Held,
    _line: Line,
}

impl Tunnel {
    /// `upgrade`: the application's end.
    pub fn new(upgrade: OnUpgrade, held: Held, line: Line) -> Tunnel {
        Tunnel { upgrade, held, _line: line }
    }

    /// Carries until both have ended, or one is gone, or the gateway's time is up.
    pub async fn run(mut self: Box<Self>, caller: &CallerLine, wire: &Rc<Wire>) {
        let Ok(application) = (&mut self.upgrade).await else { return wire.cut() };
        let mut caller = Switched::new(caller);
        let mut application = TokioIo::new(application);
        let (is_whole, in_time) = {
            let mut carry = pin!(copy_bidirectional(&mut caller, &mut application));
            std::future::poll_fn(|cx| {
                if let Poll::Ready(carried) = carry.as_mut().poll(cx) {
                    return Poll::Ready((carried.is_ok(), true));
                }
                // It says something only when there is no more time.
                self.held.poll(cx).map(|_| (false, false))
            })
            .await
        };
        if in_time {
            // Whoever has said the last word of a websocket may hang up before the other has taken it.
            self.held.tell(Exchange::mount_ended);
        }
        if !is_whole {
            wire.cut();
        }
    }
}
