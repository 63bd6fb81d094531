//! The two kinds of renderers, ready to be called.

use praxis_wasi::State;
use wasmtime::component::InstancePre;

use super::bench::{Bench, Fault, answer, in_time};
use super::bindings::exports::praxis::template::{renderer, text_renderer};
use super::{Channel, Message, Mistake, Request};

/// Makes messages of texts: a part of the application.
pub struct Texts {
    pre: InstancePre<State>,
    exports: text_renderer::GuestIndices,
}

impl Texts {
    /// Says why if it is none.
    pub fn new(bench: &Bench, wasm: &[u8]) -> Result<Self, String> {
        let pre = bench.prepare(wasm)?;
        let exports = text_renderer::GuestIndices::new(&pre)
            .map_err(|why| format!("it does not export praxis:template/text-renderer: {why}"))?;
        Ok(Self { pre, exports })
    }

    pub async fn compile(
        &self,
        bench: &Bench,
        channel: Channel,
        source: &str,
    ) -> Result<Result<String, Vec<Mistake>>, Fault> {
        let mut store = bench.store().map_err(|_| Fault::Full)?;
        let called = in_time(async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let guest = self.exports.load(&mut store, &instance)?;
            guest.call_compile(&mut store, channel, source).await
        });
        let called = called.await;
        answer(&mut store, called)
    }

    pub async fn render(
        &self,
        bench: &Bench,
        compiled: &str,
        request: &Request,
    ) -> Result<Result<Message, Mistake>, Fault> {
        let mut store = bench.store().map_err(|_| Fault::Full)?;
        let called = in_time(async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let guest = self.exports.load(&mut store, &instance)?;
            guest.call_render(&mut store, compiled, request).await
        });
        let called = called.await;
        answer(&mut store, called)
    }
}

/// A tenant's own code.
pub struct Own {
    pre: InstancePre<State>,
    exports: renderer::GuestIndices,
}

impl Own {
    /// Says why if it is none.
    pub fn new(bench: &Bench, wasm: &[u8]) -> Result<Self, String> {
        let pre = bench.prepare(wasm)?;
        let exports = renderer::GuestIndices::new(&pre)
            .map_err(|why| format!("it does not export praxis:template/renderer: {why}"))?;
        Ok(Self { pre, exports })
    }

    /// Sees whether it can be instantiated.
    pub async fn start(&self, bench: &Bench) -> Result<(), Fault> {
        bench.start(&self.pre).await
    }

    pub async fn render(
        &self,
        bench: &Bench,
        request: &Request,
    ) -> Result<Result<Message, Mistake>, Fault> {
        let mut store = bench.store().map_err(|_| Fault::Full)?;
        let called = in_time(async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let guest = self.exports.load(&mut store, &instance)?;
            guest.call_render(&mut store, request).await
        });
        let called = called.await;
        answer(&mut store, called)
    }
}
