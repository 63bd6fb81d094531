-- The delivery ledger: one row an event, recipient and channel, written before sending.
-- Owned by the notification component. Holds no address and no name.

create table deliveries (
    event_id       text        not null,
    recipient      text        not null,
    channel        text        not null check (channel in ('email', 'sms', 'push')),
    audience       text        not null check (audience in ('patient', 'practitioner')),
    booking_id     uuid        not null,
    tenant_id      text        not null,
    template       text        not null,
    locale         text        not null,
    -- `sending`: claimed, outcome not known yet. `too-old`: recorded from a replay, not sent.
    status         text        not null
                   check (status in ('sending', 'sent', 'no-address', 'too-old', 'failed')),
    attempts       int         not null default 1,
    provider       text,
    provider_id    text,
    reason         text,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    primary key (event_id, recipient, channel)
);

create index deliveries_by_booking on deliveries (booking_id);
