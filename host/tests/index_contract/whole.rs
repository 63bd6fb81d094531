//! Whole documents: all of them, one after the other, and one in another's place.

use praxis_host::capabilities::index::{
    Content, Indexes, Outcome, Replaced, Replacement, SourceVersion, Value,
};

use crate::shops::*;

pub async fn a_scan_has_every_document_by_its_id(indexes: Indexes) {
    let shops: Vec<_> = ["b", "a", "d", "c", "B", "ü"]
        .map(|id| shop(id, 3, vec![trade("bakery"), active(true)]))
        .into();
    apply(&indexes, &shops).await;
    apply(&indexes, &[hours("c", 7, 1_000)]).await;
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = indexes.scan(SHOPS, after.as_deref(), 4).await.unwrap();
        ids.extend(page.iter().map(|document| document.id.clone()));
        after = ids.last().cloned();
        if page.len() < 4 {
            break;
        }
    }
    assert_eq!(ids, ["B", "a", "b", "c", "d", "ü"]);
    let of_c = indexes.scan(SHOPS, Some("b"), 1).await.unwrap().remove(0);
    assert_eq!(of_c.id, "c");
    assert_eq!(of_c.content.versions, [of("hours", 7), of("profile", 3)]);
    let opens = field("opens", Value::Date(1_000));
    assert_eq!(of_c.content.fields, [active(true), opens, trade("bakery")]);
    assert_eq!(indexes.scan(SHOPS, Some("ü"), 1).await.unwrap(), []);
}

pub async fn a_document_is_replaced_if_it_is_as_it_was_seen(indexes: Indexes) {
    let changes = [
        shop("a", 9, vec![trade("bakery"), name("Öhm"), stars(0.1)]),
        shop("b", 1, vec![trade("grocer")]),
    ];
    apply(&indexes, &changes).await;
    let seen = only_content(&indexes, "a").await;
    // Lower versions, in any order, and a field less.
    let becomes = Content {
        versions: vec![of("profile", 4), of("hours", 2)],
        fields: vec![trade("butcher"), name("Alm")],
    };
    let replacement = Replacement {
        id: "a".into(),
        seen: seen.clone(),
        becomes: Some(becomes.clone()),
    };
    let first = indexes.replace(SHOPS, replacement.clone()).await.unwrap();
    assert_eq!(first, Replaced::Replaced);
    assert_eq!(found(&indexes, &only(of_trade("butcher"))).await, ["a"]);
    assert_eq!(found(&indexes, &only(named("alm"))).await, ["a"]);
    assert!(found(&indexes, &only(named("öhm"))).await.is_empty());
    assert!(found(&indexes, &only(of_trade("bakery"))).await.is_empty());
    let held = only_content(&indexes, "a").await.unwrap();
    assert_eq!(held.versions, [of("hours", 2), of("profile", 4)]);
    assert_eq!(held.fields, [name("Alm"), trade("butcher")]);
    // It is not as it was seen.
    let again = indexes.replace(SHOPS, replacement).await.unwrap();
    assert_eq!(again, Replaced::Changed);
    assert_eq!(only_content(&indexes, "a").await.unwrap(), held);
    // Events go on from there.
    let next = [
        shop("a", 4, vec![stars(1.0)]),
        shop("a", 5, vec![stars(2.0)]),
    ];
    let outcomes = indexes.apply(SHOPS, &next).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stale, Outcome::Applied]);
    assert_eq!(found(&indexes, &all()).await, ["a", "b"]);
}

pub async fn a_document_is_made_or_removed_by_replacing(indexes: Indexes) {
    let content = Content {
        versions: vec![of("profile", 3)],
        fields: vec![trade("bakery")],
    };
    let made = Replacement {
        id: "a".into(),
        seen: None,
        becomes: Some(content.clone()),
    };
    let gone = Replacement {
        id: "a".into(),
        seen: Some(content),
        becomes: None,
    };
    for _ in 0..2 {
        // What is not there can't go.
        let early = indexes.replace(SHOPS, gone.clone()).await.unwrap();
        assert_eq!(early, Replaced::Changed);
        let first = indexes.replace(SHOPS, made.clone()).await.unwrap();
        assert_eq!(first, Replaced::Replaced);
        assert_eq!(found(&indexes, &only(of_trade("bakery"))).await, ["a"]);
        let again = indexes.replace(SHOPS, made.clone()).await.unwrap();
        assert_eq!(again, Replaced::Changed);
        let removed = indexes.replace(SHOPS, gone.clone()).await.unwrap();
        assert_eq!(removed, Replaced::Replaced);
        assert!(found(&indexes, &only(of_trade("bakery"))).await.is_empty());
        assert!(found(&indexes, &all()).await.is_empty());
        assert_eq!(indexes.get(SHOPS, "a").await.unwrap(), None);
    }
    // Nothing is left of its versions.
    apply(&indexes, &[shop("a", 1, vec![trade("grocer")])]).await;
    assert_eq!(found(&indexes, &all()).await, ["a"]);
}

/// All that is held of it.
async fn only_content(indexes: &Indexes, id: &str) -> Option<Content> {
    let documents = indexes.scan(SHOPS, None, 500).await.unwrap();
    let mut documents = documents.into_iter();
    let found = documents.find(|document| document.id == id);
    found.map(|document| document.content)
}

fn of(source: &str, version: u64) -> SourceVersion {
    SourceVersion {
        source: source.into(),
        version,
    }
}
