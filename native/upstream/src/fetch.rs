//! Questions of the gateway itself: a whole answer, bounded.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use hoosh_core::http::UpstreamRequest;

use crate::attempt::{Attempt, Event};
use crate::pool::Upstreams;

/// Of an answer to the gateway's own question, bytes.
pub const LARGEST_FETCH: usize = 8 << 20;

impl Upstreams {
    /// The whole answer to a request of the gateway itself: status and body, or why there is none.
    pub async fn fetch(self: &Rc<Self>, request: UpstreamRequest) -> Result<(u16, Bytes), String> {
        let mut attempt = Attempt::new(self, request);
        let (mut status, mut body) = (0, BytesMut::new());
        // One byte more, so that a longer answer is told from one of just that length.
        attempt.wants(LARGEST_FETCH + 1);
        loop {
            match std::future::poll_fn(|cx| attempt.poll(cx)).await {
                Event::Connected | Event::Took(_) | Event::Sent => {}
                Event::Head(code, _) => status = code,
                Event::Data(bytes) => {
                    body.extend_from_slice(&bytes);
                    if body.len() > LARGEST_FETCH {
                        return Err("the answer is too long".into());
                    }
                }
                Event::End => return Ok((status, body.freeze())),
                Event::Failed { stage, .. } => return Err(format!("it failed ({stage:?})")),
            }
        }
    }
}
