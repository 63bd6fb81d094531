//! What is done to hosts, servers and connections, and when: two lanes at once, each one thing after
//! the other, at random from the seed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use praxis_tests::brokers;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::offsets;
use crate::proxy::Point;
use crate::world::World;

/// How long a host may take to come to a point that is waited for.
const POINT_MS_MAX: u64 = 4_000;
const PAUSE_MS: std::ops::Range<u64> = 700..3_000;
const DOWN_MS: std::ops::Range<u64> = 50..2_000;
const AWAY_MS: std::ops::Range<u64> = 300..2_500;
const DELAY_MS: std::ops::Range<u64> = 5..60;
const DELAYED_MS: std::ops::Range<u64> = 500..3_000;

/// What can happen to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Kill,
    KillAll,
    Stop,
    At(Point),
}

/// What can happen to a server, or to the way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    PostgresRestarts,
    PostgresDies,
    PostgresIsCut,
    PostgresIsSlow,
    RedisForgets,
    RedisIsCut,
    RedisIsSlow,
    IndexRestarts,
    IndexIsAway,
    IndexIsSlow,
    MailIsAway,
    BrokerIsAway,
}

/// How often each comes, among its lane's.
const BLOWS: [(Blow, u32); 8] = [
    (Blow::Kill, 5),
    (Blow::KillAll, 1),
    (Blow::Stop, 1),
    (Blow::At(Point::AfterInsert), 4),
    (Blow::At(Point::BeforePublish), 3),
    (Blow::At(Point::AfterPublish), 3),
    (Blow::At(Point::BeforeOffset), 3),
    (Blow::At(Point::BeforeSent), 2),
];
const OUTAGES: [(Outage, u32); 12] = [
    (Outage::PostgresRestarts, 2),
    (Outage::PostgresDies, 2),
    (Outage::PostgresIsCut, 4),
    (Outage::PostgresIsSlow, 3),
    (Outage::RedisForgets, 3),
    (Outage::RedisIsCut, 2),
    (Outage::RedisIsSlow, 1),
    (Outage::IndexRestarts, 2),
    (Outage::IndexIsAway, 2),
    (Outage::IndexIsSlow, 1),
    (Outage::MailIsAway, 1),
    (Outage::BrokerIsAway, 4),
];

/// Something that was done.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    pub at_ms: u64,
    pub kind: String,
    pub what: String,
}

pub struct Script<'a> {
    world: &'a World,
    began: Instant,
    /// Nothing new from here on.
    end: Instant,
    /// Mails that a host died over wait for 90 s: none of that shortly before the end.
    ledger_end: Instant,
    stop: watch::Receiver<bool>,
    faults: Mutex<Vec<Fault>>,
    /// What went wrong with the run itself.
    pub overdue: Mutex<Vec<String>>,
}

impl<'a> Script<'a> {
    pub fn new(world: &'a World, seconds: u64, stop: watch::Receiver<bool>) -> Self {
        let began = Instant::now();
        Self {
            world,
            began,
            end: began + Duration::from_secs(seconds),
            ledger_end: began + Duration::from_secs(seconds / 2),
            stop,
            faults: Mutex::default(),
            overdue: Mutex::default(),
        }
    }

