//! One caller's connection, from its first byte to its last.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use hyper::server::conn::http1;
use tokio::net::TcpStream;

use crate::drive::Place;
use crate::guarded::Guarded;
use crate::passed::Passer;
use crate::service::Gate;
use crate::wire::Wire;
use crate::worker::Hands;

/// Bytes of one connection that hyper may hold: the longest head that the guard gives on, and what a slow caller can be
/// ahead of its socket.
const BUFFER: usize = (64 << 10) + (8 << 10);

/// Serves one connection.
pub async fn serve(stream: TcpStream, wire: Rc<Wire>, hands: Rc<Hands>) {
    let Hands { shared, upstreams, lane } = &*hands;
    let place = Place::new(wire.bell.clone(), shared.clone(), upstreams.clone());
    let passer = shared.way.get().map(|way| Passer::new(way, &stream));
    let websockets = passer.as_ref().and_then(Passer::websockets);
    let gate = Gate { place, wire: wire.clone(), lane: *lane, passer };
    let io = Guarded::new(stream, wire.clone(), websockets);
    let mut connection = http1::Builder::new().writev(false).max_buf_size(BUFFER).serve_connection(io, gate);
    // An error is a caller that left, or was cut; its exchange was told when its answer was dropped.
    let _ = std::future::poll_fn(|cx| {
        // With the shutdown, because without it hyper is done before all that it holds is written.
        let polled = Pin::new(&mut connection).poll(cx);
        if polled.is_pending() && wire.stuck.get().is_some() {
            wire.work_on(cx);
        }
        polled
    })
    .await;
    // Dropped here are the exchange, if one is in progress, and hyper's buffers.
    let parts = connection.into_parts();
    let mut io = parts.io;
    let tunnel = wire.tunnel.take();
    if let Some(tunnel) = tunnel.filter(|_| !wire.cut.get()) {
        io = tunnel.run(io, parts.read_buf, &wire).await;
    }
    if wire.cut.get() {
        io.reset();
    } else if !wire.retired.get() {
        // One that is retired has its last answer, and its place is wanted at once.
        io.linger().await;
    }
}
