-- How soon and how far ahead a practitioner can be booked, weeks that hold for a time, holidays, leave.
-- What the ordinary booking asks of each booking stands in the practitioner's own row, as far as it is
-- small; the rest is looked up by its key.

alter table practitioners
    -- A slot that begins within so many minutes can't be booked any more.
    add column lead_minutes int not null default 0
        constraint practitioners_lead check (lead_minutes between 0 and 43200),
    -- How many local dates can be booked, today included.
    add column horizon_days int not null default 62
        constraint practitioners_horizon check (horizon_days between 1 and 365),
    -- Nobody works on these, unless an exception says otherwise.
    add column holidays date[] not null default '{}',
    -- Nothing is offered on these, whatever else is said.
    add column leave datemultirange not null default '{}',
    add constraint practitioners_lead_within_horizon check (lead_minutes < horizon_days * 1440);

-- Weekly hours that hold for a time, in place of `practitioners.week`. Those of one practitioner do
-- not overlap.
create table schedule_periods (
    practitioner_id uuid  not null references practitioners (id),
    valid_from      date  not null,
    -- Inclusive; infinity: from then on.
    valid_until     date  not null default 'infinity',
    week            int[] not null
        constraint schedule_periods_week check (array_length(week, 1) = 7
            and 0 <= all (week) and 16777215 >= all (week)),
    primary key (practitioner_id, valid_from),
    constraint schedule_periods_in_order check (valid_from <= valid_until)
);

-- The next free slot is not free any more once the lead time before it is over. What the clock makes
-- stale is found by that.
alter table next_slots add column closes_at timestamptz;
update next_slots set closes_at = next_available_slot;
drop index next_slots_due;
create index next_slots_due on next_slots (closes_at);
