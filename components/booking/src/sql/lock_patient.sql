select id
from patients
where subject = $1::text
for update
