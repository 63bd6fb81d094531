//! Two that change one practitioner's stream or bookings at once: the second is seen to wait for the
//! first, in `pg_locks`, before the first is let go. So each test is the same race every time.

use crate::meeting::meet;
use crate::practice::{Booked, End, Practice, run};

const BY: &str = "staff:desk";
const TAKEN: &str = "idx_no_double_book";
/// SQLSTATE serialization_failure: decide again.
const DECIDE_AGAIN: &str = "40001";

/// What somebody does to the practitioner meanwhile.
const OTHER_HOURS: &str = "update practitioners
    set week = array_fill(0, array[7]), version = version + 1, profile_version = version + 1
    where id = $1";
const LEAVES: &str = "update practitioners
    set active = false, version = version + 1, profile_version = version + 1
    where id = $1";
/// The fence taken out.
const NO_FENCE: &str = "create or replace function version_unless_changed(
        p practitioners, seen_profile_version bigint
    ) returns bigint language plpgsql as $$ begin return p.version; end $$";

/// A statement that was decided from the practitioner as they were.
#[derive(Debug, Clone, Copy)]
enum Statement {
    Book,
    BookAtOnce,
    Hold,
    Confirm,
    Reschedule,
}

const ALL: [Statement; 5] = [
    Statement::Book,
    Statement::BookAtOnce,
    Statement::Hold,
    Statement::Confirm,
    Statement::Reschedule,
];
const BOOKINGS: [Statement; 2] = [Statement::Book, Statement::BookAtOnce];

/// A practice with what each statement needs: a hold at eight, a booking at seven.
struct Scene {
    practice: Practice,
    held: Booked,
    booked: Booked,
}

impl Scene {
    /// One of its own for each meeting.
    async fn of(house: &Practice) -> Self {
        let practice = house.with_others(1, 3).await;
        let held = practice.hold(practice.wish(0, 0, 8), 600).await.done();
        let booked = practice.book(practice.wish(0, 0, 7)).await.done();
        Self {
            practice,
            held,
            booked,
        }
    }

    async fn run(&self, by: &Practice, statement: Statement, patient: usize, hour: i32) -> End {
        let wish = by.wish(0, patient, hour);
        match statement {
            Statement::Book => by.book(wish).await,
            Statement::BookAtOnce => by.book_at_once(wish).await,
            Statement::Hold => by.hold(wish, 600).await,
            Statement::Confirm => by.confirm(self.held.id, BY).await,
            Statement::Reschedule => by.reschedule(&self.booked, hour, BY).await,
        }
    }

    /// Runs the second while the first, not committed yet, has what it needs.
    async fn meet(
        &self,
        first: impl AsyncFnOnce(&Practice),
        end: &'static str,
        second: Statement,
    ) -> End {
        let late = async |late: &Practice| self.run(late, second, 2, 9).await;
        meet(&self.practice, first, end, late).await
    }

    /// The practitioner's version, and those of the stream in the order in which they were saved.
    async fn versions(&self) -> (i64, Vec<i64>) {
        sqlx::query_as(
            "select p.version, (
                select array_agg(o.stream_version order by o.id)
                from outbox o
                where o.key = p.id::text
            )
            from practitioners p
            where p.id = $1",
        )
        .bind(self.practice.practitioners[0])
        .fetch_one(&self.practice.pool)
        .await
        .unwrap()
    }

    async fn live(&self) -> i64 {
        sqlx::query_scalar(
            "select count(*) from bookings
            where practitioner_id = $1 and status in ('held', 'confirmed')",
        )
        .bind(self.practice.practitioners[0])
        .fetch_one(&self.practice.pool)
        .await
        .unwrap()
    }
}

async fn change(early: &Practice, how: &'static str) {
    sqlx::query(how)
        .bind(early.practitioners[0])
        .execute(&early.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn who_decided_from_hours_that_are_gone_decides_again_and_leaves_nothing() {
    let house = Practice::open(0, 0, 4).await;
    for statement in ALL {
        for how in [OTHER_HOURS, LEAVES] {
            let scene = Scene::of(&house).await;
            let before = scene.versions().await;
            let end = scene
                .meet(async |early| change(early, how).await, "commit", statement)
                .await;
            println!("{statement:?}: {end:?}");
            end.refused_by(DECIDE_AGAIN);
            assert_eq!(scene.live().await, 2, "{statement:?}");
            let after = scene.versions().await;
            assert_eq!(after, (before.0 + 1, before.1), "{statement:?}");
        }
    }
}

#[tokio::test]
async fn who_waited_for_a_change_that_was_not_made_is_served() {
    let house = Practice::open(0, 0, 4).await;
    for statement in ALL {
        let scene = Scene::of(&house).await;
        let (before, _) = scene.versions().await;
        let changed = async |early: &Practice| change(early, OTHER_HOURS).await;
        scene.meet(changed, "rollback", statement).await.done();
        let (after, stream) = scene.versions().await;
        assert_eq!(after, before + 1, "{statement:?}");
        assert_eq!(stream.last(), Some(&after), "{statement:?}");
    }
}

/// What the first test would not notice, if it did not meet the fence.
#[tokio::test]
async fn without_the_fence_hours_that_are_gone_are_booked() {
    let house = Practice::open(0, 0, 4).await;
    run(&house.pool, NO_FENCE).await;
    for statement in ALL {
        let scene = Scene::of(&house).await;
        let changed = async |early: &Practice| change(early, OTHER_HOURS).await;
        scene.meet(changed, "commit", statement).await.done();
    }
}

#[tokio::test]
async fn of_two_bookings_of_a_practitioner_the_later_has_the_next_version() {
    let house = Practice::open(0, 0, 4).await;
    for first in BOOKINGS {
        for second in BOOKINGS {
            for (end, changes) in [("commit", 2), ("rollback", 1)] {
                let scene = Scene::of(&house).await;
                let (before, _) = scene.versions().await;
                let booking = async |early: &Practice| {
                    scene.run(early, first, 1, 10).await.done();
                };
                scene.meet(booking, end, second).await.done();
                let (after, stream) = scene.versions().await;
                assert_eq!(after, before + changes, "{first:?} {second:?} {end}");
                let whole: Vec<i64> = (2..=after).collect();
                assert_eq!(stream, whole, "{first:?} {second:?} {end}");
            }
        }
    }
}

#[tokio::test]
async fn of_two_bookings_of_a_slot_the_later_waits_and_is_refused_or_served() {
    let house = Practice::open(0, 0, 4).await;
    for first in BOOKINGS {
        for second in BOOKINGS {
            let scene = Scene::of(&house).await;
            let booking = async |early: &Practice| {
                scene.run(early, first, 1, 9).await.done();
            };
            scene
                .meet(booking, "commit", second)
                .await
                .refused_by(TAKEN);
            let (version, stream) = scene.versions().await;
            assert_eq!(stream.last(), Some(&version), "{first:?} {second:?}");

            let scene = Scene::of(&house).await;
            let booking = async |early: &Practice| {
                scene.run(early, first, 1, 9).await.done();
            };
            scene.meet(booking, "rollback", second).await.done();
            assert_eq!(scene.live().await, 3, "{first:?} {second:?}");
        }
    }
}
