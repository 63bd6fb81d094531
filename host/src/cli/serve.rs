//! `praxis serve`: the application against services that are given.

use clap::Args;

use super::compose;
use super::settings::Settings;
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
        let application = compose::Prepared::new(&self.config, self.dev).await?;
        let settings = Settings::resolve(&self.config, &application.manifest, self.dev)?;
        if !self.no_migrate {
            settings.migrate().await?;
        }
        let stop = compose::stop_on_signal()?;
        let host = compose::Host::start(application, &self.config, &settings, self.dev, stop);
        let host = host.await?;
        println!("praxis serves http://{}", host.address);
        host.finish().await
    }
}
