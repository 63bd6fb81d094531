//! The suite on a server that speaks OpenSearch's protocol, and what only this adapter has.

use std::time::{Duration, Instant};

use praxis_host::capabilities::index::{Error, Indexes, Outcome, Role};
use praxis_servers::Server;
use tempfile::TempDir;

use crate::shops::*;
use crate::{generations, names, order, refusals, suite, whole};

/// The server stops when this is dropped.
async fn new() -> (Indexes, Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = opensearch_server(folder.path()).await;
    (opensearch(&server.url()), server, folder)
}

#[tokio::test]
async fn a_document_comes_back_as_it_was_applied() {
    let (indexes, _server, _folder) = new().await;
    suite::a_document_comes_back_as_it_was_applied(indexes).await;
}

#[tokio::test]
async fn a_field_can_be_removed() {
    let (indexes, _server, _folder) = new().await;
    suite::a_field_can_be_removed(indexes).await;
}

#[tokio::test]
async fn a_stale_change_leaves_no_trace() {
    let (indexes, _server, _folder) = new().await;
    suite::a_stale_change_leaves_no_trace(indexes).await;
}

#[tokio::test]
async fn each_source_has_its_own_version() {
    let (indexes, _server, _folder) = new().await;
    suite::each_source_has_its_own_version(indexes).await;
}

#[tokio::test]
async fn a_search_sees_what_was_just_applied() {
    let (indexes, _server, _folder) = new().await;
    suite::a_search_sees_what_was_just_applied(indexes).await;
}

#[tokio::test]
async fn every_clause_must_hold() {
    let (indexes, _server, _folder) = new().await;
    suite::every_clause_must_hold(indexes).await;
}

#[tokio::test]
async fn a_date_range_excludes_its_end() {
    let (indexes, _server, _folder) = new().await;
    suite::a_date_range_excludes_its_end(indexes).await;
}

#[tokio::test]
async fn a_circle_may_cross_the_date_line_or_hold_a_pole() {
    let (indexes, _server, _folder) = new().await;
    suite::a_circle_may_cross_the_date_line_or_hold_a_pole(indexes).await;
}

#[tokio::test]
async fn of_those_that_are_alike_none_is_lost() {
    let (indexes, _server, _folder) = new().await;
    suite::of_those_that_are_alike_none_is_lost(indexes).await;
}

#[tokio::test]
async fn words_match_without_case_and_accents() {
    let (indexes, _server, _folder) = new().await;
    names::words_match_without_case_and_accents(indexes).await;
}

#[tokio::test]
async fn an_umlaut_may_be_written_in_three_ways() {
    let (indexes, _server, _folder) = new().await;
    names::an_umlaut_may_be_written_in_three_ways(indexes).await;
}

#[tokio::test]
async fn one_typo_in_a_longer_word_is_overlooked() {
    let (indexes, _server, _folder) = new().await;
    names::one_typo_in_a_longer_word_is_overlooked(indexes).await;
}

#[tokio::test]
async fn the_better_a_name_fits_the_higher_it_scores() {
    let (indexes, _server, _folder) = new().await;
    names::the_better_a_name_fits_the_higher_it_scores(indexes).await;
}

#[tokio::test]
async fn a_field_may_have_several_keywords() {
    let (indexes, _server, _folder) = new().await;
    names::a_field_may_have_several_keywords(indexes).await;
}

