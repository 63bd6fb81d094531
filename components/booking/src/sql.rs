//! The statements. Each change is one statement: it takes effect as a whole, with its events and
//! its receipt, or not at all.
//!
//! The practitioner's version is bumped from the row that was changed, never before: a change that
//! is refused leaves no gap in the stream. The bump locks the practitioner until the commit, so the
//! order of the versions is the order of the commits. The bumped row says whether the practitioner
//! is still the one that was decided from (`version_unless_changed`).
//!
//! Locks are taken in one order: the patient, the bookings, the practitioners (by id, where there
//! are several).

/// The gate: its name is what a lost race is known by.
pub const NO_DOUBLE_BOOK: &str = "idx_no_double_book";
/// As many slots are held for the patient as may be.
pub const HOLDS_PER_PATIENT: &str = "holds_per_patient";
/// The same request came twice at the same moment.
pub const RECEIPT_KEY: &str = "idempotency_receipts_pkey";

/// $1 the caller's subject, $2 the key. One row: what was answered to it, and who the caller is
/// as a patient.
pub const CALLER: &str = "
select
    (
        select to_jsonb(r)
        from idempotency_receipts r
        where r.subject = $1 and r.key = $2
    ) as receipt,
    (
        select to_jsonb(t)
        from patients t
        where t.subject = $1
    ) as patient
";

/// $1 id, $2 practitioner, $3 tenant, $4 patient, $5 slot start (seconds), $6 local date,
/// $7 local hour, $8 zone, $9 status, $10 seconds of a hold or null, $11 calendar uid, $12 event;
/// $13 subject, $14 key, $15 request hash, $16 response: the receipt, or nulls for none;
/// $17 the profile version that was decided from, $18 how many holds the patient may have.
/// No row: the practitioner has changed in the meantime.
pub const BOOK: &str = "
with offering as materialized (
    select id
    from practitioners
    where id = $2::uuid
        and active
        and profile_version = $17::bigint
        and case when $9::text = 'held' then may_hold($4::uuid, $18::int) else true end
), expired as (
    -- A hold that has run out gives way.
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now()
    from offering
    where b.practitioner_id = offering.id
        and b.slot_start = to_timestamp($5::bigint)
        and b.status = 'held'
        and b.hold_expires_at <= now()
    returning b as booking
), booked as (
    insert into bookings as b (
        id, practitioner_id, tenant_id, patient_id, slot_start, local_date, local_hour, time_zone,
        status, hold_expires_at, calendar_uid
    )
    select
        $1::uuid, offering.id, $3::text, $4::uuid, to_timestamp($5::bigint), $6::date, $7::int,
        $8::text, $9::text, date_trunc('second', now()) + make_interval(secs => $10::int),
        $11::uuid
    -- Counted, so that the hold has given way before the slot is asked for.
    from offering, (select count(*) from expired) as given_way
    returning b as booking
), bumped as (
    update practitioners p
    set version = p.version + 1 + (select count(*) from expired)
    from booked
    where p.id = (booked.booking).practitioner_id
    returning version_unless_changed(p, $17::bigint) as version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data)
    select 'booking-events', data ->> 'practitioner_id', kind, version, data
    from (
        select bumped.version - 1 as version, 'HoldExpired' as kind,
            booking_event_data(expired.booking) as data
        from expired, bumped
        union all
        select bumped.version, $12::text, booking_event_data(booked.booking)
        from booked, bumped
        order by version
    ) as events
), kept as (
    insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
    select $13::text, $14::text, $15::text, (booked.booking).id, $16::jsonb
    from booked
    where $14::text is not null
)
select to_jsonb(booked.booking) as booking
from booked
";

/// $1 the hold, $2 subject, $3 key, $4 request hash, $5 response, $6 the profile version that was
/// decided from. No row: it is no hold any more, or has run out, or the practitioner has changed.
pub const CONFIRM: &str = "
with confirmed as (
    update bookings b
    set status = 'confirmed', version = b.version + 1, hold_expires_at = null, updated_at = now()
    from practitioners p
    where b.id = $1::uuid
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
    insert into outbox (topic, key, kind, stream_version, data)
    select 'booking-events', (booking).practitioner_id::text, 'BookingCreated', version,
        booking_event_data(booking)
    from confirmed, bumped
), kept as (
    insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
    select $2::text, $3::text, $4::text, (confirmed.booking).id, $5::jsonb
    from confirmed
)
select to_jsonb(confirmed.booking) as booking
from confirmed
";

