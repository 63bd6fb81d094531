with due as (
    select id
    from bookings
    where status = 'held'
        and hold_expires_at <= now()
        -- Whose turn somebody else has, comes the next time: with all these nobody is waited for.
        and case
            when person_id is null then true
            else pg_try_advisory_xact_lock(hashtextextended(person_id::text, 0))
        end
    order by hold_expires_at
    limit $1::int
    for update skip locked
), expired as (
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now(),
        changed_by = 'system:holds'
    from due
    where b.id = due.id
    returning b as booking
), each as (
    select (booking).practitioner_id as id, count(*) as holds
    from expired
    group by 1
), locked as (
    select p.id, each.holds
    from practitioners p
    join each on each.id = p.id
    order by p.id
    for no key update of p
), bumped as (
    update practitioners p
    set version = p.version + locked.holds
    from locked
    where p.id = locked.id
    returning p.id, p.version - locked.holds as before
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', bumped.id::text, 'HoldExpired',
        bumped.before + row_number() over (partition by bumped.id order by (booking).slot_start),
        booking_event_data(booking), $2::text
    from expired
    join bumped on bumped.id = (booking).practitioner_id
    order by 4
)
select count(*) as expired
from expired
