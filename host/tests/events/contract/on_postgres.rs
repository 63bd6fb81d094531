//! The suite on PostgreSQL.

use std::sync::Arc;

use praxis_host::capabilities::events::Broker;
use praxis_host::capabilities::events::postgres::Log;
use praxis_host::runtime::consumer::Event;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    batches, deliveries, keys, letters, operators, progress, reads, rebalances, refusals, replays,
    suite,
};
use crate::{database, postgres};

/// A log with the suite's topics, as one host meets it.
pub async fn log(pool: &PgPool) -> Arc<dyn Broker> {
    let log = Log::start(pool.clone(), "test.", CancellationToken::new());
    log.ensure_topics(&suite::topics()).await.unwrap();
    log
}

pub async fn new() -> Arc<dyn Broker> {
    log(&database::new().await).await
}

async fn new_twice() -> (Arc<dyn Broker>, Arc<dyn Broker>) {
    let pool = database::new().await;
    (log(&pool).await, log(&pool).await)
}

#[tokio::test]
async fn publishes_in_order_per_key() {
    suite::publishes_in_order_per_key(new().await).await;
}

#[tokio::test]
async fn what_is_read_is_what_was_published() {
    suite::what_is_read_is_what_was_published(new().await).await;
}

#[tokio::test]
async fn an_event_published_while_somebody_waits_arrives() {
    suite::an_event_published_while_somebody_waits_arrives(new().await).await;
}

#[tokio::test]
async fn what_was_not_completed_is_delivered_again() {
    suite::what_was_not_completed_is_delivered_again(new().await).await;
}

#[tokio::test]
async fn groups_are_independent() {
    suite::groups_are_independent(new().await).await;
}

#[tokio::test]
async fn offsets_survive_a_restart() {
    let (broker, again) = new_twice().await;
    suite::offsets_survive_a_restart(broker, again).await;
}

#[tokio::test]
async fn members_share_the_partitions() {
    let (first, second) = new_twice().await;
    suite::members_share_the_partitions(first, second).await;
}

#[tokio::test]
async fn lag_is_what_is_not_completed() {
    suite::lag_is_what_is_not_completed(new().await).await;
}

#[tokio::test]
async fn topics_that_are_there_stay_as_they_are() {
    suite::topics_that_are_there_stay_as_they_are(new().await).await;
}

