-- What a group has finished beyond its first unfinished event, and how often it tried those that it
-- has not: a member that takes a partition over skips the one, and goes on counting the other.
-- Owned by the host.

alter table event_groups add column note text not null default '';
