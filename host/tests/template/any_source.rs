//! Any text at all is compiled or has a mistake, and what is compiled says something or has one.

use praxis_host::capabilities::template::{Channel, Error};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::place::{Place, request};

/// What texts are made of: words of the language in any order.
const WORDS: [&str; 36] = [
    "{% block subject %}",
    "{% block text %}",
    "{% block html %}",
    "{% block mjml %}",
    "{% endblock %}",
    "{% if ",
    "{% endif %}",
    "{% for a in ",
    "{% endfor %}",
    "{% set a = ",
    "{% macro m() %}",
    "{% endmacro %}",
    "{% raw %}",
    "{% endraw %}",
    "{#",
    "#}",
    "{{",
    "}}",
    "%}",
    "-%}",
    "{%-",
    "view",
    ".x",
    "| upper",
    "is defined",
    "'",
    "\"",
    "1",
    "\n",
    "ä<&>",
    "<mjml>",
    "<mj-body>",
    "</mj-body>",
    "</mjml>",
    "<mj-text>",
    "</mj-text>",
];

fn answered(
    runtime: &Runtime,
    place: &Place,
    channel: Channel,
    source: &str,
) -> Result<(), TestCaseError> {
    let said = runtime.block_on(async {
        let template = place.compile(channel, source).await?;
        place
            .render(&template, &request(channel, "plain", r#"{"x": "<y>"}"#))
            .await
    });
    match said {
        Ok(message) => prop_assert!(!message.text.is_empty()),
        Err(Error::Mistakes(mistakes)) => {
            prop_assert!(!mistakes.is_empty());
            let lines = source.split('\n').count();
            for mistake in mistakes {
                let line = mistake.line.unwrap_or(1) as usize;
                prop_assert!((1..=lines).contains(&line), "{mistake:?}");
            }
        }
        other => prop_assert!(false, "{other:?}"),
    }
    Ok(())
}

fn channel(number: u8) -> Channel {
    [Channel::Email, Channel::Sms, Channel::Push][usize::from(number % 3)]
}

#[test]
fn any_text_has_an_answer() {
    let runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let place = Place::of_texts();
    drop(entered);
    proptest!(|(
        number in any::<u8>(),
        any in "\\PC{0,200}",
        words in prop::collection::vec(select(&WORDS[..]), 0..40),
    )| {
        answered(&runtime, &place, channel(number), &any)?;
        answered(&runtime, &place, channel(number), &words.concat())?;
        answered(&runtime, &place, channel(number), &words.join(" "))?;
        let whole = format!("{{% block subject %}}s{{% endblock %}}{{% block text %}}t{}{{% endblock %}}", words.concat());
        answered(&runtime, &place, channel(number), &whole)?;
        let layout = format!(
            "{{% block subject %}}s{{% endblock %}}{{% block text %}}t{{% endblock %}}\
             {{% block mjml %}}<mjml><mj-body><mj-text>{}</mj-text></mj-body></mjml>{{% endblock %}}",
            words.concat()
        );
        answered(&runtime, &place, Channel::Email, &layout)?;
    });
}
