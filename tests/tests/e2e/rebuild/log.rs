//! Made anew of the events that the log still has.

use praxis_tests::{Services, World};

use super::{REBUILT, fails, rebuild, role, state, works};
use crate::audit::{finds_nothing, import};
use crate::flow::free_are;

#[tokio::test]
async fn a_log_that_has_everything_makes_the_same() {
    whole(Services::Embedded).await;
}

#[tokio::test]
async fn and_so_does_one_on_kafka() {
    whole(Services::Brokered).await;
}

async fn whole(services: Services) {
    let world = World::start(services).await;
    world.without_the_slow_audit().await;
    let all = import(&world, ["One", "Two", "Three"]).await;
    let operator = world.api().operator().await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = all[0].free_slots(&alice).await;
    alice.book(all[0].id, &slots[0]).await.expect(201);
    world.settle().await;
    for what in REBUILT {
        let said = works(&world, &operator, &[what, "--from", "log"]).await;
        assert!(said.contains("it begins at 20"), "{said}");
        assert!(
            said.contains("compared 3: 0 differ, 0 are not there"),
            "{said}"
        );
    }
    free_are(&alice, &all[0], &slots[1..]).await;
    let next = all[0].next_slot_in_search(&alice).await;
    assert_eq!(next.as_ref(), slots.get(1));
    finds_nothing(&operator).await;
    world.settle().await;
}

#[tokio::test]
async fn a_log_that_has_forgotten_somebody_says_whom() {
    let world = World::start(Services::Embedded).await;
    world.without_the_slow_audit().await;
    let [here, forgotten] = import(&world, ["Here", "Forgotten"]).await;
    let operator = world.api().operator().await;
    world.settle().await;
    // As retention does, once they are old enough.
    let forget = sqlx::query("delete from event_log where key = $1").bind(forgotten.id.to_string());
    let gone = forget.execute(&world.database).await.unwrap();
    assert!(gone.rows_affected() > 0);
    for what in REBUILT {
        let said = fails(&world, &operator, &[what, "--from", "log"]).await;
        let line = format!(
            "the log did not contain all of 1 practitioners: {}",
            forgotten.id
        );
        assert!(said.contains(&line), "{said}");
        assert!(said.contains("it begins at 20"), "{said}");
        assert!(!said.contains(&here.id.to_string()), "{said}");
        assert_eq!(role(&state(&operator, what).await), "building");
        let all_the_same = [what, "--from", "log", "--resume", "--switch-incomplete"];
        let (is_content, said) = rebuild(&world, &operator, &all_the_same).await;
        assert!(is_content, "{said}");
    }
    // What is not in the bitmap is loaded; what is not in the index is not found.
    let (free, source) = forgotten.free_slots(&operator).await;
    assert_eq!(source, "database");
    assert_eq!(
        here.free_slots(&operator).await,
        (free, "bitmap".to_owned())
    );
    assert!(here.next_slot_in_search(&operator).await.is_some());
    assert!(forgotten.next_slot_in_search(&operator).await.is_none());
    works(&world, &operator, &["search", "--rollback"]).await;
    assert!(forgotten.next_slot_in_search(&operator).await.is_some());
    works(&world, &operator, &["search", "--from", "snapshot"]).await;
    assert!(forgotten.next_slot_in_search(&operator).await.is_some());
    finds_nothing(&operator).await;
    world.settle().await;
}
