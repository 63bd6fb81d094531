//! What one host needs: the configuration as far as the manifest asks for it, found out once.

use anyhow::ensure;

use super::migrate::migrate;
use crate::capabilities::delivery::aws::Account;
use crate::capabilities::events::kafka::security::Security;
use crate::config::{Config, NoKeys};
use crate::manifest::{Authentication, Manifest, Service};
use crate::triggers::http::auth::Source;

/// Everything is here that the application uses, and nothing that it does not.
#[derive(Debug)]
pub struct Settings {
    /// Where PostgreSQL is.
    pub database_url: Option<String>,
    /// Where Redis is.
    pub redis_url: Option<String>,
    pub events: Option<Events>,
    pub email: Option<Email>,
    /// Who takes text messages and push notifications.
    pub sns: Option<Account>,
    pub tokens: Option<Tokens>,
}

/// Where events are kept.
#[derive(Debug, PartialEq, Eq)]
pub enum Events {
    Kafka {
        /// The bootstrap servers.
        brokers: String,
        security: Security,
        session_ms: u64,
    },
    /// A log in the application's database.
    Postgres,
}

/// Who takes mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Email {
    /// A mail server's address.
    Smtp(String),
    Ses(Account),
    /// The catcher of a development host.
    Caught,
}

/// Whose tokens count.
#[derive(Debug)]
pub enum Tokens {
    /// Those of the development issuer.
    Issued,
    Foreign {
        keys: Source,
        issuer: String,
        audience: String,
    },
}

impl Settings {
    /// Says all that is missing at once.
    pub fn resolve(
        config: &Config,
        manifest: &Manifest,
        development: bool,
    ) -> anyhow::Result<Self> {
        let mut missing = Vec::new();
        let mut needed = |is_used: bool, value: &Option<String>, what: &'static str| {
            if is_used && value.is_none() {
                missing.push(what);
            }
            value.clone().filter(|_| is_used)
        };
        let uses_events = has_events(manifest);
        let database_url = needed(
            uses(manifest, Service::Postgres),
            &config.database_url,
            "DATABASE_URL, where PostgreSQL is",
        );
        let redis_url = needed(
            uses(manifest, Service::Redis),
            &config.redis_url,
            "REDIS_URL, where Redis is",
        );
        let sends = sends(manifest);
        let amazon = (config.delivery.ses(), config.delivery.sns());
        let (ses, sns) = match amazon {
            (Some(Err(NoKeys)), _) | (_, Some(Err(NoKeys))) if sends => {
                let keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, who sends through Amazon";
                needed(true, &None, keys);
                (None, None)
            }
            (ses, sns) => (
                ses.and_then(Result::ok).filter(|_| sends),
                sns.and_then(Result::ok).filter(|_| sends),
            ),
        };
        let names_ses = config.delivery.ses_region.is_some();
        ensure!(
            !(sends && names_ses && config.smtp_url.is_some()),
            "SMTP_URL and SES_REGION are both set: one of them takes the mail"
        );
        let email = match (sends, &config.smtp_url) {
            (false, _) => None,
            (true, _) if names_ses => ses.map(Email::Ses),
            (true, None) if development => Some(Email::Caught),
            (true, url) => {
                needed(true, url, "SMTP_URL or SES_REGION, which server sends").map(Email::Smtp)
            }
        };
        let verifies = authentication(manifest) == Some(Authentication::Jwt);
        let tokens = if verifies && (!development || config.jwks.is_some()) {
            let keys = "PRAXIS_JWKS, where the keys are that verify tokens";
            let keys = needed(true, &config.jwks, keys);
            let issuer = "PRAXIS_JWT_ISSUER, whose tokens count";
            let issuer = needed(true, &config.jwt_issuer, issuer);
            let audience = config.jwt_audience.clone();
            keys.zip(issuer).map(|(keys, issuer)| Tokens::Foreign {
                keys: Source::parse(&keys),
                issuer,
                audience,
            })
        } else {
            verifies.then_some(Tokens::Issued)
        };
        ensure!(missing.is_empty(), "not set: {}", missing.join("; "));
        let events = match (&config.kafka_brokers, &database_url) {
            _ if !uses_events => None,
            (Some(brokers), _) => Some(Events::Kafka {
                brokers: brokers.clone(),
                security: config.kafka_security.resolve()?,
                session_ms: config.kafka_session_timeout_ms,
            }),
            (None, _) if config.kafka_security.is_set() => anyhow::bail!(
                "it is set how to talk to Kafka, and KAFKA_BROKERS, where it is, is not"
            ),
            (None, Some(_)) => Some(Events::Postgres),
            (None, None) => anyhow::bail!(
                "the application has events, and no place for them: set KAFKA_BROKERS, or let \
                 [application.tool.praxis] services name \"postgres\""
            ),
        };
        let has_timers = !manifest.trigger.cron.is_empty();
        ensure!(
            !has_timers || database_url.is_some(),
            "[[trigger.cron]] needs PostgreSQL, which decides what host runs the timers: let \
             [application.tool.praxis] services name \"postgres\""
        );
        Ok(Self {
            database_url,
            redis_url,
            events,
            email,
            sns,
            tokens,
        })
    }

    /// Brings the schema up to date, where there is a database.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        match &self.database_url {
            Some(url) => migrate(url).await,
            None => Ok(()),
        }
    }
}

/// Whether the application has the host connect to a server.
pub fn uses(manifest: &Manifest, service: Service) -> bool {
    manifest.application.tool.praxis.services.contains(&service)
}

fn authentication(manifest: &Manifest) -> Option<Authentication> {
    manifest.application.tool.praxis.authentication
}

