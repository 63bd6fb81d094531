-- Who had no free slot is looked at again after a while: found by when that was, not by looking at all.
create index next_slots_without on next_slots (updated_at) where closes_at is null;
