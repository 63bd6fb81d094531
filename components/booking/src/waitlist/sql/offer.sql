with entry as materialized (
    select w.id, w.patient_id, p.id as practitioner_id, p.tenant_id, p.person_id
    {matching}
    order by w.created_at, w.id
    limit 1
    -- Whoever comes second waits here, and then sees that the entry has its offer.
    for no key update of w
    -- Whoever is being erased is passed over: to wait for them could end in a circle.
    for key share of t skip locked
), turn as materialized (
    select *
    from entry
    where case when person_id is null then true else turn_of_places(person_id) end
), expired as (
    -- A hold that has run out gives way.
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now(),
        changed_by = 'system:holds'
    from turn
    where b.practitioner_id = turn.practitioner_id
        and b.slot_start = to_timestamp($3::bigint)
        and b.status = 'held'
        and b.hold_expires_at <= now()
    returning b as booking
), booked as (
    insert into bookings as b (
        id, practitioner_id, tenant_id, patient_id, slot_start, local_date, local_hour, time_zone,
        status, hold_expires_at, calendar_uid, changed_by
    )
    select
        $1::uuid, turn.practitioner_id, turn.tenant_id, turn.patient_id,
        to_timestamp($3::bigint), $4::date, $5::int, $6::text, 'held',
        date_trunc('second', now()) + make_interval(secs => $7::int), $8::uuid,
        'system:waitlist'
    -- Counted, so that the hold has given way before the slot is asked for.
    from turn, (select count(*) from expired) as given_way
    returning b as booking
), offered as (
    update waitlist w
    set status = 'offered', booking_id = (booked.booking).id, updated_at = now()
    from entry, booked
    where w.id = entry.id
), bumped as (
    update practitioners p
    set version = p.version + 1 + (select count(*) from expired)
    from booked
    where p.id = (booked.booking).practitioner_id
    returning version_unless_changed(p, $9::bigint) as version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', data ->> 'practitioner_id', kind, version, data, $10::text
    from (
        select bumped.version - 1 as version, 'HoldExpired' as kind,
            booking_event_data(expired.booking) as data
        from expired, bumped
        union all
        select bumped.version, 'HoldOffered',
            booking_event_data(booked.booking) || jsonb_build_object(
                'hold_expires_at',
                to_char(
                    (booked.booking).hold_expires_at at time zone 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS"Z"'
                )
            )
        from booked, bumped
        order by version
    ) as events
)
select to_jsonb(booked.booking) as booking
from booked
