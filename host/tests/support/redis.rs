//! Redis for tests.

use std::path::Path;

use praxis_servers::{Durability, Server, redis};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The server that a test program's tests share. It goes when the program ends, and its folder,
/// which nobody is left to remove then, is the next one's.
pub async fn shared() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join("redis");
    let start = async || start_in(&folder, Durability::Scratch).await;
    SERVER.get_or_init(start).await
}

/// A server of one's own, to be stopped and started again: it keeps its data.
pub async fn start() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = start_in(folder.path(), Durability::Durable).await;
    (server, folder)
}

async fn start_in(folder: &Path, durability: Durability) -> Server {
    redis::start(folder, durability)
        .await
        .unwrap_or_else(|error| panic!("{error:#}"))
}
