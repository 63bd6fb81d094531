//! TLS in front of a mock broker, which has none of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

const HOST: &str = "127.0.0.1";

/// Dropped: nobody is let in any more.
pub struct Front {
    /// `host:port`
    pub address: String,
    /// Its certificate, as a file for who is to trust it.
    pub certificate: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    /// Before the one broker that there is; the certificate is kept in the folder.
    pub async fn start(broker: &str, folder: &Path) -> Self {
        let own = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let certificate = folder.join("certificate.pem");
        std::fs::write(&certificate, own.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((HOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let theirs: u16 = broker.rsplit_once(':').unwrap().1.parse().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // One that does not know the certificate hangs up.
                    let _ = serve(acceptor, client, own, theirs).await;
                });
            }
        });
        Self {
            address: format!("{HOST}:{own}"),
            certificate,
            task,
        }
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    client: TcpStream,
    own: u16,
    theirs: u16,
) -> std::io::Result<()> {
    let client = acceptor.accept(client).await?;
    let broker = TcpStream::connect((HOST, theirs)).await?;
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_broker, mut to_broker) = broker.into_split();
    let requests = tokio::io::copy(&mut from_client, &mut to_broker);
    let answers = async {
        let (wrong, right) = (place(theirs), place(own));
        loop {
            let length = from_broker.read_u32().await?;
            let mut answer = vec![0; usize::try_from(length).unwrap()];
            from_broker.read_exact(&mut answer).await?;
            // Where the broker says that it is, clients would find it without TLS.
            let places = answer.windows(wrong.len()).enumerate();
            let places = places.filter(|(_, bytes)| *bytes == wrong.as_slice());
            for at in places.map(|(at, _)| at).collect::<Vec<_>>() {
                answer[at..at + right.len()].copy_from_slice(&right);
            }
            to_client.write_u32(length).await?;
            to_client.write_all(&answer).await?;
            to_client.flush().await?;
        }
    };
    tokio::select! {
        _ = requests => Ok(()),
        ended = answers => ended,
    }
}

/// How Kafka's protocol says where a broker is.
fn place(port: u16) -> Vec<u8> {
    let mut place = HOST.as_bytes().to_vec();
    place.extend_from_slice(&u32::from(port).to_be_bytes());
    place
}
