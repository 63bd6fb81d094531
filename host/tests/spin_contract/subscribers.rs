//! `[[trigger.redis]]` with a component that exports `spin:redis/inbound-redis`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use praxis_host::capabilities::outbound::{Authorities, Http, Networks, Outbound};
use praxis_host::capabilities::variables::{Environment, Variables};
use praxis_host::triggers::redis as trigger;
use praxis_servers::Server;
use redis::AsyncTypedCommands as _;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::guest::{self, Product, SUBSCRIBER, logged};

/// What the manifest's template comes to.
const CHANNEL: &str = "told";

/// The component behind its channel, and a connection to see what it did.
struct Subscribed {
    server: Server,
    redis: MultiplexedConnection,
    stop: CancellationToken,
    tasks: TaskTracker,
    _folders: (TempDir, TempDir),
}

impl Subscribed {
    async fn start(limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (server, data) = crate::redis::start().await;
        let url = server.url();
        let known = ["database_url", "redis_url", "database_words"]
            .map(|name| (name.to_owned(), url.clone()));
        let known = BTreeMap::from(known);
        let grants = format!(
            "allowed_outbound_hosts = [\"{{{{ redis_url }}}}\"]\n\
             [component.probe.variables]\nredis_url = \"{{{{ redis_url }}}}\"\n\
             [component.probe.tool.praxis]\n{limits}\n\
             [application.trigger.redis]\naddress = \"{{{{ redis_url }}}}\"\n\
             [[trigger.redis]]\nchannel = \"to{{{{ ending }}}}\"\ncomponent = \"probe\"\n\
             [variables.ending]\ndefault = \"ld\"\n"
        );
        let manifest = guest::manifest(folder.path(), SUBSCRIBER, &grants);
        let variables =
            Arc::new(Variables::resolve(&manifest, &Environment::default(), &known).unwrap());
        let outbound = Arc::new(Outbound::resolve(&manifest, &variables).unwrap());
        let http = Arc::new(Http::new(
            Arc::clone(&outbound),
            Networks::default(),
            Authorities::default(),
        ));
        let http = (http, Networks::default());
        let seen = Arc::clone(&variables);
        let application =
            guest::load(&manifest, variables, outbound, http, &known, Product::Redis).unwrap();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let subscriptions = trigger::subscriptions(&manifest, &seen, &application).unwrap();
        assert_eq!(subscriptions.len(), 1);
        for subscription in subscriptions {
            tasks.spawn(trigger::run(subscription, stop.clone()));
        }
        tasks.close();
        Self {
            redis: connect(&url).await,
            server,
            stop,
            tasks,
            _folders: (folder, data),
        }
    }

    /// Published once somebody listens.
    async fn tell(&mut self, message: &str) {
        let mut redis = self.redis.clone();
        until("somebody listens", async || {
            redis
                .publish(CHANNEL, message)
                .await
                .is_ok_and(|listeners| listeners > 0)
        })
        .await;
    }

    async fn seen(&self) -> Vec<String> {
        self.redis.clone().lrange("seen", 0, -1).await.unwrap()
    }

    async fn number(&self, key: &str) -> u64 {
        let text = self.redis.clone().get(key).await.unwrap();
        text.map_or(0, |text| text.parse().unwrap())
    }

    async fn until_seen(&self, name: &str) {
        until(name, async || self.seen().await.contains(&name.to_owned())).await;
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_reaches_its_component_and_one_that_fails_is_tried_again() {
    let log = logged();
    let mut subscribed = Subscribed::start("").await;
    subscribed.tell("ok first").await;
    subscribed.until_seen("first").await;
    subscribed.tell("fail 2 later").await;
    subscribed.until_seen("later").await;
    assert_eq!(subscribed.number("tried:later").await, 3);

    subscribed.tell("fail 9 never").await;
    let last = "never fails for the 4. time";
    let given_up = |line: &str| line.contains(last) && line.contains("given up");
    until("it is given up", async || log.text().lines().any(given_up)).await;
    assert_eq!(subscribed.number("tried:never").await, 4);
    assert_eq!(subscribed.seen().await, ["first", "later"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_traps_or_never_ends_hurts_only_itself() {
    let mut subscribed = Subscribed::start("event_timeout_ms = 300").await;
    subscribed.tell("trap").await;
    subscribed.tell("loop").await;
    until("the loop runs", async || {
        subscribed.number("looped").await > 0
    })
    .await;
    subscribed.tell("ok beside").await;
    subscribed.until_seen("beside").await;
    until("all tries", async || {
        subscribed.number("looped").await == 4 && subscribed.number("trapped").await == 4
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_worked_on_a_few_at_one_time() {
    let mut subscribed = Subscribed::start("").await;
    for n in 0..64 {
        subscribed.tell(&format!("slow {n}")).await;
    }
    until("all are done", async || subscribed.seen().await.len() == 64).await;
    let samples: Vec<String> = subscribed
        .redis
        .lrange("at-once-seen", 0, -1)
        .await
        .unwrap();
    let most = samples.iter().map(|n| n.parse::<u64>().unwrap()).max();
    assert!(
        most.is_some_and(|most| (2..=16).contains(&most)),
        "{most:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_outlives_its_server() {
    let mut subscribed = Subscribed::start("").await;
    subscribed.tell("ok before").await;
    subscribed.until_seen("before").await;
    subscribed.server.stop().await.unwrap();
    subscribed.server.start_again().await.unwrap();
    subscribed.redis = connect(&subscribed.server.url()).await;
    subscribed.tell("ok after").await;
    subscribed.until_seen("after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_is_finished_at_the_stop() {
    let mut subscribed = Subscribed::start("").await;
    subscribed.tell("slow last").await;
    until("it is under way", async || {
        subscribed.number("at-once").await > 0
    })
    .await;
    subscribed.stop.cancel();
    subscribed.tasks.wait().await;
    assert_eq!(subscribed.seen().await, ["last"]);
}
