//! One index beside another: built, put in its place, put back, taken away.

use praxis_host::capabilities::index::{
    Beside, Content, Error, Generations, Indexes, Outcome, Replaced, Replacement, Role,
    SourceVersion,
};

use crate::shops::*;

pub fn alone(current: u64) -> Generations {
    Generations {
        current,
        beside: None,
    }
}

pub fn beside(current: u64, generation: u64, role: Role) -> Generations {
    Generations {
        current,
        beside: Some(Beside { generation, role }),
    }
}

pub async fn state(indexes: &Indexes) -> Generations {
    indexes.generations(SHOPS).await.unwrap()
}

pub fn is_conflict<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Conflict(_))), "{result:?}");
}

/// The ids of a generation's documents.
pub async fn held(indexes: &Indexes, generation: u64) -> Vec<String> {
    let documents = indexes.scan_of(SHOPS, generation, None, 500).await;
    let documents = documents.unwrap().into_iter();
    documents.map(|document| document.id).collect()
}

pub async fn load(indexes: &Indexes, generation: u64, id: &str, version: u64, of: &str) -> Outcome {
    let changes = [shop(id, version, vec![trade(of)])];
    let outcomes = indexes.load(SHOPS, generation, &changes).await;
    outcomes.unwrap()[0]
}

/// What was written before is loaded; what is written meanwhile goes into both, whatever comes first.
pub async fn one_answers_while_another_is_built(indexes: Indexes) {
    assert_eq!(state(&indexes).await, alone(1));
    let before = ["a", "b"].map(|id| shop(id, 3, vec![trade("bakery")]));
    apply(&indexes, &before).await;
    assert_eq!(indexes.begin(SHOPS).await.unwrap(), 2);
    assert_eq!(state(&indexes).await, beside(1, 2, Role::Building));
    assert_eq!(found(&indexes, &only(of_trade("bakery"))).await, ["a", "b"]);
    assert!(held(&indexes, 2).await.is_empty());

    apply(&indexes, &[shop("b", 4, vec![trade("butcher")])]).await;
    apply(&indexes, &[shop("c", 1, vec![trade("grocer")])]).await;
    assert_eq!(held(&indexes, 2).await, ["b", "c"]);
    // A snapshot of before, and one that is newer than what the event said.
    assert_eq!(load(&indexes, 2, "a", 3, "bakery").await, Outcome::Applied);
    assert_eq!(load(&indexes, 2, "b", 3, "bakery").await, Outcome::Stale);
    assert_eq!(load(&indexes, 2, "c", 2, "kiosk").await, Outcome::Applied);
    // Who answers has none of what was loaded.
    assert_eq!(found(&indexes, &only(of_trade("grocer"))).await, ["c"]);
    assert!(found(&indexes, &only(of_trade("kiosk"))).await.is_empty());

    indexes.switch(SHOPS, 2).await.unwrap();
    assert_eq!(state(&indexes).await, beside(2, 1, Role::Previous));
    for (of, who) in [("bakery", "a"), ("butcher", "b"), ("kiosk", "c")] {
        assert_eq!(found(&indexes, &only(of_trade(of))).await, [who], "{of}");
    }
    assert!(found(&indexes, &only(of_trade("grocer"))).await.is_empty());
}

pub async fn a_switch_can_be_undone_and_has_lost_nothing(indexes: Indexes) {
    apply(&indexes, &[shop("a", 1, vec![trade("bakery")])]).await;
    let built = indexes.begin(SHOPS).await.unwrap();
    load(&indexes, built, "a", 1, "bakery").await;
    indexes.switch(SHOPS, built).await.unwrap();
    let after = [
        shop("a", 2, vec![trade("butcher")]),
        shop("b", 1, vec![trade("butcher")]),
    ];
    apply(&indexes, &after).await;
    indexes.switch(SHOPS, 1).await.unwrap();
    assert_eq!(state(&indexes).await, beside(1, built, Role::Previous));
    assert_eq!(
        found(&indexes, &only(of_trade("butcher"))).await,
        ["a", "b"]
    );
    // And forth, and no way back any more.
    indexes.switch(SHOPS, built).await.unwrap();
    indexes.remove(SHOPS, 1).await.unwrap();
    assert_eq!(state(&indexes).await, alone(built));
    is_conflict(indexes.switch(SHOPS, 1).await);
    is_conflict(indexes.scan_of(SHOPS, 1, None, 1).await);
    assert_eq!(found(&indexes, &all()).await, ["a", "b"]);
    apply(&indexes, &[shop("c", 1, vec![trade("butcher")])]).await;
    assert_eq!(
        found(&indexes, &only(of_trade("butcher"))).await,
        ["a", "b", "c"]
    );
    assert_eq!(indexes.begin(SHOPS).await.unwrap(), 3);
}