#[tokio::test]
async fn the_score_is_the_product_of_the_factors() {
    let (indexes, _server, _folder) = new().await;
    suite::the_score_is_the_product_of_the_factors(indexes).await;
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip() {
    let (indexes, _server, _folder) = new().await;
    order::pages_neither_repeat_nor_skip(indexes).await;
}

#[tokio::test]
async fn hits_go_by_what_the_query_says() {
    let (indexes, _server, _folder) = new().await;
    order::hits_go_by_what_the_query_says(indexes).await;
}

#[tokio::test]
async fn facets_count_all_that_match() {
    let (indexes, _server, _folder) = new().await;
    order::facets_count_all_that_match(indexes).await;
}

#[tokio::test]
async fn pages_hold_while_others_change() {
    let (indexes, _server, _folder) = new().await;
    order::pages_hold_while_others_change(indexes).await;
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_search_only() {
    let (indexes, _server, _folder) = new().await;
    order::a_cursor_is_good_for_its_own_search_only(indexes).await;
}

#[tokio::test]
async fn any_of_several_terms_is_enough() {
    let (indexes, _server, _folder) = new().await;
    suite::any_of_several_terms_is_enough(indexes).await;
}

#[tokio::test]
async fn a_page_that_is_full_by_chance_has_no_next() {
    let (indexes, _server, _folder) = new().await;
    order::a_page_that_is_full_by_chance_has_no_next(indexes).await;
}

#[tokio::test]
async fn many_writers_leave_the_newest_version() {
    let (indexes, _server, _folder) = new().await;
    suite::many_writers_leave_the_newest_version(indexes).await;
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_refused() {
    let (indexes, _server, _folder) = new().await;
    refusals::what_does_not_fit_the_schema_is_refused(indexes).await;
}

#[tokio::test]
async fn a_broken_limit_is_named() {
    let (indexes, _server, _folder) = new().await;
    refusals::a_broken_limit_is_named(indexes).await;
}

#[tokio::test]
async fn a_scan_has_every_document_by_its_id() {
    let (indexes, _server, _folder) = new().await;
    whole::a_scan_has_every_document_by_its_id(indexes).await;
}

#[tokio::test]
async fn a_document_is_replaced_if_it_is_as_it_was_seen() {
    let (indexes, _server, _folder) = new().await;
    whole::a_document_is_replaced_if_it_is_as_it_was_seen(indexes).await;
}

#[tokio::test]
async fn a_document_is_made_or_removed_by_replacing() {
    let (indexes, _server, _folder) = new().await;
    whole::a_document_is_made_or_removed_by_replacing(indexes).await;
}

#[tokio::test]
async fn another_host_finds_the_same_documents() {
    let (indexes, server, _folder) = new().await;
    apply(&indexes, &[shop("a", 3, vec![trade("bakery")])]).await;
    let other = opensearch(&server.url());
    assert_eq!(found(&other, &only(of_trade("bakery"))).await, ["a"]);
    let stale = other
        .apply(SHOPS, &[shop("a", 3, vec![trade("x")])])
        .await
        .unwrap();
    assert_eq!(stale, [Outcome::Stale]);
}

#[tokio::test]
async fn one_answers_while_another_is_built() {
    let (indexes, _server, _folder) = new().await;
    generations::one_answers_while_another_is_built(indexes).await;
}

#[tokio::test]
async fn a_switch_can_be_undone_and_has_lost_nothing() {
    let (indexes, _server, _folder) = new().await;
    generations::a_switch_can_be_undone_and_has_lost_nothing(indexes).await;
}

#[tokio::test]
async fn there_is_one_beside_at_most_and_it_is_named() {
    let (indexes, _server, _folder) = new().await;
    generations::there_is_one_beside_at_most_and_it_is_named(indexes).await;
}

#[tokio::test]
async fn a_replacement_goes_into_both() {
    let (indexes, _server, _folder) = new().await;
    generations::a_replacement_goes_into_both(indexes).await;
}

#[tokio::test]
async fn another_host_writes_into_what_is_being_built() {
    let (indexes, server, _folder) = new().await;
    let other = opensearch(&server.url());
    // Both know that there is one.
    apply(&indexes, &[shop("a", 1, vec![trade("bakery")])]).await;
    apply(&other, &[shop("b", 1, vec![trade("bakery")])]).await;
    let built = indexes.begin(SHOPS).await.unwrap();
    apply(&other, &[shop("c", 1, vec![trade("bakery")])]).await;
    assert_eq!(generations::held(&indexes, built).await, ["c"]);
    for (id, host) in [("a", &other), ("b", &indexes)] {
        generations::load(host, built, id, 1, "bakery").await;
    }
    generations::is_conflict(other.begin(SHOPS).await);
    other.switch(SHOPS, built).await.unwrap();
    generations::is_conflict(indexes.switch(SHOPS, built).await);
    apply(&indexes, &[shop("d", 1, vec![trade("bakery")])]).await;
    assert_eq!(found(&indexes, &all()).await, ["a", "b", "c", "d"]);
    assert_eq!(found(&other, &all()).await, ["a", "b", "c", "d"]);
    // The first has no alias to tell of it, and is there no more.
    indexes.remove(SHOPS, 1).await.unwrap();
    let third = opensearch(&server.url());
    assert_eq!(found(&third, &all()).await, ["a", "b", "c", "d"]);
    assert_eq!(generations::state(&third).await, generations::alone(built));
}

#[tokio::test]
async fn a_host_that_can_not_look_does_not_write() {
    let (indexes, mut server, _folder) = new().await;
    apply(&indexes, &[shop("a", 1, vec![trade("bakery")])]).await;
    indexes.begin(SHOPS).await.unwrap();
    let building = generations::beside(1, 2, Role::Building);
    assert_eq!(generations::state(&indexes).await, building);
    server.kill().await;
    let applied = indexes.apply(SHOPS, &[shop("b", 1, vec![])]).await;
    assert!(matches!(applied, Err(Error::Unavailable(_))), "{applied:?}");
    let state = indexes.generations(SHOPS).await;
    assert!(matches!(state, Err(Error::Unavailable(_))), "{state:?}");
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_at_once_and_found_again() {
    let (indexes, mut server, _folder) = new().await;
    indexes.health().await.unwrap();
    server.kill().await;
    let begun = Instant::now();
    let searched = indexes.search(SHOPS, &all()).await;
    assert!(
        matches!(searched, Err(Error::Unavailable(_))),
        "{searched:?}"
    );
    let applied = indexes.apply(SHOPS, &[shop("a", 1, vec![])]).await;
    assert!(matches!(applied, Err(Error::Unavailable(_))), "{applied:?}");
    assert!(matches!(indexes.health().await, Err(Error::Unavailable(_))));
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_server_may_come_after_the_host() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let indexes = opensearch(&url);
    let searched = indexes.search(SHOPS, &all()).await;
    assert!(
        matches!(searched, Err(Error::Unavailable(_))),
        "{searched:?}"
    );
}
