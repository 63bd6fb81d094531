-- Every change of a booking, append-only: who, when, what, and from which version. Written by a
-- trigger, so that a change by SQL is on record too.

create table booking_history (
    booking_id   uuid        not null,
    -- The version that the change made, and the one that it was made of; null: the first.
    version      int         not null,
    from_version int,
    change       text        not null check (change in (
        'held', 'booked', 'moved-here', 'extended', 'confirmed', 'released', 'cancelled',
        'moved-away', 'expired', 'changed', 'deleted', 'found'
    )),
    status       text        not null,
    slot_start   timestamptz not null,
    -- Staff and practitioners by the `sub` of their token, patients by their id, which tells of
    -- nobody once they are erased. `sql`: a statement that did not say, by the database's user.
    actor_role   text        not null
                 check (actor_role in ('patient', 'practitioner', 'staff', 'system', 'sql')),
    actor        text        not null,
    at           timestamptz not null default now(),
    -- No foreign key: what is on record stays, whatever becomes of the booking.
    primary key (booking_id, version)
);

-- What was there before there was a history.
insert into booking_history
    (booking_id, version, change, status, slot_start, actor_role, actor, at)
select id, version, 'found', status, slot_start, 'system', 'migration', updated_at
from bookings;

-- `role:who`, said by each statement that changes a booking. The trigger takes it: it is null in the
-- table, so that the next statement can't pass under the name of the last.
alter table bookings add column changed_by text;

create function bookings_record() returns trigger language plpgsql as $$
declare
    said text;
begin
    if tg_op = 'DELETE' then
        insert into booking_history
            (booking_id, version, from_version, change, status, slot_start, actor_role, actor)
        values
            (old.id, old.version + 1, old.version, 'deleted', old.status, old.slot_start,
                'sql', session_user);
        return old;
    end if;
    said := coalesce(new.changed_by, 'sql:' || session_user);
    new.changed_by := null;
    if tg_op = 'INSERT' then
        insert into booking_history
            (booking_id, version, change, status, slot_start, actor_role, actor)
        values (
            new.id, new.version,
            case
                when new.status = 'held' then 'held'
                when new.rescheduled_from is not null then 'moved-here'
                else 'booked'
            end,
            new.status, new.slot_start,
            split_part(said, ':', 1), substr(said, strpos(said, ':') + 1)
        );
        return new;
    end if;
    -- The version counts the changes, also one by SQL that forgets it: an ETag never lies.
    new.version := old.version + 1;
    insert into booking_history
        (booking_id, version, from_version, change, status, slot_start, actor_role, actor)
    values (
        new.id, new.version, old.version,
        case
            when new.status = old.status and new.hold_expires_at > old.hold_expires_at
                then 'extended'
            when new.status = old.status then 'changed'
            when new.status = 'confirmed' then 'confirmed'
            when new.status = 'cancelled' and old.status = 'held' then 'released'
            when new.status = 'cancelled' then 'cancelled'
            when new.status = 'rescheduled' then 'moved-away'
            when new.status = 'expired' then 'expired'
            else 'changed'
        end,
        new.status, new.slot_start,
        split_part(said, ':', 1), substr(said, strpos(said, ':') + 1)
    );
    return new;
end
$$;

create trigger bookings_recorded
    before insert or update or delete on bookings
    for each row execute function bookings_record();

create function booking_history_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the history of bookings is append-only: no % of %', lower(tg_op), tg_table_name
        using errcode = 'check_violation', constraint = 'booking_history_append_only';
end
$$;

create trigger booking_history_stands
    before update or delete or truncate on booking_history
    for each statement execute function booking_history_refuse();

-- All bookings at once would go unrecorded.
create trigger bookings_stand
    before truncate on bookings
    for each statement execute function booking_history_refuse();
