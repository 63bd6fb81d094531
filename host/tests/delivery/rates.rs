//! How much may be sent in a time, with a catcher behind it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use praxis_host::capabilities::delivery::catcher::Catcher;
use praxis_host::capabilities::delivery::rates::{Allowance, Rates};
use praxis_host::capabilities::delivery::{Email, EmailChannel, Error};
use tempfile::TempDir;

use crate::mail::email;

fn channel(folder: &TempDir, allowance: Allowance) -> (EmailChannel, Catcher) {
    let noon = || "2026-11-22T12:00:00Z".parse().unwrap();
    let catcher = Catcher::open(folder.path(), "shops@example.com", noon).unwrap();
    let channel = EmailChannel::new(Arc::new(catcher.clone()), Rates::new(allowance));
    (channel, catcher)
}

#[tokio::test]
async fn an_owner_over_their_share_is_told_when_to_come_back_and_others_are_not_held_up() {
    let folder = TempDir::new().unwrap();
    let allowance = Allowance {
        owner_per_minute_max: NonZeroU32::new(2),
        ..Allowance::default()
    };
    let (channel, catcher) = channel(&folder, allowance);
    channel.send(&email("key-1")).await.unwrap();
    channel.send(&email("key-2")).await.unwrap();
    let Err(Error::Throttled(pause)) = channel.send(&email("key-3")).await else {
        panic!("the third was sent");
    };
    assert!(pause > Duration::from_secs(2), "{pause:?}");
    assert!(pause <= Duration::from_secs(30), "{pause:?}");
    let other = Email {
        owner: "offices".into(),
        ..email("key-4")
    };
    channel.send(&other).await.unwrap();
    assert_eq!(catcher.list().len(), 3);
}

#[tokio::test]
async fn who_has_only_a_moment_to_wait_waits_and_is_sent() {
    let folder = TempDir::new().unwrap();
    let allowance = Allowance {
        all_per_second_max: NonZeroU32::new(10),
        ..Allowance::default()
    };
    let (channel, catcher) = channel(&folder, allowance);
    let begun = Instant::now();
    for number in 0..15 {
        let email = Email {
            owner: format!("owner-{number}"),
            ..email(&format!("key-{number}"))
        };
        channel.send(&email).await.unwrap();
    }
    // Ten at once, and five more a tenth of a second apart.
    assert!(begun.elapsed() >= Duration::from_millis(450), "{begun:?}");
    assert_eq!(catcher.list().len(), 15);
}