#[tokio::test]
async fn every_topic_has_its_dead_letters() {
    suite::every_topic_has_its_dead_letters(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_down_is_unavailable_and_comes_back() {
    let (server, _folder) = postgres::start().await;
    let pool = database::on(&server).await;
    let server = Mutex::new(server);
    suite::a_broker_that_is_down_is_unavailable_and_comes_back(
        log(&pool).await,
        async || server.lock().await.stop().await.unwrap(),
        async || server.lock().await.start_again().await.unwrap(),
    )
    .await;
}

#[tokio::test]
async fn an_event_that_is_retried_holds_up_those_behind_it() {
    deliveries::an_event_that_is_retried_holds_up_those_behind_it(new().await).await;
}

#[tokio::test]
async fn a_rejected_event_lies_among_the_dead_letters() {
    deliveries::a_rejected_event_lies_among_the_dead_letters(new().await).await;
}

#[tokio::test]
async fn an_event_is_given_up_on_after_its_last_attempt() {
    deliveries::an_event_is_given_up_on_after_its_last_attempt(new().await).await;
}

#[tokio::test]
async fn what_a_handling_publishes_has_the_same_ids_each_time() {
    deliveries::what_a_handling_publishes_has_the_same_ids_each_time(new().await).await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt() {
    deliveries::a_panic_is_a_failed_attempt(new().await).await;
}

#[tokio::test]
async fn a_stop_waits_for_what_is_being_handled() {
    deliveries::a_stop_waits_for_what_is_being_handled(new().await).await;
}

#[tokio::test]
async fn a_slow_key_holds_up_no_other() {
    keys::a_slow_key_holds_up_no_other(new().await).await;
}

#[tokio::test]
async fn slow_keys_take_up_no_more_than_their_places() {
    keys::slow_keys_take_up_no_more_than_their_places(new().await).await;
}

#[tokio::test]
async fn a_key_that_is_parked_is_held_until_it_works() {
    keys::a_key_that_is_parked_is_held_until_it_works(new().await).await;
}

#[tokio::test]
async fn what_was_not_done_before_a_stop_is_done_after_it() {
    keys::what_was_not_done_before_a_stop_is_done_after_it(new().await).await;
}

#[tokio::test]
async fn a_partition_goes_on_at_its_next_member() {
    let (first, second) = new_twice().await;
    keys::a_partition_goes_on_at_its_next_member(first, second).await;
}

#[tokio::test]
async fn a_replay_hands_one_group_again_what_lies_before_it() {
    replays::a_replay_hands_one_group_again_what_lies_before_it(new().await).await;
}

#[tokio::test]
async fn a_long_replay_is_complete_and_in_order() {
    replays::a_long_replay_is_complete_and_in_order(new().await).await;
}

#[tokio::test]
async fn a_replay_does_not_wait_for_a_parked_key_nor_overtake_it() {
    replays::a_replay_does_not_wait_for_a_parked_key_nor_overtake_it(new().await).await;
}

#[tokio::test]
async fn an_event_for_one_group_is_skipped_by_others() {
    replays::an_event_for_one_group_is_skipped_by_others(new().await).await;
}

#[tokio::test]
async fn a_batch_holds_what_is_ready_in_order() {
    batches::a_batch_holds_what_is_ready_in_order(new().await).await;
}

#[tokio::test]
async fn one_that_fails_in_a_batch_holds_back_its_key_alone() {
    batches::one_that_fails_in_a_batch_holds_back_its_key_alone(new().await).await;
}

#[tokio::test]
async fn one_that_breaks_its_batch_is_found_and_given_up_on() {
    batches::one_that_breaks_its_batch_is_found_and_given_up_on(new().await).await;
}

#[tokio::test]
async fn those_tried_alone_keep_the_order_of_their_key() {
    batches::those_tried_alone_keep_the_order_of_their_key(new().await).await;
}

#[tokio::test]
async fn a_publication_that_is_refused_makes_its_event_a_dead_letter() {
    refusals::a_publication_that_is_refused_makes_its_event_a_dead_letter(new().await, spoil).await;
}

/// No database keeps a zero byte in a text.
fn spoil(event: &mut Event) {
    event.key = "no\0key".to_owned();
}

#[tokio::test]
async fn a_record_lies_where_it_is_put() {
    reads::a_record_lies_where_it_is_put(new().await).await;
}

#[tokio::test]
async fn all_that_is_known_of_a_record_is_kept() {
    reads::all_that_is_known_of_a_record_is_kept(new().await).await;
}

#[tokio::test]
async fn a_partition_is_read_from_anywhere() {
    reads::a_partition_is_read_from_anywhere(new().await).await;
}

#[tokio::test]
async fn the_extent_is_what_is_there() {
    reads::the_extent_is_what_is_there(new().await).await;
}

#[tokio::test]
async fn nothing_was_published_in_the_future() {
    reads::nothing_was_published_in_the_future(new().await).await;
}

#[tokio::test]
async fn lag_grows_older_until_it_is_gone() {
    reads::lag_grows_older_until_it_is_gone(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_members_come_and_go() {
    let (first, second) = new_twice().await;
    rebalances::nothing_is_lost_while_members_come_and_go(first, second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_redriven_in_its_turn() {
    letters::a_dead_letter_is_redriven_in_its_turn(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_dead_letters_are_redriven_in_order() {
    letters::all_dead_letters_are_redriven_in_order(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discarded_dead_letter_is_gone() {
    letters::a_discarded_dead_letter_is_gone(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_redriven_is_for_its_group_alone() {
    letters::what_was_redriven_is_for_its_group_alone(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_handles_again_what_it_is_asked_to() {
    letters::a_group_handles_again_what_it_is_asked_to(new().await).await;
}

#[tokio::test]
async fn what_is_done_behind_a_parked_key_is_noted_at_once() {
    progress::what_is_done_behind_a_parked_key_is_noted_at_once(new().await).await;
}

#[tokio::test]
async fn tries_are_counted_on_by_the_next_member() {
    progress::tries_are_counted_on_by_the_next_member(new().await).await;
}

#[tokio::test]
async fn traps_are_counted_on_by_the_next_member() {
    progress::traps_are_counted_on_by_the_next_member(new().await).await;
}

#[tokio::test]
async fn a_replay_goes_on_where_it_was() {
    progress::a_replay_goes_on_where_it_was(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_group_does_is_seen() {
    operators::what_a_group_does_is_seen(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_seen_to_by_the_command_line() {
    operators::dead_letters_are_seen_to_by_the_command_line(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_command_line_cannot_do_it_says() {
    operators::what_the_command_line_cannot_do_it_says(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_replayed_by_the_command_line() {
    operators::a_group_is_replayed_by_the_command_line(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_event_is_held_where_none_may_be_left_out() {
    operators::a_rejected_event_is_held_where_none_may_be_left_out(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_rejected_in_a_batch_is_held_where_none_may_be_left_out() {
    batches::one_that_is_rejected_in_a_batch_is_held_where_none_may_be_left_out(new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_handling_publishes_goes_on_with_its_trace() {
    deliveries::what_a_handling_publishes_goes_on_with_its_trace(new().await).await;
}
