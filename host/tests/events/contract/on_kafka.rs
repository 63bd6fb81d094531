//! The suite on Kafka's protocol: librdkafka's mock cluster, in this process.

use std::sync::Arc;

use praxis_host::capabilities::events::kafka::{Kafka, Options};
use praxis_host::capabilities::events::{Broker, dead_letter_topic};
use praxis_host::runtime::consumer::Event;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::{
    batches, deliveries, keys, letters, operators, progress, reads, rebalances, refusals, replays,
    suite,
};
use crate::waiting::within;

const BROKERS: i32 = 3;
const DELIVERY_MS_MAX: u64 = 6_000;

/// The mock cluster takes about as long for a rebalance.
pub const SESSION_MS: u64 = 3_000;

/// All brokers at once.
pub const ALL: i32 = -1;

pub type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A cluster with the suite's topics, made through the mock: it knows no CreateTopics.
pub fn cluster() -> Cluster {
    let cluster = MockCluster::new(BROKERS).unwrap();
    create_topics(&cluster);
    cluster
}

pub fn create_topics(cluster: &Cluster) {
    for (topic, settings) in suite::topics() {
        let partitions = i32::try_from(settings.partitions).unwrap();
        let letters = dead_letter_topic(&topic);
        cluster
            .create_topic(&format!("test.{topic}"), partitions, 1)
            .unwrap();
        cluster
            .create_topic(&format!("test.{letters}"), 1, 1)
            .unwrap();
    }
}

/// The cluster, as one host meets it.
pub fn connect(cluster: &Cluster) -> Kafka {
    Kafka::new(options(&cluster.bootstrap_servers())).unwrap()
}

pub fn options(brokers: &str) -> Options {
    let mut options = Options::new(brokers, "test.");
    options.delivery_ms_max = DELIVERY_MS_MAX;
    options.session_ms = SESSION_MS;
    options
}

