//! The statements. Each change is one statement: it takes effect as a whole, with its events and
//! its receipt, or not at all.
//!
//! The practitioner's version is bumped from the row that was changed, never before: a change that
//! is refused leaves no gap in the stream. The bump locks the practitioner until the commit, so the
//! order of the versions is the order of the commits. The bumped row says whether the practitioner
//! is still the one that was decided from (`version_unless_changed`).
//!
//! Locks are taken in one order: the turn to be made a patient or erased (`turn_of`), the patient
//! (`may_book`), the waitlist entries (by time), the turn to move (`may_move`) or of a person's places
//! (`turn_of_places`), the bookings, the receipt, the practitioners (by id, where there are several). So
//! no two changes wait for each other.
//!
//! Each change says who makes it (`changed_by`, see `actor`); a trigger writes it into the history.

/// The gate: its name is what a lost race is known by.
pub const NO_DOUBLE_BOOK: &str = "idx_no_double_book";
/// The gate of a person who works at several places.
pub const AT_ONE_PLACE: &str = "bookings_at_one_place";
/// The slot is not the first occurrence of a full local hour, as far as the database knows the zone.
pub const SLOT_ALIGNED: &str = "bookings_slot_aligned";
/// As many slots are held for the patient as may be.
pub const HOLDS_PER_PATIENT: &str = "holds_per_patient";
/// The same request came twice at the same moment.
pub const RECEIPT_KEY: &str = "idempotency_receipts_pkey";

/// $1 the caller's subject, $2 the key. One row: what was answered to it, and who the caller is
/// as a patient.
pub const CALLER: &str = include_str!("sql/caller.sql");

/// $1 id, $2 practitioner, $3 tenant, $4 patient, $5 slot start (seconds), $6 local date,
/// $7 local hour, $8 zone, $9 status, $10 seconds of a hold or null, $11 calendar uid, $12 event;
/// $13 subject, $14 key, $15 request hash, $16 response: the receipt, or nulls for none;
/// $17 the profile version that was decided from, $18 how many holds the patient may have, $19 who,
/// $20 the trace or null.
/// No row: the practitioner has changed in the meantime, or the patient was erased.
pub const BOOK: &str = include_str!("sql/book.sql");

/// $1 id, $2 practitioner, $3 slot start (seconds), $4 the caller's subject, $5 key, $6 request hash,
/// $7 now (seconds), $8 the first local date that it is anywhere, $9 the edition of the zones'
/// rules; $10 name, $11 email, $12 phone and $13 locale of the caller's token, or nulls; $14 calendar uid,
/// $15 the trace or null.
/// One row: the `booking` if it was made, and what `CALLER` says.
pub const BOOK_AT_ONCE: &str = include_str!("sql/book_at_once.sql");

/// $1 the hold, $2 subject, $3 key, $4 request hash, $5 response, $6 the profile version that was
/// decided from, $7 who, $8 the trace or null. No row: it is no hold any more, or has run out, or the
/// practitioner has changed.
pub const CONFIRM: &str = include_str!("sql/confirm.sql");

/// $1 the booking, $2 the version that the caller has seen, $3 event, $4 who, $5 the trace or
/// null.
/// No row: it has changed in the meantime.
pub const CANCEL: &str = include_str!("sql/cancel.sql");

/// $1 the old booking, $2 the version that the caller has seen, $3 the new id, $4 slot start
/// (seconds), $5 local date, $6 local hour, $7 zone; $8 subject, $9 key, $10 request hash,
/// $11 response, $12 the profile version that was decided from, $13 who, $14 the trace or null.
/// No row: the old booking or the practitioner has changed in the meantime.
pub const RESCHEDULE: &str = include_str!("sql/reschedule.sql");

/// $1 the hold, $2 the version that was decided from, $3 for how many seconds from now, $4 for how many
/// since it began at most, $5 who. Nothing is announced: the slot is held as before.
/// No row: it has changed or run out in the meantime.
pub const EXTEND_HOLD: &str = include_str!("sql/extend_hold.sql");

/// $1 how many at most, $2 the trace or null. One row: how many holds were expired.
pub const EXPIRE_HOLDS: &str = include_str!("sql/expire_holds.sql");

