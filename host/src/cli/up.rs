//! `praxis up`: everything on this machine, from nothing to a page that books.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use praxis_directory::import_ndjson;
use praxis_servers::{Durability, Server, postgres, redis};

use super::{compose, migrate};
use crate::config::Config;
use crate::triggers::http::auth::Claims;
use crate::triggers::http::issuer::Issuer;

const POSTGRES_FOLDER: &str = "postgres";
const REDIS_FOLDER: &str = "redis";

#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    config: Config,
    /// Start with an empty directory.
    #[arg(long)]
    empty: bool,
}

impl Up {
    pub async fn run(self) -> anyhow::Result<()> {
        let mut config = self.config;
        let stop = compose::stop_on_signal()?;
        let mut servers = Servers::start(&mut config).await?;
        let host = compose::Host::start(&config, true, stop.clone()).await;
        let outcome = match host {
            Ok(host) => greet_and_wait(host, &config, self.empty).await,
            Err(error) => Err(error),
        };
        servers.stop().await;
        outcome
    }
}

/// The servers that were not given, as children.
struct Servers(Vec<Server>);

impl Servers {
    async fn start(config: &mut Config) -> anyhow::Result<Self> {
        let mut servers = Self(Vec::new());
        if config.database_url.is_none() {
            let folder = config.data_dir.join(POSTGRES_FOLDER);
            let server = postgres::start(&folder, Durability::Durable).await?;
            config.database_url = Some(server.url());
            servers.0.push(server);
        }
        if config.redis_url.is_none() {
            let folder = config.data_dir.join(REDIS_FOLDER);
            let server = redis::start(&folder, Durability::Durable).await?;
            config.redis_url = Some(server.url());
            servers.0.push(server);
        }
        let url = config.database_url.as_deref();
        migrate::migrate(url.expect("it was given or started above")).await?;
        Ok(servers)
    }

    async fn stop(&mut self) {
        for server in self.0.iter_mut().rev() {
            if let Err(error) = server.stop().await {
                tracing::warn!(error = format!("{error:#}"), "could not stop a server");
            }
        }
    }
}

async fn greet_and_wait(host: compose::Host, config: &Config, empty: bool) -> anyhow::Result<()> {
    let address = format!("http://{}", host.address);
    let greeting = tokio::select! {
        greeting = prepare(&address, &config.data_dir, empty) => greeting,
        () = host.stopped() => Ok(String::new()),
    };
    match greeting {
        Ok(greeting) => println!("{greeting}"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "could not prepare the demo"),
    }
    host.finish().await
}

/// Fills the directory and says what to try.
async fn prepare(address: &str, data_dir: &Path, empty: bool) -> anyhow::Result<String> {
    let issuer = Issuer::open(&data_dir.join(super::token::ISSUER_FOLDER))?;
    let token = |person: &praxis_directory::Person| {
        issuer.mint(&Claims {
            sub: person.sub.into(),
            roles: vec![person.role.into()],
            tenant: None,
            name: Some(person.name.into()),
            email: Some(person.email.into()),
            phone_number: None,
            locale: None,
        })
    };
    if !empty {
        let operator = token(&praxis_directory::OPERATOR)?;
        import_ndjson(address, &operator, praxis_directory::DEMO.as_bytes())
            .await
            .context("could not import the demo directory")?;
    }
    let visitor = token(&praxis_directory::VISITOR)?;
    let examples = praxis_directory::examples(address, &visitor).await?;
    Ok(format!(
        "\nPraxis is up.\n\n  the page    {address}/\n  the mail    {address}/dev/mail\n  \
         the API     {address}/docs\n  the state   {address}/health/ready\n\n\
         A token, good for 12 hours:\n\n{visitor}\n\n{examples}\n\nCtrl-C stops it.\n"
    ))
}
