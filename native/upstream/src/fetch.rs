//! Questions of the gateway itself: a whole answer, bounded.

use std::pin::Pin;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use hoosh_core::http::UpstreamRequest;
use http_body::Body;

use crate::connect::connect;
use crate::pool::Upstreams;

/// Of an answer to the gateway's own question, bytes.
pub const LARGEST_FETCH: usize = 8 << 20;

impl Upstreams {
    /// The whole answer to a request of the gateway itself: status and body, or why there is none.
    pub async fn fetch(&self, request: UpstreamRequest) -> Result<(u16, Bytes), String> {
        let origin = request.origin.clone();
        let mut connection = match self.take(&origin) {
            Some(connection) => connection,
            None => connect(&origin).await.map_err(|stage| format!("no connection ({stage:?})"))?,
        };
        let head = connection.head(request, &Rc::default()).ok_or("the request cannot be written")?;
        let answer = connection.sender.send_request(head).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let (mut incoming, mut body) = (answer.into_body(), BytesMut::new());
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
            if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
                if body.len() + data.len() > LARGEST_FETCH {
                    return Err("the answer is too long".into());
                }
                body.extend_from_slice(&data);
            }
        }
        self.give_back(&origin, connection);
        Ok((status, body.freeze()))
    }
}
