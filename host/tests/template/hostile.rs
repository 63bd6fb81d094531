//! Templates that would hurt: each ends in an answer, soon, and the next one says what it should.

use std::time::{Duration, Instant};

use praxis_host::capabilities::template::{Channel, Error, Message};

use crate::place::{Place, broken, database, mistake, request};

/// No answer takes longer, on a machine that does other work as well.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What a hostile text leads to: an answer, and a place that is as good as before.
async fn said(place: &Place, body: &str) -> Result<Message, Error> {
    let source = format!("{{% block text %}}{body}{{% endblock %}}");
    let begun = Instant::now();
    let said = place.say(Channel::Sms, &source, r#"{"x": "y"}"#).await;
    assert!(
        begun.elapsed() < ANSWER_MAX,
        "{:?} for {body:.80}",
        begun.elapsed()
    );
    let good = "{% block text %}{{ view.x }}{% endblock %}";
    let good = place.say(Channel::Sms, good, r#"{"x": "y"}"#).await;
    assert_eq!(good.unwrap().text, "y");
    said
}

#[tokio::test]
async fn a_billion_turns_end_soon() {
    let place = Place::of_texts();
    let loops = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}\
                 {{ a }}{% endfor %}{% endfor %}{% endfor %}";
    let why = mistake(said(&place, loops).await);
    assert!(why.detail.contains("it takes too long"), "{why:?}");
    let silent = loops.replace("{{ a }}", "");
    assert!(said(&place, &silent).await.is_err());
    assert!(
        said(&place, "{{ range(1000000000) | list | length }}")
            .await
            .is_err()
    );
    assert!(
        said(
            &place,
            "{{ range(100000) | sort | reverse | join(',') | length }}"
        )
        .await
        .is_err()
    );
}

#[tokio::test]
async fn large_texts_end_soon() {
    let place = Place::of_texts();
    for body in [
        "{{ 'x' * 100000000 }}",
        "{{ 'x' * 900000 }}{{ 'x' * 900000 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}\
         {% endfor %}{{ ns.s }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}\
         {% endfor %}{{ ns.l | length }}",
        "{{ ('x' * 900000) | replace('x', 'y' * 1000) }}",
        "{{ ('x' * 900000) | indent(1000) | urlencode | upper }}",
        "{{ [1] * 100000000 }}",
        "{{ 'x' | indent(1000000000) }}",
        "{{ 9 ** 9 ** 9 }}",
    ] {
        assert!(said(&place, body).await.is_err(), "{body}");
    }
}

#[tokio::test]
async fn deep_nesting_ends_soon() {
    let place = Place::of_texts();
    let many = 20_000;
    for (open, inner, close) in [
        ("{% if true %}", "x", "{% endif %}"),
        ("{% for a in [1] %}", "x", "{% endfor %}"),
        ("{% filter upper %}", "x", "{% endfilter %}"),
    ] {
        let body = [open.repeat(5_000), inner.to_owned(), close.repeat(5_000)].concat();
        assert!(said(&place, &body).await.is_err(), "{open}");
    }
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{'a':", "}"),
        ("not ", ""),
        ("-", ""),
    ] {
        let body = format!("{{{{ {}1{} }}}}", open.repeat(many), close.repeat(many));
        assert!(said(&place, &body).await.is_err(), "{open}");
    }
    let chain = format!("{{{{ view{} }}}}", ".x".repeat(many));
    assert!(said(&place, &chain).await.is_err());
    let filters = format!("{{{{ 'x'{} }}}}", " | upper".repeat(many));
    assert!(said(&place, &filters).await.is_err());
    let sums = format!("{{{{ 1{} }}}}", " + 1".repeat(many));
    assert!(said(&place, &sums).await.is_err());
}

#[tokio::test]
async fn endless_recursion_ends_soon() {
    let place = Place::of_texts();
    let body = "{% macro a(n) %}{{ a(n + 1) }}{% endmacro %}{{ a(0) }}";
    let why = mistake(said(&place, body).await);
    assert!(why.detail.contains("recursion limit"), "{why:?}");
    let body = "{% for a in [[]] recursive %}{{ loop([[]]) }}{% endfor %}";
    assert!(said(&place, body).await.is_err());
    let body = "{% macro a(f) %}{{ f(f) }}{% endmacro %}{{ a(a) }}";
    assert!(said(&place, body).await.is_err());
}

