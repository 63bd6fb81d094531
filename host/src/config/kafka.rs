//! How to reach a Kafka cluster that does not take everybody.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;

use crate::capabilities::events::kafka::security::{Identity, Login, Mechanism, Security, Tls};
use crate::capabilities::secret::Secret;

const PROTOCOLS: &str = "plaintext, ssl, sasl_plaintext, sasl_ssl";

/// What the operator says of it. Names and values are those of Kafka's own clients.
#[derive(Debug, Clone, Default, Args)]
pub struct KafkaSecurity {
    /// How to talk to Kafka: plaintext, ssl, sasl_plaintext or sasl_ssl.
    #[arg(long, env = "KAFKA_SECURITY_PROTOCOL")]
    pub kafka_security_protocol: Option<String>,
    /// How to log in to Kafka: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    #[arg(long, env = "KAFKA_SASL_MECHANISM")]
    pub kafka_sasl_mechanism: Option<String>,
    /// Whom to log in to Kafka as.
    #[arg(long, env = "KAFKA_SASL_USERNAME")]
    pub kafka_sasl_username: Option<String>,
    /// The password for Kafka.
    #[arg(long, env = "KAFKA_SASL_PASSWORD", hide_env_values = true)]
    pub kafka_sasl_password: Option<Secret>,
    /// Whose certificates to trust in Kafka's brokers: a PEM file. Without it the system's.
    #[arg(long, env = "KAFKA_SSL_CA_LOCATION")]
    pub kafka_ssl_ca_location: Option<PathBuf>,
    /// The host's own certificate, for clusters that ask for one: a PEM file.
    #[arg(long, env = "KAFKA_SSL_CERTIFICATE_LOCATION")]
    pub kafka_ssl_certificate_location: Option<PathBuf>,
    /// The key of the host's own certificate: a PEM file.
    #[arg(long, env = "KAFKA_SSL_KEY_LOCATION")]
    pub kafka_ssl_key_location: Option<PathBuf>,
    /// The password of that key, if it has one.
    #[arg(long, env = "KAFKA_SSL_KEY_PASSWORD", hide_env_values = true)]
    pub kafka_ssl_key_password: Option<Secret>,
}

