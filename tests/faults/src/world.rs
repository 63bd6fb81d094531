//! What a run happens in: PostgreSQL, perhaps brokers, and hosts.

use std::fs;
use std::io::ErrorKind;

use anyhow::Context as _;
use praxis_servers::{Durability, Server, postgres};

use crate::brokers::Brokers;
use crate::database::Database;
use crate::fleet::Fleet;
use crate::host::Setup;
use crate::losses::{self, Loss, Warning};
use crate::operations::Operations;
use crate::place::Place;
use crate::records::Record;
use crate::run::{Adapter, Options};
use crate::{manifest, records};

pub struct World {
    pub postgres: Server,
    pub brokers: Option<Brokers>,
    pub fleet: Fleet,
    pub database: Database,
}

impl World {
    /// Everything started anew; hosts that are ready.
    pub async fn start(options: &Options, adapter: Adapter) -> anyhow::Result<Self> {
        let place = Place::of(options.name(adapter))?;
        match fs::remove_dir_all(&place.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("could not empty {}", place.folder.display()));
            }
            Ok(()) | Err(_) => {}
        }
        let folder = place.folder.join("postgres");
        let postgres = postgres::start(&folder, Durability::Scratch).await?;
        let database = Database::open(&postgres.url()).await?;
        let brokers = match adapter {
            Adapter::Kafka => Some(Brokers::start()?),
            Adapter::Postgres => None,
        };
        let file = place.folder.join("spin.toml");
        fs::write(&file, manifest::manifest(&place))
            .with_context(|| format!("could not write {}", file.display()))?;
        let mut environment = vec![
            ("DATABASE_URL", postgres.url()),
            ("PRAXIS_DATA_DIR", "data".to_owned()),
            ("PRAXIS_MANIFEST", "spin.toml".to_owned()),
            ("SPIN_VARIABLE_BROKEN", options.broken_word().to_owned()),
            (
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned()),
            ),
            ("RUST_BACKTRACE", "0".to_owned()),
            // The logs are read by this program, too.
            ("NO_COLOR", "1".to_owned()),
        ];
        if let Some(brokers) = &brokers {
            environment.push(("KAFKA_BROKERS", brokers.bootstrap.clone()));
            let session_ms = options.session_ms().to_string();
            environment.push(("KAFKA_SESSION_TIMEOUT_MS", session_ms));
        }
        let setup = Setup {
            praxis: place.praxis,
            folder: place.folder,
            environment: environment
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        };
        let mut fleet = Fleet::new(setup, Operations::new()?);
        // The first one alone: it compiles the component, and makes the schema and the issuer.
        for host in 0..options.hosts {
            fleet.start().await?;
            if host == 0 {
                fleet.sign_in().await?;
            }
        }
        Ok(Self {
            postgres,
            brokers,
            fleet,
            database,
        })
    }

    /// What hosts said since the first event that they lost, those that are gone as well.
    pub async fn losses(&self) -> anyhow::Result<Vec<Loss>> {
        let mut warnings = Vec::new();
        for (host, log) in self.fleet.logs()? {
            warnings.extend(losses::warnings(&host, &log));
        }
        let written = warnings.iter().map(|warning| warning.written.clone());
        let times = self.database.times(written.collect()).await?;
        let losses = warnings.into_iter().zip(times);
        let losses = losses.filter_map(|(Warning { host, group, .. }, at_ms)| {
            let at_ms = u64::try_from(at_ms).ok()?;
            Some(Loss { host, at_ms, group })
        });
        Ok(losses.collect())
    }

    /// All records of a topic, by partition and offset.
    pub async fn records(
        &self,
        topic: &'static str,
        partitions: u32,
    ) -> anyhow::Result<Vec<Record>> {
        match &self.brokers {
            Some(brokers) => {
                let bootstrap = brokers.bootstrap.clone();
                let read = move || records::in_kafka(&bootstrap, topic, partitions);
                tokio::task::spawn_blocking(read).await?
            }
            None => records::in_postgres(&self.database.pool, topic).await,
        }
    }
}
