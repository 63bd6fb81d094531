-- Why the event broker refuses an event: it holds back the later ones of its key until it is taken,
-- or somebody deletes it.
alter table outbox add column refused text;

-- The W3C trace context of what led to the event, if it is known.
alter table outbox add column traceparent text;
