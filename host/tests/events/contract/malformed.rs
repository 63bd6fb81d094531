//! Records that are no events of ours, where somebody else wrote them or damaged them.

use praxis_host::runtime::consumer::Outcome;

use super::deliveries::Consumer;
use super::on_postgres::log;
use super::reader::outgoing;
use super::suite;
use crate::database;
use crate::waiting::eventually;

/// It is no event of ours at its second try either.
#[tokio::test]
async fn what_is_malformed_waits_for_its_letter_and_is_never_handled() {
    let pool = database::new().await;
    let broker = log(&pool).await;
    let facts: Vec<_> = (0..20)
        .map(|n| outgoing("facts", &format!("key {n}"), n))
        .collect();
    broker.publish(&facts).await.unwrap();
    for change in [
        "delete from event_partitions where topic = 'test.facts.dlq'",
        "delete from event_topics where topic = 'test.facts.dlq'",
        "update event_log set headers = headers - 'ce_id' where key = 'key 0'",
    ] {
        sqlx::query(change).execute(&pool).await.unwrap();
    }
    let mut consumer = Consumer::start(&broker, |_| Outcome::Done(Vec::new()));
    let calls = consumer.until_called(19).await;
    assert!(calls.iter().all(|(number, _)| *number != 0), "{calls:?}");
    broker.ensure_topics(&suite::topics()).await.unwrap();
    let letters = async || broker.extent("facts.dlq").await.unwrap()[0].end;
    eventually(async || letters().await == 1).await;
    assert_eq!(consumer.until_called(19).await.len(), 19);
    consumer.stop().await;
}