#[tokio::test]
async fn layouts_that_would_hurt_end_soon() {
    let place = Place::of_texts();
    let mail = |mjml: &str| {
        format!(
            "{{% block subject %}}x{{% endblock %}}{{% block text %}}x{{% endblock %}}\
             {{% block mjml %}}{mjml}{{% endblock %}}"
        )
    };
    let deep = format!(
        "<mjml><mj-body>{}x{}</mj-body></mjml>",
        "<mj-wrapper>".repeat(8_000),
        "</mj-wrapper>".repeat(8_000)
    );
    let wide = format!(
        "<mjml><mj-body>{}</mj-body></mjml>",
        "<mj-text>x</mj-text>".repeat(10_000)
    );
    let marks = format!(
        "<mjml><mj-body>{}</mj-body></mjml>",
        "{% if true %}{% endif %}".repeat(8_000)
    );
    for layout in [
        deep.as_str(),
        wide.as_str(),
        marks.as_str(),
        "<mjml><mj-body><mj-section><mj-column width=\"999999999999999999px\"><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>",
        "<mjml><mj-body width=\"-1px\"><mj-image width=\"NaNpx\" src=\"x\" /></mj-body></mjml>",
        "<mjml",
        "",
        "<mjml></mjml>",
        "<mjml><mj-body></mjml>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><mjml>&a;</mjml>",
    ] {
        let begun = Instant::now();
        let compiled = place.compile(Channel::Email, &mail(layout)).await;
        assert!(
            begun.elapsed() < ANSWER_MAX,
            "{:?} for {layout:.80}",
            begun.elapsed()
        );
        if let Ok(template) = compiled {
            let _ = place
                .render(&template, &request(Channel::Email, "plain", "{}"))
                .await;
        }
    }
    place
        .compile(Channel::Email, &mail("<mjml><mj-body></mj-body></mjml>"))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_misbehaves_is_told_apart_and_hurts_nobody() {
    let place = Place::on(&database().await);
    let template = place.keep(crate::place::rendering()).await;
    let say = async |event: &str| {
        let begun = Instant::now();
        let said = place
            .render(&template, &request(Channel::Email, event, "{}"))
            .await;
        assert!(
            begun.elapsed() < ANSWER_MAX,
            "{event}: {:?}",
            begun.elapsed()
        );
        said
    };
    for (event, why) in [
        ("loop", "it used up its"),
        ("trap", "it trapped: "),
        ("grow", "it used up its memory: 67108864 bytes"),
        ("recur", "it trapped: "),
        ("sleep", "it used up its time: 5000 ms"),
        (
            "long",
            "what it said is no message: its text has more than 262144 bytes",
        ),
        ("huge", ""),
        ("empty", "what it said is no message: its text is empty"),
        (
            "lines",
            "what it said is no message: its subject has a line break",
        ),
    ] {
        let said = broken(say(event).await);
        assert!(said.starts_with(why), "{event}: {said}");
        assert_eq!(say("calls").await.unwrap().text, "1", "after {event}");
    }
    let said = mistake(say("mistake").await);
    assert_eq!(
        (said.detail.as_str(), said.line, said.column),
        ("as asked", Some(7), None)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_while_one_owner_keeps_its_renderers_busy() {
    let place = Place::on(&database().await);
    let template = place.keep(crate::place::rendering()).await;
    let (busy, plain) = (
        request(Channel::Sms, "loop", "{}"),
        request(Channel::Sms, "plain", "{}"),
    );
    let hogs = futures::future::join_all((0..16).map(|_| place.render(&template, &busy)));
    let others = async {
        let mut answered = 0;
        for _ in 0..20 {
            let said = place.sandbox.render("another", &template, &plain).await;
            assert_eq!(said.unwrap().text, "de-AT: {}");
            answered += 1;
        }
        answered
    };
    let begun = Instant::now();
    let (hogs, others) = futures::future::join(hogs, others).await;
    assert_eq!(others, 20);
    assert!(hogs.into_iter().all(|said| said.is_err()));
    assert!(begun.elapsed() < 3 * ANSWER_MAX);
}
