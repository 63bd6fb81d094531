-- Events saved with the data. Components append, the host's relay publishes in order of `id`
-- within a key and stamps `published_at`.

create table outbox (
    id             bigint      generated always as identity primary key,
    event_id       uuid        not null unique default gen_random_uuid(),
    topic          text        not null,
    key            text        not null,
    kind           text        not null,
    stream_version bigint      not null,
    data           jsonb       not null,
    created_at     timestamptz not null default now(),
    published_at   timestamptz
);

create index outbox_unpublished on outbox (id) where published_at is null;

-- Wakes the relay. Sent by PostgreSQL at commit, once a transaction.
create function outbox_wake() returns trigger language plpgsql as $$
begin
    notify praxis_outbox;
    return null;
end
$$;

create trigger outbox_wake
    after insert on outbox
    for each statement execute function outbox_wake();
