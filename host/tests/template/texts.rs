//! Templates that are texts: what they say, and what is said of those that are wrong.

use praxis_host::capabilities::template::{Channel, Error};

use crate::place::{Place, mistake, request};

const MAIL: &str = "\
{% set greeting = 'Dear' %}
{% macro sign() %}Yours, {{ view.practice }}{% endmacro %}
{% block subject %}Your appointment, {{ view.name }}{% endblock %}
{% block text %}
{{ greeting }} {{ view.name }},
{{ sign() }}
{% endblock %}
{% block html %}<p>{{ greeting }} {{ view.name }}</p><p>{{ sign() }}</p>{% endblock %}
";
const VIEW: &str = r#"{"name": "Anna <b>&", "practice": "Practice \"One\""}"#;

#[tokio::test]
async fn a_mail_has_a_subject_a_text_and_html_and_only_that_is_escaped() {
    let place = Place::of_texts();
    let mail = place.say(Channel::Email, MAIL, VIEW).await.unwrap();
    assert_eq!(mail.subject.as_deref(), Some("Your appointment, Anna <b>&"));
    assert_eq!(mail.text, "Dear Anna <b>&,\nYours, Practice \"One\"");
    assert_eq!(
        mail.html.as_deref(),
        Some("<p>Dear Anna &lt;b&gt;&amp;</p><p>Yours, Practice &quot;One&quot;</p>")
    );
}

#[tokio::test]
async fn a_text_message_and_a_push_notification_have_their_parts() {
    let place = Place::of_texts();
    let sms = "{% block text %}See you, {{ view.name }}{% endblock %}";
    let said = place.say(Channel::Sms, sms, VIEW).await.unwrap();
    assert_eq!((said.subject, said.html), (None, None));
    assert_eq!(said.text, "See you, Anna <b>&");
    let push = "{% block subject %}Soon{% endblock %}{% block text %}Tomorrow{% endblock %}";
    let said = place.say(Channel::Push, push, VIEW).await.unwrap();
    assert_eq!(said.subject.as_deref(), Some("Soon"));
    assert_eq!((said.text.as_str(), said.html), ("Tomorrow", None));
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_line_and_column() {
    let place = Place::of_texts();
    let text = |body: &str| format!("{{% block text %}}{body}{{% endblock %}}");
    for (source, line, column, detail) in [
        (text("Hello {{ view.name }"), 1, 23, "it is not closed"),
        (text("\n  {% if view.x %}"), 2, 16, "syntax error"),
        (text("{{ name }}"), 1, 20, "there is no name here"),
        (
            text("\n{{ view.x | shout }}"),
            2,
            13,
            "there is no filter shout",
        ),
        (
            text("{% if view.x is grand %}{% endif %}"),
            1,
            33,
            "there is no test grand",
        ),
        (
            format!("{}\n stray", text("x")),
            2,
            2,
            "this stands in no block",
        ),
        (
            format!("{}\n{{{{ view }}}}", text("x")),
            2,
            1,
            "this stands in no block",
        ),
        (
            format!("{}{{% block html %}}x{{% endblock %}}", text("x")),
            1,
            32,
            "block html",
        ),
        (
            format!("{{% extends 'a' %}}{}", text("x")),
            1,
            1,
            "extends: a template is one text",
        ),
        (
            text("{% include 'a' %}"),
            1,
            17,
            "include: a template is one text",
        ),
        (
            format!("{{% from 'a' import b %}}{}", text("x")),
            1,
            1,
            "from: a template is",
        ),
        (
            format!("{}{}", text("x"), text("y")),
            1,
            32,
            "block text: it is there already",
        ),
        (
            "{% block text %}x".to_owned(),
            1,
            1,
            "block text: it has no endblock",
        ),
        (
            text("{% block inner %}x"),
            1,
            17,
            "block: it is one part of the message",
        ),
        (
            text("{# never ended"),
            1,
            45,
            "syntax error: unexpected end of comment",
        ),
    ] {
        let mistakes = place.mistakes(Channel::Sms, &source).await;
        let found = mistakes.iter().any(|mistake| {
            mistake.detail.contains(detail)
                && (mistake.line, mistake.column) == (Some(line), Some(column))
        });
        assert!(
            found,
            "{source:?}: {mistakes:?}, not {detail} at {line}:{column}"
        );
    }
    let mistakes = place.mistakes(Channel::Email, &text("x")).await;
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert_eq!(mistakes[0].detail, "there is no block subject");
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let place = Place::of_texts();
    let source = "{% block subject %}{{ view.a | one }}{% endblock %}\nstray\n\
                  {% block text %}{% endblock %}";
    let mistakes = place.mistakes(Channel::Email, source).await;
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let source = source.replace(
        "stray",
        "{% block html %}{{ view.b | two }}{{ c }}{% endblock %}",
    );
    let mistakes = place.mistakes(Channel::Email, &source).await;
    let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(2)], "{mistakes:?}");
}

#[tokio::test]
async fn a_name_that_the_view_does_not_have_is_a_mistake_with_its_place() {
    let place = Place::of_texts();
    let source = "{% block text %}\nfine\n  {{ view.missing }}{% endblock %}";
    let mistake = mistake(place.say(Channel::Sms, source, "{}").await);
    assert!(mistake.detail.contains("undefined"), "{mistake:?}");
    assert_eq!((mistake.line, mistake.column), (Some(3), Some(6)));
}

#[tokio::test]
async fn nothing_that_comes_with_a_name_begins_a_header() {
    let place = Place::of_texts();
    let source = "{% block subject %}For {{ view.name }}{% endblock %}\
                  {% block text %}x{% endblock %}";
    let view = r#"{"name": "Eve\r\nBcc: all@example.com\u0000\u0085\t!"}"#;
    let said = place.say(Channel::Email, source, view).await.unwrap();
    assert_eq!(
        said.subject.as_deref(),
        Some("For Eve Bcc: all@example.com !")
    );
}