    /// Both lanes, to their end. All is there again then.
    pub async fn play(&self, seed: u64) {
        let lane = |number| {
            let mut chance = ChaCha8Rng::seed_from_u64(seed);
            chance.set_stream(number);
            chance
        };
        futures::join!(self.hosts(lane(1)), self.servers(lane(2)));
    }

    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = self.noted().clone();
        faults.sort_by_key(|fault| fault.at_ms);
        faults
    }

    /// How many of each kind.
    pub fn by_kind(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for fault in self.noted().iter() {
            *kinds.entry(fault.kind.clone()).or_default() += 1;
        }
        kinds
    }

    async fn hosts(&self, mut chance: ChaCha8Rng) {
        // Each point once before anything else, so that a short run has them all.
        let mut owed = Point::ALL;
        owed.shuffle(&mut chance);
        let mut owed = VecDeque::from(owed);
        while self.goes_on(&mut chance).await {
            let point = owed.pop_front();
            let blow = match point {
                Some(point) => Blow::At(point),
                None => weighed(&BLOWS, &mut chance),
            };
            let host = chance.random_range(0..self.world.hosts.len());
            let down = Duration::from_millis(chance.random_range(DOWN_MS));
            let struck = self.strike(blow, host, down).await;
            // Nobody came there in time: later.
            owed.extend(point.filter(|point| !struck && *point != Point::BeforeSent));
        }
    }

    /// False: nothing was done.
    async fn strike(&self, blow: Blow, host: usize, down: Duration) -> bool {
        let world = self.world;
        let name = world.hosts[host].name();
        let struck: Vec<usize> = match blow {
            Blow::Kill => {
                self.note("host killed", name);
                world.hosts[host].kill();
                vec![host]
            }
            Blow::KillAll => {
                self.note("all hosts killed", "all of them".to_owned());
                world.hosts.iter().for_each(|host| host.kill());
                (0..world.hosts.len()).collect()
            }
            Blow::Stop => {
                self.note("host stopped in order", name);
                if let Err(error) = world.hosts[host].stop().await {
                    self.fail(format!("{error:#}"));
                }
                vec![host]
            }
            Blow::At(Point::BeforeSent) if Instant::now() > self.ledger_end => return false,
            Blow::At(point) => {
                let within = Duration::from_millis(POINT_MS_MAX);
                let caught = match (&world.brokers, point) {
                    // Kafka keeps its offsets itself.
                    (Some(brokers), Point::BeforeOffset) => {
                        offsets::catch(world, brokers, within).await
                    }
                    _ => world.trap.catch(point, within).await,
                };
                let Some(caught) = caught else {
                    return false;
                };
                let kind = format!("host killed {}", point.words());
                self.note(&kind, world.hosts[caught].name());
                vec![caught]
            }
        };
        sleep(down).await;
        for host in struck {
            if let Err(error) = world.hosts[host].start(&world.api.client).await {
                self.fail(format!("{error:#}"));
            }
        }
        true
    }

    async fn servers(&self, mut chance: ChaCha8Rng) {
        while self.goes_on(&mut chance).await {
            let outage = weighed(&OUTAGES, &mut chance);
            if let Err(error) = self.suffer(outage, &mut chance).await {
                self.fail(format!("{error:#}"));
            }
        }
    }

    async fn suffer(&self, outage: Outage, chance: &mut ChaCha8Rng) -> anyhow::Result<()> {
        let world = self.world;
        let away = Duration::from_millis(chance.random_range(AWAY_MS));
        let delayed = Duration::from_millis(chance.random_range(DELAYED_MS));
        let delay_ms = chance.random_range(DELAY_MS);
        let Some(host) = world.hosts.choose(chance) else {
            return Ok(());
        };
        let lasting = |time: Duration| format!("for {} ms", time.as_millis());
        match outage {
            Outage::PostgresRestarts => {
                self.note("PostgreSQL restarted", lasting(away));
                let mut postgres = world.postgres.lock().await;
                postgres.stop().await?;
                sleep(away).await;
                postgres.start_again().await?;
            }
            Outage::PostgresDies => {
                self.note("PostgreSQL killed", lasting(away));
                let mut postgres = world.postgres.lock().await;
                postgres.kill().await;
                sleep(away).await;
                postgres.start_again().await?;
            }
            Outage::PostgresIsCut => {
                self.note("connections to PostgreSQL cut", host.name());
                host.proxy.cut();
            }
            Outage::PostgresIsSlow => {
                self.note(
                    "PostgreSQL delayed",
                    format!("{}, {delay_ms} ms", host.name()),
                );
                host.proxy.delay(delay_ms);
                sleep(delayed).await;
                host.proxy.delay(0);
            }
            Outage::RedisForgets => {
                self.note("Redis restarted, its data lost", lasting(away));
                let mut redis = world.redis.lock().await;
                redis.kill().await;
                sleep(away).await;
                redis.start_again().await?;
            }
            Outage::RedisIsCut => {
                self.note("Redis unreachable", lasting(away));
                world.redis_gate.shut();
                sleep(away).await;
                world.redis_gate.open();
            }
            Outage::RedisIsSlow => {
                self.note("Redis delayed", format!("{delay_ms} ms"));
                world.redis_gate.delay(delay_ms);
                sleep(delayed).await;
                world.redis_gate.delay(0);
            }
            Outage::IndexRestarts => {
                self.note("index restarted", lasting(away));
                world.index_gate.shut();
                let restarted = world.index.lock().await.restart(away).await;
                world.index_gate.open();
                restarted?;
            }
            Outage::IndexIsAway => {
                self.note("index unreachable", lasting(away));
                world.index_gate.shut();
                sleep(away).await;
                world.index_gate.open();
            }
            Outage::IndexIsSlow => {
                self.note("index delayed", format!("{delay_ms} ms"));
                world.index_gate.delay(delay_ms);
                sleep(delayed).await;
                world.index_gate.delay(0);
            }
            Outage::MailIsAway => {
                self.note("mail server away", lasting(away));
                world.post.shut(true);
                sleep(away).await;
                world.post.shut(false);
            }
            Outage::BrokerIsAway => {
                let Some(cluster) = &world.brokers else {
                    return Ok(());
                };
                let broker = chance.random_range(1..=brokers::BROKERS);
                self.note("broker down", format!("{broker}, {}", lasting(away)));
                cluster.one_down(broker);
                sleep(away).await;
                cluster.one_up(broker);
            }
        }
        Ok(())
    }

    /// Waits for the next blow; false once there is to be none.
    async fn goes_on(&self, chance: &mut ChaCha8Rng) -> bool {
        let pause = Duration::from_millis(chance.random_range(PAUSE_MS));
        let mut stop = self.stop.clone();
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return false,
        }
        Instant::now() < self.end
    }

    fn note(&self, kind: &str, what: String) {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let kind = kind.to_owned();
        self.noted().push(Fault { at_ms, kind, what });
    }

    fn fail(&self, why: String) {
        let mut overdue = self.overdue.lock();
        let overdue = overdue.as_mut().expect("nobody panics while noting");
        overdue.push(why);
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().expect("nobody panics while noting")
    }
}

fn weighed<T: Copy>(choices: &[(T, u32)], chance: &mut ChaCha8Rng) -> T {
    let all: u32 = choices.iter().map(|(_, weight)| weight).sum();
    let mut at = chance.random_range(0..all);
    for (choice, weight) in choices {
        if at < *weight {
            return *choice;
        }
        at -= weight;
    }
    choices[0].0
}
