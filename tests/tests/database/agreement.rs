//! The ordinary booking decides in SQL what `domain` decides for all others. Both are asked the same, on
//! the same random states of the database: they agree on what is booked, on every reason not to, and
//! on every row that is left.

mod rows;
mod scene;

use std::collections::BTreeMap;

use praxis_domain::booking::{self, NotOffered};
use praxis_domain::slot::Slot;
use praxis_domain::terms;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row as _};

use self::scene::{Case, Directory, Occupant, Visitor};
use crate::dice::Dice;
use crate::practice::{BOOK, BOOK_AT_ONCE, NO_TRACE, why};

const SEEDS: u64 = 2;
const CASES_PER_SEED: usize = 600;
const HASH: &str = "hash";
const HOLDS_MAX: i32 = 3;
const TAKEN: &str = "idx_no_double_book";

/// What is to be said of a case by the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Nothing is left to say: it is booked at once.
    Ordinary,
    /// The key was used.
    Answered,
    NotOffered(&'static str),
    Taken,
    /// It is booked, but a hold has to give way first.
    GivesWay,
    /// It is booked, but the patient is to be made, or told something, first.
    Acquainted,
    /// It is booked, but whether the date is near enough depends on the zone.
    NearTheHorizon,
}

/// Every one of them must come up, or the test shows less than it says.
const VERDICTS: [Verdict; 12] = [
    Verdict::Ordinary,
    Verdict::Answered,
    Verdict::NotOffered("practitioner-inactive"),
    Verdict::NotOffered("misaligned"),
    Verdict::NotOffered("in-the-past"),
    Verdict::NotOffered("too-soon"),
    Verdict::NotOffered("beyond-horizon"),
    Verdict::NotOffered("outside-hours"),
    Verdict::Taken,
    Verdict::GivesWay,
    Verdict::Acquainted,
    Verdict::NearTheHorizon,
];

/// The statement of the ordinary booking: what it answered.
struct Fast {
    booking: Option<Value>,
    receipt: Option<Value>,
    patient: Option<Value>,
}

#[tokio::test]
async fn the_ordinary_booking_agrees_with_the_domain_and_with_the_statement_for_all_cases() {
    let pool = praxis_tests::database::migrated(1).await;
    let mut connection = pool.acquire().await.unwrap();
    let directory = Directory::found(&mut connection, &mut Dice::from_seed(0)).await;
    let mut met: BTreeMap<Verdict, usize> = BTreeMap::new();
    for seed in 1..=SEEDS {
        let mut dice = Dice::from_seed(seed);
        for number in 0..CASES_PER_SEED {
            let case = directory.case(&mut dice);
            let told = format!("seed {seed}, case {number}: {case:#?}");
            let verdict = agree(&mut connection, &directory, &case, &told).await;
            *met.entry(verdict).or_default() += 1;
        }
    }
    println!("{met:?}");
    for verdict in VERDICTS {
        let times = met.get(&verdict).copied().unwrap_or_default();
        assert!(times >= 5, "{verdict:?} came up {times} times: {met:?}");
    }
}

/// Asks both, each of the state as it was, and leaves that.
async fn agree(
    connection: &mut PgConnection,
    directory: &Directory,
    case: &Case,
    told: &str,
) -> Verdict {
    let (verdict, slot) = judge(directory, case);
    execute(connection, "begin").await;
    case.set(connection, directory).await;
    let before = books(connection).await;

    execute(connection, "savepoint fast").await;
    let fast = at_once(connection, directory, case).await;
    let fast_books = books(connection).await;
    execute(connection, "rollback to savepoint fast").await;
    assert_eq!(
        fast.booking.is_some(),
        verdict == Verdict::Ordinary,
        "{verdict:?}, {told}"
    );
    assert_eq!(
        fast.receipt.is_some(),
        verdict == Verdict::Answered,
        "{told}"
    );
    let knows = fast.patient.as_ref().map(|patient| &patient["id"]);
    let known = case.visitor.is_known().then(|| json!(case.patient));
    assert_eq!(knows, known.as_ref(), "{told}");
    if fast.booking.is_none() {
        assert_eq!(
            fast_books, before,
            "declined, and something was changed: {told}"
        );
    }

    let slow = match slot {
        Some(slot) => Some(for_all_cases(connection, directory, case, &slot).await),
        None => None,
    };
    match (verdict, slow) {
        (Verdict::Ordinary, slow) => {
            let booking = slow
                .expect("it is a slot")
                .unwrap_or_else(|by| panic!("{by}: {told}"));
            assert_eq!(fast.booking, booking, "{told}");
            assert_eq!(fast_books, books(connection).await, "{told}");
        }
        (Verdict::Taken, slow) => assert_eq!(slow, Some(Err(TAKEN.to_owned())), "{told}"),
        (Verdict::GivesWay | Verdict::NearTheHorizon, slow) => {
            assert!(matches!(slow, Some(Ok(Some(_)))), "{slow:?}: {told}");
        }
        // The practitioner is asked for again.
        (Verdict::NotOffered("practitioner-inactive"), Some(slow)) => {
            assert_eq!(slow, Ok(None), "{told}");
        }
        // Decided before the statement is asked.
        (Verdict::Answered | Verdict::Acquainted | Verdict::NotOffered(_), _) => {}
    }
    execute(connection, "rollback").await;
    verdict
}

