update waitlist
set status = 'fulfilled', updated_at = now()
where booking_id = $1::uuid
    and status = 'offered'
