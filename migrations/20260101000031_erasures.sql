-- Who was erased: so that a token from before, or a request that was under way, makes no person anew.

create table erasures (
    -- SHA-256 of the `sub`: it recognises a token that comes again, and tells nobody's name.
    person    bytea       primary key,
    erased_at timestamptz not null
);

-- The oldest are dropped, once the tokens of their time have run out.
create index erasures_by_time on erasures (erased_at);

create function person_of(subject text) returns bytea
language sql immutable
return sha256(convert_to(subject, 'UTF8'));

-- Erasing somebody, and making them a patient, are done one after the other: the patient's row, which
-- others are kept waiting by, may not be there yet, or no more. The other key than that of `may_move`.
create function turn_of(subject text) returns void
language sql volatile
begin atomic
    select pg_advisory_xact_lock(hashtextextended(subject, 1));
end;

-- Whether a token that was issued then (seconds since 1970; null: it does not say) still speaks for
-- somebody: nobody was erased since. To the second: who signs in again within the second of their
-- erasure signs in once more. Volatile, so it sees what was erased while it waited for its turn.
create function may_introduce(subject text, issued bigint) returns boolean
language plpgsql volatile as $$
begin
    perform turn_of(subject);
    return not exists (
        select
        from erasures
        where person = person_of(subject)
            and (issued is null or to_timestamp(issued) <= erased_at)
    );
end
$$;
