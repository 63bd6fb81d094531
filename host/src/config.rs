//! The host's configuration: flags and environment, read once.

mod delivery;
mod kafka;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

pub use delivery::{Delivery, NoKeys};
pub use kafka::KafkaSecurity;

use crate::capabilities::events::kafka::{POLL_MS_MAX, SESSION_MS, SESSION_MS_MIN};

/// What every command that opens services needs.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The application's manifest.
    #[arg(long, env = "PRAXIS_MANIFEST", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// Where the host keeps what it owns: compiled code, copies of components' files, the
    /// embedded index, caught mail.
    #[arg(long, env = "PRAXIS_DATA_DIR", default_value = ".praxis")]
    pub data_dir: PathBuf,
    /// Where to listen for HTTP.
    #[arg(long, env = "PRAXIS_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// Networks that no component may reach over HTTP or through sockets, whatever it is granted:
    /// 10.0.0.0/8,… or private.
    #[arg(long, env = "PRAXIS_BLOCK_NETWORKS", value_delimiter = ',')]
    pub block_networks: Vec<String>,
    /// Authorities that outbound HTTPS and mail servers' TLS trust besides the public ones: a file of
    /// certificates (PEM).
    #[arg(long, env = "PRAXIS_OUTBOUND_CA")]
    pub outbound_ca: Option<PathBuf>,
    /// PostgreSQL: postgres://user:password@host:port/database. Needed where the application uses it.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Redis: redis://host:port/0. Needed where the application uses it.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Kafka's bootstrap servers, host:port,… Without them events are kept in PostgreSQL.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub kafka_brokers: Option<String>,
    #[command(flatten)]
    pub kafka_security: KafkaSecurity,
    /// After how many milliseconds of silence a host's partitions go to others. A cluster has bounds of
    /// its own, 6,000 to 1,800,000 unless it is told otherwise.
    #[arg(
        long,
        env = "KAFKA_SESSION_TIMEOUT_MS",
        default_value_t = SESSION_MS,
        value_parser = clap::value_parser!(u64).range(SESSION_MS_MIN..=POLL_MS_MAX)
    )]
    pub kafka_session_timeout_ms: u64,
    /// Put before every topic and group.
    #[arg(long, env = "PRAXIS_TOPIC_PREFIX", default_value = "")]
    pub topic_prefix: String,
    /// OpenSearch: http(s)://host:port. Without it the index is embedded, in the data folder.
    #[arg(long, env = "OPENSEARCH_URL", hide_env_values = true)]
    pub opensearch_url: Option<String>,
    /// Put before every index.
    #[arg(long, env = "PRAXIS_INDEX_PREFIX", default_value = "")]
    pub index_prefix: String,
    /// The mail server: smtp://user:password@host:587?tls=required. It or SES_REGION is needed outside
    /// development where mail is sent.
    #[arg(long, env = "SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Whom mail comes from: "Praxis <praxis@example.org>".
    #[arg(
        long,
        env = "MAIL_FROM",
        default_value = "Praxis <no-reply@praxis.localhost>"
    )]
    pub mail_from: String,
    #[command(flatten)]
    pub delivery: Delivery,
    /// The keys that verify tokens: a JWKS, as a file or an address. Needed outside development.
    #[arg(long, env = "PRAXIS_JWKS")]
    pub jwks: Option<String>,
    /// The `iss` that tokens must carry. Needed outside development.
    #[arg(long, env = "PRAXIS_JWT_ISSUER")]
    pub jwt_issuer: Option<String>,
    /// The `aud` that tokens must carry.
    #[arg(long, env = "PRAXIS_JWT_AUDIENCE", default_value = "praxis")]
    pub jwt_audience: String,
}
