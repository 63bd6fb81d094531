//! What every adapter does: words.

use praxis_host::capabilities::index::{Indexes, Value};

use crate::shops::*;

pub async fn words_match_without_case_and_accents(indexes: Indexes) {
    let shops = [
        shop("a", 1, vec![name("Café d'Été")]),
        shop("b", 1, vec![name("CAFE-BAR Strauß")]),
        shop("c", 1, vec![name("Teehaus")]),
    ];
    apply(&indexes, &shops).await;
    let cases: [(&str, &[&str]); 10] = [
        ("cafe", &["a", "b"]),
        ("CAFÉ", &["a", "b"]),
        ("caf", &["a", "b"]),
        ("été café", &["a"]),
        ("ete caf", &["a"]),
        ("caf ete", &[]),
        ("bar strauss", &["b"]),
        ("strauß", &["b"]),
        ("  ...  ", &["a", "b", "c"]),
        ("teehaus bar", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(
            found(&indexes, &only(named(text))).await,
            expected,
            "{text:?}"
        );
    }
}

pub async fn an_umlaut_may_be_written_in_three_ways(indexes: Indexes) {
    let shops = [
        shop("a", 1, vec![name("Bäckerei Müller")]),
        shop("b", 1, vec![name("Baeckerei Mueller-Lüdenscheidt")]),
        shop("c", 1, vec![name("Backerei Muller")]),
        shop("d", 1, vec![name("Bauer, Miller & Möller")]),
    ];
    apply(&indexes, &shops).await;
    let of_muller: &[&str] = &["a", "b", "c"];
    for text in [
        "müller",
        "Mueller",
        "MULLER",
        "müll",
        "muel",
        "mue",
        "mu",
        "backerei mueller",
        "BÄCKEREI mü",
    ] {
        let is = found(&indexes, &only(named(text))).await;
        assert_eq!(is, of_muller, "{text:?}");
    }
    assert_eq!(found(&indexes, &only(named("moeller"))).await, ["d"]);
    assert!(found(&indexes, &only(named("bar"))).await.is_empty());
    apply(&indexes, &[shop("a", 2, vec![name("Konditorei")])]).await;
    assert_eq!(found(&indexes, &only(named("mueller"))).await, ["b", "c"]);
    apply(
        &indexes,
        &[shop("b", 2, vec![field("name", Value::Absent)])],
    )
    .await;
    assert_eq!(found(&indexes, &only(named("mueller"))).await, ["c"]);
}

pub async fn one_typo_in_a_longer_word_is_overlooked(indexes: Indexes) {
    let shops = [
        shop("a", 1, vec![name("Schneider Anna")]),
        shop("b", 1, vec![name("Schneidermann Bert")]),
        shop("c", 1, vec![name("Kühn")]),
    ];
    apply(&indexes, &shops).await;
    let cases: [(&str, &[&str]); 17] = [
        ("schneider", &["a", "b"]),
        ("schneidre", &["a"]),
        ("schnieder anna", &["a"]),
        ("shneider", &["a"]),
        ("schnneider", &["a"]),
        ("Schneidel", &["a"]),
        ("xchneider", &["a"]),
        ("schneide", &["a", "b"]),
        ("anna schneder", &["a"]),
        ("sneider", &[]),
        ("schnedier x", &[]),
        ("schnied", &[]),
        ("schneidermnan", &["b"]),
        ("anma", &[]),
        ("kühm", &[]),
        ("kuehn", &["c"]),
        ("bart schneidermann", &[]),
    ];
    for (text, expected) in cases {
        let is = found(&indexes, &only(named_nearly(text))).await;
        assert_eq!(is, expected, "{text:?}");
    }
    assert!(found(&indexes, &only(named("schneidre"))).await.is_empty());
}
