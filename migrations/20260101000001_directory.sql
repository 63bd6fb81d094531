-- The directory: tenants and their practitioners. Owned by the practitioner component;
-- the others read it.

create table tenants (
    id          text        primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text        not null,
    created_at  timestamptz not null default now()
);

create table practitioners (
    id          uuid        primary key,
    tenant_id   text        not null references tenants (id),
    -- The `sub` of the practitioner's own token, if they have an account.
    subject     text        unique,
    name        text        not null,
    specialty   text        not null,
    practice    text        not null default '',
    address     text        not null default '',
    city        text        not null default '',
    country     char(2)     not null,
    lat         float8      not null check (lat between -90 and 90),
    lon         float8      not null check (lon between -180 and 180),
    time_zone   text        not null,
    rating      float8      not null default 0 check (rating between 0 and 5),
    email       text,
    phone       text,
    locale      text        not null default 'en',
    active      boolean     not null default true,
    -- Weekly hours, Monday first: seven masks of 24 bits, bit h = the local hour h.
    week        int[]       not null check (array_length(week, 1) = 7
                                            and 0 <= all (week) and 16777215 >= all (week)),
    -- The stream version: every event of this practitioner takes the next one, in commit order,
    -- without a gap. It is bumped only in the statement that writes the event to the outbox.
    version     bigint      not null default 0,
    -- The version at which the profile or the schedule changed last.
    profile_version bigint  not null default 0,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

create index practitioners_by_tenant on practitioners (tenant_id, id);

-- A date on which other hours hold than the weekly ones. Mask 0: closed.
create table schedule_exceptions (
    practitioner_id uuid not null references practitioners (id),
    local_date      date not null,
    mask            int  not null check (mask between 0 and 16777215),
    primary key (practitioner_id, local_date)
);
