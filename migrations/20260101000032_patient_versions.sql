-- The optimistic lock of a patient's own profile: ETag and If-Match. It counts the changes, also those
-- by SQL.

alter table patients add column version int not null default 1;

create function patients_count() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    return new;
end
$$;

create trigger patients_counted
    before update on patients
    for each row execute function patients_count();
