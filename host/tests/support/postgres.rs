//! PostgreSQL for tests.

use std::path::Path;

use praxis_host::clock;
use praxis_servers::{Durability, Server, postgres};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The server that a test program's tests share. It goes when the program ends, and its folder,
/// which nobody is left to remove then, is the next one's.
pub async fn shared() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join("postgres");
    SERVER.get_or_init(async || start_in(&folder).await).await
}

/// A server of one's own, to be stopped and started again.
pub async fn start() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (start_in(folder.path()).await, folder)
}

/// The address of a new database with the project's tables.
pub async fn database(server: &Server) -> String {
    let name = format!("test_{}", clock::id().simple());
    let url = server.url();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let create = AssertSqlSafe(format!("create database {name}"));
    connection.execute(create).await.unwrap();
    connection.close().await.unwrap();

    let (place, _) = url.rsplit_once('/').unwrap();
    let url = format!("{place}/{name}");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::migrate!("../migrations")
        .run(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    url
}

async fn start_in(folder: &Path) -> Server {
    postgres::start(folder, Durability::Scratch)
        .await
        .unwrap_or_else(|error| panic!("{error:#}"))
}