/// $1 the practitioner, $2 slot start (seconds), $3 the trace or null. Before a slot is taken of somebody who
/// works at several places: holds at the others that have run out give way to it.
pub const EXPIRE_ELSEWHERE: &str = include_str!("sql/expire_elsewhere.sql");

/// $1 how many at most. A receipt answers repeated requests for a week; nobody repeats one later.
/// One row: how many receipts were dropped.
pub const PRUNE_RECEIPTS: &str = include_str!("sql/prune_receipts.sql");

/// $1 the booking; $2 the subject as a patient, $3 as a practitioner, $4 the tenant as staff,
/// each null where the caller has not that role. One row with the `role` in which the caller sees it;
/// no row: not there, or not for the caller.
pub const VISIBLE: &str = include_str!("sql/visible.sql");

/// $1 the booking. Whoever it is for: only for who has shown that they may see it.
pub const BY_ID: &str = include_str!("sql/by_id.sql");

/// A page of a caller's bookings: the first of those that each of their roles sees. $1 from and
/// $2 to (local dates or null), $3 status or null, $4 and $5 the last one seen (seconds, id) or
/// nulls, $6 how many; $7 to $9 as $2 to $4 of `VISIBLE`.
pub fn list() -> String {
    let roles = [
        "b.patient_id = (select id from patients where subject = $7::text)",
        "b.practitioner_id = (select id from practitioners where subject = $8::text)",
        "b.tenant_id = $9::text",
    ];
    // One page of each, by its own index: all at once would sort everything that they see.
    let pages = roles.map(|seen| PAGE.replace("{seen}", seen));
    LIST.replace("{pages}", &pages.join(" union all "))
}
const LIST: &str = include_str!("sql/list.sql");
const PAGE: &str = "(
    select b.id
    from bookings b
    where {seen}
        and ($1::date is null or b.local_date >= $1::date)
        and ($2::date is null or b.local_date <= $2::date)
        and ($3::text is null or b.status = $3::text)
        and ($4::bigint is null or (b.slot_start, b.id) > (to_timestamp($4::bigint), $5::uuid))
    order by b.slot_start, b.id
    limit $6::int
)";

/// $1 the booking, $2 the tenant, $3 how many at most. Its last changes, the last one first; none of a
/// booking that is not the tenant's.
pub const HISTORY: &str = include_str!("sql/history.sql");

/// $1 the patient, $2 the tenant. One row, if there is one who is not erased and has, or had, a booking
/// with the tenant.
pub const KNOWN_PATIENT: &str = include_str!("sql/known_patient.sql");

/// $1 a new id, $2 subject, $3 name, $4 email, $5 phone, $6 locale: what is missing is filled,
/// what is there stays. $7 when the token was issued (seconds, or null).
/// No row: the person was erased since.
pub const FILL_PATIENT: &str = include_str!("sql/fill_patient.sql");

/// $1 a new id, $2 subject, $3 name, $4 email, $5 phone, $6 locale, $7 channels, $8 when the token was
/// issued (seconds, or null), $9 the version that the caller has seen (0: there was none yet), or null.
/// One row: whether they `may`, for nobody was erased since; and the `patient`, or null where it was
/// another version.
pub const PUT_PATIENT: &str = include_str!("sql/put_patient.sql");

/// $1 subject. The first of an erasure: whoever is just being made a patient is so before it, or not at
/// all, and no token from before makes them one again.
pub const NOTE_ERASURE: &str = include_str!("sql/note_erasure.sql");

/// $1 how many at most. Tokens of that time have run out.
/// One row: how many erasures were dropped.
pub const PRUNE_ERASURES: &str = include_str!("sql/prune_erasures.sql");

/// $1 subject. Before `ERASE_PATIENT`, in its transaction: what was booked until then is there for that
/// statement to see, and nobody books for the patient after it.
pub const LOCK_PATIENT: &str = include_str!("sql/lock_patient.sql");

/// $1 subject. What they wait for.
pub const DROP_WAITING: &str = include_str!("sql/drop_waiting.sql");

/// $1 subject, $2 the trace or null. What is to come is cancelled, for nobody else could give the slots back; the
/// bookings stay, and tell of nobody. The channels are the default again: with no address, what
/// they would have been told is on record as untold.
pub const ERASE_PATIENT: &str = include_str!("sql/erase_patient.sql");

/// $1 subject. What they were answered.
pub const DROP_RECEIPTS: &str = include_str!("sql/drop_receipts.sql");
