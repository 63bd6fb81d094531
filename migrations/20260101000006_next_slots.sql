-- The next free slot of each practitioner, as announced last. Owned by the availability component.

create table next_slots (
    practitioner_id     uuid        primary key references practitioners (id),
    -- Null: no free slot within the booking horizon.
    next_available_slot timestamptz,
    -- The practitioner's stream version that this was computed from: older news is ignored.
    source_version      bigint      not null,
    -- The stream version of availability-events: one more at every announcement.
    version             bigint      not null default 1,
    updated_at          timestamptz not null default now()
);

-- What the clock makes stale.
create index next_slots_due on next_slots (next_available_slot);
