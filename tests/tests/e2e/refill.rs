//! What is not in Redis is loaded from PostgreSQL once, however many ask.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Days;
use futures::future::join_all;
use praxis_tests::directory::{fresh_id, today};
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Api, Practitioner, Services, World, eventually, place};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;

/// At one time, on each of two hosts.
const READERS: usize = 48;
/// How often Redis forgets everything under load.
const FLUSHES: usize = 3;
const PRACTITIONERS: usize = 12;

#[tokio::test]
async fn a_missing_key_is_loaded_once_however_many_ask() {
    let world = World::start(Services::Embedded).await;
    // It would look, too.
    world.without_the_slow_audit().await;
    let practitioner = Practitioner::in_berlin("Missing");
    world.import(&[&practitioner]).await;
    world.settle().await;
    let another = world.another_host().await;
    let apis = [world.api(), Api::nobody(&another.base)];
    let (slots, _) = practitioner.free_slots(&apis[0]).await;
    let statements = Statements::listen(&world, &apis).await;

    flush(&world).await;
    let asked = (0..2 * READERS).map(|at| practitioner.free_slots(&apis[at % 2]));
    let answers = join_all(asked).await;
    assert!(answers.iter().all(|(free, _)| *free == slots));
    let from_database = answers.iter().filter(|(_, source)| source == "database");
    assert_eq!(from_database.count(), 1, "answers from the database");
    // The range is not the same: it was loaded all the same.
    let day = today("Europe/Berlin") + Days::new(30);
    let path = format!(
        "/v1/practitioners/{}/availability?from={day}&to={}",
        practitioner.id,
        day + Days::new(20)
    );
    let later = apis[1].get(&path).await.expect(200);
    assert_eq!(later.header("x-praxis-source"), "bitmap");
    assert_eq!(statements.about(practitioner.id), 1, "statements");

    // Nobody there: known to all who ask at one time.
    let unknown = Practitioner {
        id: fresh_id(),
        ..practitioner
    };
    let path = unknown.availability_path();
    let asked = (0..2 * READERS).map(|at| apis[at % 2].get(&path));
    for answer in join_all(asked).await {
        answer.expect(404).check_problem();
    }
    assert_eq!(statements.about(unknown.id), 1, "statements");
    set(&world, "alter system reset log_statement").await;
    world.settle().await;
}

