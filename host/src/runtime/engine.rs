//! The engines of a process: how components are compiled and where their memories come from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy,
    PoolingAllocationConfig,
};

use crate::manifest::ComponentTool;

/// Instances alive at one time, in all components together.
pub const INSTANCES_MAX: u32 = 1024;
/// Instances alive at one time, in all components whose fuel is counted.
const FUELLED_INSTANCES_MAX: u32 = 256;
/// The largest linear memory that any component may be granted: all that 32 bits can address, which
/// is what the pool sets aside of the process's addresses for each memory anyway.
pub const MEMORY_BYTES_CEILING: usize = 4 << 30;
/// How long a guest may run before it lets others run: what a busy guest adds to their latency.
const EPOCH_TICK: Duration = Duration::from_millis(1);
/// Core modules in one component, with all that it is composed of: its own, and those that
/// `wit-component` adds, which are two to each.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 200;
/// One to each that a component is composed of.
const MEMORIES_PER_COMPONENT_MAX: u32 = 32;
const TABLES_PER_COMPONENT_MAX: u32 = 64;
const MEMORIES_PER_MODULE_MAX: u32 = 2;
const TABLES_PER_MODULE_MAX: u32 = 2;
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// What the engine itself keeps of an instance, beside its memories and tables.
const INSTANCE_BYTES_MAX: usize = 10 << 20;
/// Most components have one or two tables, and one memory. What is set aside for each instance is
/// less than what it may have at most: a memory takes 4 GiB of the process's addresses. When all
/// are taken, who comes next waits for room (`room.rs`).
const TABLES_PER_COMPONENT: u32 = 4;
const STACKS_PER_COMPONENT: u32 = 2;
/// Pages that stay mapped between two instances: cheaper to clear than to map again.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;
const STACK_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// The engine that runs components, and one that counts their fuel besides, made when the first
/// component asks for it: counting slows a guest down.
#[derive(Clone)]
pub struct Engines {
    plain: Engine,
    fuelled: Arc<Mutex<Option<Engine>>>,
    cache_folder: PathBuf,
}

/// The engines, each with a thread that ticks its epoch for as long as it lives. Compiled code is
/// kept in `cache_folder`.
pub fn start(cache_folder: &Path) -> wasmtime::Result<Engines> {
    Ok(Engines {
        plain: engine(cache_folder, INSTANCES_MAX, false)?,
        fuelled: Arc::default(),
        cache_folder: cache_folder.to_owned(),
    })
}

impl Engines {
    /// The engine for a component whose manifest says this.
    pub fn of(&self, tool: &ComponentTool) -> wasmtime::Result<Engine> {
        if tool.fuel_max.is_none() {
            return Ok(self.plain.clone());
        }
        // Held while it is made: who loads another component at the time waits for this one.
        let mut fuelled = self.fuelled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*fuelled {
            return Ok(engine.clone());
        }
        let engine = engine(&self.cache_folder, FUELLED_INSTANCES_MAX, true)?;
        Ok(fuelled.insert(engine).clone())
    }
}

fn engine(cache_folder: &Path, instances_max: u32, fuelled: bool) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances_max)
        .total_core_instances(instances_max * CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .total_memories(instances_max + instances_max / 2)
        .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
        .total_tables(instances_max * TABLES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .total_stacks(instances_max * STACKS_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_MODULE_MAX)
        .max_tables_per_module(TABLES_PER_MODULE_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(MEMORY_BYTES_CEILING)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);

    let mut config = config(pool, cache_folder)?;
    config.consume_fuel(fuelled);
    ticking(&config, "epoch", EPOCH_TICK)
}

/// What all engines here have in common. Compiled code is kept in the folder.
pub fn config(pool: PoolingAllocationConfig, cache_folder: &Path) -> wasmtime::Result<Config> {
    let mut cache = CacheConfig::new();
    cache.with_directory(std::path::absolute(cache_folder)?);
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .cache(Some(Cache::new(cache)?));
    Ok(config)
}

/// An engine whose epoch a thread of this name ticks for as long as somebody has it.
pub fn ticking(config: &Config, thread: &str, tick: Duration) -> wasmtime::Result<Engine> {
    let engine = Engine::new(config)?;
    let ticked = engine.weak();
    std::thread::Builder::new()
        .name(thread.into())
        .spawn(move || {
            while let Some(engine) = ticked.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(tick);
            }
        })?;
    Ok(engine)
}
