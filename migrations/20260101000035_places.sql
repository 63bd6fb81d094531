-- Somebody who works at several places: one practitioner a place, all of the same person. Whoever works
-- at one place has no `person_id`, and pays for none of this.

-- An exclusion constraint over a uuid and a range needs it. Part of PostgreSQL, and trusted: the owner
-- of the database may create it.
create extension if not exists btree_gist;

alter table practitioners add column person_id uuid;
create index practitioners_by_person on practitioners (person_id) where person_id is not null;

-- Whose hour a booking takes besides its practitioner's: what `practitioners.person_id` was when it was
-- made. Those to come follow when it changes.
alter table bookings add column person_id uuid;

-- The hour that a booking takes. The same everywhere, so the index may rest on it.
create function slot_hour(slot_start timestamptz) returns tstzrange
language sql immutable parallel safe
return tstzrange(slot_start, slot_start + interval '1 hour');

-- The gate of a person: nobody is at two places at once. As with idx_no_double_book, a hold that has
-- run out has to give way first.
alter table bookings add constraint bookings_at_one_place
    exclude using gist (person_id with =, slot_hour(slot_start) with &&)
    where (person_id is not null and status in ('held', 'confirmed'));

-- What is done with a person's bookings is done one after the other, whatever the place, and so are
-- changes of who they are: each touches the streams of all places. Taken before any booking. The same key
-- as that of `may_move`.
create function turn_of_places(person uuid) returns boolean
language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock(hashtextextended(person::text, 0));
    return true;
end
$$;

-- The turn, for a change that found out too late that it needs it, since the practitioner has just become
-- the person's: it may not wait any more for whoever has it, and decides again.
create function claim_places(person uuid) returns void
language plpgsql volatile as $$
begin
    if not pg_try_advisory_xact_lock(hashtextextended(person::text, 0)) then
        raise exception 'the places of a person are changed at this moment'
            using errcode = 'serialization_failure';
    end if;
end
$$;

-- As before; and a booking takes its practitioner's person.
create or replace function bookings_align() returns trigger language plpgsql as $$
declare
    own_zone text;
begin
    select time_zone, person_id into own_zone, new.person_id
    from practitioners
    where id = new.practitioner_id;
    -- Without such a practitioner the foreign key refuses.
    if found and (
        own_zone <> new.time_zone
        or first_local_hour(own_zone, new.slot_start)
            is distinct from new.local_date + make_interval(hours => new.local_hour)
    ) then
        raise exception '% is not when % %:00 begins for the first time in %',
            new.slot_start, new.local_date, new.local_hour, own_zone
            using errcode = 'check_violation', constraint = 'bookings_slot_aligned';
    end if;
    if new.person_id is not null then
        perform claim_places(new.person_id);
    end if;
    return new;
end
$$;

