-- The patient $1 and the practitioner $2, as they can be reached now.
select
    patients.name as patient_name,
    patients.email as patient_email,
    patients.phone as patient_phone,
    to_jsonb(patients.channels) as patient_channels,
    patients.locale as patient_locale,
    practitioners.name as practitioner_name,
    practitioners.email as practitioner_email,
    practitioners.phone as practitioner_phone,
    practitioners.locale as practitioner_locale,
    practitioners.country::text as country,
    practitioners.practice,
    practitioners.address,
    practitioners.city
from patients
cross join practitioners
where patients.id = $1::uuid
    and practitioners.id = $2::uuid
