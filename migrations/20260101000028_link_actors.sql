-- Whoever has the link that was sent to a patient changes a booking as `link`.
alter table booking_history
    drop constraint booking_history_actor_role_check,
    add constraint booking_history_actor_role_check check (
        actor_role in ('patient', 'link', 'practitioner', 'staff', 'system', 'sql')
    );
