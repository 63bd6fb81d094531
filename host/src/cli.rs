//! The commands: the composition root, and the only place that names an adapter.
