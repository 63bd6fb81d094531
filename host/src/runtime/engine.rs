//! One engine a process: how components are compiled and where their memories come from.

use std::path::Path;
use std::time::Duration;

use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy,
    PoolingAllocationConfig,
};

/// Instances alive at one time, in all components together.
pub const INSTANCES_MAX: u32 = 512;
/// The largest linear memory that any component may be granted.
pub const MEMORY_BYTES_CEILING: usize = 256 << 20;
/// How often a running guest is made to yield, so that its deadline can be noticed.
const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Core modules in one component, at most.
const CORE_INSTANCES_PER_COMPONENT: u32 = 8;
const TABLES_PER_COMPONENT: u32 = 4;
const STACKS_PER_COMPONENT: u32 = 2;
/// Pages that stay mapped between two instances: cheaper to clear than to map again.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;
const STACK_KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// The engine, and a thread that ticks its epoch for as long as it lives. Compiled code is kept in
/// `cache_folder`.
pub fn start(cache_folder: &Path) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_PER_COMPONENT)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX * TABLES_PER_COMPONENT)
        .total_stacks(INSTANCES_MAX * STACKS_PER_COMPONENT)
        .max_memory_size(MEMORY_BYTES_CEILING)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);

    let mut cache = CacheConfig::new();
    cache.with_directory(std::path::absolute(cache_folder)?);

    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .cache(Some(Cache::new(cache)?));
    let engine = Engine::new(&config)?;

    let ticked = engine.weak();
    std::thread::Builder::new()
        .name("epoch".into())
        .spawn(move || {
            while let Some(engine) = ticked.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(EPOCH_TICK);
            }
        })?;
    Ok(engine)
}
