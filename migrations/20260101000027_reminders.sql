-- When patients are reminded of their appointments. Owned by the notification component.

alter table tenants
    -- How long before.
    add column reminder_minutes int[] not null default '{1440,120}'
        check (cardinality(reminder_minutes) <= 5 and array_position(reminder_minutes, null) is null),
    -- Practitioners look after a whole calendar: they are reminded where their tenant wants it.
    add column reminds_practitioners boolean not null default false;

-- One row an appointment and time before it. Planned when it is booked, dropped when it is cancelled or
-- moved. It is only a plan: what is announced is decided from the booking.
create table reminders (
    booking_id   uuid        not null,
    lead_minutes int         not null,
    slot_start   timestamptz not null,
    due_at       timestamptz not null,
    -- Its event is in the outbox, in the same transaction.
    announced_at timestamptz,
    primary key (booking_id, lead_minutes)
);

create index reminders_due on reminders (due_at) where announced_at is null;
create index reminders_by_slot on reminders (slot_start);

-- Who wants no reminders, and on which channel.
create table reminder_opt_outs (
    patient_id uuid        not null references patients (id),
    channel    text        not null check (channel in ('email', 'sms', 'push')),
    created_at timestamptz not null default now(),
    primary key (patient_id, channel)
);

-- `opted-out`: a reminder that its patient does not want on that channel.
alter table deliveries
    drop constraint deliveries_status_check,
    add constraint deliveries_status_check check (
        status in (
            'sending', 'waiting', 'sent', 'no-address', 'too-old', 'failed',
            'suppressed', 'bounced', 'complained', 'opted-out'
        )
    );