fn has_events(manifest: &Manifest) -> bool {
    !manifest.application.trigger.kafka.topics.is_empty() || !manifest.trigger.cron.is_empty()
}

fn sends(manifest: &Manifest) -> bool {
    let mut components = manifest.component.values();
    components.any(|component| !component.tool.praxis.delivery.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::capabilities::secret::Secret;
    use crate::config::{Delivery, KafkaSecurity};

    fn config() -> Config {
        Config {
            block_networks: Vec::new(),
            outbound_ca: None,
            manifest: PathBuf::from("spin.toml"),
            data_dir: PathBuf::from(".praxis"),
            listen: ([127, 0, 0, 1], 0).into(),
            database_url: None,
            redis_url: None,
            kafka_brokers: None,
            kafka_security: KafkaSecurity::default(),
            kafka_session_timeout_ms: 10_000,
            topic_prefix: String::new(),
            opensearch_url: None,
            index_prefix: String::new(),
            smtp_url: None,
            mail_from: "Praxis <no-reply@praxis.localhost>".into(),
            delivery: Delivery::default(),
            jwks: None,
            jwt_issuer: None,
            jwt_audience: "praxis".into(),
        }
    }

    fn plain() -> Manifest {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spin.toml");
        let text = "spin_manifest_version = 2\n[application]\nname = \"hello\"\n\
                    [[trigger.http]]\nroute = \"/...\"\ncomponent = \"hello\"\n\
                    [component.hello]\nsource = \"hello.wasm\"\n";
        std::fs::write(&path, text).unwrap();
        Manifest::load(&path).unwrap()
    }

    #[test]
    fn a_plain_application_needs_nothing() {
        let settings = Settings::resolve(&config(), &plain(), false).unwrap();
        assert!(settings.database_url.is_none() && settings.redis_url.is_none());
        assert!(settings.events.is_none() && settings.email.is_none());
        assert!(settings.tokens.is_none());
    }

    #[test]
    fn a_server_that_is_not_used_is_not_connected_to() {
        let mut config = config();
        config.database_url = Some("postgres://127.0.0.1/x".into());
        let settings = Settings::resolve(&config, &plain(), false).unwrap();
        assert_eq!(settings.database_url, None);
    }

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let own = Manifest::load(&own).unwrap();
        let fault = Settings::resolve(&config(), &own, false).unwrap_err();
        let fault = fault.to_string();
        for name in [
            "DATABASE_URL",
            "REDIS_URL",
            "SMTP_URL",
            "PRAXIS_JWKS",
            "PRAXIS_JWT_ISSUER",
        ] {
            assert!(fault.contains(name), "{name} is not in {fault:?}");
        }
        let fault = Settings::resolve(&config(), &own, true).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "not set: DATABASE_URL, where PostgreSQL is; REDIS_URL, where Redis is"
        );
    }

    #[test]
    fn a_development_host_catches_mail_and_issues_tokens() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let own = Manifest::load(&own).unwrap();
        let mut config = config();
        config.database_url = Some("postgres://127.0.0.1/x".into());
        config.redis_url = Some("redis://127.0.0.1/0".into());
        let settings = Settings::resolve(&config, &own, true).unwrap();
        assert_eq!(settings.email, Some(Email::Caught));
        assert_eq!(settings.events, Some(Events::Postgres));
        assert!(matches!(settings.tokens, Some(Tokens::Issued)));
    }

    #[test]
    fn amazon_takes_mail_where_its_region_and_keys_are_named() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let own = Manifest::load(&own).unwrap();
        let mut config = config();
        config.database_url = Some("postgres://127.0.0.1/x".into());
        config.redis_url = Some("redis://127.0.0.1/0".into());
        config.delivery.ses_region = Some("eu-central-1".into());
        config.delivery.sns_region = Some("eu-west-1".into());
        let fault = Settings::resolve(&config, &own, true).unwrap_err();
        assert!(fault.to_string().contains("AWS_ACCESS_KEY_ID"), "{fault}");

        config.delivery.aws_access_key_id = Some("who".into());
        config.delivery.aws_secret_access_key = Some(Secret("hush".into()));
        let settings = Settings::resolve(&config, &own, true).unwrap();
        assert!(!format!("{settings:?} {config:?}").contains("hush"));
        let Some(Email::Ses(account)) = settings.email else {
            panic!("{:?}", settings.email);
        };
        assert_eq!(account.region, "eu-central-1");
        assert_eq!(settings.sns.unwrap().region, "eu-west-1");

        config.smtp_url = Some("smtp://127.0.0.1".into());
        let fault = Settings::resolve(&config, &own, true).unwrap_err();
        assert!(fault.to_string().contains("both set"), "{fault}");
        let plain = Settings::resolve(&config, &plain(), true).unwrap();
        assert!(plain.email.is_none() && plain.sns.is_none());
    }

    #[test]
    fn a_wrong_setting_for_kafka_ends_the_start() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let own = Manifest::load(&own).unwrap();
        let mut config = config();
        config.database_url = Some("postgres://127.0.0.1/x".into());
        config.redis_url = Some("redis://127.0.0.1/0".into());
        config.kafka_security.kafka_security_protocol = Some("sasl_ssl".into());
        let fault = Settings::resolve(&config, &own, true).unwrap_err();
        assert!(fault.to_string().contains("KAFKA_BROKERS"), "{fault}");
        config.kafka_brokers = Some("127.0.0.1:9092".into());
        let fault = Settings::resolve(&config, &own, true).unwrap_err();
        assert!(
            fault.to_string().contains("KAFKA_SASL_MECHANISM"),
            "{fault}"
        );
    }
}
