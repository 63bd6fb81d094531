//! How a connection to Kafka is encrypted, and who logs in over it.

use std::path::{Path, PathBuf};

use rdkafka::config::ClientConfig;

use crate::capabilities::secret::Secret;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Nothing is encrypted without it.
    pub tls: Option<Tls>,
    /// Nobody logs in without it.
    pub login: Option<Login>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Whose certificates to trust; the system's if nobody says.
    pub authorities: Option<PathBuf>,
    pub identity: Option<Identity>,
}

/// The certificate that a client shows, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub password: Option<Secret>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub mechanism: Mechanism,
    pub username: String,
    pub password: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    /// By its registered name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Security {
    pub(super) fn apply(&self, config: &mut ClientConfig) {
        config.set(
            "security.protocol",
            match (&self.tls, &self.login) {
                (None, None) => "plaintext",
                (Some(_), None) => "ssl",
                (None, Some(_)) => "sasl_plaintext",
                (Some(_), Some(_)) => "sasl_ssl",
            },
        );
        if let Some(tls) = &self.tls {
            set_path(config, "ssl.ca.location", tls.authorities.as_deref());
            if let Some(identity) = &tls.identity {
                set_path(
                    config,
                    "ssl.certificate.location",
                    Some(&identity.certificate),
                );
                set_path(config, "ssl.key.location", Some(&identity.key));
                if let Some(password) = &identity.password {
                    config.set("ssl.key.password", &password.0);
                }
            }
        }
        if let Some(login) = &self.login {
            config
                .set("sasl.mechanisms", login.mechanism.name())
                .set("sasl.username", &login.username)
                .set("sasl.password", &login.password.0);
        }
    }
}

fn set_path(config: &mut ClientConfig, key: &str, path: Option<&Path>) {
    if let Some(path) = path {
        config.set(key, path.to_string_lossy());
    }
}
