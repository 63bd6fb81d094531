-- A notification makes commits wait for each other: PostgreSQL puts all of a server in one line. So the
-- relay is notified only while it sleeps. As long as it looks by itself every few milliseconds it holds
-- this lock. A row that it misses all the same, of a transaction that was open for longer than the relay
-- stayed awake, waits for its next look: a second.
create or replace function outbox_wake() returns trigger language plpgsql as $$
begin
    if pg_try_advisory_lock_shared(5788045112600949587) then
        perform pg_advisory_unlock_shared(5788045112600949587);
        notify praxis_outbox;
    end if;
    return null;
end
$$;
