//! `spin:postgres@4.2.0`, generated from `wit/`.

wasmtime::component::bindgen!({
    path: ["../wit/spin/postgres"],
    inline: "
        package praxis:host-postgres;
        world imports {
            import spin:postgres/postgres@4.2.0;
        }
    ",
    world: "praxis:host-postgres/imports",
    imports: { default: async | trappable },
    with: {
        "spin:postgres/postgres.connection": super::session::Session,
        "spin:postgres/postgres.connection-builder": super::Builder,
    },
    trappable_error_type: { "spin:postgres/postgres.error" => super::error::Error },
    require_store_data_send: true,
});

pub use spin::postgres::postgres::{
    Column, DbDataType, DbError, DbValue, Error, Host, HostConnection, HostConnectionBuilder,
    HostConnectionBuilderWithStore, HostConnectionWithStore, Interval, ParameterValue, QueryError,
    RangeBoundKind, RowSet, add_to_linker,
};
