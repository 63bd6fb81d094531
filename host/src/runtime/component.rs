//! One component: compiled and linked once, instantiated for each piece of work.

use std::sync::Arc;
use std::time::Duration;

use praxis_wasi::State;
use wasmtime::component::InstancePre;
use wasmtime::{AsContextMut as _, Engine, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::WasiCtx;

use super::console::{Allowance, Console};
use super::files::Files;
use super::life::{Life, Work};
use super::turns::{self, Rest};
use crate::capabilities::Capability;
use crate::manifest;
use crate::manifest::limits::DESCRIPTORS;

/// Handles that an instance holds at one time: resources, streams, futures and tasks, of the host and of
/// its own.
const HANDLES_MAX: usize = 16_384;
/// What the host keeps of an instance's tasks, streams and futures: a few entries for each.
const WAITABLES_MAX: usize = 4 * HANDLES_MAX;
/// Linear memory where the manifest says nothing.
pub const MEMORY_BYTES_DEFAULT: usize = 128 << 20;
/// Time for one request where the manifest says nothing.
pub const REQUEST_TIMEOUT_MS_DEFAULT: u64 = 30_000;
/// Time that a request or an event waits for room where the manifest says nothing.
pub const QUEUE_TIMEOUT_MS_DEFAULT: u64 = 5_000;
/// Time for one event where the manifest says nothing.
pub const EVENT_TIMEOUT_MS_DEFAULT: u64 = 60_000;

/// A component that is ready to be instantiated.
#[derive(Clone)]
pub struct Component {
    pub manifest: Arc<manifest::Component>,
    /// The digest of its file, in hexadecimal.
    pub sha256: Arc<str>,
    pub(super) engine: Engine,
    pub(super) pre: InstancePre<State>,
    pub(super) capabilities: Arc<[Arc<dyn Capability>]>,
    pub(super) life: Arc<Life>,
    pub(super) files: Option<Arc<Files>>,
    pub(super) printing: Arc<Allowance>,
}

impl Component {
    pub fn pre(&self) -> &InstancePre<State> {
        &self.pre
    }

    /// What this version has in hand.
    pub fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// The same code, to begin a new life with.
    pub(super) fn again(&self) -> Self {
        Self {
            life: Arc::default(),
            ..self.clone()
        }
    }

    /// Whether both show the same files to their instances.
    pub(super) fn has_files_of(&self, other: &Self) -> anyhow::Result<bool> {
        match (&self.files, &other.files) {
            (None, None) => Ok(true),
            (Some(own), Some(others)) => Ok(own.digest()? == others.digest()?),
            (Some(_), None) | (None, Some(_)) => Ok(false),
        }
    }

    /// A store for one new instance: its grants, its limits, and an epoch deadline at which it lets
    /// others run, so that a time-out around the call takes effect even in a busy loop.
    pub fn store(&self) -> Store<State> {
        let tool = &self.manifest.tool.praxis;
        let mut wasi = WasiCtx::builder();
        for (name, value) in &self.manifest.environment {
            wasi.env(name, value);
        }
        wasi.stdout(Console::new(&self.printing, "stdout"));
        wasi.stderr(Console::new(&self.printing, "stderr"));
        if let Some(files) = &self.files {
            files.mount(&mut wasi);
        }
        for capability in self.capabilities.iter() {
            capability.prepare(&self.manifest, &mut wasi);
        }
        let mut state = State::new(
            wasi.build(),
            tool.memory_bytes_max.unwrap_or(MEMORY_BYTES_DEFAULT),
            tool.limits.count(&DESCRIPTORS),
        );
        for capability in self.capabilities.iter() {
            capability.attach(&self.manifest, &mut state);
        }
        state.attach(self.life.begin(Work::Instance));
        let mut store = Store::new(&self.engine, state);
        store.set_max_component_handles(HANDLES_MAX);
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(WAITABLES_MAX);
        }
        store.limiter(|state| &mut state.limits);
        let manifest = Arc::clone(&self.manifest);
        let rest = Rest::default();
        store.data_mut().attach(rest.clone());
        store.epoch_deadline_callback(move |_| {
            if rest.goes_on() {
                return Ok(UpdateDeadline::Continue(1));
            }
            let manifest = Arc::clone(&manifest);
            let turn = async move { turns::next(&manifest.id).await };
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn)))
        });
        self.refill(store.as_context_mut());
        store
    }

    /// Gives an instance what one call may use of the processor: a tick until it lets others run,
    /// and its fuel. For an instance that is used again.
    pub fn refill(&self, mut store: StoreContextMut<'_, State>) {
        store.set_epoch_deadline(1);
        rest(store.data_mut()).begin();
        if let Some(fuel) = self.manifest.tool.praxis.fuel_max {
            store
                .set_fuel(fuel.get())
                .expect("a component with fuel_max has an engine that counts");
        }
    }

    pub fn request_timeout(&self) -> Duration {
        let set = self.manifest.tool.praxis.request_timeout_ms;
        Duration::from_millis(set.unwrap_or(REQUEST_TIMEOUT_MS_DEFAULT))
    }

    pub fn event_timeout(&self) -> Duration {
        let set = self.manifest.tool.praxis.event_timeout_ms;
        Duration::from_millis(set.unwrap_or(EVENT_TIMEOUT_MS_DEFAULT))
    }

    /// How long a request or an event may wait for room.
    pub fn queue_timeout(&self) -> Duration {
        let set = self.manifest.tool.praxis.queue_timeout_ms;
        Duration::from_millis(set.unwrap_or(QUEUE_TIMEOUT_MS_DEFAULT))
    }

    /// How long any call may take.
    pub(super) fn longest_call(&self) -> Duration {
        self.request_timeout().max(self.event_timeout())
    }
}

/// That of an instance whose store was made here.
pub fn rest(state: &mut State) -> Rest {
    let (rest, _) = state.part::<Rest>();
    rest.clone()
}
