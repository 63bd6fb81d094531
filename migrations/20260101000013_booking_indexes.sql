-- Staff page through their tenant's bookings by time.
create index bookings_by_tenant on bookings (tenant_id, slot_start, id);

-- A patient's holds are counted, and are few.
create index bookings_held_by_patient on bookings (patient_id) where status = 'held';

-- Receipts are pruned, the oldest first.
create index idempotency_receipts_by_age on idempotency_receipts (created_at);
