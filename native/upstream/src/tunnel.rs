//! A way through a proxy to an upstream that speaks TLS: `CONNECT` (RFC 9110, section 9.3.6).

use std::io;

use hoosh_core::egress::Proxy;
use hoosh_core::exchange::Stage;
use hoosh_core::http::Origin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::transport::Transport;

/// The longest head of a proxy's answer, bytes.
const MAX_HEAD: usize = 16 << 10;

/// Has the proxy at the other end of `transport` be the other end no more, but `origin`.
pub async fn tunnel(transport: &mut Transport, origin: &Origin, proxy: &Proxy) -> Result<(), Stage> {
    let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
    let authority = format!("{host}:{}", origin.port);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request += &format!("proxy-authorization: {}\r\n", authorization.expose());
    }
    request += "\r\n";
    let answer = ask(transport, request.as_bytes()).await.map_err(|_| Stage::Connect)?;
    let is_open =
        (answer.starts_with(b"HTTP/1.1 2") || answer.starts_with(b"HTTP/1.0 2")) && answer.ends_with(b"\r\n\r\n");
    // Whoever speaks TLS speaks second: what comes behind the head is no upstream's.
    if is_open {
        Ok(())
    } else {
        Err(Stage::Connect)
    }
}

/// All that comes until there is a head.
async fn ask(transport: &mut Transport, request: &[u8]) -> io::Result<Vec<u8>> {
    transport.write_all(request).await?;
    transport.flush().await?;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        if transport.read_buf(&mut answer).await? == 0 || answer.len() > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(answer)
}