-- Tells the streams of the person's other places of an hour that a booking takes or gives back: each
-- takes its next version. The instant only: which local hours that is, is for those who know the zones.
create function tell_other_places(b bookings, kind text) returns void
language plpgsql volatile as $$
begin
    perform claim_places(b.person_id);
    with places as materialized (
        select id
        from practitioners
        where person_id = b.person_id
            and id <> b.practitioner_id
        order by id
        for no key update
    ), bumped as (
        update practitioners p
        set version = p.version + 1
        from places
        where p.id = places.id
        returning p.id, p.tenant_id, p.version
    )
    insert into outbox (topic, key, kind, stream_version, data)
    select 'booking-events', id::text, kind, version, jsonb_build_object(
        'schema', 1,
        'practitioner_id', id,
        'tenant_id', tenant_id,
        'booking_id', b.id,
        'slot_start', to_char(b.slot_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    )
    from bumped;
end
$$;

create function bookings_elsewhere() returns trigger language plpgsql as $$
declare
    took boolean := tg_op <> 'INSERT'
        and old.person_id is not null
        and old.status in ('held', 'confirmed');
    takes boolean := tg_op <> 'DELETE'
        and new.person_id is not null
        and new.status in ('held', 'confirmed');
begin
    if took and takes
        and (old.person_id, old.practitioner_id, old.slot_start)
            = (new.person_id, new.practitioner_id, new.slot_start)
    then
        return null;
    end if;
    if took then
        perform tell_other_places(old, 'HourFreedElsewhere');
    end if;
    if takes then
        perform tell_other_places(new, 'HourTakenElsewhere');
    end if;
    return null;
end
$$;

-- Each change of a person's booking is looked at by the constraint anew, and waits for whoever makes one that
-- overlaps: without the turn, two could wait for each other.
create function bookings_claim() returns trigger language plpgsql as $$
begin
    perform claim_places(coalesce(new.person_id, old.person_id));
    return new;
end
$$;

create trigger bookings_claimed
    before update on bookings
    for each row when (old.person_id is not null or new.person_id is not null)
    execute function bookings_claim();

create trigger bookings_made_elsewhere
    after insert on bookings
    for each row when (new.person_id is not null)
    execute function bookings_elsewhere();

create trigger bookings_changed_elsewhere
    after update of status, slot_start, practitioner_id, person_id on bookings
    for each row when (old.person_id is not null or new.person_id is not null)
    execute function bookings_elsewhere();

create trigger bookings_deleted_elsewhere
    after delete on bookings
    for each row when (old.person_id is not null)
    execute function bookings_elsewhere();

-- Who its practitioner is, is no change of the booking: its version stays, which links in mails name, and
-- its history.
drop trigger bookings_recorded on bookings;

create trigger bookings_recorded
    before insert or delete on bookings
    for each row execute function bookings_record();

create trigger bookings_recorded_later
    before update on bookings
    for each row when (
        new.person_id is not distinct from old.person_id
        or (
            new.practitioner_id, new.patient_id, new.slot_start, new.status, new.version,
            new.hold_expires_at, new.changed_by
        ) is distinct from (
            old.practitioner_id, old.patient_id, old.slot_start, old.status, old.version,
            old.hold_expires_at, old.changed_by
        )
    )
    execute function bookings_record();

-- Holds at the person's other places that have run out give way to a slot here: each with its event. A
-- statement of its own, before the one that books. Nothing is done for who works at one place.
create function expire_elsewhere(practitioner uuid, wanted timestamptz, trace text) returns void
language plpgsql volatile as $$
declare
    person uuid;
    due uuid;
    expired bookings;
    stream bigint;
begin
    select person_id into person
    from practitioners
    where id = practitioner;
    if person is null then
        return;
    end if;
    perform turn_of_places(person);
    for due in
        select b.id
        from bookings b
        where b.person_id = person
            and b.practitioner_id <> practitioner
            and b.status in ('held', 'confirmed')
            and slot_hour(b.slot_start) && slot_hour(wanted)
            and b.status = 'held'
            and b.hold_expires_at <= now()
        order by b.id
        for no key update
    loop
        update bookings
        set status = 'expired', version = version + 1, hold_expires_at = null, updated_at = now(),
            changed_by = 'system:holds'
        where id = due
        returning * into expired;
        update practitioners
        set version = version + 1
        where id = expired.practitioner_id
        returning version into stream;
        insert into outbox (topic, key, kind, stream_version, data, traceparent)
        values ('booking-events', expired.practitioner_id::text, 'HoldExpired', stream,
            booking_event_data(expired), trace);
    end loop;
end
$$;

-- A person's places are of one tenant, and no more than ten. Counted in turn, so of two that are added
-- at once the second sees the first.
create function practitioners_share() returns trigger language plpgsql as $$
declare
    places_max constant int := 10;
begin
    perform turn_of_places(new.person_id);
    if exists (
        select
        from practitioners
        where person_id = new.person_id
            and tenant_id <> new.tenant_id
    ) then
        raise exception 'a person has places of one tenant only'
            using errcode = 'check_violation', constraint = 'practitioners_person_of_one_tenant';
    end if;
    if (
        select count(*)
        from practitioners
        where person_id = new.person_id
    ) > places_max then
        raise exception 'a person has % places at most', places_max
            using errcode = 'check_violation', constraint = 'practitioners_places_of_person';
    end if;
    return null;
end
$$;

create trigger practitioners_shared
    after insert on practitioners
    for each row when (new.person_id is not null)
    execute function practitioners_share();

create trigger practitioners_shared_later
    after update of person_id, tenant_id on practitioners
    for each row when (
        new.person_id is not null
        and (new.person_id, new.tenant_id) is distinct from (old.person_id, old.tenant_id)
    )
    execute function practitioners_share();
