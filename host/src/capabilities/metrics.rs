//! What components count: `praxis:metrics`.

use ::metrics::Counter;
use praxis_wasi::State;
use wasmtime::component::{HasData, Linker};

use self::bindings::praxis::metrics::counters as wit;
use crate::capabilities::Capability;
use crate::manifest::Component;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/metrics",
        inline: "
            package praxis:host-metrics;

            world counting {
                import praxis:metrics/counters@0.1.0;
            }
        ",
        world: "praxis:host-metrics/counting",
        require_store_data_send: true,
    });
}

/// Lets components count. A prefix keeps their counters apart from the host's own, and a label from
/// each other's.
pub struct Metrics;

impl Capability for Metrics {
    fn interfaces(&self) -> &'static [&'static str] {
        &["praxis:metrics/counters"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        !component.tool.praxis.counters.is_empty()
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        wit::add_to_linker::<_, Counting>(linker, |state| state.part::<Part>().0)
    }

    fn attach(&self, component: &Component, state: &mut State) {
        let granted = &component.tool.praxis.counters;
        let counters = granted.iter().map(|name| {
            let counter = counter(&component.id, name);
            // It is told from now on, as 0 if nothing was counted yet.
            counter.increment(0);
            (name.clone(), counter)
        });
        state.attach(Part {
            counters: counters.collect(),
        });
    }
}

fn counter(component: &str, name: &str) -> Counter {
    ::metrics::counter!(format!("component_{name}"), "component" => component.to_owned())
}

/// An instance's part: what it may count.
struct Part {
    counters: Vec<(String, Counter)>,
}

struct Counting;

impl HasData for Counting {
    type Data<'a> = &'a mut Part;
}

impl wit::Host for &mut Part {
    fn add(&mut self, counter: String, amount: u64) -> Result<(), wit::Error> {
        let granted = self.counters.iter().find(|(name, _)| *name == counter);
        match granted {
            Some((_, granted)) => {
                granted.increment(amount);
                Ok(())
            }
            None => Err(wit::Error::NotGranted(counter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_granted_is_counted() {
        let mut part = Part {
            counters: vec![("things".to_owned(), Counter::noop())],
        };
        let mut host = &mut part;
        assert!(wit::Host::add(&mut host, "things".into(), 2).is_ok());
        let refused = wit::Host::add(&mut host, "others".into(), 2);
        assert!(matches!(refused, Err(wit::Error::NotGranted(name)) if name == "others"));
    }
}
