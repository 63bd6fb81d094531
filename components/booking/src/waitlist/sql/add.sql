insert into waitlist as w (
    id, patient_id, practitioner_id, specialty, lat, lon, radius_km, slot_from, slot_to
)
select $1::uuid, $2::uuid, $3::uuid, $4::text, $5::float8, $6::float8, $7::float8,
    to_timestamp($8::bigint), to_timestamp($9::bigint)
where ($3::uuid is null or exists (select from practitioners where id = $3::uuid and active))
    and may_wait($2::uuid, $10::int)
on conflict do nothing
returning to_jsonb(w) as entry, null::jsonb as booking
