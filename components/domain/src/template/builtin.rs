//! The words that every tenant has before it writes its own: in five languages, for everything that
//! anybody is told.
//!
//! A template is composed of a layout and the phrases of a language. What comes out is complete: an
//! author may take it and go on from there.

mod de;
mod en;
mod es;
mod fr;
mod it;

use crate::locale::Locale;
use crate::notice::{Audience, Occasion};
use crate::patient::Channel;
use crate::template::Key;

/// English comes first: it is spoken where a language is not among these.
const LANGUAGES: [&Language; 5] = [&en::WORDS, &de::WORDS, &fr::WORDS, &es::WORDS, &it::WORDS];

/// The words of one language. A phrase may say `{name}`, `{patient}`, `{when}`, `{slot}`,
/// `{previous}`, `{until}` and `{zone}`.
struct Language {
    tag: &'static str,
    hello: &'static str,
    hello_name: &'static str,
    zone_time: &'static str,
    before: &'static str,
    your_calendar: &'static str,
    booking: &'static str,
    hold: &'static str,
    local_time: &'static str,
    sent_by: &'static str,
    cannot_answer: &'static str,
    /// A link follows.
    cancel: &'static str,
    /// A link follows.
    opt_out: &'static str,
    created: Occurrence,
    cancelled: Occurrence,
    rescheduled: Occurrence,
    reminder: Occurrence,
    offered: Patient,
}

/// What both are told.
struct Occurrence {
    patient: Patient,
    practitioner: Practitioner,
}

struct Patient {
    subject: &'static str,
    lead: &'static str,
    /// In one sentence, for a text message: it names nobody.
    brief: &'static str,
    /// Of a push notification.
    title: &'static str,
    /// What can be done about it: an address follows.
    action: &'static str,
}

struct Practitioner {
    subject: &'static str,
    /// Where the patient's name is known.
    named: &'static str,
    unnamed: &'static str,
}

/// The languages that there are.
pub fn locales() -> impl Iterator<Item = Locale> {
    LANGUAGES.iter().map(|words| tag(words))
}

/// The built-in locale that speaks to somebody: their language, or English.
pub fn locale_for(wanted: &Locale) -> Locale {
    tag(words_for(wanted))
}

/// The source of a template, in the language that is nearest.
pub fn source(key: &Key) -> String {
    let words = words_for(&key.locale);
    let source = match key.audience {
        Audience::Patient => to_patient(words, key.occasion, key.channel),
        Audience::Practitioner => to_practitioner(words, key.occasion),
    };
    with_expressions(&source)
}

fn words_for(wanted: &Locale) -> &'static Language {
    let known = LANGUAGES
        .iter()
        .find(|words| words.tag == wanted.language());
    known.copied().unwrap_or(LANGUAGES[0])
}

fn tag(words: &Language) -> Locale {
    Locale::parse(words.tag).expect("our languages have tags")
}

fn to_patient(words: &Language, occasion: Occasion, channel: Channel) -> String {
    let told = match occasion {
        Occasion::Created => &words.created.patient,
        Occasion::Cancelled => &words.cancelled.patient,
        Occasion::Rescheduled => &words.rescheduled.patient,
        Occasion::Reminder => &words.reminder.patient,
        Occasion::Offered => &words.offered,
    };
    let layout = match channel {
        Channel::Sms => include_str!("builtin/patient.sms.jinja").to_owned(),
        Channel::Push => include_str!("builtin/patient.push.jinja").to_owned(),
        Channel::Email => in_page(
            include_str!("builtin/patient.email.jinja"),
            include_str!("builtin/patient.html.jinja"),
        ),
    };
    let reference = match occasion {
        Occasion::Offered => words.hold,
        Occasion::Created | Occasion::Cancelled | Occasion::Rescheduled | Occasion::Reminder => {
            words.booking
        }
    };
    let phrases = [
        ("subject", told.subject),
        ("lead", told.lead),
        ("brief", told.brief),
        ("title", told.title),
        ("action", told.action),
        ("reference", reference),
    ];
    filled(before(layout, words, occasion), words, &phrases)
}

fn to_practitioner(words: &Language, occasion: Occasion) -> String {
    let told = match occasion {
        // An offer is between the patient and us: nobody asks for these words.
        Occasion::Created | Occasion::Offered => &words.created.practitioner,
        Occasion::Cancelled => &words.cancelled.practitioner,
        Occasion::Rescheduled => &words.rescheduled.practitioner,
        Occasion::Reminder => &words.reminder.practitioner,
    };
    let layout = in_page(
        include_str!("builtin/practitioner.email.jinja"),
        include_str!("builtin/practitioner.html.jinja"),
    );
    let phrases = [
        ("subject", told.subject),
        ("named", told.named),
        ("unnamed", told.unnamed),
        ("reference", words.booking),
    ];
    filled(before(layout, words, occasion), words, &phrases)
}

fn in_page(mail: &str, body: &str) -> String {
    let page = include_str!("builtin/page.html.jinja").replace("«body»", body.trim_end());
    mail.replace("«page»", page.trim_end())
}

/// Only what was moved was at another time before.
fn before(layout: String, words: &Language, occasion: Occasion) -> String {
    let (text, html) = match occasion {
        Occasion::Rescheduled => (
            format!("{{% if view.previous %}}\n{}\n{{% endif %}}", words.before),
            format!(
                "{{% if view.previous %}}<p>{}</p>\n{{% endif %}}",
                words.before
            ),
        ),
        Occasion::Created | Occasion::Cancelled | Occasion::Reminder | Occasion::Offered => {
            Default::default()
        }
    };
    layout
        .replace("«before»", &text)
        .replace("«before-html»", &html)
}

fn filled(layout: String, words: &Language, phrases: &[(&str, &str)]) -> String {
    let common = [
        ("hello", words.hello),
        ("hello-name", words.hello_name),
        ("zone-time", words.zone_time),
        ("your-calendar", words.your_calendar),
        ("local-time", words.local_time),
        ("sent-by", words.sent_by),
        ("cannot-answer", words.cannot_answer),
        ("cancel", words.cancel),
        ("opt-out", words.opt_out),
    ];
    let mut filled = layout;
    for (name, phrase) in common.iter().chain(phrases) {
        filled = filled.replace(&format!("«{name}»"), phrase);
    }
    filled
}

fn with_expressions(source: &str) -> String {
    const EXPRESSIONS: [(&str, &str); 8] = [
        ("{name}", "{{ view.recipient_name }}"),
        ("{patient}", "{{ view.patient_name }}"),
        ("{brand}", "{{ view.brand.name }}"),
        ("{when}", "{{ view.slot.date }}, {{ view.slot.from }}"),
        (
            "{slot}",
            "{{ view.slot.date }}, {{ view.slot.from }}–{{ view.slot.to }} ({{ view.slot.time_zone }})",
        ),
        (
            "{previous}",
            "{{ view.previous.date }}, {{ view.previous.from }}–{{ view.previous.to }} ({{ view.previous.time_zone }})",
        ),
        ("{until}", "{{ view.offered_until }}"),
        ("{zone}", "{{ view.slot.time_zone }}"),
    ];
    EXPRESSIONS
        .iter()
        .fold(source.to_owned(), |source, (short, expression)| {
            source.replace(short, expression)
        })
}
