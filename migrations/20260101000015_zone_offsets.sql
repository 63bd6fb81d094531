-- The clocks of the practitioners' zones, written by the components, which know the zones' rules:
-- PostgreSQL's own may be years older, and are never asked.

-- Stretches in which a zone's clock is apart from UTC by the same, without a gap, for the years
-- around now.
create table zone_offsets (
    time_zone          text        not null,
    begins             timestamptz not null,
    ends               timestamptz not null,
    utc_offset_seconds int         not null,
    -- From when on the clock shows what it has not shown before: later than `begins` where it was
    -- set back.
    first_from         timestamptz not null,
    primary key (time_zone, begins),
    constraint zone_offsets_in_order check (begins < ends and begins <= first_from)
);

-- Which zones are in use.
create index practitioners_by_zone on practitioners (time_zone);

-- The full local hour that begins at an instant, for the first time; null: none does, or the zone's
-- rules for then are not here.
create function first_local_hour(zone text, instant timestamptz) returns timestamp
language plpgsql stable as $$
declare
    clock zone_offsets;
    wall timestamp;
begin
    select * into clock
    from zone_offsets
    where time_zone = zone
        and begins <= instant
    order by begins desc
    limit 1;
    if clock.ends > instant and clock.first_from <= instant then
        wall := instant at time zone 'UTC' + make_interval(secs => clock.utc_offset_seconds);
        if wall = date_trunc('hour', wall) then
            return wall;
        end if;
    end if;
    return null;
end
$$;

-- A slot is the first occurrence of a full local hour in the practitioner's own zone. The check of the
-- same name stays beside this trigger: it needs nobody's rules.
create function bookings_align() returns trigger language plpgsql as $$
declare
    own_zone text;
begin
    select time_zone into own_zone
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
    return new;
end
$$;

create trigger bookings_aligned
    before insert or update of practitioner_id, slot_start, local_date, local_hour, time_zone
    on bookings
    for each row execute function bookings_align();
