//! New connections.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hoosh_core::egress::is_forbidden;
use hoosh_core::exchange::Stage;
use hoosh_core::http::Origin;
use tokio::net::lookup_host;

use crate::connection::Connection;
use crate::race::dial;
use crate::socket::Socket;
use crate::tls::{self, Trust};
use crate::transport::Transport;

/// A new connection to `origin`.
pub async fn connect(origin: &Origin, trust: &Arc<Trust>) -> Result<Connection, Stage> {
    let mut addresses = resolve(&origin.host, origin.port).await?;
    if !origin.trusted {
        addresses.retain(|address| !is_forbidden(address.ip()));
    }
    let stream = dial(addresses).await.map_err(|_| Stage::Connect)?;
    let socket = Socket::new(stream).map_err(|_| Stage::Connect)?;
    let mut transport = Transport::Clear(socket.clone());
    if origin.tls {
        transport = tls::secure(transport, &origin.host, origin.terms.as_ref(), trust).await?;
    }
    Connection::over(transport, socket, origin).await
}

/// The addresses of a host, looked up anew each time: the system keeps what may be kept.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Stage> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = lookup_host((host, port)).await.map_err(|_| Stage::Connect)?;
    Ok(found.collect())
}
