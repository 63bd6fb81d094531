//! A world: one host, a database of its own, and the servers that it talks to.

use std::path::PathBuf;
use std::time::Duration;

use praxis_servers::{Durability, Server, opensearch, postgres, redis};
use reqwest::Method;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::brokers::Brokers;
use crate::eventually::{ensure, eventually};
use crate::gate::Gate;
use crate::host::Host;
use crate::tap::Tap;
use crate::{Api, Practitioner, directory, events, place};

const DATABASE_CONNECTIONS_MAX: u32 = 4;
/// A dead member of a Kafka group is evicted only after its session has run out, and its claim on a
/// delivery after 90 seconds and the pause until the next try.
const QUIET_WITHIN: Duration = Duration::from_secs(180);

/// The folder of a second host, in the world's.
const ANOTHER: &str = "another";

/// One server for all worlds of a test program: each has a database of its own in it.
static POSTGRES: OnceCell<Server> = OnceCell::const_new();

/// What the host runs on, besides PostgreSQL and Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// The event log in PostgreSQL and the index in its own files.
    Embedded,
    /// Kafka's protocol, and a server that speaks OpenSearch's.
    Brokered,
}

pub struct World {
    pub host: Host,
    pub database: PgPool,
    pub redis: Server,
    /// Only where services are `Brokered`.
    pub brokers: Option<Brokers>,
    /// The way to the index server; only where services are `Brokered`.
    pub index_gate: Option<Gate>,
    _index: Option<Server>,
    environment: Vec<(String, String)>,
    folder: TempDir,
}

impl World {
    /// # Panics
    /// If something does not start; says what and why.
    pub async fn start(services: Services) -> Self {
        Self::start_by(services, Vec::new(), |url, _| url).await
    }

    /// As `start`, and the host has these variables besides.
    ///
    /// # Panics
    /// As `start`.
    pub async fn start_with(services: Services, more: Vec<(String, String)>) -> Self {
        Self::start_by(services, more, |url, _| url).await
    }

    /// A world whose host comes to PostgreSQL by a way that notes what it asks.
    ///
    /// # Panics
    /// As `start`.
    pub async fn start_tapped(services: Services) -> (Self, Tap) {
        let postgres = POSTGRES.get_or_init(start_postgres).await;
        let tap = Tap::to(postgres.port()).await;
        let by = tap.address.port();
        let tapped = |url: String, port: u16| url.replace(&format!(":{port}/"), &format!(":{by}/"));
        (Self::start_by(services, Vec::new(), tapped).await, tap)
    }

    /// `way`: the address by which the host comes to PostgreSQL, from its own and its port.
    async fn start_by(
        services: Services,
        more: Vec<(String, String)>,
        way: impl FnOnce(String, u16) -> String,
    ) -> Self {
        let folder = TempDir::with_prefix("praxis-world-").expect("a temporary folder");
        let postgres = POSTGRES.get_or_init(start_postgres).await;
        let redis = redis::start(&folder.path().join("redis"), Durability::Scratch)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
        let database_url = make_database(&postgres.url()).await;
        let data = folder.path().join("data");
        place::share_compiled(&data);
        let mut environment = vec![
            (
                "DATABASE_URL".to_owned(),
                way(database_url.clone(), postgres.port()),
            ),
            ("REDIS_URL".to_owned(), redis.url()),
            (
                "PRAXIS_DATA_DIR".to_owned(),
                data.to_str().expect("a plain path").to_owned(),
            ),
            ("RUST_BACKTRACE".to_owned(), "0".to_owned()),
        ];
        let (mut brokers, mut index, mut index_gate) = (None, None, None);
        if services == Services::Brokered {
            let cluster = Brokers::start();
            let server = start_index(folder.path().join("opensearch")).await;
            let gate = Gate::to(server.port()).await;
            environment.push(("KAFKA_BROKERS".to_owned(), cluster.bootstrap.clone()));
            environment.push(("OPENSEARCH_URL".to_owned(), gate.url()));
            (brokers, index, index_gate) = (Some(cluster), Some(server), Some(gate));
        }
        environment.extend(more);
        let host = Host::start(folder.path(), environment.clone()).await;
        let database = connect(&database_url).await;
        Self {
            host,
            database,
            redis,
            brokers,
            index_gate,
            _index: index,
            environment,
            folder,
        }
    }