/// By `domain`, in the order in which the longer way asks.
fn judge(directory: &Directory, case: &Case) -> (Verdict, Option<Slot>) {
    let practitioner = &directory.practitioners[case.practitioner];
    if case.visitor == Visitor::Answered {
        return (Verdict::Answered, None);
    }
    let offered = booking::offer(
        case.start,
        &practitioner.schedule,
        practitioner.active,
        case.now,
    );
    let slot = match offered {
        Ok(slot) => slot,
        Err(reason) => {
            let of_inactive = reason == NotOffered::PractitionerInactive;
            let slot = Slot::parse(case.start, &practitioner.schedule.zone).ok();
            let slot = slot.filter(|_| of_inactive && case.visitor.is_known());
            return (Verdict::NotOffered(reason.reason()), slot);
        }
    };
    let verdict = match (case.occupant, case.visitor) {
        (_, Visitor::Stranger | Visitor::Erased) => Verdict::Acquainted,
        (Occupant::Booked | Occupant::Held, _) => Verdict::Taken,
        (_, Visitor::WithNews) => Verdict::Acquainted,
        (Occupant::RunOut, _) => Verdict::GivesWay,
        _ if slot.date() > practitioner.schedule.terms.last_date_everywhere(case.now) => {
            Verdict::NearTheHorizon
        }
        _ => Verdict::Ordinary,
    };
    (verdict, Some(slot))
}

async fn at_once(connection: &mut PgConnection, directory: &Directory, case: &Case) -> Fast {
    let none: Option<&str> = None;
    let row = sqlx::query(BOOK_AT_ONCE)
        .bind(case.id)
        .bind(directory.practitioners[case.practitioner].id)
        .bind(case.start.as_second())
        .bind(case.subject())
        .bind(case.key.to_string())
        .bind(HASH)
        .bind(case.now.as_second())
        .bind(rows::date(terms::first_date_anywhere(case.now)))
        .bind(praxis_domain::zone::edition())
        .bind("Ann")
        .bind((case.visitor == Visitor::WithNews).then_some("ann@example.org"))
        .bind(none)
        .bind(none)
        .bind(case.calendar_uid)
        .bind(NO_TRACE)
        .fetch_one(connection)
        .await
        .unwrap();
    Fast {
        booking: row.get("booking"),
        receipt: row.get("receipt"),
        patient: row.get("patient"),
    }
}

/// As the longer way books what was decided: the booking, or by what it was refused.
async fn for_all_cases(
    connection: &mut PgConnection,
    directory: &Directory,
    case: &Case,
    slot: &Slot,
) -> Result<Option<Value>, String> {
    let practitioner = &directory.practitioners[case.practitioner];
    let zone = practitioner.schedule.zone.name();
    let none: Option<i32> = None;
    let answer = json!({
        "booking_id": case.id,
        "practitioner_id": practitioner.id,
        "patient_id": case.patient,
        "slot_start": slot.start(),
        "local_date": slot.date(),
        "local_time": slot.local_time(),
        "time_zone": zone,
        "status": "confirmed",
        "version": 1,
    });
    let booked = sqlx::query(BOOK)
        .bind(case.id)
        .bind(practitioner.id)
        .bind(scene::TENANT)
        .bind(case.patient)
        .bind(slot.start().as_second())
        .bind(rows::date(slot.date()))
        .bind(i32::from(slot.hour()))
        .bind(zone)
        .bind("confirmed")
        .bind(none)
        .bind(case.calendar_uid)
        .bind("BookingCreated")
        .bind(case.subject())
        .bind(case.key.to_string())
        .bind(HASH)
        .bind(answer)
        .bind(scene::PROFILE_VERSION)
        .bind(HOLDS_MAX)
        .bind(format!("patient:{}", case.patient))
        .bind(NO_TRACE)
        .fetch_optional(connection)
        .await;
    match booked {
        Ok(row) => Ok(row.map(|row| row.get("booking"))),
        Err(error) => Err(why(&error)),
    }
}

/// All that a booking changes, but for what is new in every row.
async fn books(connection: &mut PgConnection) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_object(
            'bookings', (select jsonb_agg(to_jsonb(b) order by b.id) from bookings b),
            'history', (
                select jsonb_agg(to_jsonb(h) order by h.booking_id, h.version)
                from booking_history h
            ),
            'events', (
                select jsonb_agg(to_jsonb(o) - 'id' - 'event_id' order by o.id)
                from outbox o
            ),
            'streams', (select jsonb_object_agg(p.id, p.version) from practitioners p),
            'receipts', (select jsonb_agg(to_jsonb(r) order by r.key) from idempotency_receipts r),
            'patients', (select jsonb_agg(to_jsonb(t) order by t.id) from patients t)
        )",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

async fn execute(connection: &mut PgConnection, statement: &'static str) {
    sqlx::query(statement).execute(connection).await.unwrap();
}
