//! New connections.

use hoosh_core::exchange::Stage;
use hoosh_core::http::Origin;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::connection::Connection;

/// A new connection to `origin`.
pub async fn connect(origin: &Origin) -> Result<Connection, Stage> {
    if origin.tls {
        return Err(Stage::Tls);
    }
    let stream = TcpStream::connect((origin.host.as_str(), origin.port)).await.map_err(|_| Stage::Connect)?;
    stream.set_nodelay(true).map_err(|_| Stage::Connect)?;
    Connection::over(TokioIo::new(stream), origin).await
}
