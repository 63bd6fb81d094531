//! `[[trigger.redis]]`: a component is called for each message that is published on its channels.
//!
//! Redis keeps no messages: what is published while the connection is down is not seen, and so much
//! cannot be helped. What did arrive is tried several times before it is given up. Messages may
//! overtake each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::StreamExt as _;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backoff::backoff;
use crate::capabilities::variables::Variables;
use crate::manifest::Manifest;
use crate::manifest::limits::{MESSAGES_IN_FLIGHT, MESSAGES_QUEUED, MESSAGES_QUEUED_BYTES};
use crate::runtime::application::Application;
use crate::runtime::subscriber::Subscriber;

/// How often a message is tried.
const ATTEMPTS_MAX: u32 = 4;
const RETRY_FIRST_MS: u64 = 100;
const RETRY_MS_MAX: u64 = 5_000;
/// Opening the connection, subscriptions included.
const CONNECT_TIMEOUT_MS: u64 = 5_000;
const RECONNECT_FIRST_MS: u64 = 100;
const RECONNECT_MS_MAX: u64 = 5_000;
/// How often a silent connection is asked whether it is still there.
const PING_INTERVAL_MS: u64 = 10_000;
const PING_TIMEOUT_MS: u64 = 5_000;
/// How long messages may be worked on once the host is to stop.
const DRAIN_TIMEOUT_MS: u64 = 10_000;

/// The channels of one server, and who gets what is published there.
pub struct Subscription {
    client: Client,
    channels: BTreeMap<String, Vec<Subscriber>>,
}

impl Subscription {
    /// Who is called, to be told of new versions.
    pub fn subscribers(&self) -> impl Iterator<Item = &Subscriber> {
        self.channels.values().flatten()
    }
}

/// The subscriptions that the manifest asks for, one a server.
///
/// Fails with the channel if its trigger has no address, if a template in it cannot be expanded, or
/// if its component does not export `spin:redis/inbound-redis@3.0.0`.
pub fn subscriptions(
    manifest: &Manifest,
    variables: &Variables,
    application: &Application,
) -> anyhow::Result<Vec<Subscription>> {
    let default = manifest.application.trigger.redis.address.as_deref();
    let mut servers: BTreeMap<String, Subscription> = BTreeMap::new();
    for trigger in &manifest.trigger.redis {
        let named = || format!("in [[trigger.redis]] with channel {:?}", trigger.channel);
        let address =
            trigger.address.as_deref().or(default).ok_or_else(|| {
                anyhow!("there is no address, here or in [application.trigger.redis]")
            });
        let address = variables.expand(address.with_context(named)?);
        let address = address.with_context(named)?;
        let channel = variables.expand(&trigger.channel).with_context(named)?;
        let subscriber = Subscriber::new(application.component(&trigger.component))?;
        let subscription = match servers.get_mut(&address) {
            Some(subscription) => subscription,
            None => {
                let client = Client::open(address.as_str()).with_context(named)?;
                let channels = BTreeMap::new();
                servers
                    .entry(address)
                    .or_insert(Subscription { client, channels })
            }
        };
        let subscribers = subscription.channels.entry(channel).or_default();
        subscribers.push(subscriber);
    }
    Ok(servers.into_values().collect())
}

/// Listens until `stop`, whatever happens to the server meanwhile. Then what has arrived is
/// finished, within its time.
pub async fn run(subscription: Subscription, stop: CancellationToken) {
    let place = subscription.client.get_connection_info().addr().to_string();
    let work = TaskTracker::new();
    let inboxes = Inboxes::open(&subscription.channels, &work);
    let mut pauses = backoff(RECONNECT_FIRST_MS, RECONNECT_MS_MAX);
    let listening = async {
        loop {
            let channels = subscription.channels.keys();
            match connect(&subscription.client, channels).await {
                Ok((sink, messages)) => {
                    tracing::info!(redis = place, "subscribed");
                    pauses = backoff(RECONNECT_FIRST_MS, RECONNECT_MS_MAX);
                    listen(sink, messages, &inboxes).await;
                    tracing::warn!(redis = place, "the subscription was lost");
                }
                Err(reason) => tracing::warn!(redis = place, reason, "could not subscribe"),
            }
            metrics::counter!("redis_subscriptions_lost_total").increment(1);
            tokio::time::sleep(pauses()).await;
        }
    };
    stop.run_until_cancelled(listening).await;
    drop(inboxes);
    work.close();
    let drained = tokio::time::timeout(Duration::from_millis(DRAIN_TIMEOUT_MS), work.wait());
    if drained.await.is_err() {
        tracing::warn!(redis = place, "messages were still worked on at the stop");
    }
}

