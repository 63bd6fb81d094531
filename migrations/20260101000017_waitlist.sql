-- Who waits for a slot that somebody gives back. Owned by the booking component. Its rows follow
-- from the events about bookings; a patient's are deleted with the person.

create table waitlist (
    id              uuid        primary key,
    patient_id      uuid        not null references patients (id),
    -- For whom: a practitioner, or anybody of a specialty around a place.
    practitioner_id uuid        references practitioners (id),
    specialty       text,
    lat             float8      check (lat between -90 and 90),
    lon             float8      check (lon between -180 and 180),
    radius_km       float8      check (radius_km > 0),
    -- When the slot may begin: [slot_from, slot_to). Null: from now on.
    slot_from       timestamptz,
    slot_to         timestamptz not null,
    status          text        not null default 'waiting'
                    check (status in ('waiting', 'offered', 'fulfilled')),
    -- The hold that is offered, or the booking that it became.
    booking_id      uuid        references bookings (id),
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint waitlist_for_whom check (
        (practitioner_id is null) <> (specialty is null)
        and num_nonnulls(specialty, lat, lon, radius_km) in (0, 4)
    ),
    constraint waitlist_offer check ((status = 'waiting') = (booking_id is null))
);

-- The same wish is not kept twice: whoever repeats a request finds the entry that is there.
create unique index waitlist_same
    on waitlist (patient_id, practitioner_id, specialty, lat, lon, radius_km, slot_from, slot_to)
    nulls not distinct
    where status <> 'fulfilled';

create index waitlist_by_practitioner
    on waitlist (practitioner_id) where status = 'waiting' and practitioner_id is not null;
create index waitlist_by_specialty
    on waitlist (specialty) where status = 'waiting' and specialty is not null;
create index waitlist_by_booking on waitlist (booking_id) where booking_id is not null;
create index waitlist_by_patient on waitlist (patient_id, created_at, id);
create index waitlist_by_end on waitlist (slot_to);

-- The great-circle distance, with the radius that the index computes with.
create function distance_km(lat_a float8, lon_a float8, lat_b float8, lon_b float8) returns float8
language sql immutable parallel safe
return 2 * 6371.0087714 * asin(sqrt(least(1,
    power(sin(radians(lat_b - lat_a) / 2), 2)
    + cos(radians(lat_a)) * cos(radians(lat_b)) * power(sin(radians(lon_b - lon_a) / 2), 2)
)));

-- True, or the constraint waitlist_per_patient: so many entries of the patient wait already. As with
-- may_hold, two requests of one patient wait for each other.
create function may_wait(patient uuid, entries_max int) returns boolean
language plpgsql volatile as $$
begin
    perform
    from patients
    where id = patient
        and erased_at is null
    for no key update;
    if not found then
        return false;
    end if;
    if (
        select count(*)
        from waitlist
        where patient_id = patient
            and status <> 'fulfilled'
            and slot_to > now()
    ) < entries_max then
        return true;
    end if;
    raise exception 'the patient waits for as much as allowed'
        using errcode = 'check_violation', constraint = 'waitlist_per_patient';
end
$$;
