//! The suite on the embedded index, and what only this adapter has.

use std::path::{Path, PathBuf};

use praxis_host::capabilities::index::embedded::Embedded;
use praxis_host::capabilities::index::{Outcome, Replaced, Replacement};
use tempfile::TempDir;

use crate::shops::*;
use crate::{generations, names, order, refusals, suite, whole};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_document_comes_back_as_it_was_applied() {
    let folder = folder();
    suite::a_document_comes_back_as_it_was_applied(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_field_can_be_removed() {
    let folder = folder();
    suite::a_field_can_be_removed(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_stale_change_leaves_no_trace() {
    let folder = folder();
    suite::a_stale_change_leaves_no_trace(embedded(folder.path())).await;
}

#[tokio::test]
async fn each_source_has_its_own_version() {
    let folder = folder();
    suite::each_source_has_its_own_version(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_search_sees_what_was_just_applied() {
    let folder = folder();
    suite::a_search_sees_what_was_just_applied(embedded(folder.path())).await;
}

#[tokio::test]
async fn every_clause_must_hold() {
    let folder = folder();
    suite::every_clause_must_hold(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_date_range_excludes_its_end() {
    let folder = folder();
    suite::a_date_range_excludes_its_end(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_circle_may_cross_the_date_line_or_hold_a_pole() {
    let folder = folder();
    suite::a_circle_may_cross_the_date_line_or_hold_a_pole(embedded(folder.path())).await;
}

#[tokio::test]
async fn of_those_that_are_alike_none_is_lost() {
    let folder = folder();
    suite::of_those_that_are_alike_none_is_lost(embedded(folder.path())).await;
}

#[tokio::test]
async fn words_match_without_case_and_accents() {
    let folder = folder();
    names::words_match_without_case_and_accents(embedded(folder.path())).await;
}

#[tokio::test]
async fn an_umlaut_may_be_written_in_three_ways() {
    let folder = folder();
    names::an_umlaut_may_be_written_in_three_ways(embedded(folder.path())).await;
}

#[tokio::test]
async fn one_typo_in_a_longer_word_is_overlooked() {
    let folder = folder();
    names::one_typo_in_a_longer_word_is_overlooked(embedded(folder.path())).await;
}

#[tokio::test]
async fn the_better_a_name_fits_the_higher_it_scores() {
    let folder = folder();
    names::the_better_a_name_fits_the_higher_it_scores(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_field_may_have_several_keywords() {
    let folder = folder();
    names::a_field_may_have_several_keywords(embedded(folder.path())).await;
}

#[tokio::test]
async fn the_score_is_the_product_of_the_factors() {
    let folder = folder();
    suite::the_score_is_the_product_of_the_factors(embedded(folder.path())).await;
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip() {
    let folder = folder();
    order::pages_neither_repeat_nor_skip(embedded(folder.path())).await;
}

#[tokio::test]
async fn hits_go_by_what_the_query_says() {
    let folder = folder();
    order::hits_go_by_what_the_query_says(embedded(folder.path())).await;
}

#[tokio::test]
async fn facets_count_all_that_match() {
    let folder = folder();
    order::facets_count_all_that_match(embedded(folder.path())).await;
}

#[tokio::test]
async fn pages_hold_while_others_change() {
    let folder = folder();
    order::pages_hold_while_others_change(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_search_only() {
    let folder = folder();
    order::a_cursor_is_good_for_its_own_search_only(embedded(folder.path())).await;
}

#[tokio::test]
async fn any_of_several_terms_is_enough() {
    let folder = folder();
    suite::any_of_several_terms_is_enough(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_page_that_is_full_by_chance_has_no_next() {
    let folder = folder();
    order::a_page_that_is_full_by_chance_has_no_next(embedded(folder.path())).await;
}

#[tokio::test]
async fn many_writers_leave_the_newest_version() {
    let folder = folder();
    suite::many_writers_leave_the_newest_version(embedded(folder.path())).await;
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_refused() {
    let folder = folder();
    refusals::what_does_not_fit_the_schema_is_refused(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_broken_limit_is_named() {
    let folder = folder();
    refusals::a_broken_limit_is_named(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_scan_has_every_document_by_its_id() {
    let folder = folder();
    whole::a_scan_has_every_document_by_its_id(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_document_is_replaced_if_it_is_as_it_was_seen() {
    let folder = folder();
    whole::a_document_is_replaced_if_it_is_as_it_was_seen(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_document_is_made_or_removed_by_replacing() {
    let folder = folder();
    whole::a_document_is_made_or_removed_by_replacing(embedded(folder.path())).await;
}

#[tokio::test]
async fn one_answers_while_another_is_built() {
    let folder = folder();
    generations::one_answers_while_another_is_built(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_switch_can_be_undone_and_has_lost_nothing() {
    let folder = folder();
    generations::a_switch_can_be_undone_and_has_lost_nothing(embedded(folder.path())).await;
}

#[tokio::test]
async fn there_is_one_beside_at_most_and_it_is_named() {
    let folder = folder();
    generations::there_is_one_beside_at_most_and_it_is_named(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_replacement_goes_into_both() {
    let folder = folder();
    generations::a_replacement_goes_into_both(embedded(folder.path())).await;
}

#[tokio::test]
async fn a_restart_keeps_what_was_replaced_and_what_was_removed() {
    let folder = folder();
    {
        let indexes = embedded(folder.path());
        whole::a_document_is_replaced_if_it_is_as_it_was_seen(indexes.clone()).await;
        let seen = indexes.scan(SHOPS, Some("a"), 1).await.unwrap().remove(0);
        let gone = Replacement {
            id: seen.id,
            seen: Some(seen.content),
            becomes: None,
        };
        let replaced = indexes.replace(SHOPS, gone).await.unwrap();
        assert_eq!(replaced, Replaced::Replaced);
    }
    let indexes = embedded(folder.path());
    assert_eq!(found(&indexes, &all()).await, ["a"]);
    assert_eq!(found(&indexes, &only(of_trade("butcher"))).await, ["a"]);
    let held = indexes.scan(SHOPS, None, 500).await.unwrap().remove(0);
    let versions = held.content.versions.iter().map(|of| of.version);
    assert_eq!(versions.collect::<Vec<_>>(), [2, 5]);
}

#[tokio::test]
async fn a_restart_keeps_the_documents() {
    let folder = folder();
    let shops: Vec<_> = (0..50)
        .map(|at| {
            shop(
                &format!("{at:02}"),
                3,
                vec![trade("bakery"), stars(at.into())],
            )
        })
        .collect();
    {
        let indexes = embedded(folder.path());
        apply(&indexes, &shops).await;
        apply(
            &indexes,
            &[shop("07", 4, vec![stars(99.0)]), hours("07", 1, 5)],
        )
        .await;
    }
    let indexes = embedded(folder.path());
    assert_eq!(search(&indexes, &only(of_trade("bakery"))).await.total, 50);
    let held = indexes.get(SHOPS, "07").await.unwrap().unwrap();
    assert_eq!(held[1], stars(99.0));
    assert_eq!(found(&indexes, &only(opens(None, None))).await, ["07"]);
    let stale = indexes
        .apply(SHOPS, &[shop("07", 4, vec![stars(1.0)])])
        .await
        .unwrap();
    assert_eq!(stale, [Outcome::Stale]);
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off() {
    let folder = folder();
    {
        let indexes = embedded(folder.path());
        apply(&indexes, &[shop("a", 1, vec![trade("bakery")])]).await;
        apply(&indexes, &[shop("b", 1, vec![trade("butcher")])]).await;
    }
    let journal = journal(folder.path());
    let text = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &text[..text.len() - 5]).unwrap();
    {
        let indexes = embedded(folder.path());
        assert_eq!(found(&indexes, &all()).await, ["a"]);
        apply(&indexes, &[shop("c", 1, vec![trade("grocer")])]).await;
    }
    let indexes = embedded(folder.path());
    assert_eq!(found(&indexes, &all()).await, ["a", "c"]);
}

#[tokio::test]
async fn a_journal_damaged_in_the_middle_is_named_not_skipped() {
    let folder = folder();
    std::fs::write(journal(folder.path()), "{\"change\":\n{}\n").unwrap();
    let opened = Embedded::open(folder.path(), "test-", &schema());
    let error = format!("{:#}", opened.err().unwrap());
    assert!(
        error.contains("test-shops.jsonl") && error.contains("line 1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_long_history_is_compacted() {
    const SHOPS_WRITTEN: usize = 200;
    let folder = folder();
    let mut version = 0;
    {
        let indexes = embedded(folder.path());
        // Beside those who write.
        let mut lines_max = 0;
        while lines(folder.path()) >= lines_max {
            lines_max = lines(folder.path());
            assert!(lines_max < 1_000_000, "it is never compacted");
            version += 1;
            let shops: Vec<_> = (0..SHOPS_WRITTEN)
                .map(|at| shop(&format!("{at:03}"), version, vec![stars(version as f64)]))
                .collect();
            apply(&indexes, &shops).await;
        }
        assert!(lines_max >= 10_000, "{lines_max} lines");
        assert_eq!(search(&indexes, &all()).await.total, 200);
    }
    let indexes = embedded(folder.path());
    assert_eq!(
        indexes.get(SHOPS, "199").await.unwrap(),
        Some(vec![stars(version as f64)])
    );
}

#[tokio::test]
async fn two_processes_cannot_share_a_journal() {
    let folder = folder();
    let _first = embedded(folder.path());
    let second = Embedded::open(folder.path(), "test-", &schema());
    let error = format!("{:#}", second.err().unwrap());
    assert!(error.contains("another process"), "{error}");
}

fn journal(folder: &Path) -> PathBuf {
    folder.join("test-shops.jsonl")
}

fn lines(folder: &Path) -> usize {
    std::fs::read_to_string(journal(folder))
        .unwrap()
        .lines()
        .count()
}