pub async fn host(cluster: &Cluster) -> Arc<dyn Broker> {
    let kafka = connect(cluster);
    kafka.ensure_topics(&suite::topics()).await.unwrap();
    Arc::new(kafka)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_in_order_per_key() {
    let cluster = cluster();
    suite::publishes_in_order_per_key(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_is_what_was_published() {
    let cluster = cluster();
    suite::what_is_read_is_what_was_published(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_published_while_somebody_waits_arrives() {
    let cluster = cluster();
    suite::an_event_published_while_somebody_waits_arrives(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_completed_is_delivered_again() {
    let cluster = cluster();
    suite::what_was_not_completed_is_delivered_again(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_independent() {
    let cluster = cluster();
    suite::groups_are_independent(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_survive_a_restart() {
    let cluster = cluster();
    suite::offsets_survive_a_restart(host(&cluster).await, host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_the_partitions() {
    let cluster = cluster();
    suite::members_share_the_partitions(host(&cluster).await, host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_is_what_is_not_completed() {
    let cluster = cluster();
    suite::lag_is_what_is_not_completed(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_there_stay_as_they_are() {
    let cluster = cluster();
    suite::topics_that_are_there_stay_as_they_are(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_topic_has_its_dead_letters() {
    let cluster = cluster();
    suite::every_topic_has_its_dead_letters(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_retried_holds_up_those_behind_it() {
    let cluster = cluster();
    deliveries::an_event_that_is_retried_holds_up_those_behind_it(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_event_lies_among_the_dead_letters() {
    let cluster = cluster();
    deliveries::a_rejected_event_lies_among_the_dead_letters(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_given_up_on_after_its_last_attempt() {
    let cluster = cluster();
    deliveries::an_event_is_given_up_on_after_its_last_attempt(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_handling_publishes_has_the_same_ids_each_time() {
    let cluster = cluster();
    deliveries::what_a_handling_publishes_has_the_same_ids_each_time(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_failed_attempt() {
    let cluster = cluster();
    deliveries::a_panic_is_a_failed_attempt(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_what_is_being_handled() {
    let cluster = cluster();
    deliveries::a_stop_waits_for_what_is_being_handled(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_key_holds_up_no_other() {
    let cluster = cluster();
    keys::a_slow_key_holds_up_no_other(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_keys_take_up_no_more_than_their_places() {
    let cluster = cluster();
    keys::slow_keys_take_up_no_more_than_their_places(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_parked_is_held_until_it_works() {
    let cluster = cluster();
    keys::a_key_that_is_parked_is_held_until_it_works(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_done_before_a_stop_is_done_after_it() {
    let cluster = cluster();
    keys::what_was_not_done_before_a_stop_is_done_after_it(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_goes_on_at_its_next_member() {
    let cluster = cluster();
    keys::a_partition_goes_on_at_its_next_member(host(&cluster).await, host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_hands_one_group_again_what_lies_before_it() {
    let cluster = cluster();
    replays::a_replay_hands_one_group_again_what_lies_before_it(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_replay_is_complete_and_in_order() {
    let cluster = cluster();
    replays::a_long_replay_is_complete_and_in_order(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_does_not_wait_for_a_parked_key_nor_overtake_it() {
    let cluster = cluster();
    replays::a_replay_does_not_wait_for_a_parked_key_nor_overtake_it(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_one_group_is_skipped_by_others() {
    let cluster = cluster();
    replays::an_event_for_one_group_is_skipped_by_others(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_holds_what_is_ready_in_order() {
    let cluster = cluster();
    batches::a_batch_holds_what_is_ready_in_order(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_in_a_batch_holds_back_its_key_alone() {
    let cluster = cluster();
    batches::one_that_fails_in_a_batch_holds_back_its_key_alone(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_breaks_its_batch_is_found_and_given_up_on() {
    let cluster = cluster();
    batches::one_that_breaks_its_batch_is_found_and_given_up_on(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_tried_alone_keep_the_order_of_their_key() {
    let cluster = cluster();
    batches::those_tried_alone_keep_the_order_of_their_key(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_down_is_unavailable_and_comes_back() {
    let cluster = cluster();
    suite::a_broker_that_is_down_is_unavailable_and_comes_back(
        host(&cluster).await,
        async || cluster.broker_down(ALL).unwrap(),
        async || cluster.broker_up(ALL).unwrap(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_show_up_while_they_are_waited_for_will_do() {
    let cluster = MockCluster::new(1).unwrap();
    let kafka = connect(&cluster);
    let topics = suite::topics();
    let ensured = kafka.ensure_topics(&topics);
    let made = async { create_topics(&cluster) };
    let (ensured, ()) = within(futures::future::join(ensured, made)).await;
    ensured.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_redriven_in_its_turn() {
    let cluster = cluster();
    letters::a_dead_letter_is_redriven_in_its_turn(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_dead_letters_are_redriven_in_order() {
    let cluster = cluster();
    letters::all_dead_letters_are_redriven_in_order(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discarded_dead_letter_is_gone() {
    let cluster = cluster();
    letters::a_discarded_dead_letter_is_gone(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_redriven_is_for_its_group_alone() {
    let cluster = cluster();
    letters::what_was_redriven_is_for_its_group_alone(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_handles_again_what_it_is_asked_to() {
    let cluster = cluster();
    letters::a_group_handles_again_what_it_is_asked_to(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_is_refused_makes_its_event_a_dead_letter() {
    let cluster = cluster();
    let broker = host(&cluster).await;
    refusals::a_publication_that_is_refused_makes_its_event_a_dead_letter(broker, spoil).await;
}

/// More than a message may have.
fn spoil(event: &mut Event) {
    event.data = format!("\"{}\"", "x".repeat(2 << 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_lies_where_it_is_put() {
    let cluster = cluster();
    reads::a_record_lies_where_it_is_put(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_known_of_a_record_is_kept() {
    let cluster = cluster();
    reads::all_that_is_known_of_a_record_is_kept(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_read_from_anywhere() {
    let cluster = cluster();
    reads::a_partition_is_read_from_anywhere(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extent_is_what_is_there() {
    let cluster = cluster();
    reads::the_extent_is_what_is_there(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_was_published_in_the_future() {
    let cluster = cluster();
    reads::nothing_was_published_in_the_future(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_grows_older_until_it_is_gone() {
    let cluster = cluster();
    reads::lag_grows_older_until_it_is_gone(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_members_come_and_go() {
    let cluster = cluster();
    let (first, second) = (host(&cluster).await, host(&cluster).await);
    rebalances::nothing_is_lost_while_members_come_and_go(first, second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_behind_a_parked_key_is_noted_at_once() {
    let cluster = cluster();
    progress::what_is_done_behind_a_parked_key_is_noted_at_once(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_are_counted_on_by_the_next_member() {
    let cluster = cluster();
    progress::tries_are_counted_on_by_the_next_member(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traps_are_counted_on_by_the_next_member() {
    let cluster = cluster();
    progress::traps_are_counted_on_by_the_next_member(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_on_where_it_was() {
    let cluster = cluster();
    progress::a_replay_goes_on_where_it_was(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_group_does_is_seen() {
    let cluster = cluster();
    operators::what_a_group_does_is_seen(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_seen_to_by_the_command_line() {
    let cluster = cluster();
    operators::dead_letters_are_seen_to_by_the_command_line(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_command_line_cannot_do_it_says() {
    let cluster = cluster();
    operators::what_the_command_line_cannot_do_it_says(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_replayed_by_the_command_line() {
    let cluster = cluster();
    operators::a_group_is_replayed_by_the_command_line(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_event_is_held_where_none_may_be_left_out() {
    let cluster = cluster();
    operators::a_rejected_event_is_held_where_none_may_be_left_out(host(&cluster).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_rejected_in_a_batch_is_held_where_none_may_be_left_out() {
    let cluster = cluster();
    batches::one_that_is_rejected_in_a_batch_is_held_where_none_may_be_left_out(
        host(&cluster).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_handling_publishes_goes_on_with_its_trace() {
    let cluster = cluster();
    deliveries::what_a_handling_publishes_goes_on_with_its_trace(host(&cluster).await).await;
}
