//! Members come and go while events are published.

use std::collections::BTreeSet;
use std::sync::Arc;

use praxis_host::capabilities::events::Broker;

use super::reader::{Mode, Reader, numbers, outgoing};
use crate::waiting::{eventually, within};

const KEYS: u64 = 40;
const ROUNDS: u64 = 60;

fn key(number: u64) -> String {
    format!("key-{number}")
}

/// `second` is the same broker, as another host meets it.
pub async fn nothing_is_lost_while_members_come_and_go(
    first: Arc<dyn Broker>,
    second: Arc<dyn Broker>,
) {
    let publishing = tokio::spawn({
        let broker = first.clone();
        async move {
            for round in 0..ROUNDS {
                let batch: Vec<_> = (0..KEYS)
                    .map(|number| outgoing("facts", &key(number), round))
                    .collect();
                broker.publish(&batch).await.unwrap();
            }
        }
    });
    let staying = Reader::join(&first, "readers", &["facts"], Mode::Complete).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut passing = Reader::join(&second, "readers", &["facts"], Mode::Complete).await;
        passing.until_held(3).await;
        seen.push(passing.leave().await);
    }
    within(publishing).await.unwrap();
    let count = || {
        let records = seen.iter().flatten();
        let stayed = staying.seen.borrow();
        let ids: BTreeSet<_> = records.chain(&*stayed).map(|read| read.record.id).collect();
        ids.len() as u64
    };
    eventually(async || count() == KEYS * ROUNDS).await;
    seen.push(staying.leave().await);
    // Who leaves in peace has committed what it did: nothing comes twice, to nobody.
    let total: usize = seen.iter().map(Vec::len).sum();
    assert_eq!(total as u64, KEYS * ROUNDS);
    for read in &seen {
        for number in 0..KEYS {
            let numbers = numbers(read, &key(number));
            assert!(numbers.is_sorted(), "{numbers:?}");
        }
    }
    let lag = first.lag("readers", &["facts".to_owned()]).await.unwrap();
    assert_eq!(lag.iter().map(|lag| lag.lag).sum::<u64>(), 0);
}
