-- Tenants' components that make messages: kept for every host, by what they are. Owned by the host,
-- which is told of each new one on the channel praxis_templates.

create table template_components (
    sha256     text        constraint template_components_pkey primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    -- Who kept it first.
    owner      text        not null check (owner <> ''),
    wasm       bytea       not null check (octet_length(wasm) <= 4194304),
    created_at timestamptz not null default now()
);

-- How many an owner has.
create index template_components_by_owner on template_components (owner);

-- WebAssembly is compressed badly, and read whole.
alter table template_components alter column wasm set storage external;
