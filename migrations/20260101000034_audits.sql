-- The drift audit: what of Redis, `next_slots` and the index does not say what the tables say.

-- How far the slow pass of a component has come. Owned by the component that it names.
create table audit_passes (
    component text        primary key,
    -- The last id of the last page; null: it begins anew.
    after     text,
    at        timestamptz not null default now()
);

insert into audit_passes (component)
values ('availability'), ('search');

-- Copies that were behind when they were last looked at, which is fine unless they stay so.
create table audit_behind (
    store text        not null,
    id    text        collate "C" not null,
    -- What it stood at.
    seen  text        not null,
    -- Since when it has been seen there.
    since timestamptz not null default now(),
    primary key (store, id)
);
