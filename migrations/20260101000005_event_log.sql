-- The embedded event broker: topics, partitions, groups and offsets, as Kafka has them.
-- Owned by the host.

create table event_topics (
    topic        text primary key,
    partitions   int  not null check (partitions between 1 and 1024),
    retention_ms bigint not null
);

-- The next offset of each partition. A writer locks the row, so offsets are gapless and
-- become visible in order.
create table event_partitions (
    topic       text   not null references event_topics (topic),
    partition   int    not null,
    next_offset bigint not null default 0,
    primary key (topic, partition)
);

create table event_log (
    topic        text        not null,
    partition    int         not null,
    "offset"     bigint      not null,
    key          text        not null,
    headers      jsonb       not null,
    data         bytea       not null,
    published_at timestamptz not null default now(),
    primary key (topic, partition, "offset")
);

-- Retention is a topic's, so what is too old is found a topic at a time.
create index event_log_by_age on event_log (topic, published_at);

-- What each group has finished, and which member reads the partition until when.
create table event_groups (
    group_id     text        not null,
    topic        text        not null,
    partition    int         not null,
    committed    bigint      not null default 0,
    member       uuid,
    leased_until timestamptz,
    primary key (group_id, topic, partition)
);

-- Who is there, also without a partition: it decides how many each may have.
create table event_members (
    group_id    text        not null,
    member      uuid        not null,
    alive_until timestamptz not null,
    primary key (group_id, member)
);
