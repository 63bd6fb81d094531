from practitioners p
join waitlist w on w.practitioner_id = p.id
    or w.specialty = p.specialty
        and distance_km(w.lat, w.lon, p.lat, p.lon) <= w.radius_km
join patients t on t.id = w.patient_id
where p.id = $2::uuid
    and p.active
    and w.status = 'waiting'
    and (w.slot_from is null or w.slot_from <= to_timestamp($3::bigint))
    and w.slot_to > to_timestamp($3::bigint)
    and t.erased_at is null
    and not exists (
        select
        from bookings b
        where b.practitioner_id = p.id
            and b.slot_start = to_timestamp($3::bigint)
            and (b.status = 'confirmed' or b.status = 'held' and b.hold_expires_at > now())
    )
    and case
        when p.person_id is null then true
        else not exists (
            select
            from bookings b
            where b.person_id = p.person_id
                and b.practitioner_id <> p.id
                and b.status in ('held', 'confirmed')
                and slot_hour(b.slot_start) && slot_hour(to_timestamp($3::bigint))
                and (b.status = 'confirmed' or b.hold_expires_at > now())
        )
    end
    -- Nobody is offered again what they let go since they wait.
    and not exists (
        select
        from bookings b
        where b.practitioner_id = p.id
            and b.slot_start = to_timestamp($3::bigint)
            and b.patient_id = w.patient_id
            and b.updated_at >= w.created_at
    )