#[tokio::test]
async fn a_redis_that_forgets_under_load_is_filled_without_a_stampede() {
    let world = World::start(Services::Embedded).await;
    // It would look, too.
    world.without_the_slow_audit().await;
    let practitioners: Vec<_> = (0..PRACTITIONERS)
        .map(|at| Practitioner::in_berlin(&format!("Refilled{at}")))
        .collect();
    world
        .import(&practitioners.iter().collect::<Vec<_>>())
        .await;
    world.settle().await;
    let api = world.api();
    let (slots, _) = practitioners[0].free_slots(&api).await;

    let done = AtomicBool::new(false);
    let reader = async |first: usize| {
        let (mut asked, mut from_database) = (0_usize, 0_usize);
        while !done.load(Ordering::Relaxed) {
            for at in 0..PRACTITIONERS {
                let one = &practitioners[(first + at) % PRACTITIONERS];
                let (free, source) = one.free_slots(&api).await;
                assert_eq!(free, slots);
                asked += 1;
                from_database += usize::from(source == "database");
            }
        }
        (asked, from_database)
    };
    let flusher = async {
        for _ in 0..FLUSHES {
            flush(&world).await;
            // Read by the readers alone.
            let what = "the readers fill it again";
            eventually(SOON, what, async || {
                let keys = keys(&world).await;
                ensure(keys == PRACTITIONERS, format!("{keys} keys"))
            })
            .await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let (read, ()) = tokio::join!(join_all((0..READERS).map(reader)), flusher);
    let asked: usize = read.iter().map(|(asked, _)| asked).sum();
    // Each of these is one statement, as the test above shows.
    let loads: usize = read.iter().map(|(_, from)| from).sum();
    println!("{asked} answers, {loads} of them from the database");
    let least = FLUSHES * PRACTITIONERS;
    // What was being loaded when Redis forgot is loaded again: its claim was forgotten as well.
    assert!((least..=2 * least).contains(&loads), "{loads} of {least}");
    world.settle().await;
}

#[tokio::test]
async fn two_months_are_one_round_trip() {
    let world = World::start(Services::Embedded).await;
    // It would look, too.
    world.without_the_slow_audit().await;
    let practitioner = Practitioner::in_berlin("Wire");
    world.import(&[&practitioner]).await;
    world.settle().await;
    let day = today("Europe/Berlin");
    let path = format!(
        "/v1/practitioners/{}/availability?from={day}&to={}",
        practitioner.id,
        day + Days::new(61)
    );
    let api = world.api();
    let first = api.get(&path).await.expect(200);
    assert_eq!(first.json()["days"].as_array().unwrap().len(), 62);

    let url = world.redis.url();
    let address = url.strip_prefix("redis://").unwrap();
    let monitor = TcpStream::connect(address.trim_end_matches('/').trim_end_matches("/0"));
    let mut monitor = BufReader::new(monitor.await.unwrap());
    monitor.write_all(b"MONITOR\r\n").await.unwrap();
    let mut lines = monitor.lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "+OK");
    let again = api.get(&path).await.expect(200);
    assert_eq!(again.header("x-praxis-source"), "bitmap");
    assert_eq!(again.json(), first.json());
    let end = fresh_id().to_string();
    let _: String = command(&world, redis::cmd("ECHO").arg(&end)).await;
    let mut seen = Vec::new();
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.contains(&end) {
            break;
        }
        seen.push(line);
    }
    // Whatever the connection says before its first command is said once, not by each request.
    seen.retain(|line| line.contains(&practitioner.id.to_string()));
    // What the script does within Redis is no round trip, and is one command all the same.
    let (within, sent): (Vec<_>, Vec<_>) = seen.iter().partition(|line| line.contains(" lua] "));
    assert!(
        within.len() == 1 && within[0].contains("\"HMGET\""),
        "{within:#?}"
    );
    let [only] = sent.as_slice() else {
        panic!("{} commands: {seen:#?}", sent.len());
    };
    assert!(only.contains("\"EVALSHA\""), "{only}");
    assert_eq!(only.matches("\"20").count(), 62, "{only}");
}

/// PostgreSQL's own log of its statements.
struct Statements {
    log: PathBuf,
    begun: u64,
}

impl Statements {
    /// From now on it has all.
    async fn listen(world: &World, apis: &[Api]) -> Self {
        let log = place::target().join("tests/postgres/log");
        let begun = std::fs::metadata(&log).unwrap().len();
        let statements = Self { log, begun };
        set(world, "alter system set log_statement = 'all'").await;
        for api in apis {
            eventually(SOON, "statements are logged", async || {
                let id = fresh_id();
                let query = "from=2026-01-01&to=2026-01-01";
                let path = format!("/v1/practitioners/{id}/availability?{query}");
                api.get(&path).await.expect(404);
                ensure(statements.about(id) == 1, "this one was not")
            })
            .await;
        }
        statements
    }

    /// How many had this practitioner as a parameter.
    fn about(&self, practitioner: Uuid) -> usize {
        let mut file = File::open(&self.log).unwrap();
        file.seek(SeekFrom::Start(self.begun)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        text.matches(&format!("$1 = '{practitioner}'")).count()
    }
}

async fn set(world: &World, setting: &'static str) {
    sqlx::query(setting).execute(&world.database).await.unwrap();
    let reload = "select pg_reload_conf()";
    sqlx::query(reload).execute(&world.database).await.unwrap();
}

async fn flush(world: &World) {
    let () = command(world, &mut redis::cmd("FLUSHALL")).await;
}

/// The days of how many practitioners are there.
async fn keys(world: &World) -> usize {
    let keys: Vec<String> = command(world, redis::cmd("KEYS").arg("*:days")).await;
    keys.len()
}

/// Says it to the world's Redis.
pub async fn command<T: redis::FromRedisValue>(world: &World, command: &mut redis::Cmd) -> T {
    let client = redis::Client::open(world.redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    command.query_async(&mut connection).await.unwrap()
}
