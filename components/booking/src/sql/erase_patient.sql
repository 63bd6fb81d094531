with person as materialized (
    select id
    from patients
    where subject = $1::text
), turns as materialized (
    -- Of those who work at several places.
    select turn_of_places(shared.person_id)
    from (
        select distinct b.person_id
        from person
        join bookings b on b.patient_id = person.id
        where b.person_id is not null
            and b.status in ('held', 'confirmed')
        order by b.person_id
    ) as shared
), due as (
    select b.id, b.status
    -- Counted, so that the turns are taken before any booking.
    from person
    cross join (select count(*) from turns) as taken
    join bookings b on b.patient_id = person.id
    -- A hold that has run out is left to the timer.
    where b.slot_start > now()
        and (b.status = 'confirmed' or b.status = 'held' and b.hold_expires_at > now())
    order by b.id
    for no key update of b
), cancelled as (
    update bookings b
    set status = 'cancelled', version = version + 1, hold_expires_at = null,
        calendar_sequence = calendar_sequence + 1, updated_at = now(),
        changed_by = 'patient:' || b.patient_id
    from due
    where b.id = due.id
    -- Nobody was told of a hold, so nobody is told that it is gone.
    returning b as booking,
        case due.status when 'held' then 'HoldExpired' else 'BookingCancelled' end as kind
), each as (
    select (booking).practitioner_id as id, count(*) as bookings
    from cancelled
    group by 1
), locked as (
    select p.id, each.bookings
    from practitioners p
    join each on each.id = p.id
    order by p.id
    for no key update of p
), bumped as (
    update practitioners p
    set version = p.version + locked.bookings
    from locked
    where p.id = locked.id
    returning p.id, p.version - locked.bookings as before
), announced as (
    insert into outbox (topic, key, kind, stream_version, data, traceparent)
    select 'booking-events', bumped.id::text, kind,
        bumped.before + row_number() over (partition by bumped.id order by (booking).slot_start),
        booking_event_data(booking), $2::text
    from cancelled
    join bumped on bumped.id = (booking).practitioner_id
    order by 4
)
update patients
set subject = null, name = null, email = null, phone = null, locale = null,
    channels = default, erased_at = now(), updated_at = now()
from person
where patients.id = person.id
returning patients.id
