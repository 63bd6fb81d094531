select
    (
        select to_jsonb(r)
        from idempotency_receipts r
        where r.subject = $1 and r.key = $2
    ) as receipt,
    (
        select to_jsonb(t)
        from patients t
        where t.subject = $1
    ) as patient
