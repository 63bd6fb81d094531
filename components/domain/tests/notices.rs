//! The built-in templates, rendered: natively, in milliseconds. The renderer that Praxis uses is a
//! component; the end-to-end tests speak through that.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use praxis_domain::locale::Locale;
use praxis_domain::notice::{Audience, Occasion, View};
use praxis_domain::patient::Channel;
use praxis_domain::template::sample::{self, Sample};
use praxis_domain::template::{Key, builtin};
use praxis_domain::tenant::{Brand, Branding};

struct Said {
    subject: Option<String>,
    text: String,
    html: Option<String>,
}

fn brand() -> Brand {
    Brand {
        logo_url: Some("https://clinic.example/logo.png".to_owned()),
        ..Brand::of("Klinik & Co", &Branding::default())
    }
}

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).unwrap()
}

fn sampled(key: &Key, sample: Sample) -> View {
    sample::view(sample, key, &brand(), "https://praxis.example")
}

fn say(key: &Key, view: &View) -> Said {
    let source = builtin::source(key);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name {
        "html" => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.add_template("text", &source).unwrap();
    environment.add_template("html", &source).unwrap();
    let block = |name: &str, block: &str| {
        let template = environment.get_template(name).unwrap();
        let mut rendered = template
            .render_captured(context! { view => Serde(view) })
            .unwrap();
        rendered
            .with_state_mut(|state| state.render_block(block))
            .unwrap()
    };
    let is_mail = key.channel == Channel::Email;
    Said {
        subject: (key.channel != Channel::Sms).then(|| block("text", "subject")),
        text: block("text", "text"),
        html: is_mail.then(|| block("html", "html")),
    }
}

fn keys(tag: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    for occasion in Occasion::ALL {
        for audience in Audience::ALL {
            for channel in [Channel::Email, Channel::Sms, Channel::Push] {
                keys.extend(Key::new(occasion, audience, channel, locale(tag)));
            }
        }
    }
    keys
}

fn key(occasion: Occasion, audience: Audience, channel: Channel, tag: &str) -> Key {
    Key::new(occasion, audience, channel, locale(tag)).unwrap()
}

#[test]
fn everything_is_said_in_five_languages_whatever_is_known() {
    let languages: Vec<String> = builtin::locales().map(|tag| tag.to_string()).collect();
    assert_eq!(languages, ["en", "de", "fr", "es", "it"]);
    for tag in languages {
        let keys = keys(&tag);
        assert_eq!(keys.len(), 19);
        for key in keys {
            for sample in Sample::ALL {
                let view = sampled(&key, sample);
                let said = say(&key, &view);
                let when = format!("{}, {}", view.slot.date, view.slot.from);
                let slot = format!("{when}–{} (Europe/Berlin)", view.slot.to);
                assert!(said.text.contains(&slot), "{key:?}: {}", said.text);
                assert!(said.text.contains("https://praxis") || said.html.is_none());
                for part in [&Some(said.text), &said.subject, &said.html]
                    .into_iter()
                    .flatten()
                {
                    assert!(!part.contains("none"), "{key:?}: {part}");
                    assert!(!part.contains(['«', '»', '{', '}']), "{key:?}: {part}");
                    assert!(!part.contains("\n\n\n"), "{key:?}: {part}");
                }
                if key.channel == Channel::Email {
                    let subject = said.subject.unwrap();
                    assert!(
                        subject.contains(&when) && !subject.contains('\n'),
                        "{subject}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_language_says_what_another_says() {
    for english in keys("en") {
        let mut all: Vec<String> = builtin::locales()
            .map(|locale| builtin::source(&english.in_locale(locale)))
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 5, "{english:?}");
    }
}

#[test]
fn who_speaks_another_language_is_spoken_to_in_english_with_english_dates() {
    assert_eq!(builtin::locale_for(&locale("ja")), Locale::english());
    assert_eq!(builtin::locale_for(&locale("de-AT")).to_string(), "de");
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let key = key(
        Occasion::Created,
        Audience::Practitioner,
        Channel::Email,
        "en",
    );
    let said = say(&key, &sampled(&key, Sample::Full));
    assert!(said.text.contains("Alice <Sample> has booked"));
    let html = said.html.unwrap();
    assert!(html.contains("Alice &lt;Sample&gt; has booked"));
    assert!(html.contains("<p>Hello"), "{html}");
    assert!(html.contains("alt=\"Klinik &amp; Co\""), "{html}");
}

#[test]
fn a_reschedule_tells_when_it_was() {
    let key = key(
        Occasion::Rescheduled,
        Audience::Patient,
        Channel::Email,
        "en",
    );
    let view = sampled(&key, Sample::Full);
    let said = say(&key, &view);
    let cancel = view.cancel_url.unwrap();
    assert_eq!(
        said.text.replace(&cancel, "LINK"),
        "Hello Alice <Sample>,\n\
         \n\
         Your appointment is moved. It is now:\n\
         \n\
         Monday, 23 November 2026, 09:00–10:00 (Europe/Berlin)\n\
         \n\
         Dr. Anna Weidenbach\n\
         Praxis am Rosenhof\n\
         Rosenhofstraße 4, 10119 Berlin\n\
         +493023125000\n\
         \n\
         Before, it was: Friday, 20 November 2026, 14:00–15:00 (Europe/Berlin)\n\
         \n\
         To move it again or cancel it: https://praxis.example\n\
         Cancel without signing in: LINK\n\
         Booking 00000000-0000-0000-0000-000000000001\n"
    );
}

#[test]
fn a_german_is_told_in_german() {
    let key = key(Occasion::Created, Audience::Patient, Channel::Email, "de");
    let view = sampled(&key, Sample::Bare);
    let said = say(&key, &view);
    let cancel = view.cancel_url.unwrap();
    assert_eq!(
        said.text.replace(&cancel, "LINK"),
        "Guten Tag,\n\
         \n\
         Ihr Termin ist gebucht.\n\
         \n\
         Montag, 23. November 2026, 09:00–10:00 (Europe/Berlin)\n\
         \n\
         Dr. Anna Weidenbach\n\
         \n\
         Verschieben oder absagen: https://praxis.example\n\
         Ohne Anmeldung absagen: LINK\n\
         Buchung 00000000-0000-0000-0000-000000000001\n"
    );
    assert!(said.html.unwrap().contains("<html lang=\"de-DE\">"));
}

#[test]
fn a_reminder_says_how_to_end_them() {
    for tag in builtin::locales() {
        for channel in [Channel::Email, Channel::Sms] {
            let tag = tag.to_string();
            let key = key(Occasion::Reminder, Audience::Patient, channel, &tag);
            let view = sampled(&key, Sample::Full);
            let said = say(&key, &view);
            assert!(
                said.text.contains(&view.opt_out_url.unwrap()),
                "{}",
                said.text
            );
        }
    }
}

#[test]
fn an_offer_says_until_when_on_every_channel() {
    for tag in builtin::locales() {
        for channel in [Channel::Email, Channel::Sms, Channel::Push] {
            let key = key(
                Occasion::Offered,
                Audience::Patient,
                channel,
                &tag.to_string(),
            );
            for sample in Sample::ALL {
                let view = sampled(&key, sample);
                let said = say(&key, &view);
                let until = view.offered_until.unwrap();
                assert!(until.contains("17:15"), "{until}");
                for part in [Some(said.text), said.html].into_iter().flatten() {
                    assert!(part.contains(&until), "{part}");
                }
            }
        }
    }
}

#[test]
fn what_a_lock_screen_shows_names_nobody() {
    for tag in builtin::locales() {
        for key in keys(&tag.to_string()) {
            if key.channel == Channel::Email {
                continue;
            }
            let said = say(&key, &sampled(&key, Sample::Full));
            for text in [&said.text, &said.subject.unwrap_or_default()] {
                for name in ["Anna", "Alice", "Rosenhof", "Klinik"] {
                    assert!(!text.contains(name), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_text_message_is_short() {
    for tag in builtin::locales() {
        for key in keys(&tag.to_string()) {
            if key.channel == Channel::Sms {
                let text = say(&key, &sampled(&key, Sample::Full)).text;
                // Four messages of 67 letters, in the alphabet of all languages.
                assert!(text.chars().count() <= 4 * 67, "{text}");
            }
        }
    }
}
