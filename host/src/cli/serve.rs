//! `praxis serve`: the application against services that are given.

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{compose, migrate};
use crate::config::Config;

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    config: Config,
    /// Issue tokens to anybody and catch mail instead of sending it. Never in production.
    #[arg(long)]
    dev: bool,
    /// Do not bring the schema up to date first.
    #[arg(long)]
    no_migrate: bool,
}

impl Serve {
    pub async fn run(self) -> anyhow::Result<()> {
        let missing = self.config.missing(self.dev);
        ensure!(missing.is_empty(), "not set: {}", missing.join("; "));
        let url = self.config.database_url.as_deref();
        let url = url.context("DATABASE_URL is not set: say where PostgreSQL is")?;
        if !self.no_migrate {
            migrate::migrate(url).await?;
        }
        let stop = compose::stop_on_signal()?;
        let host = compose::Host::start(&self.config, self.dev, stop.clone()).await?;
        println!("praxis serves http://{}", host.address);
        host.finish().await
    }
}
