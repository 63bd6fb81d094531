delete from idempotency_receipts
where subject = $1::text
