//! What the host does for components: one room each, the products inside.

pub mod delivery;
pub mod events;
pub mod index;
pub mod key_value;
pub mod metrics;
pub mod offer;
pub mod outbound;
pub mod postgres;
pub mod redis;
pub mod secret;
pub mod template;
pub mod variables;

use praxis_wasi::State;
use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;

use crate::manifest::Component;

/// Something that the host does for components: one room under `capabilities/`.
///
/// Three lifetimes: the value itself lives as long as the process and holds pools and clients;
/// what the manifest grants holds for one component; what `attach` makes lives as long as one instance.
pub trait Capability: Send + Sync {
    /// The WIT interfaces that it provides, without versions: `spin:redis/redis`.
    fn interfaces(&self) -> &'static [&'static str];

    /// Whether the component's manifest grants any use of it. Not granted: not linked, and a
    /// component that imports it fails at start-up by name.
    fn is_granted(&self, component: &Component) -> bool;

    /// Adds the interfaces to the linker of a component to which it is granted.
    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()>;

    /// Opens to a new instance what of WASI itself is closed to those without the grant.
    fn prepare(&self, _: &Component, _: &mut WasiCtxBuilder) {}

    /// Gives a new instance of the component its part: the grants and handles to what is shared.
    fn attach(&self, component: &Component, state: &mut State);
}
