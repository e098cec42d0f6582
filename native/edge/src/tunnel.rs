//! A connection that has become a websocket: bytes both ways between a caller and an application, looked at by nobody.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use hoosh_core::exchange::Exchange;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{copy_bidirectional, AsyncWriteExt};

use crate::answer::Held;
use crate::guarded::Guarded;
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

    /// Carries until both have ended, or one is gone, or the gateway's time is up. `early`: what was read already.
    pub async fn run(mut self: Box<Self>, mut caller: Guarded, early: Bytes, wire: &Rc<Wire>) -> Guarded {
        if wire.stuck.get().is_some() {
            // hyper leaves without writing what it holds: the head of the answer is lost.
            wire.cut();
            return caller;
        }
        let Ok(application) = (&mut self.upgrade).await else {
            wire.cut();
            return caller;
        };
        caller.switched();
        let mut caller = TokioIo::new(caller);
        let mut application = TokioIo::new(application);
        let (is_whole, in_time) = {
            let mut carry = pin!(async {
                application.write_all(&early).await?;
                copy_bidirectional(&mut caller, &mut application).await
            });
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
        caller.into_inner()
    }
}
