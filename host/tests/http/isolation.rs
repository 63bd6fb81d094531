//! A component that is well, under load, beside one that misbehaves: not one of its requests fails.
//! `benches` says how fast they are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;

use self::Outcome::{Busy, CutOff, Failed, TimeOut, Whole};
use crate::host::{self, Host};

const HEALTHY_CLIENTS: usize = 4;
const VILLAINS: usize = 24;
const TIME: Duration = Duration::from_millis(1500);
/// Far from what it takes, and far below what it would take if one waited for all villains.
const SLOWEST: Duration = Duration::from_millis(1000);

/// Asks the healthy component for as long as the villains are at it.
async fn beside(host: &Host, villains: impl AsyncFn(usize)) {
    let until = Instant::now() + TIME;
    let answered = AtomicUsize::new(0);
    let healthy = (0..HEALTHY_CLIENTS).map(async |_| {
        let mut slowest = Duration::ZERO;
        while Instant::now() < until {
            let asked = Instant::now();
            host.is_well().await;
            slowest = slowest.max(asked.elapsed());
            answered.fetch_add(1, Ordering::Relaxed);
        }
        slowest
    });
    let villains = (0..VILLAINS).map(async |number| {
        while Instant::now() < until {
            villains(number).await;
        }
    });
    let (slowest, _) = tokio::join!(join_all(healthy), join_all(villains));
    let slowest = slowest.into_iter().max().unwrap();
    assert!(slowest < SLOWEST, "a healthy request took {slowest:?}");
    assert!(answered.into_inner() > HEALTHY_CLIENTS * 10);
}

/// What a villain's own client gets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    TimeOut,
    Failed,
    /// An answer whose body has no end. Where the instance ends before the head is sent, it is `Failed`.
    CutOff,
    Whole,
    /// No place, or no turn: the other villains have them.
    Busy,
    Other(u16),
}

async fn outcome(host: &Host, url: &str) -> Outcome {
    let answer = match host.client.get(url).send().await {
        Ok(answer) => answer,
        // Cut off together with its head, which was not sent yet.
        Err(error) if error.is_request() && !error.is_connect() => return CutOff,
        Err(error) => panic!("{error:?}"),
    };
    let status = answer.status().as_u16();
    let body = answer.bytes().await;
    match status {
        200 if body.is_ok() => Whole,
        200 => CutOff,
        500 => Failed,
        503 => Busy,
        504 => TimeOut,
        other => Outcome::Other(other),
    }
}

/// The first of what is expected is seen; the others may be.
async fn is_well_beside(behaviour: &str, expected: &[Outcome]) {
    let mut limits = "request_timeout_ms = 400\nqueue_timeout_ms = 100\n".to_owned();
    if behaviour == "leak" {
        // So that it reaches its end in its time.
        limits.push_str("memory_bytes_max = 8000000\n");
    }
    let host = host::start("", &limits).await;
    let url = host.url(&format!("/unruly/{behaviour}"));
    let seen = AtomicUsize::new(0);
    beside(&host, async |_| {
        let outcome = outcome(&host, &url).await;
        assert!(expected.contains(&outcome), "{outcome:?}");
        if outcome == expected[0] {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    })
    .await;
    assert!(seen.into_inner() > 0, "none was {:?}", expected[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_loops() {
    is_well_beside("loop", &[TimeOut, Busy]).await;
}

/// It takes turns with the other component, not with each of that one's guests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn computes_beside_one_that_loops() {
    let host = host::run(
        "[[trigger.http]]\nroute = \"/diligent/...\"\ncomponent = \"diligent\"\n\
         [[trigger.http]]\nroute = \"/unruly/...\"\ncomponent = \"unruly\"\n\
         [component.diligent]\nsource = \"unruly.wasm\"\n\
         [component.unruly]\nsource = \"unruly.wasm\"\n\
         [component.unruly.tool.praxis]\nrequest_timeout_ms = 10_000\n",
    )
    .await;
    let work = async || {
        let asked = Instant::now();
        let (status, _) = host.get("/diligent/work").await;
        assert_eq!(status, 200);
        asked.elapsed()
    };
    work().await;
    let alone = work().await;
    let villains = join_all((0..VILLAINS).map(async |_| {
        let _ = host.client.get(host.url("/unruly/loop")).send().await;
    }));
    let beside = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut times = Vec::new();
        for _ in 0..15 {
            times.push(work().await);
        }
        // The machine may be busy with other things; it is never less busy than it is here.
        times.sort();
        times[3]
    };
    let beside = tokio::select! {
        beside = beside => beside,
        _ = villains => panic!("the villains ended first"),
    };
    // Each thread has half of them: one guest's share of it would be a twelfth.
    let most = alone * 6 + Duration::from_millis(20);
    assert!(
        beside < most,
        "{alone:?} alone, {beside:?} beside the villains"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_calls_the_host_for_ever() {
    is_well_beside("calls", &[TimeOut, Busy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_traps() {
    is_well_beside("trap", &[Failed, TimeOut, Busy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_leaks() {
    is_well_beside("leak", &[Failed, TimeOut, Busy]).await;
}

/// Each is the host's memory, not its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_opens_handles_for_ever() {
    is_well_beside("handles", &[Failed, TimeOut, Busy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_opens_futures_for_ever() {
    is_well_beside("futures", &[Failed, TimeOut, Busy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_recurses() {
    is_well_beside("recurse", &[Failed, TimeOut, Busy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_never_answers() {
    is_well_beside("never", &[TimeOut, Busy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_answers_for_ever() {
    is_well_beside("endless", &[CutOff, TimeOut, Busy, Failed]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_traps_in_its_answer() {
    is_well_beside("trap-late", &[CutOff, TimeOut, Busy, Failed]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_loops_when_it_has_answered() {
    is_well_beside("loop-late", &[Whole, CutOff, TimeOut, Busy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_well_beside_one_that_does_not_read() {
    let host = host::start("", "").await;
    beside(&host, async |_| {
        let request = host.client.post(host.url("/unruly/unread"));
        // The connection may end under a client that is still sending.
        if let Ok(answer) = request.body(vec![b'x'; 1 << 20]).send().await {
            assert_eq!(answer.status(), 200);
        }
    })
    .await;
}

/// A trap takes its own request, and none of those that the component answers at the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_is_the_end_of_its_own_request_only() {
    let host = host::start("", "").await;
    beside(&host, async |number| {
        if number % 2 == 0 {
            assert_eq!(host.get("/unruly/trap").await.0, 500);
        } else {
            assert_eq!(host.get("/unruly/echo").await.0, 200);
        }
    })
    .await;
}
