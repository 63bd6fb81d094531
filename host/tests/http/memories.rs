//! All linear memories of an instance share what the manifest gives it.

use praxis_wasi::Limits;
use wasmtime::ResourceLimiter as _;

#[test]
fn all_memories_of_an_instance_share_one_limit() {
    let mut limits = Limits::new(100);
    assert!(limits.memory_growing(0, 60, None).unwrap());
    assert!(!limits.memory_growing(0, 60, None).unwrap());
    assert!(limits.memory_growing(0, 40, None).unwrap());
    assert!(!limits.memory_growing(60, 61, None).unwrap());
}

#[test]
fn growth_that_failed_is_given_back_once() {
    let mut limits = Limits::new(100);
    assert!(limits.memory_growing(0, 60, None).unwrap());
    assert!(limits.memory_growing(60, 100, None).unwrap());
    limits.memory_grow_failed(failed()).unwrap();
    limits.memory_grow_failed(failed()).unwrap();
    assert!(limits.memory_growing(60, 100, None).unwrap());
    assert!(!limits.memory_growing(100, 101, None).unwrap());
}

fn failed() -> wasmtime::Error {
    wasmtime::Error::msg("no memory")
}
