with seen as materialized (
    -- Of whoever works at several places, one after the other.
    select
        person_id,
        case when person_id is null then true else turn_of_places(person_id) end as is_in_turn
    from bookings
    where id = $1::uuid
), cancelled as (
    update bookings b
    set status = 'cancelled', version = version + 1, hold_expires_at = null,
        calendar_sequence = calendar_sequence + 1, updated_at = now(), changed_by = $4::text
    from seen
    where b.id = $1::uuid
        and version = $2::int
        and status in ('held', 'confirmed')
        and seen.is_in_turn
        and b.person_id is not distinct from seen.person_id
    returning b as booking
), bumped as (
    update practitioners p
    set version = p.version + 1
    from cancelled
    where p.id = (cancelled.booking).practitioner_id
    returning p.version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', (booking).practitioner_id::text, $3::text, version,
        booking_event_data(booking), $5::text
    from cancelled, bumped
)
select to_jsonb(cancelled.booking) as booking
from cancelled
