with incoming as (
    select *
    from jsonb_to_recordset($1::jsonb) as row (
        line int, id uuid, tenant_id text, subject text, name text, specialty text, practice text,
        address text, city text, country text, lat float8, lon float8, time_zone text,
        rating float8, languages text[], telehealth boolean, email text, phone text, locale text,
        active boolean, week int[], exceptions jsonb, periods jsonb, holidays date[],
        leave datemultirange, lead_minutes int, horizon_days int, person_id uuid
    )
),
known as (
    select
        practitioners.id,
        practitioners.tenant_id,
        practitioners.profile_version,
        -- Under the lock of the row: who books at this moment finds the new profile version,
        -- and decides again. The slot that goes on now counts too.
        practitioners.time_zone <> incoming.time_zone
            and exists (
                select
                from bookings
                where bookings.practitioner_id = practitioners.id
                    and bookings.slot_start > now() - interval '1 hour'
                    and (
                        bookings.status = 'confirmed'
                        or bookings.status = 'held' and bookings.hold_expires_at > now()
                    )
            ) as zone_in_use,
        coalesce(
            (
                select jsonb_object_agg(local_date::text, mask)
                from schedule_exceptions
                where practitioner_id = practitioners.id
            ),
            '{}'
        ) as exceptions,
        coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'valid_from', valid_from, 'valid_until', valid_until, 'week', week
                    )
                    order by valid_from
                )
                from schedule_periods
                where practitioner_id = practitioners.id
            ),
            '[]'
        ) as periods
    from practitioners
    join incoming using (id)
),
new_tenants as (
    insert into tenants (id, name)
    select distinct on (incoming.tenant_id)
        incoming.tenant_id,
        coalesce(nullif(practice, ''), incoming.tenant_id)
    from incoming
    left join known using (id)
    where known.id is null
    order by incoming.tenant_id, line
    on conflict (id) do nothing
),
changed as (
    insert into practitioners as held (
        id, tenant_id, subject, name, specialty, practice, address, city, country, lat, lon,
        time_zone, rating, languages, telehealth, email, phone, locale, active, week, holidays,
        leave, lead_minutes, horizon_days, person_id, version, profile_version
    )
    select
        id, tenant_id, subject, name, specialty, practice, address, city, country, lat, lon,
        time_zone, rating, languages, telehealth, email, phone, locale, active, week, holidays,
        leave, lead_minutes, horizon_days, person_id, 1, 1
    from incoming
    where id not in (select id from known where zone_in_use)
        and ($2::bigint is null or id in (select id from known where profile_version = $2::bigint))
    order by id
    on conflict (id) do update set
        subject = excluded.subject,
        name = excluded.name,
        specialty = excluded.specialty,
        practice = excluded.practice,
        address = excluded.address,
        city = excluded.city,
        country = excluded.country,
        lat = excluded.lat,
        lon = excluded.lon,
        time_zone = excluded.time_zone,
        rating = excluded.rating,
        languages = excluded.languages,
        telehealth = excluded.telehealth,
        email = excluded.email,
        phone = excluded.phone,
        locale = excluded.locale,
        active = excluded.active,
        week = excluded.week,
        holidays = excluded.holidays,
        leave = excluded.leave,
        lead_minutes = excluded.lead_minutes,
        horizon_days = excluded.horizon_days,
        person_id = excluded.person_id,
        version = held.version + 1,
        profile_version = held.version + 1,
        updated_at = now()
    where held.tenant_id = excluded.tenant_id
        and (
            (
                held.subject, held.name, held.specialty, held.practice, held.address,
                held.city, held.country, held.lat, held.lon, held.time_zone, held.rating,
                held.languages, held.telehealth, held.email, held.phone, held.locale,
                held.active, held.week, held.holidays, held.leave, held.lead_minutes,
                held.horizon_days, held.person_id
            ) is distinct from (
                excluded.subject, excluded.name, excluded.specialty, excluded.practice,
                excluded.address, excluded.city, excluded.country, excluded.lat, excluded.lon,
                excluded.time_zone, excluded.rating, excluded.languages,
                excluded.telehealth, excluded.email, excluded.phone,
                excluded.locale, excluded.active, excluded.week, excluded.holidays,
                excluded.leave, excluded.lead_minutes, excluded.horizon_days, excluded.person_id
            )
            or exists (
                select
                from incoming
                left join known using (id)
                where incoming.id = held.id
                    and (
                        incoming.exceptions is distinct from coalesce(known.exceptions, '{}')
                        or incoming.periods is distinct from coalesce(known.periods, '[]')
                    )
            )
        )
    returning id, tenant_id, active, version
),
exceptions_gone as (
    delete from schedule_exceptions
    using changed, incoming
    where incoming.id = changed.id
        and practitioner_id = changed.id
        and not incoming.exceptions ? local_date::text
),
exceptions_kept as (
    insert into schedule_exceptions (practitioner_id, local_date, mask)
    select changed.id, exception.key::date, exception.value::int
    from changed
    join incoming using (id)
    cross join jsonb_each_text(incoming.exceptions) as exception
    on conflict (practitioner_id, local_date) do update set mask = excluded.mask
),
periods_gone as (
    delete from schedule_periods
    using changed, incoming
    where incoming.id = changed.id
        and practitioner_id = changed.id
        and not exists (
            select
            from jsonb_array_elements(incoming.periods) as period
            where (period ->> 'valid_from')::date = valid_from
        )
),
periods_kept as (
    insert into schedule_periods (practitioner_id, valid_from, valid_until, week)
    select changed.id, period.valid_from, period.valid_until, period.week
    from changed
    join incoming using (id)
    cross join jsonb_to_recordset(incoming.periods) as period (
        valid_from date, valid_until date, week int[]
    )
    on conflict (practitioner_id, valid_from) do update set
        valid_until = excluded.valid_until,
        week = excluded.week
),
events as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select
        'practitioner-events',
        id::text,
        case
            when not active then 'PractitionerDeactivated'
            when version = 1 then 'PractitionerCreated'
            else 'PractitionerUpdated'
        end,
        version,
        jsonb_build_object(
            'schema', 1,
            'practitioner_id', id,
            'tenant_id', tenant_id,
            'profile_version', version
        ),
        $3::text
    from changed
)
select
    case
        when changed.version = 1 then 'created'
        when changed.version > 1 then 'updated'
        when $2::bigint is not null and known.id is null then 'changed'
        when known.tenant_id is distinct from incoming.tenant_id then 'of-another-tenant'
        when known.profile_version <> $2::bigint then 'changed'
        when known.zone_in_use then 'zone-in-use'
        else 'unchanged'
    end as saved,
    coalesce(known.profile_version, 0) as profile_version
from incoming
left join changed using (id)
left join known using (id)
order by incoming.line
