//! The capability `praxis:events/producer`.

use std::sync::Arc;

use praxis_wasi::State;
use wasmtime::component::{Accessor, HasData, Linker};

use super::{Broker, Error, Outgoing, Record, trace};
use crate::capabilities::Capability;
use crate::capabilities::events::{Event, Publication};
use crate::clock;
use crate::manifest::Component;

const KIND_BYTES_MAX: usize = 64;
const KEY_BYTES_MAX: usize = 128;
const DATA_BYTES_MAX: usize = 64 * 1024;

/// Events that one handling may publish.
pub const PUBLICATIONS_MAX: usize = 1_024;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/events"],
        inline: "
            package praxis:host-events;

            world producer {
                import praxis:events/producer@0.1.0;
            }
        ",
        world: "praxis:host-events/producer",
        imports: { default: async | trappable },
        require_store_data_send: true,
    });
}

use bindings::praxis::events::producer as wit;

/// Lets components publish.
pub struct Producer {
    broker: Arc<dyn Broker>,
}

impl Producer {
    pub fn new(broker: Arc<dyn Broker>) -> Self {
        Self { broker }
    }
}

impl Capability for Producer {
    fn interfaces(&self) -> &'static [&'static str] {
        &["praxis:events/producer"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        !component.tool.praxis.publishes.is_empty()
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        // The types have no functions; a component imports them by name all the same.
        bindings::praxis::events::types::add_to_linker::<_, Producing>(linker, |state| state)?;
        wit::add_to_linker::<_, Producing>(linker, |state| state)
    }

    fn attach(&self, component: &Component, state: &mut State) {
        state.attach(Part {
            broker: self.broker.clone(),
            component: component.id.clone(),
            granted: component.tool.praxis.publishes.clone(),
        });
    }
}

/// What the handler of an event published so far. While an instance has one, what it publishes is
/// kept there instead of published.
#[derive(Debug, Default)]
pub struct Publications {
    pub kept: Vec<Publication>,
    are_refused: bool,
}

impl Publications {
    /// For an instance that may not publish.
    pub fn refused() -> Self {
        Self {
            kept: Vec::new(),
            are_refused: true,
        }
    }

    fn keep(&mut self, publication: Publication) -> Result<(), wit::Error> {
        if self.are_refused {
            let why = "what handles a batch of events does not publish";
            return Err(wit::Error::Invalid(why.to_owned()));
        }
        if self.kept.len() >= PUBLICATIONS_MAX {
            return Err(wit::Error::Invalid(format!(
                "one handling publishes {PUBLICATIONS_MAX} events at most"
            )));
        }
        self.kept.push(publication);
        Ok(())
    }
}

/// An instance's part.
struct Part {
    broker: Arc<dyn Broker>,
    component: String,
    granted: Vec<String>,
}

struct Producing;

impl HasData for Producing {
    type Data<'a> = &'a mut State;
}

impl wit::Host for &mut State {}

impl bindings::praxis::events::types::Host for &mut State {}

impl wit::HostWithStore<State> for Producing {
    async fn publish(
        accessor: &Accessor<State, Self>,
        topic: String,
        event: wit::Event,
    ) -> wasmtime::Result<Result<(), wit::Error>> {
        let event = Event {
            kind: event.kind,
            key: event.key,
            stream_version: event.stream_version,
            data: event.data,
        };
        let publication = Publication { topic, event };
        let now = match accessor.with(|mut access| access.get().keep_or_give_back(publication)) {
            Ok(Some(now)) => now,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        let (broker, outgoing) = now;
        Ok(broker.publish(&[outgoing]).await.map_err(to_guest))
    }
}

/// A record to publish at once, and where.
type Now = (Arc<dyn Broker>, Outgoing);

trait KeepOrGiveBack {
    fn keep_or_give_back(&mut self, publication: Publication) -> Result<Option<Now>, wit::Error>;
}

impl KeepOrGiveBack for State {
    /// Keeps the publication if an event is being handled; else gives back what to publish now.
    fn keep_or_give_back(&mut self, publication: Publication) -> Result<Option<Now>, wit::Error> {
        let (part, _) = self.part::<Part>();
        if !part.granted.contains(&publication.topic) {
            return Err(wit::Error::NotGranted(publication.topic));
        }
        check(&publication.event).map_err(|limit| wit::Error::Invalid(limit.to_owned()))?;
        let source = part.component.clone();
        let broker = part.broker.clone();
        if let Some(mut kept) = self.detach::<Publications>() {
            let is_kept = kept.keep(publication);
            self.attach(kept);
            return is_kept.map(|()| None);
        }
        let now_ms = clock::now().timestamp_millis().unsigned_abs();
        let id = clock::id();
        let record = Record {
            traceparent: Some(trace::begin(id)),
            ..Record::new(id, source, now_ms, publication.event)
        };
        let outgoing = Outgoing {
            topic: publication.topic,
            partition: None,
            record,
        };
        Ok(Some((broker, outgoing)))
    }
}

/// The limits of `praxis:events/types`; says which one is broken.
fn check(event: &Event) -> Result<(), &'static str> {
    let kind = &event.kind;
    if kind.is_empty()
        || kind.len() > KIND_BYTES_MAX
        || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Err("kind is not 1 to 64 ASCII letters and digits");
    }
    if event.key.is_empty() || event.key.len() > KEY_BYTES_MAX {
        return Err("key is not 1 to 128 bytes");
    }
    if event.key.contains(char::is_control) {
        return Err("key has a control character");
    }
    if event.data.len() > DATA_BYTES_MAX {
        return Err("data is more than 64 KiB");
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(&event.data).is_err() {
        return Err("data is not JSON");
    }
    Ok(())
}

fn to_guest(error: Error) -> wit::Error {
    match error {
        Error::Unavailable(cause) => {
            tracing::warn!(cause, "could not publish an event");
            wit::Error::Unavailable
        }
        // Granted, so declared, so made at start-up: it was deleted since.
        Error::UnknownTopic(topic) => {
            tracing::error!(event.topic = topic, "the topic is gone");
            wit::Error::Unavailable
        }
        Error::Refused(reason) => {
            tracing::error!(reason, "the broker refuses what a component publishes");
            wit::Error::Invalid("the event broker refuses it".to_owned())
        }
        // Only a partition can be lost, and publishing has none.
        Error::Lost => wit::Error::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            kind: "LightSwitchedOn".to_owned(),
            key: "lamp".to_owned(),
            stream_version: 0,
            data: "{}".to_owned(),
        }
    }

    #[test]
    fn an_event_within_the_limits_passes() {
        assert_eq!(check(&event()), Ok(()));
    }

    #[test]
    fn each_limit_is_named() {
        let event = event();
        let kind = |kind: &str| Event {
            kind: kind.to_owned(),
            ..event.clone()
        };
        let key = |key: String| Event {
            key,
            ..event.clone()
        };
        let data = |data: String| Event {
            data,
            ..event.clone()
        };
        for (event, named) in [
            (kind(""), "kind"),
            (kind("Light Switched"), "kind"),
            (kind(&"a".repeat(65)), "kind"),
            (key(String::new()), "key"),
            (key("k".repeat(129)), "key"),
            (key("a\0b".to_owned()), "key"),
            (data("{".to_owned()), "data"),
            (data(format!("\"{}\"", "d".repeat(DATA_BYTES_MAX))), "data"),
        ] {
            assert!(check(&event).unwrap_err().starts_with(named));
        }
    }
}