/// $1 the booking, $2 the version that the caller has seen, $3 event.
/// No row: it has changed in the meantime.
pub const CANCEL: &str = "
with cancelled as (
    update bookings b
    set status = 'cancelled', version = version + 1, hold_expires_at = null,
        calendar_sequence = calendar_sequence + 1, updated_at = now()
    where id = $1::uuid
        and version = $2::int
        and status in ('held', 'confirmed')
    returning b as booking
), bumped as (
    update practitioners p
    set version = p.version + 1
    from cancelled
    where p.id = (cancelled.booking).practitioner_id
    returning p.version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data)
    select 'booking-events', (booking).practitioner_id::text, $3::text, version,
        booking_event_data(booking)
    from cancelled, bumped
)
select to_jsonb(cancelled.booking) as booking
from cancelled
";

/// $1 the old booking, $2 the version that the caller has seen, $3 the new id, $4 slot start
/// (seconds), $5 local date, $6 local hour, $7 zone; $8 subject, $9 key, $10 request hash,
/// $11 response, $12 the profile version that was decided from.
/// No row: the old booking or the practitioner has changed in the meantime.
pub const RESCHEDULE: &str = "
with moved as (
    update bookings b
    set status = 'rescheduled', version = b.version + 1, updated_at = now()
    from practitioners p
    where b.id = $1::uuid
        and b.version = $2::int
        and b.status = 'confirmed'
        and p.id = b.practitioner_id
        and p.active
        and p.profile_version = $12::bigint
    returning b as booking
), expired as (
    -- A hold that has run out gives way.
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now()
    from moved
    where b.practitioner_id = (moved.booking).practitioner_id
        and b.slot_start = to_timestamp($4::bigint)
        and b.status = 'held'
        and b.hold_expires_at <= now()
    returning b as booking
), booked as (
    -- The calendar entry stays the same one, so that it moves instead of being made twice.
    insert into bookings as b (
        id, practitioner_id, tenant_id, patient_id, slot_start, local_date, local_hour, time_zone,
        status, calendar_uid, calendar_sequence, rescheduled_from
    )
    select
        $3::uuid, (moved.booking).practitioner_id, (moved.booking).tenant_id,
        (moved.booking).patient_id, to_timestamp($4::bigint), $5::date, $6::int, $7::text,
        'confirmed', (moved.booking).calendar_uid, (moved.booking).calendar_sequence + 1,
        (moved.booking).id
    -- Counted, so that the hold has given way before the slot is asked for.
    from moved, (select count(*) from expired) as given_way
    returning b as booking
), bumped as (
    update practitioners p
    set version = p.version + 1 + (select count(*) from expired)
    from booked
    where p.id = (booked.booking).practitioner_id
    returning version_unless_changed(p, $12::bigint) as version
), announced as (
    insert into outbox (topic, key, kind, stream_version, data)
    select 'booking-events', data ->> 'practitioner_id', kind, version, data
    from (
        select bumped.version - 1 as version, 'HoldExpired' as kind,
            booking_event_data(expired.booking) as data
        from expired, bumped
        union all
        select bumped.version, 'BookingRescheduled',
            booking_event_data(booked.booking, moved.booking)
        from booked, moved, bumped
        order by version
    ) as events
), kept as (
    insert into idempotency_receipts (subject, key, request_hash, booking_id, response)
    select $8::text, $9::text, $10::text, (booked.booking).id, $11::jsonb
    from booked
)
select to_jsonb(booked.booking) as booking
from booked
";

/// $1 how many at most. One row: how many holds were expired.
pub const EXPIRE_HOLDS: &str = "
with due as (
    select id
    from bookings
    where status = 'held' and hold_expires_at <= now()
    order by hold_expires_at
    limit $1::int
    for update skip locked
), expired as (
    update bookings b
    set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now()
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
    insert into outbox (topic, key, kind, stream_version, data)
    select 'booking-events', bumped.id::text, 'HoldExpired',
        bumped.before + row_number() over (partition by bumped.id order by (booking).slot_start),
        booking_event_data(booking)
    from expired
    join bumped on bumped.id = (booking).practitioner_id
    order by 4
)
select count(*) as expired
from expired
";