    /// Another host of the same application, on the same servers, with files of its own: its own issuer
    /// of tokens, and its own mail.
    pub async fn another_host(&self) -> Host {
        let folder = self.folder.path().join(ANOTHER);
        let data = folder.join("data");
        place::share_compiled(&data);
        let mut environment = self.environment.clone();
        environment.retain(|(name, _)| name != "PRAXIS_DATA_DIR");
        let data = data.to_str().expect("a plain path").to_owned();
        environment.push(("PRAXIS_DATA_DIR".to_owned(), data));
        Host::start(&folder, environment).await
    }

    /// A client without a token.
    pub fn api(&self) -> Api {
        Api::nobody(&self.host.base)
    }

    /// Where the host keeps what it does not send. Without it, it can't.
    pub fn mail_folder(&self) -> PathBuf {
        self.folder.path().join("data/mail")
    }

    /// Where the host that `another_host` started keeps it.
    pub fn mail_folder_of_another(&self) -> PathBuf {
        self.folder.path().join(ANOTHER).join("data/mail")
    }

    /// Imports practitioners and waits until the search finds them all.
    pub async fn import(&self, practitioners: &[&Practitioner]) {
        let lines: Vec<_> = practitioners
            .iter()
            .map(|one| one.json().to_string())
            .collect();
        self.import_lines(&lines.join("\n")).await;
        let api = self.api();
        for practitioner in practitioners {
            let what = format!("the search finds {}", practitioner.name);
            eventually(crate::eventually::SOON, &what, async || {
                // In this order: once the search has it, nothing empties its bitmap any more.
                let next = practitioner.next_slot_in_search(&api).await;
                let (free, source) = practitioner.free_slots(&api).await;
                ensure(
                    next.is_some() && next.as_ref() == free.first() && source == "bitmap",
                    format!("{next:?} from the {source}"),
                )
            })
            .await;
        }
    }

    /// The audit in the background neither looks nor heals from now on.
    pub async fn without_the_slow_audit(&self) {
        sqlx::query("delete from audit_passes")
            .execute(&self.database)
            .await
            .expect("the audit can be held off");
    }

    /// Imports NDJSON and does not wait for what follows.
    ///
    /// # Panics
    /// If a line is rejected, or fails.
    pub async fn import_lines(&self, lines: &str) {
        let api = self.api().operator().await;
        let headers = [("content-type", "application/x-ndjson")];
        let body = Some(lines.to_owned());
        let answer = api
            .send(Method::POST, "/v1/practitioners:import", &headers, body)
            .await
            .expect(200);
        let text = &answer.text;
        let all_are_saved = ["rejected", "failed"].iter().all(|not| !text.contains(not));
        assert!(all_are_saved, "{text}");
    }

    /// What must hold at the end of every test: all events have arrived, none was given up.
    ///
    /// # Panics
    /// If it does not hold within the deadline.
    pub async fn settle(&self) {
        eventually(QUIET_WITHIN, "every event is published", async || {
            let left: i64 =
                sqlx::query_scalar("select count(*) from outbox where published_at is null")
                    .fetch_one(&self.database)
                    .await
                    .expect("the outbox can be counted");
            ensure(left == 0, format!("{left} are not"))
        })
        .await;
        let operator = self.api().operator().await;
        eventually(QUIET_WITHIN, "every event is handled", async || {
            let answer = operator.get("/v1/ops/consumers").await.expect(200).json();
            let lag = events::lag(&answer);
            ensure(lag == 0, answer)
        })
        .await;
        let dead = events::dead_letters(self).await;
        assert!(dead.is_empty(), "dead letters: {dead:#?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the host's log ends with\n{}", self.host.log_tail());
        }
    }
}

async fn start_postgres() -> Server {
    let folder = place::target().join("tests/postgres");
    postgres::start(&folder, Durability::Scratch)
        .await
        .unwrap_or_else(|error| panic!("{error:#}"))
}

async fn make_database(url: &str) -> String {
    let name = format!("world_{}", directory::fresh_id().simple());
    let pool = connect(url).await;
    let create = AssertSqlSafe(format!("create database {name}"));
    sqlx::query(create)
        .execute(&pool)
        .await
        .expect("a database can be made");
    pool.close().await;
    let (server, _) = url.rsplit_once('/').expect("the URL names a database");
    format!("{server}/{name}")
}

async fn connect(url: &str) -> PgPool {
    PgPoolOptions::new()
        .max_connections(DATABASE_CONNECTIONS_MAX)
        .connect(url)
        .await
        .unwrap_or_else(|error| panic!("could not connect to {url}: {error}"))
}

async fn start_index(folder: PathBuf) -> Server {
    opensearch::start(&place::tool("osmem-server"), &folder)
        .await
        .unwrap_or_else(|error| panic!("{error:#}"))
}
