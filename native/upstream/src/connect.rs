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
use crate::tunnel::tunnel;

/// A new connection to `origin`, through its proxy if it has one.
pub async fn connect(origin: &Origin, trust: &Arc<Trust>) -> Result<Box<Connection>, Stage> {
    let proxy = origin.proxy.as_deref();
    let (host, port) = proxy.map_or((&origin.host, origin.port), |proxy| (&proxy.host, proxy.port));
    let mut addresses = resolve(host, port).await?;
    if !origin.trusted {
        // Where a proxy leads cannot be judged from here.
        addresses.retain(|address| proxy.is_none() && !is_forbidden(address.ip()));
    }
    let stream = dial(addresses).await.map_err(|_| Stage::Connect)?;
    let socket = Socket::new(stream).map_err(|_| Stage::Connect)?;
    let mut transport = Transport::Clear(socket.clone());
    if let Some(proxy) = proxy {
        if proxy.tls {
            transport = tls::secure(transport, &proxy.host, None, trust).await?;
        }
        if origin.tls {
            tunnel(&mut transport, origin, proxy).await?;
        }
    }
    if origin.tls {
        transport = tls::secure(transport, &origin.host, origin.terms.as_ref(), trust).await?;
    }
    Connection::over(transport, socket, origin)
}

/// The addresses of a host, looked up anew each time: the system keeps what may be kept.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Stage> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = lookup_host((host, port)).await.map_err(|_| Stage::Connect)?;
    Ok(found.collect())
}
