-- A tenant that is not there yet; no row where it is.
insert into tenants (
    id, name, default_locale, branding, changed_by, changed_at, reminder_minutes,
    reminds_practitioners
)
values ($1::text, $2::text, $3::text, $4::jsonb, $5::text, now(), $6::int[], $7::boolean)
on conflict (id) do nothing
returning
    id, name, default_locale, branding, reminds_practitioners, revision,
    to_jsonb(reminder_minutes) as reminder_minutes
