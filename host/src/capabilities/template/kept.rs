//! Tenants' components in PostgreSQL: every host has them, and hears of new ones.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::limits::KEPT_OF_OWNER_MAX;

const CHANNEL: &str = "praxis_templates";
const RECONNECT_MS: u64 = 1_000;

/// The table `template_components`.
pub struct Kept {
    pool: PgPool,
}

/// A component that some host has kept just now.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    pub digest: String,
    pub owner: String,
}

/// What came of keeping a component.
#[derive(Debug, PartialEq, Eq)]
pub enum Keeping {
    Kept,
    /// The owner has as many as one may have.
    TooMany,
}

impl Kept {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Keeps it, and tells all hosts. The same again changes nothing.
    pub async fn keep(&self, owner: &str, digest: &str, wasm: &[u8]) -> sqlx::Result<Keeping> {
        let mut transaction = self.pool.begin().await?;
        let others: i64 = sqlx::query_scalar(
            "select count(*)
            from template_components
            where owner = $1 and sha256 <> $2",
        )
        .bind(owner)
        .bind(digest)
        .fetch_one(&mut *transaction)
        .await?;
        if others >= KEPT_OF_OWNER_MAX {
            return Ok(Keeping::TooMany);
        }
        sqlx::query(
            "insert into template_components (sha256, owner, wasm)
            values ($1, $2, $3)
            on conflict on constraint template_components_pkey do nothing",
        )
        .bind(digest)
        .bind(owner)
        .bind(wasm)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("select pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(format!("{digest} {owner}"))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Keeping::Kept)
    }

    pub async fn load(&self, digest: &str) -> sqlx::Result<Option<Vec<u8>>> {
        sqlx::query_scalar(
            "select wasm
            from template_components
            where sha256 = $1",
        )
        .bind(digest)
        .fetch_optional(&self.pool)
        .await
    }

    /// Tells of what is kept anywhere until `stop`. What is missed while the connection is lost is
    /// loaded when it is asked for.
    pub async fn listen(&self, news: mpsc::Sender<News>, stop: CancellationToken) {
        let listening = async {
            loop {
                if let Err(error) = self.listen_once(&news).await {
                    tracing::debug!(%error, "lost the connection that listens for templates");
                }
                tokio::time::sleep(Duration::from_millis(RECONNECT_MS)).await;
            }
        };
        stop.run_until_cancelled(listening).await;
    }

    async fn listen_once(&self, news: &mpsc::Sender<News>) -> sqlx::Result<()> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            while let Some(notification) = listener.try_recv().await? {
                if let Some((digest, owner)) = notification.payload().split_once(' ') {
                    // Who is behind with the news hears of the rest when it is asked for.
                    let _ = news.try_send(News {
                        digest: digest.to_owned(),
                        owner: owner.to_owned(),
                    });
                }
            }
        }
    }
}
