//! From a draft to a mail, and back.

use praxis_tests::{Practitioner, Services, World, mail, place};
use reqwest::Method;
use serde_json::json;

use super::{Template, author, mail_that_says};

#[tokio::test]
async fn a_clinic_changes_its_words_and_takes_them_back() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Author");
    world.import(&[&practitioner]).await;
    let staff = author(&world.api()).await;
    let template = Template::of(&staff, "booking-created/email/en", "patient");

    let built_in = template.get("").await.expect(200);
    assert_eq!(built_in.header("etag"), "\"0\"");
    assert_eq!(built_in.json()["speaks"]["origin"], "built-in");
    let source = built_in.json()["speaks"]["source"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(source.contains("Your appointment is booked."), "{source}");

    // What an author may go on from is a template itself.
    let first = template.drafted(&source).await;
    let second = template.drafted(&mail_that_says("Welcome to us!")).await;
    assert_eq!((first, second), (1, 2));

    let preview = template.post("/versions/2/preview", None, None).await;
    let preview = preview.expect(200).json();
    let items = preview["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{preview:#}");
    assert_eq!(items[0]["message"]["subject"], "Welcome to us!");
    let html = items[0]["message"]["html"].as_str().unwrap();
    assert!(html.contains("Alice &lt;Sample&gt;"), "{html}");
    assert_eq!(preview["diff"]["against"], "built-in");
    let diff = preview["diff"]["source"].as_str().unwrap();
    assert!(
        diff.contains("+{% block subject %}Welcome to us!"),
        "{diff}"
    );
    let diff = preview["diff"]["message"]["text"].as_str().unwrap();
    assert!(diff.contains("-Your appointment is booked."), "{diff}");

    let own = json!({ "view": { "slot": { "date": "today" }, "recipient_name": null } });
    let given = template.post("/versions/2/preview", None, Some(own)).await;
    let given = given.expect(200).json();
    assert_eq!(given["items"][0]["message"]["text"], "Welcome to us! today");

    template
        .post("/versions/2/test-send", None, None)
        .await
        .expect(200);
    let to_oneself = mail::wait_for(&staff, "author@writers.example", 1).await;
    assert_eq!(to_oneself.subject.as_deref(), Some("Welcome to us!"));

    template
        .publish(2, "\"7\"")
        .await
        .expect_problem(412, "version-conflict");
    let published = template.publish(2, "\"0\"").await.expect(200);
    assert_eq!(published.header("etag"), "\"1\"");
    assert_eq!(published.json()["changed_by"], "author");
    template
        .publish(1, "\"0\"")
        .await
        .expect_problem(412, "version-conflict");

    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booking = alice.book(practitioner.id, &slots[0]).await.expect(201);
    let told = mail::wait_for(&alice, "alice@patients.example", 1).await;
    assert_eq!(told.subject.as_deref(), Some("Welcome to us!"));
    // Nobody wrote words for practitioners.
    let told = mail::wait_for(&alice, &practitioner.email, 1).await;
    assert!(told.subject.unwrap().starts_with("New appointment: "));

    let path = format!(
        "/v1/ops/deliveries?booking_id={}",
        booking.text_of("booking_id")
    );
    world.settle().await;
    let ledger = staff.get(&path).await.expect(200).json();
    let entry = |audience: &str| {
        let items = ledger["items"].as_array().unwrap();
        let mut items = items.iter().filter(|item| item["audience"] == audience);
        items.next().unwrap().clone()
    };
    let patient = entry("patient");
    assert_eq!(patient["template_tenant"], "clinic");
    assert_eq!(patient["template_locale"], "en");
    assert_eq!(patient["template_version"], 2);
    assert_eq!(patient["input_hash"].as_str().unwrap().len(), 64);
    assert_eq!(entry("practitioner")["template_tenant"], json!(null));
    assert_eq!(entry("practitioner")["template_locale"], "en");

    let back = template
        .post("/rollback", Some("\"1\""), None)
        .await
        .expect(200);
    assert_eq!(back.json()["published"], json!(null));
    alice.book(practitioner.id, &slots[1]).await.expect(201);
    let told = mail::wait_for(&alice, "alice@patients.example", 2).await;
    assert!(told.subject.unwrap().starts_with("Your appointment on "));
    template
        .post("/rollback", None, None)
        .await
        .expect_problem(409, "nothing-published");

    let changes = template.get("/changes").await.expect(200).json();
    let revisions: Vec<_> = changes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["revision"].clone(), change["published"].clone()))
        .collect();
    assert_eq!(
        revisions,
        [(json!(2), json!(null)), (json!(1), json!(2))],
        "{changes:#}"
    );
    world.settle().await;
}

