insert into patients as t (id, subject, name, email, phone, locale)
select $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text
where may_introduce($2::text, $7::bigint)
on conflict (subject) do update
set name = coalesce(t.name, excluded.name),
    email = coalesce(t.email, excluded.email),
    phone = coalesce(t.phone, excluded.phone),
    locale = coalesce(t.locale, excluded.locale),
    updated_at = now()
returning to_jsonb(t) as patient
