with turn as materialized (
    select b.id
    from bookings b
    join practitioners p on p.id = b.practitioner_id
    where b.id = $1::uuid
        and b.version = $2::int
        and b.status = 'confirmed'
        and p.active
        and p.profile_version = $12::bigint
        -- Of whoever works at several places, the turn of all of them.
        and may_move(b.patient_id, coalesce(p.person_id, p.id))
), moved as (
    update bookings b
    set status = 'rescheduled', version = b.version + 1, updated_at = now(), changed_by = $13::text
    from turn
    where b.id = turn.id
        and b.version = $2::int
        and b.status = 'confirmed'
    returning b as booking
), expired as (
    -- A hold that has run out gives way.
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now(),
        changed_by = 'system:holds'
    from moved
    where b.practitioner_id = (moved.booking).practitioner_id
        and b.slot_start = to_timestamp($4::bigint)
        and b.status = 'held'
        and b.hold_expires_at <= now()
    returning b as booking
), booked as (
    -- The calendar entry stays the same one, so that it moves instead of being made twice.
    insert into bookings as b (
        id, practitioner_id, tenant_id, patient_id, slot_start, local_date, local_hour, time_zone,
        status, calendar_uid, calendar_sequence, rescheduled_from, changed_by
    )
    select
        $3::uuid, (moved.booking).practitioner_id, (moved.booking).tenant_id,
        (moved.booking).patient_id, to_timestamp($4::bigint), $5::date, $6::int, $7::text,
        'confirmed', (moved.booking).calendar_uid, (moved.booking).calendar_sequence + 1,
        (moved.booking).id, $13::text
    -- Counted, so that the hold has given way before the slot is asked for.
    from moved, (select count(*) from expired) as given_way
    returning b as booking
), bumped as (
    update practitioners p
    set version = p.version + 1 + (select count(*) from expired)
    from booked
    where p.id = (booked.booking).practitioner_id
    returning version_unless_changed(p, $12::bigint) as version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', data ->> 'practitioner_id', kind, version, data, $14::text
    from (
        select bumped.version - 1 as version, 'HoldExpired' as kind,
            booking_event_data(expired.booking) as data
        from expired, bumped
        union all
        select bumped.version, 'BookingRescheduled',
            booking_event_data(booked.booking, moved.booking)
        from booked, moved, bumped
        order by version
    ) as events
), kept as (
    insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
    select $8::text, $9::text, $10::text, (booked.booking).id, $11::jsonb
    from booked
)
select to_jsonb(booked.booking) as booking
from booked