pub async fn there_is_one_beside_at_most_and_it_is_named(indexes: Indexes) {
    for generation in [0, 1, 2] {
        is_conflict(indexes.switch(SHOPS, generation).await);
        is_conflict(indexes.remove(SHOPS, generation).await);
        is_conflict(indexes.load(SHOPS, generation, &[]).await);
    }
    let built = indexes.begin(SHOPS).await.unwrap();
    let again = indexes.begin(SHOPS).await;
    let said = format!("{:#}", again.as_ref().err().unwrap());
    assert!(said.contains("2 is being built"), "{said}");
    is_conflict(again);
    // Never into the one that answers.
    is_conflict(indexes.load(SHOPS, 1, &[]).await);
    is_conflict(indexes.remove(SHOPS, 1).await);
    let many = vec![shop("a", 1, vec![]); 1_001];
    let many = indexes.load(SHOPS, built, &many).await;
    assert!(matches!(many, Err(Error::Invalid(_))), "{many:?}");
    let odd = [shop("a", 1, vec![field("nothing", flag())])];
    let odd = indexes.load(SHOPS, built, &odd).await;
    assert!(matches!(odd, Err(Error::BadField(_))), "{odd:?}");
    let unknown = indexes.begin("nowhere").await;
    assert!(matches!(unknown, Err(Error::NotGranted(_))), "{unknown:?}");
    indexes.remove(SHOPS, built).await.unwrap();
    assert_eq!(state(&indexes).await, alone(1));
    // What was dropped leaves nothing to the next one of its number.
    load_and_drop(&indexes).await;
    let next = indexes.begin(SHOPS).await.unwrap();
    assert!(held(&indexes, next).await.is_empty());
}

async fn load_and_drop(indexes: &Indexes) {
    let built = indexes.begin(SHOPS).await.unwrap();
    load(indexes, built, "a", 1, "bakery").await;
    indexes.remove(SHOPS, built).await.unwrap();
}

fn flag() -> praxis_host::capabilities::index::Value {
    praxis_host::capabilities::index::Value::Boolean(true)
}

/// What is healed in one is healed in the other where it is as wrong, and left alone where it is not.
pub async fn a_replacement_goes_into_both(indexes: Indexes) {
    let wrong = ["a", "b"].map(|id| shop(id, 1, vec![trade("wrong")]));
    apply(&indexes, &wrong).await;
    let built = indexes.begin(SHOPS).await.unwrap();
    load(&indexes, built, "a", 1, "wrong").await;
    load(&indexes, built, "b", 1, "right").await;
    let content = |of: &str| Content {
        versions: vec![SourceVersion {
            source: "profile".into(),
            version: 1,
        }],
        fields: vec![trade(of)],
    };
    for id in ["a", "b"] {
        let healed = Replacement {
            id: id.into(),
            seen: Some(content("wrong")),
            becomes: Some(content("healed")),
        };
        let replaced = indexes.replace(SHOPS, healed).await.unwrap();
        assert_eq!(replaced, Replaced::Replaced);
    }
    assert_eq!(found(&indexes, &only(of_trade("healed"))).await, ["a", "b"]);
    indexes.switch(SHOPS, built).await.unwrap();
    assert_eq!(found(&indexes, &only(of_trade("healed"))).await, ["a"]);
    assert_eq!(found(&indexes, &only(of_trade("right"))).await, ["b"]);
}
