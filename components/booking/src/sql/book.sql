with offering as materialized (
    select id
    from practitioners
    where id = $2::uuid
        and active
        and profile_version = $17::bigint
        and case
            when not case $9::text
                when 'held' then may_hold($4::uuid, $18::int)
                else may_book($4::uuid)
            end then false
            -- Whoever works at several places is booked at one after the other.
            when person_id is null then true
            else turn_of_places(person_id)
        end
), expired as (
    -- A hold that has run out gives way.
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now(),
        changed_by = 'system:holds'
    from offering
    where b.practitioner_id = offering.id
        and b.slot_start = to_timestamp($5::bigint)
        and b.status = 'held'
        and b.hold_expires_at <= now()
    returning b as booking
), booked as (
    insert into bookings as b (
        id, practitioner_id, tenant_id, patient_id, slot_start, local_date, local_hour, time_zone,
        status, hold_expires_at, calendar_uid, changed_by
    )
    select
        $1::uuid, offering.id, $3::text, $4::uuid, to_timestamp($5::bigint), $6::date, $7::int,
        $8::text, $9::text, date_trunc('second', now()) + make_interval(secs => $10::int),
        $11::uuid, $19::text
    -- Counted, so that the hold has given way before the slot is asked for.
    from offering, (select count(*) from expired) as given_way
    returning b as booking
), bumped as (
    update practitioners p
    set version = p.version + 1 + (select count(*) from expired)
    from booked
    where p.id = (booked.booking).practitioner_id
    returning version_unless_changed(p, $17::bigint) as version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', data ->> 'practitioner_id', kind, version, data, $20::text
    from (
        select bumped.version - 1 as version, 'HoldExpired' as kind,
            booking_event_data(expired.booking) as data
        from expired, bumped
        union all
        select bumped.version, $12::text, booking_event_data(booked.booking)
        from booked, bumped
        order by version
    ) as events
), kept as (
    insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
    select $13::text, $14::text, $15::text, (booked.booking).id, $16::jsonb
    from booked
    where $14::text is not null
)
select to_jsonb(booked.booking) as booking
from booked
