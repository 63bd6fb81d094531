//! What `wit/index` says, as Rust types. They are the host's own: a second set would only repeat
//! them.

wasmtime::component::bindgen!({
    path: "../wit/index",
    inline: "
        package praxis:host;
        world index {
            import praxis:index/documents@0.1.0;
            import praxis:index/generations@0.1.0;
            import praxis:index/search@0.1.0;
        }
    ",
    imports: { default: async | trappable },
    trappable_error_type: { "praxis:index/types.error" => super::Error },
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    require_store_data_send: true,
});
