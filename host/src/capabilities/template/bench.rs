//! Where renderers run: an engine of their own, and a fresh instance for each call.

use std::path::Path;
use std::time::Duration;

use praxis_wasi::{Limits, State};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{
    Enabled, Engine, PoolConcurrencyLimitError, PoolingAllocationConfig, ResourceLimiter, Store,
    Trap,
};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use super::limits::{
    ANSWER_BYTES_MAX, CALL_MS_MAX, CALLS_AT_ONCE_MAX, FUEL_MAX, MEMORY_BYTES_MAX, RANDOM_BYTES_MAX,
    shortened,
};
use crate::binary;
use crate::runtime::engine;

/// What a renderer may import: what programs need to start. Each of it gives nothing here: no
/// variables, no files, a clock that stands still, chance that is always the same. So the same template
/// says the same of the same view, today and when somebody asks why it did.
const WASI: [&str; 5] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];
/// A message takes a tenth of a millisecond, and whoever loops waits for nobody but its own time-out.
const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Core modules in one component, with those that `wit-component` adds.
const CORE_INSTANCES_MAX: u32 = 50;
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 16;
const TABLE_ELEMENTS_MAX: usize = 20_000;
const INSTANCE_BYTES_MAX: usize = 1 << 20;
/// Pages that stay mapped between two instances: cheaper to clear than to map again.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;
const STACK_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// The engine of renderers.
pub struct Bench {
    engine: Engine,
    linker: Linker<State>,
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum Fault {
    /// It trapped, or used up what it has.
    Broken(String),
    /// There is no room for one more.
    Full,
}

impl Bench {
    /// Compiled code is kept in the folder.
    pub fn new(cache_folder: &Path) -> wasmtime::Result<Self> {
        let engine = make_engine(cache_folder)?;
        let linker = praxis_wasi::linker(&engine)?;
        Ok(Self { engine, linker })
    }

    /// Compiles, which takes its time; says why if it cannot be a renderer.
    pub fn prepare(&self, wasm: &[u8]) -> Result<InstancePre<State>, String> {
        binary::expect_component(wasm).map_err(|why| why.to_string())?;
        let component = Component::from_binary(&self.engine, wasm).map_err(|fault| {
            let cause = fault.root_cause().to_string();
            format!("it cannot be compiled: {}", shortened(&cause))
        })?;
        let imports = binary::imports(&self.engine, &component);
        let is_wasi = |name: &str| WASI.iter().any(|prefix| name.starts_with(prefix));
        if let Some(import) = imports.iter().find(|name| !is_wasi(name)) {
            return Err(format!(
                "it imports {import}; a renderer is given nothing but its request"
            ));
        }
        let linked = self.linker.instantiate_pre(&component);
        linked.map_err(|fault| {
            let cause = fault.root_cause().to_string();
            format!("it cannot be linked: {}", shortened(&cause))
        })
    }

    /// A store for one call.
    pub fn store(&self) -> wasmtime::Result<Store<State>> {
        let mut wasi = WasiCtx::builder();
        wasi.wall_clock(Standing)
            .monotonic_clock(Standing)
            .secure_random(Deterministic::new(vec![0]))
            .insecure_random(Deterministic::new(vec![0]))
            .insecure_random_seed(0)
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false);
        // Neither a socket nor a file.
        let mut state = State::new(wasi.build(), MEMORY_BYTES_MAX, 0);
        state.attach(Memory {
            limits: Limits::new(MEMORY_BYTES_MAX),
            was_refused: false,
        });
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state.part::<Memory>().0);
        store.set_hostcall_fuel(ANSWER_BYTES_MAX);
        store.set_fuel(FUEL_MAX)?;
        // It lets others run a tick at a time, so that the time-out around it takes effect.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Ok(store)
    }

    /// Instantiates it, and nothing else.
    pub async fn start(&self, pre: &InstancePre<State>) -> Result<(), Fault> {
        let mut store = self.store().map_err(|_| Fault::Full)?;
        let started = in_time(async {
            pre.instantiate_async(&mut store).await?;
            Ok(())
        });
        let started = started.await;
        answer(&mut store, started)
    }
}

/// The call's own time.
pub async fn in_time<T>(
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<wasmtime::Result<T>, Elapsed> {
    timeout(Duration::from_millis(CALL_MS_MAX), call).await
}

/// What came of a call, or why nothing did.
pub fn answer<T>(
    store: &mut Store<State>,
    called: Result<wasmtime::Result<T>, Elapsed>,
) -> Result<T, Fault> {
    match called {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(fault(Some(store.data_mut()), &error)),
        Err(_) => {
            let what = format!("it used up its time: {CALL_MS_MAX} ms");
            Err(Fault::Broken(what))
        }
    }
}

fn fault(state: Option<&mut State>, error: &wasmtime::Error) -> Fault {
    if error.is::<PoolConcurrencyLimitError>() {
        return Fault::Full;
    }
    let trap = error.downcast_ref::<Trap>();
    let was_refused = state.is_some_and(|state| state.part::<Memory>().0.was_refused);
    Fault::Broken(match trap {
        Some(Trap::OutOfFuel) => format!("it used up its fuel: {FUEL_MAX} units"),
        _ if was_refused => format!("it used up its memory: {MEMORY_BYTES_MAX} bytes"),
        Some(trap) => format!("it trapped: {trap}"),
        None => format!("it failed: {}", shortened(&error.root_cause().to_string())),
    })
}

/// What a renderer's memories may hold, and whether it asked for more.
struct Memory {
    limits: Limits,
    was_refused: bool,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = self.limits.memory_growing(current, desired, maximum)?;
        self.was_refused |= !fits;
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.was_refused = true;
        self.limits.memory_grow_failed(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }
}

/// A clock that always shows the same.
struct Standing;

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Standing {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

fn make_engine(cache_folder: &Path) -> wasmtime::Result<Engine> {
    let instances = u32::try_from(CALLS_AT_ONCE_MAX)?;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_memories(instances * MEMORIES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .total_tables(instances * TABLES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .total_stacks(2 * instances)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);

    let mut config = engine::config(pool, cache_folder)?;
    config
        .consume_fuel(true)
        // A strange component takes one processor while it is compiled, and leaves the others.
        .parallel_compilation(false);
    engine::ticking(&config, "template-epoch", EPOCH_TICK)
}