#[tokio::test]
async fn a_mistake_is_told_with_its_place_and_kept_out() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Mistaken");
    world.import(&[&practitioner]).await;
    let staff = author(&world.api()).await;
    let template = Template::of(&staff, "booking-created/email/en", "patient");

    let no_end = "{% block subject %}Hello{% endblock %}\n{% block text %}\n  {{ view.slot. }}\n{% endblock %}";
    let refused = template.draft(no_end).await;
    let refused = refused.expect_problem(422, "template-mistakes").json();
    assert_eq!(refused["errors"][0]["line"], 3, "{refused:#}");
    assert!(refused["errors"][0]["column"].as_u64().unwrap() > 1);
    template
        .draft("{% block subject %}Hello{% endblock %}")
        .await
        .expect_problem(422, "template-mistakes");
    let versions = template.get("/versions").await.expect(200).json();
    assert_eq!(versions["items"], json!([]));

    // It compiles, but says what is not there: the preview shows it, and it is not published.
    let wrong =
        "{% block subject %}Hello{% endblock %}\n{% block text %}{{ view.nobody }}{% endblock %}";
    assert_eq!(template.drafted(wrong).await, 1);
    let preview = template.post("/versions/1/preview", None, None).await;
    let preview = preview.expect(200).json();
    assert_eq!(preview["items"][0]["errors"][0]["line"], 2, "{preview:#}");
    template
        .publish(1, "\"0\"")
        .await
        .expect_problem(422, "template-mistakes");
    template
        .publish(9, "\"0\"")
        .await
        .expect_problem(404, "not-found");

    let path = template.at("/versions");
    for (media, body, status) in [
        ("text/html", "<p>", 415),
        ("application/wasm", "no component", 422),
    ] {
        let media = [("content-type", media)];
        let answer = staff.send(Method::POST, &path, &media, Some(body.to_owned()));
        answer.await.expect(status).check_problem();
    }
    let large = "x".repeat(256 * 1024 + 1);
    template
        .draft(&large)
        .await
        .expect_problem(413, "body-too-large");
    world.settle().await;
}