async fn connect(
    client: &Client,
    channels: impl Iterator<Item = &String>,
) -> Result<(PubSubSink, PubSubStream), String> {
    let connecting = async {
        let mut connection = client.get_async_pubsub().await?;
        for channel in channels {
            connection.subscribe(channel).await?;
        }
        RedisResult::Ok(connection.split())
    };
    match tokio::time::timeout(Duration::from_millis(CONNECT_TIMEOUT_MS), connecting).await {
        Ok(connected) => connected.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {CONNECT_TIMEOUT_MS} ms")),
    }
}

/// Until the connection is lost.
async fn listen(mut sink: PubSubSink, mut messages: PubSubStream, inboxes: &Inboxes) {
    let silence = Duration::from_millis(PING_INTERVAL_MS);
    loop {
        match tokio::time::timeout(silence, messages.next()).await {
            Ok(Some(message)) => match message.get_channel::<String>() {
                Ok(channel) => inboxes.deliver(&channel, message.get_payload_bytes()),
                Err(error) => tracing::warn!(%error, "a message has no channel"),
            },
            Ok(None) => return,
            Err(_) => {
                let limit = Duration::from_millis(PING_TIMEOUT_MS);
                let ping = tokio::time::timeout(limit, sink.ping::<redis::Value>());
                if !matches!(ping.await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

/// One queue for each component on each channel: who is slow holds up nobody else.
struct Inboxes(BTreeMap<String, Vec<Inbox>>);

struct Inbox {
    component: String,
    queue: mpsc::Sender<Message>,
    bytes: Arc<Semaphore>,
}

struct Message {
    payload: Vec<u8>,
    _bytes: OwnedSemaphorePermit,
}

impl Inboxes {
    fn open(channels: &BTreeMap<String, Vec<Subscriber>>, work: &TaskTracker) -> Self {
        let inbox = |subscriber: &Subscriber| {
            // Of what is beyond them, the trigger gets nothing.
            let limits = subscriber.limits();
            let (queue, waiting) = mpsc::channel(limits.count(&MESSAGES_QUEUED));
            let places = Arc::new(Semaphore::new(limits.count(&MESSAGES_IN_FLIGHT)));
            work.spawn(work_off(subscriber.clone(), waiting, places, work.clone()));
            Inbox {
                component: subscriber.id(),
                queue,
                bytes: Arc::new(Semaphore::new(limits.count(&MESSAGES_QUEUED_BYTES))),
            }
        };
        let inboxes = channels.iter().map(|(channel, subscribers)| {
            let inboxes = subscribers.iter().map(inbox).collect();
            (channel.clone(), inboxes)
        });
        Self(inboxes.collect())
    }

    fn deliver(&self, channel: &str, payload: &[u8]) {
        for inbox in self.0.get(channel).into_iter().flatten() {
            if inbox.put(payload).is_none() {
                let component = inbox.component.as_str();
                tracing::warn!(component, channel, "a message was dropped: too many wait");
                count(component, "dropped");
            }
        }
    }
}

impl Inbox {
    fn put(&self, payload: &[u8]) -> Option<()> {
        let bytes = u32::try_from(payload.len()).ok()?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()?;
        let message = Message {
            payload: payload.to_vec(),
            _bytes: bytes,
        };
        self.queue.try_send(message).ok()
    }
}

/// Until nobody can put anything into the queue any more.
async fn work_off(
    subscriber: Subscriber,
    mut waiting: mpsc::Receiver<Message>,
    places: Arc<Semaphore>,
    work: TaskTracker,
) {
    while let Some(message) = waiting.recv().await {
        let place = Arc::clone(&places).acquire_owned().await;
        let subscriber = subscriber.clone();
        work.spawn(async move {
            handle(&subscriber, message).await;
            drop(place);
        });
    }
}

async fn handle(subscriber: &Subscriber, message: Message) {
    let component = &subscriber.id();
    let mut pauses = backoff(RETRY_FIRST_MS, RETRY_MS_MAX);
    for attempt in 1..=ATTEMPTS_MAX {
        match subscriber.handle(message.payload.clone()).await {
            Ok(()) => {
                count(component, "done");
                return;
            }
            Err(reason) if attempt < ATTEMPTS_MAX => {
                tracing::warn!(component, attempt, reason, "a message failed");
                count(component, "retried");
                tokio::time::sleep(pauses()).await;
            }
            Err(reason) => {
                tracing::error!(component, attempt, reason, "a message was given up");
                count(component, "failed");
            }
        }
    }
}

fn count(component: &str, outcome: &'static str) {
    let labels = [
        ("component", component.to_owned()),
        ("outcome", outcome.to_owned()),
    ];
    metrics::counter!("redis_messages_total", &labels).increment(1);
}
