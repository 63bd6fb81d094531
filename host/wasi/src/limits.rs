//! What one instance may hold of the host's memory.

use wasmtime::ResourceLimiter;

/// Lets the linear memories of one instance grow to a number of bytes together: a component may have
/// several, and a composed one has those of all that is inside it. How many there may be, and what
/// tables may hold, is the engine's to say.
pub struct Limits {
    bytes_max: usize,
    bytes: usize,
    /// What was allowed last: given back if the memory cannot have it after all.
    growth: usize,
}

impl Limits {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            growth: 0,
        }
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.growth = 0;
        let growth = desired.saturating_sub(current);
        let fits = growth <= self.bytes_max.saturating_sub(self.bytes);
        if fits {
            self.growth = growth;
            self.bytes += growth;
        }
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.bytes -= std::mem::take(&mut self.growth);
        Ok(())
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }
}
