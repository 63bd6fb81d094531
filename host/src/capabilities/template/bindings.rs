//! What `wit/template` says, as Rust types: what is asked of the host, and what it asks of renderers.

wasmtime::component::bindgen!({
    path: "../wit/template",
    inline: "
        package praxis:host;
        world template {
            import praxis:template/sandbox@0.1.0;
            export praxis:template/renderer@0.1.0;
            export praxis:template/text-renderer@0.1.0;
        }
    ",
    imports: { default: async | trappable },
    exports: { default: async },
    trappable_error_type: { "praxis:template/sandbox.error" => super::Error },
    additional_derives: [PartialEq],
    require_store_data_send: true,
});
