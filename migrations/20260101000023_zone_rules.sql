-- Which edition of the IANA database the rules were taken from, as the components name it. What decides
-- from `zone_offsets` alone does so only where they are the asker's own.
alter table zone_offsets add column edition text not null default '';
