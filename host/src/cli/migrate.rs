//! `praxis migrate`: the database's schema, brought up to date.

use anyhow::Context as _;
use clap::Args;
use sqlx::Connection as _;
use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

#[derive(Debug, Args)]
pub struct Migrate {
    /// PostgreSQL: postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

impl Migrate {
    pub async fn run(self) -> anyhow::Result<()> {
        migrate(&self.database_url).await
    }
}

/// Applies what is missing. Several hosts may do so at once: one does, the others wait.
pub async fn migrate(database_url: &str) -> anyhow::Result<()> {
    let mut connection = sqlx::PgConnection::connect(database_url)
        .await
        .context("could not connect to PostgreSQL")?;
    MIGRATIONS
        .run(&mut connection)
        .await
        .context("could not migrate the database")?;
    connection.close().await?;
    Ok(())
}
