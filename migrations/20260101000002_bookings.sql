-- Patients and bookings. Owned by the booking component.

create table patients (
    id          uuid        primary key,
    -- The `sub` of the patient's token. Null once the person is erased.
    subject     text        unique,
    name        text,
    email       text,
    phone       text,
    locale      text,
    channels    text[]      not null default '{email}'
                            check (channels <@ array['email', 'sms', 'push']),
    erased_at   timestamptz,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

create table bookings (
    id               uuid        primary key,
    practitioner_id  uuid        not null references practitioners (id),
    tenant_id        text        not null references tenants (id),
    patient_id       uuid        not null references patients (id),
    slot_start       timestamptz not null,
    local_date       date        not null,
    local_hour       smallint    not null check (local_hour between 0 and 23),
    time_zone        text        not null,
    status           text        not null
                     check (status in ('held', 'confirmed', 'cancelled', 'rescheduled', 'expired')),
    -- The optimistic lock: ETag and If-Match.
    version          int         not null default 1,
    -- One calendar entry over the life of the appointment: a reschedule keeps it.
    calendar_uid     uuid        not null,
    calendar_sequence int        not null default 0,
    rescheduled_from uuid        references bookings (id),
    hold_expires_at  timestamptz,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    constraint bookings_hold_expires
        check ((status = 'held') = (hold_expires_at is not null)),
    -- A slot is one local hour, aligned, and the first one where daylight saving repeats it.
    constraint bookings_slot_aligned check (
        slot_start at time zone time_zone = local_date + make_interval(hours => local_hour)
        and (slot_start - interval '1 hour') at time zone time_zone
            <> slot_start at time zone time_zone
    )
);

-- The gate: a slot is held by one booking at most.
create unique index idx_no_double_book
    on bookings (practitioner_id, slot_start)
    where status in ('held', 'confirmed');

create index bookings_by_patient on bookings (patient_id, slot_start, id);
create index bookings_by_practitioner on bookings (practitioner_id, slot_start, id);
create index bookings_holds_due on bookings (hold_expires_at) where status = 'held';

-- What was answered to which Idempotency-Key: written in the transaction of the booking.
create table idempotency_receipts (
    subject      text        not null,
    key          text        not null check (length(key) between 1 and 255),
    request_hash text        not null,
    booking_id   uuid        not null,
    response     jsonb       not null,
    created_at   timestamptz not null default now(),
    primary key (subject, key)
);
