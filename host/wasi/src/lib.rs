//! One instance's state, and the WASI half of the linker.
//!
//! A crate of its own because the WASI linker's generics are instantiated in the crate that names
//! the store's state: an edit to the host then does not compile them again.

mod descriptors;
mod limits;
mod requests;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

pub use crate::limits::Limits;
use crate::requests::Requests;
pub use crate::requests::{Sender, Sending};

/// Resources of the host that an instance holds at one time: requests, headers, files, statements.
/// Headers are the largest, with 128 KiB each at most.
const RESOURCES_MAX: usize = 1024;

/// What one instance holds. Each capability keeps its part under its own type, so that this crate
/// knows none of them.
pub struct State {
    pub table: ResourceTable,
    pub limits: Limits,
    /// Sockets and files that it may have open at one time.
    pub descriptors_max: usize,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    requests: Requests,
    parts: HashMap<TypeId, Box<dyn Any + Send>>,
}

impl State {
    /// A state whose instance may grow to `memory_bytes_max` of linear memory, in all its
    /// memories together, and open `descriptors_max` sockets and files.
    pub fn new(wasi: WasiCtx, memory_bytes_max: usize, descriptors_max: usize) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self {
            table,
            limits: Limits::new(memory_bytes_max),
            descriptors_max,
            wasi,
            http: WasiHttpCtx::new(),
            requests: Requests::default(),
            parts: HashMap::new(),
        }
    }

    /// Gives the instance's outbound HTTP requests to `sender`; before this is called, all of them
    /// are refused.
    pub fn send_requests_through(&mut self, sender: Arc<dyn Sender>) {
        self.requests.sender = Some(sender);
    }

    /// Gives the instance a capability's part, in place of the one it had.
    pub fn attach<T: Send + 'static>(&mut self, part: T) {
        self.parts.insert(TypeId::of::<T>(), Box::new(part));
    }

    /// A capability's part and the resource table, borrowed together.
    ///
    /// # Panics
    /// If the part was never attached: only a granted capability is linked, and what is linked is
    /// attached.
    pub fn part<T: Send + 'static>(&mut self) -> (&mut T, &mut ResourceTable) {
        let part = self
            .parts
            .get_mut(&TypeId::of::<T>())
            .and_then(|part| part.downcast_mut())
            .expect("a linked capability is attached to every instance");
        (part, &mut self.table)
    }

    /// A capability's part, taken out of the instance.
    pub fn detach<T: Send + 'static>(&mut self) -> Option<T> {
        let part = self.parts.remove(&TypeId::of::<T>())?;
        part.downcast().ok().map(|part| *part)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.requests,
        }
    }
}

/// WASI 0.2 and 0.3 and `wasi:http` of both. Outbound requests are refused unless the instance's
/// [`State::send_requests_through`] names a sender.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    descriptors::count(&mut linker)?;
    Ok(linker)
}
