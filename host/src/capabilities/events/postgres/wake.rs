//! Who has something to do: LISTEN on one connection a host, spread to the groups that it serves.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "praxis_events";
const RECONNECT_MS: u64 = 1_000;

/// A reason to look. Readers poll as well: one that is lost costs time, not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// Records were written to a partition (full names), up to this offset.
    Log {
        topic: String,
        partition: i32,
        end: i64,
    },
    /// A member came, went or gave a partition back.
    Group { group: String },
    /// Anything may have happened: the connection was lost for a while.
    Everything,
}

/// Listens until `stop`, whatever happens to the connection.
pub async fn listen(pool: PgPool, wakes: broadcast::Sender<Wake>, stop: CancellationToken) {
    let listening = async {
        loop {
            if let Err(error) = listen_once(&pool, &wakes).await {
                tracing::debug!(%error, "lost the connection that listens for events");
            }
            tokio::time::sleep(Duration::from_millis(RECONNECT_MS)).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn listen_once(pool: &PgPool, wakes: &broadcast::Sender<Wake>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Nobody listening is no error: groups come and go.
        let _ = wakes.send(Wake::Everything);
        while let Some(notification) = listener.try_recv().await? {
            if let Some(wake) = parse(notification.payload()) {
                let _ = wakes.send(wake);
            }
        }
    }
}

fn parse(payload: &str) -> Option<Wake> {
    match payload.split_once('/')? {
        ("log", at) => {
            let (partition, at) = at.split_once('/')?;
            let (end, topic) = at.split_once('/')?;
            Some(Wake::Log {
                topic: topic.to_owned(),
                partition: partition.parse().ok()?,
                end: end.parse().ok()?,
            })
        }
        ("group", group) => Some(Wake::Group {
            group: group.to_owned(),
        }),
        _ => None,
    }
}