#[tokio::test]
async fn each_part_has_its_limit() {
    let place = Place::of_texts();
    let view = |chars: usize| format!(r#"{{"x": "{}"}}"#, "ä".repeat(chars));
    let sms = "{% block text %}{{ view.x }}{% endblock %}";
    place.say(Channel::Sms, sms, &view(1_600)).await.unwrap();
    let said = mistake(place.say(Channel::Sms, sms, &view(1_601)).await);
    assert_eq!(said.detail, "text has 1601 characters, more than 1600");

    let mail = "{% block subject %}{{ view.x }}{% endblock %}{% block text %}x{% endblock %}";
    place.say(Channel::Email, mail, &view(499)).await.unwrap();
    let said = mistake(place.say(Channel::Email, mail, &view(500)).await);
    assert_eq!(said.detail, "subject has more than 998 bytes");

    let long = "{% block subject %}x{% endblock %}\
                {% block text %}{% for _ in range(300) %}{{ view.x }}{% endfor %}{% endblock %}";
    place.say(Channel::Email, long, &view(400)).await.unwrap();
    let said = mistake(place.say(Channel::Email, long, &view(500)).await);
    assert_eq!(said.detail, "text is longer than 262144 bytes");

    let said = mistake(
        place
            .say(Channel::Sms, "{% block text %} {% endblock %}", "{}")
            .await,
    );
    assert_eq!(said.detail, "text says nothing");
}

const LAYOUT: &str = "\
{% block subject %}x{% endblock %}{% block text %}x{% endblock %}
{% block mjml %}
<mjml>
  <mj-head><mj-preview>{{ view.name }}</mj-preview></mj-head>
  <mj-body background-color=\"{{ view.color }}\">
    {# who comes #}
    {% for line in view.lines %}
    <mj-section>
      <mj-column width=\"50%\"><mj-text>{% if 1 < 2 %}<b>{{ line }}</b>{% endif %}</mj-text></mj-column>
      {% if view.link %}<mj-column><mj-button href=\"{{ view.link }}\">Go</mj-button></mj-column>{% endif %}
    </mj-section>
    {% endfor %}
  </mj-body>
</mjml>
{% endblock %}
";

#[tokio::test]
async fn mjml_becomes_html_and_jinja_in_it_stays() {
    let place = Place::of_texts();
    let view = r##"{"name": "A&B", "color": "#abcdef", "lines": ["one", "<two>"],
                   "link": "https://example.com/?a=1&b=2"}"##;
    let said = place.say(Channel::Email, LAYOUT, view).await.unwrap();
    let html = said.html.unwrap();
    for part in [
        "<!doctype html>",
        "A&amp;B",
        "#abcdef",
        "<b>one</b>",
        "<b>&lt;two&gt;</b>",
        "a=1&amp;b=2",
        "mj-column-per-50",
    ] {
        assert!(html.contains(part), "no {part} in {html}");
    }
    assert_eq!(
        html.matches("Go\n").count() + html.matches("Go <").count() + html.matches(">Go<").count(),
        2,
        "{html}"
    );
    for part in [
        "mj-section",
        "{%",
        "{{",
        "jinja",
        "fonts.googleapis",
        "who comes",
    ] {
        assert!(!html.contains(part), "{part} in {html}");
    }
}

#[tokio::test]
async fn a_mistake_in_mjml_is_where_its_author_wrote_it() {
    let place = Place::of_texts();
    let wrong = LAYOUT.replace("{{ line }}", "{{ line.nothing }}");
    let view = r#"{"name": "x", "color": "red", "lines": ["one"], "link": ""}"#;
    let said = mistake(place.say(Channel::Email, &wrong, view).await);
    assert_eq!((said.line, said.column), (Some(9), Some(56)), "{said:?}");

    let wrong = LAYOUT.replace("</mj-section>", "</mj-sektion>");
    let mistakes = place.mistakes(Channel::Email, &wrong).await;
    assert!(mistakes[0].detail.starts_with("MJML: "), "{mistakes:?}");
    assert!(
        mistakes[0]
            .line
            .is_some_and(|line| (8..=14).contains(&line)),
        "{mistakes:?}"
    );

    let wrong = LAYOUT.replace("<mj-head>", "<mj-head><mj-include path=\"x\" />");
    let mistakes = place.mistakes(Channel::Email, &wrong).await;
    assert!(mistakes[0].detail.contains("mj-include"), "{mistakes:?}");

    let both = format!("{LAYOUT}{{% block html %}}x{{% endblock %}}");
    let mistakes = place.mistakes(Channel::Email, &both).await;
    assert!(
        mistakes[0].detail.contains("block html as well"),
        "{mistakes:?}"
    );
}

#[tokio::test]
async fn what_was_compiled_for_something_else_is_refused() {
    let place = Place::of_texts();
    let sms = place
        .compile(Channel::Sms, "{% block text %}x{% endblock %}")
        .await
        .unwrap();
    let said = place
        .render(&sms, &request(Channel::Email, "plain", "{}"))
        .await;
    assert_eq!(
        mistake(said).detail,
        "it is a template for sms, not for email"
    );
    let said = place
        .render(&sms, &request(Channel::Sms, "plain", "[]"))
        .await;
    assert!(
        mistake(said)
            .detail
            .starts_with("the view is no JSON object")
    );
    let said = place.render(&sms, &request(Channel::Sms, "", "{}")).await;
    assert!(matches!(said, Err(Error::Refused(why)) if why.starts_with("the event")));
}
