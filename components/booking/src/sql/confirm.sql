with seen as materialized (
    -- Of whoever works at several places, one after the other.
    select
        person_id,
        case when person_id is null then true else turn_of_places(person_id) end as is_in_turn
    from bookings
    where id = $1::uuid
), confirmed as (
    update bookings b
    set status = 'confirmed', version = b.version + 1, hold_expires_at = null, updated_at = now(),
        changed_by = $7::text
    from practitioners p, seen
    where b.id = $1::uuid
        and seen.is_in_turn
        and b.person_id is not distinct from seen.person_id
        and b.status = 'held'
        and b.hold_expires_at > now()
        and p.id = b.practitioner_id
        and p.active
        and p.profile_version = $6::bigint
    returning b as booking
), bumped as (
    update practitioners p
    set version = p.version + 1
    from confirmed
    where p.id = (confirmed.booking).practitioner_id
    returning version_unless_changed(p, $6::bigint) as version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', (booking).practitioner_id::text, 'BookingCreated', version,
        booking_event_data(booking), $8::text
    from confirmed, bumped
), kept as (
    insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
    select $2::text, $3::text, $4::text, (confirmed.booking).id, $5::jsonb
    from confirmed
)
select to_jsonb(confirmed.booking) as booking
from confirmed
