select expire_elsewhere($1::uuid, to_timestamp($2::bigint), $3::text)
