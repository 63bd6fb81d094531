//! What the test's own triggers write down in the database, because the tables forget it: what holds
//! is to be held against what held then.

/// Every profile that a practitioner has had; who was a patient; and every entry of the waitlist in
/// each state, `gone` at last. `began` is when the change's statement began, `at` shortly before its
/// commit.
pub const SQL: &str = "
    create table torture_profiles (
        practitioner_id uuid,
        version         bigint,
        active          boolean not null,
        week            int[]   not null,
        primary key (practitioner_id, version)
    );

    create function torture_profile() returns trigger language plpgsql as $$
    begin
        insert into torture_profiles values (new.id, new.version, new.active, new.week);
        return null;
    end
    $$;

    create trigger torture_profile
        after insert or update of profile_version on practitioners
        for each row execute function torture_profile();

    create table torture_people (
        patient_id uuid primary key,
        subject    text not null
    );

    create function torture_person() returns trigger language plpgsql as $$
    begin
        insert into torture_people values (new.id, new.subject);
        return null;
    end
    $$;

    create trigger torture_person
        after insert on patients
        for each row execute function torture_person();

    create table torture_waits (
        number          bigserial   primary key,
        entry           uuid        not null,
        patient_id      uuid        not null,
        practitioner_id uuid,
        specialty       text,
        lat             float8,
        lon             float8,
        radius_km       float8,
        slot_from       timestamptz,
        slot_to         timestamptz not null,
        status          text        not null,
        booking_id      uuid,
        began           timestamptz not null default now(),
        at              timestamptz not null default clock_timestamp()
    );

    create function torture_wait() returns trigger language plpgsql as $$
    declare
        w waitlist;
    begin
        w := case tg_op when 'DELETE' then old else new end;
        insert into torture_waits (
            entry, patient_id, practitioner_id, specialty, lat, lon, radius_km, slot_from, slot_to,
            status, booking_id
        )
        values (
            w.id, w.patient_id, w.practitioner_id, w.specialty, w.lat, w.lon, w.radius_km,
            w.slot_from, w.slot_to,
            case tg_op when 'DELETE' then 'gone' else w.status end,
            w.booking_id
        );
        return null;
    end
    $$;

    create trigger torture_wait
        after insert or update or delete on waitlist
        for each row execute function torture_wait();";

/// $1 a hold: its time is up. No trigger counts that as a change.
pub const LET_EXPIRE: [&str; 2] = [
    "set local session_replication_role = replica",
    "update bookings
    set hold_expires_at = date_trunc('second', now())
    where id = $1
        and status = 'held'",
];
