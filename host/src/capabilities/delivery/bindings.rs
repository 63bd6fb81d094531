//! What `wit/delivery` says, as Rust types.

wasmtime::component::bindgen!({
    path: "../wit/delivery",
    inline: "
        package praxis:host;
        world delivery {
            import praxis:delivery/email@0.1.0;
            import praxis:delivery/sms@0.1.0;
            import praxis:delivery/push@0.1.0;
            import praxis:delivery/feedback@0.1.0;
        }
    ",
    imports: { default: async | trappable },
    trappable_error_type: {
        "praxis:delivery/types.error" => super::Error,
        "praxis:delivery/feedback.error" => super::feedback::Error,
    },
    additional_derives: [PartialEq],
    require_store_data_send: true,
});
