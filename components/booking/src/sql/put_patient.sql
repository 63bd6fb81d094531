insert into patients as t (id, subject, name, email, phone, locale, channels)
values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text[])
on conflict (subject) do update
set name = excluded.name,
    email = excluded.email,
    phone = excluded.phone,
    locale = excluded.locale,
    channels = excluded.channels,
    updated_at = now()
returning to_jsonb(t) as patient
