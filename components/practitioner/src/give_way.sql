with theirs as materialized (
    -- What comes to a person with its practitioner, as `follow` has it.
    select b.id, b.slot_start, p.person_id
    from practitioners p
    join bookings b on b.practitioner_id = p.id
    where p.id = any ($1::text[]::uuid[])
        and p.person_id is not null
        and b.person_id is distinct from p.person_id
        and b.status in ('held', 'confirmed')
        and b.slot_start > now() - interval '1 hour'
), due as materialized (
    select b.id
    from theirs
    join bookings b on b.id = theirs.id
    where b.status = 'held'
        and b.hold_expires_at <= now()
    union
    select b.id
    from theirs
    join bookings b on b.person_id = theirs.person_id
        and slot_hour(b.slot_start) && slot_hour(theirs.slot_start)
        and b.status in ('held', 'confirmed')
    where b.status = 'held'
        and b.hold_expires_at <= now()
), free as materialized (
    select b.id
    from bookings b
    join due on due.id = b.id
    -- Again: it may just have been extended.
    where b.status = 'held'
        and b.hold_expires_at <= now()
    order by b.id
    for no key update of b skip locked
), expired as (
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now(),
        changed_by = 'system:holds'
    from free
    where b.id = free.id
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
select (select count(*) from due) = (select count(*) from free) as is_complete