impl KafkaSecurity {
    /// What it comes to; an error says what is missing, or set for nothing.
    pub fn resolve(&self) -> anyhow::Result<Security> {
        let protocol = self.kafka_security_protocol.as_deref();
        let protocol = protocol.unwrap_or("plaintext").to_ascii_lowercase();
        let (has_tls, has_login) = match protocol.as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            _ => bail!("KAFKA_SECURITY_PROTOCOL is one of {PROTOCOLS}, not {protocol:?}"),
        };
        let unused: Vec<_> = self
            .tls_variables()
            .into_iter()
            .filter(|_| !has_tls)
            .chain(self.login_variables().into_iter().filter(|_| !has_login))
            .filter_map(|(name, is_set)| is_set.then_some(name))
            .collect();
        ensure!(
            unused.is_empty(),
            "{}: of no use where KAFKA_SECURITY_PROTOCOL is {protocol}",
            unused.join(", ")
        );
        Ok(Security {
            tls: has_tls.then(|| self.tls()).transpose()?,
            login: has_login.then(|| self.login()).transpose()?,
        })
    }

    /// Whether anything is set at all.
    pub fn is_set(&self) -> bool {
        let all = self.tls_variables().into_iter();
        let mut all = all.chain(self.login_variables());
        self.kafka_security_protocol.is_some() || all.any(|(_, is_set)| is_set)
    }

    fn tls_variables(&self) -> [(&'static str, bool); 4] {
        [
            (
                "KAFKA_SSL_CA_LOCATION",
                self.kafka_ssl_ca_location.is_some(),
            ),
            (
                "KAFKA_SSL_CERTIFICATE_LOCATION",
                self.kafka_ssl_certificate_location.is_some(),
            ),
            (
                "KAFKA_SSL_KEY_LOCATION",
                self.kafka_ssl_key_location.is_some(),
            ),
            (
                "KAFKA_SSL_KEY_PASSWORD",
                self.kafka_ssl_key_password.is_some(),
            ),
        ]
    }

    fn login_variables(&self) -> [(&'static str, bool); 3] {
        [
            ("KAFKA_SASL_MECHANISM", self.kafka_sasl_mechanism.is_some()),
            ("KAFKA_SASL_USERNAME", self.kafka_sasl_username.is_some()),
            ("KAFKA_SASL_PASSWORD", self.kafka_sasl_password.is_some()),
        ]
    }

    fn tls(&self) -> anyhow::Result<Tls> {
        let files = [
            ("KAFKA_SSL_CA_LOCATION", &self.kafka_ssl_ca_location),
            (
                "KAFKA_SSL_CERTIFICATE_LOCATION",
                &self.kafka_ssl_certificate_location,
            ),
            ("KAFKA_SSL_KEY_LOCATION", &self.kafka_ssl_key_location),
        ];
        for (name, path) in files {
            if let Some(path) = path
                && let Err(error) = std::fs::File::open(path)
            {
                bail!("{name}: could not open {}: {error}", path.display());
            }
        }
        let certificate = self.kafka_ssl_certificate_location.clone();
        let identity = match (certificate, self.kafka_ssl_key_location.clone()) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate,
                key,
                password: self.kafka_ssl_key_password.clone(),
            }),
            (None, None) => {
                ensure!(
                    self.kafka_ssl_key_password.is_none(),
                    "KAFKA_SSL_KEY_PASSWORD is set, and KAFKA_SSL_KEY_LOCATION is not"
                );
                None
            }
            _ => bail!(
                "KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION belong together: one \
                 is not set"
            ),
        };
        Ok(Tls {
            authorities: self.kafka_ssl_ca_location.clone(),
            identity,
        })
    }

    fn login(&self) -> anyhow::Result<Login> {
        let missing: Vec<_> = self
            .login_variables()
            .into_iter()
            .filter_map(|(name, is_set)| (!is_set).then_some(name))
            .collect();
        let (Some(mechanism), Some(username), Some(password)) = (
            self.kafka_sasl_mechanism.as_deref(),
            self.kafka_sasl_username.clone(),
            self.kafka_sasl_password.clone(),
        ) else {
            bail!("not set: {}, to log in to Kafka", missing.join(", "));
        };
        let Some(mechanism) = Mechanism::parse(mechanism) else {
            bail!(
                "KAFKA_SASL_MECHANISM is one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, not \
                 {mechanism:?}"
            );
        };
        Ok(Login {
            mechanism,
            username,
            password,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_login(protocol: &str, mechanism: &str) -> KafkaSecurity {
        KafkaSecurity {
            kafka_security_protocol: Some(protocol.to_owned()),
            kafka_sasl_mechanism: Some(mechanism.to_owned()),
            kafka_sasl_username: Some("praxis".to_owned()),
            kafka_sasl_password: Some(Secret("hush".to_owned())),
            ..KafkaSecurity::default()
        }
    }

    fn fault(settings: &KafkaSecurity) -> String {
        settings.resolve().unwrap_err().to_string()
    }

    #[test]
    fn nothing_said_is_plain_text() {
        let settings = KafkaSecurity::default();
        assert!(!settings.is_set());
        assert_eq!(settings.resolve().unwrap(), Security::default());
    }

    #[test]
    fn each_mechanism_is_known() {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            for protocol in ["SASL_SSL", "sasl_plaintext"] {
                let security = with_login(protocol, mechanism).resolve().unwrap();
                assert_eq!(security.tls.is_some(), protocol == "SASL_SSL");
                assert_eq!(security.login.unwrap().username, "praxis");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fault = |settings: KafkaSecurity| fault(&settings);
        assert!(fault(with_login("tls", "PLAIN")).contains("not \"tls\""));
        assert!(fault(with_login("sasl_ssl", "GSSAPI")).contains("not \"GSSAPI\""));
        let named = "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD";
        assert!(fault(with_login("ssl", "PLAIN")).starts_with(named));
        let mut settings = with_login("sasl_ssl", "PLAIN");
        settings.kafka_sasl_username = None;
        settings.kafka_sasl_password = None;
        let named = "not set: KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD";
        assert!(fault(settings).starts_with(named));
        let mut settings = with_login("sasl_plaintext", "PLAIN");
        settings.kafka_ssl_ca_location = Some("ca.pem".into());
        assert!(fault(settings).starts_with("KAFKA_SSL_CA_LOCATION: of no use"));
        let mut settings = with_login("sasl_ssl", "PLAIN");
        settings.kafka_ssl_ca_location = Some("/nowhere/ca.pem".into());
        assert!(fault(settings).starts_with("KAFKA_SSL_CA_LOCATION: could not open /nowhere/ca"));
        let mut settings = with_login("sasl_ssl", "PLAIN");
        settings.kafka_ssl_certificate_location =
            Some(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into());
        assert!(fault(settings).ends_with("one is not set"));
        let mut settings = with_login("sasl_ssl", "PLAIN");
        settings.kafka_ssl_key_password = Some(Secret("hush".to_owned()));
        assert!(fault(settings).starts_with("KAFKA_SSL_KEY_PASSWORD is set"));
    }

    #[test]
    fn no_secret_is_printed() {
        let settings = with_login("sasl_ssl", "PLAIN");
        let security = settings.resolve().unwrap();
        assert!(!format!("{settings:?} {security:?}").contains("hush"));
    }
}
