-- The payload of a booking's event: ids and times, never a person. Owned by the booking component.

create function booking_event_data(b bookings) returns jsonb
language sql stable
return jsonb_build_object(
    'schema', 1,
    'booking_id', b.id,
    'practitioner_id', b.practitioner_id,
    'tenant_id', b.tenant_id,
    'patient_id', b.patient_id,
    'slot_start', to_char(b.slot_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'local_date', b.local_date,
    'local_hour', b.local_hour,
    'time_zone', b.time_zone,
    'booking_version', b.version,
    'calendar_uid', b.calendar_uid,
    'calendar_sequence', b.calendar_sequence
);

-- Of a booking that took the place of another.
create function booking_event_data(b bookings, previous bookings) returns jsonb
language sql stable
return booking_event_data(b) || jsonb_build_object(
    'rescheduled_from', previous.id,
    'previous_slot_start',
        to_char(previous.slot_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'previous_local_date', previous.local_date,
    'previous_local_hour', previous.local_hour
);
