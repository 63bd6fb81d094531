-- What a change of bookings asks for on its way. Each function raises what the caller knows by name.

-- The stream version of a practitioner that a change has just bumped: still active, and with the
-- hours that the change was decided from. Else a serialization failure: decide again. Asked of the
-- row that the bump has locked, so nothing comes in between.
create function version_unless_changed(p practitioners, seen_profile_version bigint) returns bigint
language plpgsql as $$
begin
    if p.active and p.profile_version = seen_profile_version then
        return p.version;
    end if;
    raise exception 'the practitioner has changed'
        using errcode = 'serialization_failure';
end
$$;

-- True, or the constraint holds_per_patient: so many slots are held for the patient already. Two
-- holds of one patient wait for each other, and the function, being volatile, sees what the first
-- has done.
create function may_hold(patient uuid, holds_max int) returns boolean
language plpgsql volatile as $$
begin
    perform
    from patients
    where id = patient
    for no key update;
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
