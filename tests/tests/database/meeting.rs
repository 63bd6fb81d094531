//! Two that meet, the same way every time: the second is seen to wait for the first before that is ended.

use std::time::Duration;

use futures::future::join;
use praxis_tests::wait;

use crate::practice::{Practice, run};

const WAITING_WITHIN: Duration = Duration::from_secs(20);

/// Runs the first in a transaction, then the second; and ends the transaction (`commit` or `rollback`) once
/// the second waits for it, as `pg_locks` has it.
pub async fn meet<T>(
    practice: &Practice,
    first: impl AsyncFnOnce(&Practice),
    end: &'static str,
    second: impl AsyncFnOnce(&Practice) -> T,
) -> T {
    let (early, early_pid) = practice.with_one_connection().await;
    let (late, late_pid) = practice.with_one_connection().await;
    run(&early.pool, "begin").await;
    first(&early).await;
    let let_go = async {
        until_waiting(practice, late_pid, early_pid).await;
        run(&early.pool, end).await;
    };
    let (ended, ()) = join(second(&late), let_go).await;
    ended
}

async fn until_waiting(practice: &Practice, late: i32, early: i32) {
    let what = "the second waits for the first";
    wait::until(what, WAITING_WITHIN, async || {
        let waits: bool = sqlx::query_scalar(
            "select exists (select from pg_locks where pid = $1 and not granted)
                and $2 = any (pg_blocking_pids($1))",
        )
        .bind(late)
        .bind(early)
        .fetch_one(&practice.pool)
        .await
        .unwrap();
        waits.then_some(()).ok_or("it does not wait")
    })
    .await
    .unwrap();
}
