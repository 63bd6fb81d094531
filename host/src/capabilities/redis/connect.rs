//! A connection of the driver over a stream of our own, whose replies are bounded.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, RedisResult};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::bounded::{Bounded, Overrun};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What reads and writes for a connection: dropped, the connection is closed.
pub type Driver = AbortOnDropHandle<()>;

/// Opens it, authentication included. `overrun` is set when it ends because of a reply of more than
/// `reply_bytes_max`.
pub async fn connect(
    client: &Client,
    response_timeout: Duration,
    reply_bytes_max: u64,
    overrun: Overrun,
) -> RedisResult<(MultiplexedConnection, Driver)> {
    let info = client.get_connection_info();
    let stream = stream(info.addr()).await?;
    let stream = Bounded::new(stream, reply_bytes_max, overrun);
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(response_timeout));
    let (connection, driver) =
        MultiplexedConnection::new_with_config(info.redis_settings(), stream, config).await?;
    Ok((connection, Driver::new(tokio::spawn(driver))))
}

async fn stream(address: &ConnectionAddr) -> RedisResult<Box<dyn Stream>> {
    let unusable = |why: &'static str| RedisError::from((ErrorKind::InvalidClientConfig, why));
    match address {
        ConnectionAddr::Tcp(host, port) => Ok(Box::new(tcp(host, *port).await?)),
        ConnectionAddr::TcpTls {
            insecure: false,
            host,
            port,
            ..
        } => {
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|_| unusable("the host is no name for TLS"))?;
            let stream = tcp(host, *port).await?;
            Ok(Box::new(tls()?.connect(name, stream).await?))
        }
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            Err(unusable("a certificate is never left unread"))
        }
        ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        _ => Err(unusable("the address is of an unknown kind")),
    }
}

async fn tcp(host: &str, port: u16) -> RedisResult<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The system's authorities, as the driver has them.
fn tls() -> RedisResult<TlsConnector> {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS")
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
