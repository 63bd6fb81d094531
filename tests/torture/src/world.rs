//! What a run happens in: servers, the ways to them, and hosts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use praxis_servers::{Durability, Server, postgres, redis};
use praxis_tests::brokers::Brokers;
use praxis_tests::directory::TENANT;
use praxis_tests::gate::Gate;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Mutex;

use crate::clients::api::Api;
use crate::fleet::{Children, Host};
use crate::index::Index;
use crate::journal;
use crate::place::Place;
use crate::post::Post;
use crate::proxy::Trap;
use crate::run::{Adapter, Options};
use crate::staff::STAFF;
use crate::town::{self, Town};

const CONNECTIONS_MAX: u32 = 4;
const ACQUIRE_MS_MAX: u64 = 3_000;
pub const OPERATOR: &str = "operator";

pub struct World {
    pub postgres: Mutex<Server>,
    pub redis: Mutex<Server>,
    pub redis_gate: Gate,
    pub index_gate: Gate,
    pub brokers: Option<Brokers>,
    pub post: Post,
    pub hosts: Vec<Host>,
    pub trap: Arc<Trap>,
    pub database: PgPool,
    pub api: Api,
    pub index: Mutex<Index>,
}

impl World {
    /// Everything started anew, with a town in it; hosts that are ready.
    pub async fn start(options: &Options, adapter: Adapter, town: &Town) -> anyhow::Result<Self> {
        let place = Place::of(&options.name(adapter))?;
        let folder = &place.folder;
        let data = folder.join("data");
        praxis_tests::place::share_compiled(&data);
        let postgres = postgres::start(&folder.join("postgres"), Durability::Killable).await?;
        let redis = redis::start(&folder.join("redis"), Durability::Scratch).await?;
        let index = Index::start(&place.index, &folder.join("opensearch")).await?;
        let redis_gate = Gate::to(redis.port()).await;
        let index_gate = Gate::to(index.port()).await;
        let post = Post::open().await?;
        let brokers = match adapter {
            Adapter::Kafka => Some(Brokers::start()),
            Adapter::Postgres => None,
        };
        let mut environment = vec![
            ("REDIS_URL", format!("redis://{}", redis_gate.address())),
            ("OPENSEARCH_URL", index_gate.url()),
            ("SMTP_URL", format!("smtp://{}", post.address)),
            ("MAIL_FROM", "Praxis <praxis@clinic.example>".to_owned()),
            ("PRAXIS_DATA_DIR", data.display().to_string()),
            (
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned()),
            ),
            ("RUST_BACKTRACE", "0".to_owned()),
        ];
        if let Some(brokers) = &brokers {
            environment.push(("KAFKA_BROKERS", brokers.bootstrap.clone()));
        }
        let environment: Vec<_> = environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let children = Children::new(options.hosts);
        let killed = children.clone();
        let trap = Trap::new(move |host| killed.kill(host));
        let mut hosts = Vec::new();
        for number in 0..options.hosts {
            let port = postgres.port();
            hosts.push(Host::new(number, &place, port, &environment, &children, &trap).await?);
        }
        let database = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_millis(ACQUIRE_MS_MAX))
            .connect(&postgres.url())
            .await
            .context("could not connect to PostgreSQL")?;
        let api = Api::new(hosts.iter().map(|host| host.base.clone()).collect())?;
        let mut world = Self {
            postgres: Mutex::new(postgres),
            redis: Mutex::new(redis),
            redis_gate,
            index_gate,
            brokers,
            post,
            hosts,
            trap,
            database,
            api,
            index: Mutex::new(index),
        };
        world.settle_in(options, town).await?;
        Ok(world)
    }

    /// The first host alone: it compiles the components, and makes the schema and the issuer.
    async fn settle_in(&mut self, options: &Options, town: &Town) -> anyhow::Result<()> {
        let (first, others) = self
            .hosts
            .split_first()
            .context("a run needs a host at least")?;
        first.start(&self.api.client).await?;
        for host in others {
            host.start(&self.api.client).await?;
        }
        let made = sqlx::raw_sql(journal::SQL).execute(&self.database).await;
        made.context("could not keep a journal")?;
        // What it would heal is to be found here.
        let held_off = sqlx::query("delete from audit_passes").execute(&self.database);
        held_off.await.context("could not hold off the audit")?;
        let operator = json!({ "sub": OPERATOR, "roles": ["operator"] });
        self.api.sign_in(OPERATOR, operator).await?;
        let staff = json!({ "sub": STAFF, "roles": ["staff"], "tenant": TENANT });
        self.api.sign_in(STAFF, staff).await?;
        for patient in &town.patients {
            let claims = town::claims(patient);
            self.api.sign_in(patient, claims).await?;
        }
        self.import(town).await?;
        for mutation in &options.broken {
            let broken = sqlx::raw_sql(mutation.sql()).execute(&self.database).await;
            broken.with_context(|| format!("could not break {mutation:?}"))?;
        }
        Ok(())
    }

    async fn import(&self, town: &Town) -> anyhow::Result<()> {
        let lines = town.lines();
        let base = &self.api.bases[0];
        let path = "/v1/practitioners:import";
        let request = self.api.request(Method::POST, base, path, OPERATOR);
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request.body(lines.join("\n")).send().await?;
        let answer = answer.error_for_status()?.text().await?;
        ensure!(!answer.contains("rejected"), "the import rejects: {answer}");
        Ok(())
    }

    /// Hosts that ended without being told to.
    pub fn fallen(&self) -> anyhow::Result<Vec<String>> {
        let mut fallen = Vec::new();
        for host in &self.hosts {
            if let Some(status) = host.ended()? {
                let (name, log) = (host.name(), host.log_tail());
                fallen.push(format!("{name} has ended ({status:?}):\n{log}"));
            }
        }
        Ok(fallen)
    }
}