/// $1 how many at most. A receipt answers repeated requests for a week; nobody repeats one later.
/// One row: how many receipts were dropped.
pub const PRUNE_RECEIPTS: &str = "
with old as (
    select subject, key
    from idempotency_receipts
    where created_at < now() - interval '7 days'
    order by created_at
    limit $1::int
    for update skip locked
), dropped as (
    delete from idempotency_receipts r
    using old
    where r.subject = old.subject
        and r.key = old.key
    returning r.key
)
select count(*) as dropped
from dropped
";

/// $1 the booking; $2 the subject as a patient, $3 as a practitioner, $4 the tenant as staff,
/// each null where the caller has not that role. No row: not there, or not for the caller.
pub const VISIBLE: &str = "
select to_jsonb(b) as booking
from bookings b
where b.id = $1::uuid
    and (
        exists (select from patients t where t.id = b.patient_id and t.subject = $2::text)
        or exists (select from practitioners p where p.id = b.practitioner_id and p.subject = $3::text)
        or b.tenant_id = $4::text
    )
";

/// A page of a caller's bookings: the first of those that each of their roles sees. $1 from and
/// $2 to (local dates or null), $3 status or null, $4 and $5 the last one seen (seconds, id) or
/// nulls, $6 how many; $7 to $9 as $2 to $4 of `VISIBLE`.
pub fn list() -> String {
    let roles = [
        "b.patient_id = (select id from patients where subject = $7::text)",
        "b.practitioner_id = (select id from practitioners where subject = $8::text)",
        "b.tenant_id = $9::text",
    ];
    // One page of each, by its own index: all at once would sort everything that they see.
    let pages = roles.map(|seen| PAGE.replace("{seen}", seen));
    LIST.replace("{pages}", &pages.join(" union all "))
}
const LIST: &str = "
select to_jsonb(b) as booking
from bookings b
where b.id in ({pages})
order by b.slot_start, b.id
limit $6::int
";
const PAGE: &str = "(
    select b.id
    from bookings b
    where {seen}
        and ($1::date is null or b.local_date >= $1::date)
        and ($2::date is null or b.local_date <= $2::date)
        and ($3::text is null or b.status = $3::text)
        and ($4::bigint is null or (b.slot_start, b.id) > (to_timestamp($4::bigint), $5::uuid))
    order by b.slot_start, b.id
    limit $6::int
)";

/// $1 the patient. One row, if there is one who is not erased.
pub const PATIENT: &str = "
select to_jsonb(t) as patient
from patients t
where t.id = $1::uuid
    and t.erased_at is null
";

/// $1 a new id, $2 subject, $3 name, $4 email, $5 phone, $6 locale: what is missing is filled,
/// what is there stays.
pub const FILL_PATIENT: &str = "
insert into patients as t (id, subject, name, email, phone, locale)
values ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text)
on conflict (subject) do update
set name = coalesce(t.name, excluded.name),
    email = coalesce(t.email, excluded.email),
    phone = coalesce(t.phone, excluded.phone),
    locale = coalesce(t.locale, excluded.locale),
    updated_at = now()
returning to_jsonb(t) as patient
";

/// $1 a new id, $2 subject, $3 name, $4 email, $5 phone, $6 locale, $7 channels.
pub const PUT_PATIENT: &str = "
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
";

/// $1 subject. What is to come is cancelled, for nobody else could give the slots back; the
/// bookings stay, and tell of nobody. The channels are the default again: with no address, what
/// they would have been told is on record as untold.
pub const ERASE_PATIENT: &str = "
with forgotten as (
    delete from idempotency_receipts
    where subject = $1::text
), person as materialized (
    select id
    from patients
    where subject = $1::text
    for no key update
), due as (
    select b.id, b.status
    from person
    join bookings b on b.patient_id = person.id
    -- A hold that has run out is left to the timer.
    where b.slot_start > now()
        and (b.status = 'confirmed' or b.status = 'held' and b.hold_expires_at > now())
    order by b.id
    for no key update of b
), cancelled as (
    update bookings b
    set status = 'cancelled', version = version + 1, hold_expires_at = null,
        calendar_sequence = calendar_sequence + 1, updated_at = now()
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
    insert into outbox (topic, key, kind, stream_version, data)
    select 'booking-events', bumped.id::text, kind,
        bumped.before + row_number() over (partition by bumped.id order by (booking).slot_start),
        booking_event_data(booking)
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
";
