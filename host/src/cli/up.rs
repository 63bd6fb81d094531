//! `praxis up`: everything on this machine, from nothing to a page that books.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use praxis_directory::import_ndjson;
use praxis_servers::{Durability, Server, postgres, redis};
use tokio_util::sync::CancellationToken;

use super::compose;
use super::settings::{Settings, uses};
use super::watch::Watch;
use crate::config::Config;
use crate::manifest::{Manifest, Route, Service};
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
    /// Build and swap a component when its source changes.
    #[arg(long)]
    watch: bool,
}

impl Up {
    pub async fn run(self) -> anyhow::Result<()> {
        let mut config = self.config;
        let application = compose::Prepared::new(&config, true).await?;
        let manifest = application.manifest.clone();
        let stop = compose::stop_on_signal()?;
        let mut servers = Servers::start(&mut config, &manifest).await?;
        let is_filled = manifest.application.tool.praxis.demo_directory && !self.empty;
        let started = start(application, &config, stop.clone()).await;
        let mut watching = None;
        let started = started.and_then(|host| {
            if self.watch {
                let watch =
                    Watch::start(&manifest)?.run(Arc::clone(&host.deployments), stop.clone());
                watching = Some(tokio::spawn(watch));
            }
            Ok(host)
        });
        let outcome = match started {
            Ok(host) => greet_and_wait(host, &config, &manifest, is_filled).await,
            Err(error) => Err(error),
        };
        if let Some(watching) = watching {
            // It ends a build that is under way.
            stop.cancel();
            let ended = watching.await;
            debug_assert!(ended.is_ok(), "watching panicked");
        }
        servers.stop().await;
        outcome
    }
}

async fn start(
    application: compose::Prepared,
    config: &Config,
    stop: CancellationToken,
) -> anyhow::Result<compose::Host> {
    let settings = Settings::resolve(config, &application.manifest, true)?;
    settings.migrate().await?;
    compose::Host::start(application, config, &settings, true, stop).await
}

/// The servers that the application uses and nobody named, as children.
struct Servers(Vec<Server>);

impl Servers {
    async fn start(config: &mut Config, manifest: &Manifest) -> anyhow::Result<Self> {
        let mut servers = Self(Vec::new());
        if uses(manifest, Service::Postgres) && config.database_url.is_none() {
            let folder = config.data_dir.join(POSTGRES_FOLDER);
            let server = postgres::start(&folder, Durability::Durable).await?;
            config.database_url = Some(server.url());
            servers.0.push(server);
        }
        if uses(manifest, Service::Redis) && config.redis_url.is_none() {
            let folder = config.data_dir.join(REDIS_FOLDER);
            let server = redis::start(&folder, Durability::Durable).await?;
            config.redis_url = Some(server.url());
            servers.0.push(server);
        }
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

async fn greet_and_wait(
    host: compose::Host,
    config: &Config,
    manifest: &Manifest,
    is_filled: bool,
) -> anyhow::Result<()> {
    let address = format!("http://{}", host.address);
    let greeting = async {
        if manifest.application.tool.praxis.demo_directory {
            demo(&address, &config.data_dir, is_filled).await
        } else {
            Ok(plain(&address, manifest))
        }
    };
    let greeting = tokio::select! {
        greeting = greeting => greeting,
        () = host.stopped() => Ok(String::new()),
    };
    match greeting {
        Ok(greeting) => println!("{greeting}"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "could not prepare the demo"),
    }
    host.finish().await
}

/// Where an application is that has no demo.
fn plain(address: &str, manifest: &Manifest) -> String {
    let name = &manifest.application.name;
    let mut greeting = format!("\n{name} is up: {address}\n\n");
    for trigger in &manifest.trigger.http {
        if let Route::Public(route) = &trigger.route {
            let _ = writeln!(greeting, "  {address}{route}  {}", trigger.component);
        }
    }
    greeting.push_str("\nCtrl-C stops it.\n");
    greeting
}

/// Fills the directory and says what to try.
async fn demo(address: &str, data_dir: &Path, is_filled: bool) -> anyhow::Result<String> {
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
            iat: None,
        })
    };
    if is_filled {
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
