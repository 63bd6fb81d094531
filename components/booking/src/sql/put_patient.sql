with speaking as materialized (
    select may_introduce($2::text, $8::bigint) as may
), put as (
    insert into patients as t (id, subject, name, email, phone, locale, channels)
    select $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text[]
    from speaking
    where may
        -- Who has seen a version does not begin anew.
        and (
            coalesce($9::int, 0) = 0
            or exists (select from patients where subject = $2::text)
        )
    on conflict (subject) do update
    set name = excluded.name,
        email = excluded.email,
        phone = excluded.phone,
        locale = excluded.locale,
        channels = excluded.channels,
        updated_at = now()
    where $9::int is null
        or t.version = $9::int
    returning to_jsonb(t) as patient
)
select speaking.may, put.patient
from speaking
left join put on true
