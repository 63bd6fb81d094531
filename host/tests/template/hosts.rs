//! Two hosts on one database.

use std::time::{Duration, Instant};

use praxis_host::capabilities::template::{Channel, Error};

use sqlx::postgres::PgPoolOptions;

use crate::place::{Place, database, rendering, request};
use crate::postgres;

const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long who asks waits for a database that is away.
const ACQUIRE_MAX: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_one_host_keeps_another_renders_at_once() {
    let pool = database().await;
    let (one, other) = (Place::on(&pool), Place::on(&pool));
    let template = one.keep(rendering()).await;
    let said = other
        .render(&template, &request(Channel::Sms, "plain", "{}"))
        .await;
    assert_eq!(said.unwrap().text, "de-AT: {}");
    // One that starts later, too, and heard of nothing.
    let third = Place::on(&pool);
    let said = third
        .render(&template, &request(Channel::Sms, "plain", "{}"))
        .await;
    assert_eq!(said.unwrap().text, "de-AT: {}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_wait_for_one_that_loads() {
    let pool = database().await;
    let template = Place::on(&pool).keep(rendering()).await;
    let place = Place::on(&pool);
    let request = request(Channel::Sms, "plain", "{}");
    let asked = (0..64).map(|_| place.render(&template, &request));
    for said in futures::future::join_all(asked).await {
        assert_eq!(said.unwrap().text, "de-AT: {}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_heard_of_a_component_needs_the_database_no_more() {
    let pool = database().await;
    let other = Place::on(&pool);
    let one = Place::on(&pool);
    let deadline = Instant::now() + WAIT_MAX;
    // Listening has begun at some time; then what is kept is made ready without being asked for.
    loop {
        let template = one.keep(rendering()).await;
        sqlx::query("delete from template_components")
            .execute(&pool)
            .await
            .unwrap();
        let said = other
            .render(&template, &request(Channel::Sms, "plain", "{}"))
            .await;
        match said {
            Ok(said) => {
                assert_eq!(said.text, "de-AT: {}");
                return;
            }
            Err(Error::Unknown) => assert!(Instant::now() < deadline, "it never heard"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ready_is_rendered_while_the_database_is_away() {
    let (mut server, _folder) = postgres::start().await;
    let pool = PgPoolOptions::new()
        .acquire_timeout(ACQUIRE_MAX)
        .connect(&postgres::database(&server).await)
        .await
        .unwrap();
    let (one, other) = (Place::on(&pool), Place::on(&pool));
    let template = one.keep(rendering()).await;
    let text = "{% block text %}{{ view.x }}{% endblock %}";
    server.stop().await.unwrap();

    let request = request(Channel::Sms, "plain", "{}");
    let said = one.render(&template, &request).await;
    assert_eq!(said.unwrap().text, "de-AT: {}");
    let said = one.say(Channel::Sms, text, r#"{"x": "y"}"#).await;
    assert_eq!(said.unwrap().text, "y");
    // Neither is it unknown to who has not heard of it: they may ask again.
    let said = other.render(&template, &request).await;
    let heard = matches!(&said, Ok(said) if said.text == "de-AT: {}");
    assert!(
        heard || matches!(said, Err(Error::Unavailable(_))),
        "{said:?}"
    );
}
