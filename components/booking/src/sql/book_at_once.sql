with asked as materialized (
    -- What was answered to this key before, and who the caller is as a patient.
    select
        (
            select to_jsonb(r)
            from idempotency_receipts r
            where r.subject = $4::text
                and r.key = $5::text
        ) as receipt,
        (
            select t
            from patients t
            where t.subject = $4::text
        ) as patient
), offering as materialized (
    select
        p.id,
        p.tenant_id,
        p.time_zone,
        p.profile_version,
        (asked.patient).id as patient_id,
        clock.wall::date as local_date,
        extract(hour from clock.wall)::int as local_hour
    from asked
    join practitioners p on p.id = $2::uuid
    join zone_offsets z on z.time_zone = p.time_zone
        and z.begins <= to_timestamp($3::bigint)
        and z.ends > to_timestamp($3::bigint)
    cross join lateral (
        select to_timestamp($3::bigint) at time zone 'UTC'
            + make_interval(secs => z.utc_offset_seconds) as wall
    ) as clock
    left join schedule_exceptions e on e.practitioner_id = p.id
        and e.local_date = clock.wall::date
    left join schedule_periods w on w.practitioner_id = p.id
        and clock.wall::date between w.valid_from and w.valid_until
    -- One after the other: whoever can't book locks nobody.
    where case
        when asked.receipt is not null then false
        -- Nothing that the token says is missing in the patient.
        when $10::text is not null and (asked.patient).name is null then false
        when $11::text is not null and (asked.patient).email is null then false
        when $12::text is not null and (asked.patient).phone is null then false
        when $13::text is not null and (asked.patient).locale is null then false
        when not p.active then false
        -- Whoever works at several places may be taken at another one.
        when p.person_id is not null then false
        -- By the rules that the caller knows, too.
        when z.edition <> $9::text then false
        when z.first_from > to_timestamp($3::bigint) then false
        when clock.wall <> date_trunc('hour', clock.wall) then false
        when $3::bigint <= $7::bigint + p.lead_minutes * 60 then false
        when clock.wall::date >= $8::date + p.horizon_days then false
        when p.leave @> clock.wall::date then false
        when coalesce(
            e.mask,
            case when clock.wall::date = any (p.holidays) then 0 end,
            w.week[extract(isodow from clock.wall)::int],
            p.week[extract(isodow from clock.wall)::int]
        ) >> extract(hour from clock.wall)::int & 1 = 0 then false
        -- Also of a hold that has run out: who gives way to whom is for the other statement.
        when exists (
            select
            from bookings b
            where b.practitioner_id = p.id
                and b.slot_start = to_timestamp($3::bigint)
                and b.status in ('held', 'confirmed')
        ) then false
        else may_book((asked.patient).id)
    end
), booked as (
    insert into bookings as b (
        id, practitioner_id, tenant_id, patient_id, slot_start, local_date, local_hour, time_zone,
        status, calendar_uid, changed_by
    )
    select
        $1::uuid, id, tenant_id, patient_id, to_timestamp($3::bigint), local_date, local_hour,
        time_zone, 'confirmed', $14::uuid, concat_ws(':', 'patient', patient_id)
    from offering
    returning b as booking, booking_event_data(b) as data
), bumped as (
    update practitioners p
    set version = p.version + 1
    from booked, offering
    where p.id = (booked.booking).practitioner_id
    returning version_unless_changed(p, offering.profile_version) as version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', booked.data ->> 'practitioner_id', 'BookingCreated', bumped.version,
        booked.data, $15::text
    from booked, bumped
), kept as (
    insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
    select $4::text, $5::text, $6::text, (booked.booking).id, jsonb_build_object(
        'booking_id', booked.data -> 'booking_id',
        'practitioner_id', booked.data -> 'practitioner_id',
        'patient_id', booked.data -> 'patient_id',
        'slot_start', booked.data -> 'slot_start',
        'local_date', booked.data -> 'local_date',
        'local_time', concat_ws(':', lpad((booked.booking).local_hour::text, 2, '0'), '00'),
        'time_zone', booked.data -> 'time_zone',
        'status', (booked.booking).status,
        'version', (booked.booking).version
    )
    from booked
)
select
    to_jsonb(booked.booking) as booking,
    asked.receipt,
    to_jsonb(asked.patient) as patient
from asked
left join booked on true