#[tokio::test]
async fn everybody_is_spoken_to_in_their_language() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Polyglot");
    world.import(&[&practitioner]).await;
    let staff = author(&world.api()).await;
    let api = world.api();
    let (slots, _) = practitioner.free_slots(&staff).await;
    let mut slots = slots.iter();
    let mut told = async |sub: &str, locale: &str| {
        let email = format!("{sub}@patients.example");
        let claims = json!({ "sub": sub, "roles": ["patient"], "email": email, "locale": locale });
        let patient = api.sign_in(claims).await;
        let slot = slots.next().unwrap();
        patient.book(practitioner.id, slot).await.expect(201);
        mail::wait_for(&patient, &email, 1).await
    };
    let german = told("gerda", "de-AT").await;
    assert!(german.subject.unwrap().starts_with("Ihr Termin am "));
    assert!(german.html.unwrap().contains("lang=\"de-AT\""));
    let american = told("amy", "en-US").await;
    let text = american.text.unwrap();
    assert!(text.contains(" AM–"), "{text}");
    let japanese = told("jun", "ja").await;
    assert!(
        japanese
            .subject
            .unwrap()
            .starts_with("Your appointment on ")
    );

    // The clinic speaks French to those whose language it does not speak.
    let tenant = "/v1/tenants/clinic";
    let profile = staff.get(tenant).await.expect(200);
    let etag = profile.header("etag").to_owned();
    let put = async |etag: &str, body: serde_json::Value| {
        let headers = [("if-match", etag)];
        staff
            .send(Method::PUT, tenant, &headers, Some(body.to_string()))
            .await
    };
    let body = json!({
        "name": "Cabinet du Marché",
        "default_locale": "fr",
        "reply_to": "accueil@clinic.example",
        "colors": { "primary": "#aa0000" },
    });
    let changed = put(&etag, body.clone()).await.expect(200);
    assert_eq!(changed.json()["colors"]["background"], "#f4f2ee");
    put(&etag, body)
        .await
        .expect_problem(412, "version-conflict");
    let french = Template::of(&staff, "booking-created/email/fr", "patient");
    french.published(&mail_that_says("Bienvenue")).await;
    let told_french = told("kyo", "ja").await;
    assert_eq!(told_french.subject.as_deref(), Some("Bienvenue"));
    assert_eq!(
        told_french.reply_to.as_deref(),
        Some("accueil@clinic.example")
    );
    assert!(!told_french.text.unwrap().contains("day"));
    let german = Template::of(&staff, "booking-created/email/de", "patient");
    german.published(&mail_that_says("Willkommen")).await;
    assert_eq!(
        told("hans", "de-CH").await.subject.as_deref(),
        Some("Willkommen")
    );

    // What everybody would be told, with a draft in its place.
    let version = german.drafted(&mail_that_says("Grüezi")).await;
    let path = format!(
        "{}&locales=all",
        german.at(&format!("/versions/{version}/preview"))
    );
    let all = staff
        .send(Method::POST, &path, &[], None)
        .await
        .expect(200)
        .json();
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), 10, "{all:#}");
    let subject = |audience: &str, locale: &str| {
        let mut items = items.iter();
        let item = items.find(|item| item["audience"] == audience && item["locale"] == locale);
        item.unwrap()["message"]["subject"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(subject("patient", "de"), "Grüezi");
    assert_eq!(subject("patient", "it"), "Bienvenue");
    assert!(subject("practitioner", "de").starts_with("Neuer Termin: "));
    assert_eq!(all["diff"]["against"], 1);
    world.settle().await;
}

#[tokio::test]
async fn a_clinic_brings_code_of_its_own() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Coder");
    world.import(&[&practitioner]).await;
    let staff = author(&world.api()).await;
    let template = Template::of(&staff, "booking-created/email/en", "patient");

    let component = std::fs::read(place::target().join("components/rendering.wasm")).unwrap();
    let media = [("content-type", "application/wasm")];
    let path = template.at("/versions");
    let draft = staff
        .send_bytes(Method::POST, &path, &media, Some(component))
        .await;
    let draft = draft.expect(201).json();
    assert_eq!(draft["kind"], "component");
    let preview = template.post("/versions/1/preview", None, None).await;
    let preview = preview.expect(200).json();
    assert_eq!(preview["items"][0]["message"]["text"], "booking-created?");
    assert_eq!(preview["diff"]["source"], json!(null));
    template.publish(1, "\"0\"").await.expect(200);

    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    let told = mail::wait_for(&alice, "alice@patients.example", 1).await;
    assert_eq!(told.subject.as_deref(), Some("Hello"));
    assert_eq!(told.text.unwrap().trim(), "booking-created?");

    let speaks = template.get("").await.expect(200).json();
    assert_eq!(speaks["speaks"]["kind"], "component");
    assert_eq!(speaks["speaks"]["source"], json!(null));
    world.settle().await;
}
