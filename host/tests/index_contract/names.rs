//! What every adapter does: words.

use praxis_host::capabilities::index::{Counts, Indexes, Query, Value};

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

pub async fn the_better_a_name_fits_the_higher_it_scores(indexes: Indexes) {
    let shops = [
        shop("a", 1, vec![name("Anna Müllermeister")]),
        shop("b", 1, vec![name("Müller, Annegret")]),
        shop("c", 1, vec![name("Anna Mueller")]),
        shop("d", 1, vec![name("Schneider")]),
        shop("e", 1, vec![stars(1.0)]),
    ];
    apply(&indexes, &shops).await;
    let (some, none) = (BEGINNING, OTHERWISE);
    for (text, expected) in [
        (
            "anna müller",
            [
                ("c", 1.0),
                ("a", some),
                ("b", none),
                ("d", none * none),
                ("e", none * none),
            ],
        ),
        // Only the last word may be a beginning.
        (
            "müller ann",
            [
                ("b", some),
                ("c", some),
                ("a", none * some),
                ("d", none * none),
                ("e", none * none),
            ],
        ),
        (
            " - ",
            [("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0), ("e", 1.0)],
        ),
    ] {
        let query = Query {
            score: vec![called(text)],
            ..all()
        };
        let page = search(&indexes, &query).await;
        assert_eq!(ids(&page), expected.map(|(id, _)| id), "{text:?}");
        for (hit, (id, score)) in page.hits.iter().zip(expected) {
            assert!((hit.score - score).abs() < 1e-4, "{text:?}, {id}: {hit:?}");
        }
    }
}

pub async fn a_field_may_have_several_keywords(indexes: Indexes) {
    let shops = [
        shop("a", 1, vec![tongues(&["de", "tr"]), trade("bakery")]),
        shop("b", 1, vec![tongues(&["tr"])]),
        shop("c", 1, vec![tongues(&["ar", "de", "fr"])]),
        shop("d", 1, vec![trade("bakery")]),
    ];
    apply(&indexes, &shops).await;
    let cases: [(&[&str], &[&str]); 4] = [
        (&["tr"], &["a", "b"]),
        (&["de"], &["a", "c"]),
        (&["fr", "tr"], &["a", "b", "c"]),
        (&["nl"], &[]),
    ];
    for (asked, expected) in cases {
        let is = found(&indexes, &only(speaks(asked))).await;
        assert_eq!(is, expected, "{asked:?}");
    }
    let both = Query {
        filter: vec![of_trade("bakery"), speaks(&["tr"])],
        ..all()
    };
    assert_eq!(found(&indexes, &both).await, ["a"]);
    let counted = Query {
        facets: vec![tongues_counted(2)],
        ..all()
    };
    let counts = search(&indexes, &counted).await.facets.remove(0);
    let Counts::Values(counts) = counts else {
        panic!("{counts:?}");
    };
    let counts: Vec<_> = counts
        .iter()
        .map(|one| (&one.value[..], one.count))
        .collect();
    assert_eq!(counts, [("de", 2), ("tr", 2)]);
    apply(&indexes, &[shop("a", 2, vec![tongues(&["de"])])]).await;
    assert_eq!(found(&indexes, &only(speaks(&["tr"]))).await, ["b"]);
}
