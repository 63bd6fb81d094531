-- Locks are taken in one order: the patient, the turn to move, the bookings, the practitioners (by
-- id), the receipt. A change that would wait for the patient only at its end, where the foreign key
-- asks, could wait for an erasure that waits for it.

-- Whether the patient is there and stays until the commit: an erasure waits, or has been before.
create function may_book(patient uuid) returns boolean
language plpgsql volatile as $$
begin
    perform
    from patients
    where id = patient
        and erased_at is null
    for key share;
    return found;
end
$$;

-- As `may_book`, and the practitioner's bookings are moved one at a time: of two that cross (A to B,
-- B to A) each would wait for the slot that the other gives back.
create function may_move(patient uuid, practitioner uuid) returns boolean
language plpgsql volatile as $$
begin
    if not may_book(patient) then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended(practitioner::text, 0));
    return true;
end
$$;

-- As `may_book`, or the constraint holds_per_patient: so many slots are held for the patient already.
-- Two holds of one patient wait for each other, and the function, being volatile, sees what the first
-- has done. The stronger lock at once: to ask for it later could wait for somebody who waits for us.
create or replace function may_hold(patient uuid, holds_max int) returns boolean
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
        from bookings
        where patient_id = patient
            and status = 'held'
            and hold_expires_at > now()
    ) < holds_max then
        return true;
    end if;
    raise exception 'the patient holds as many slots as allowed'
        using errcode = 'check_violation', constraint = 'holds_per_patient';
end
$$;
