//! Dates and times in words, in the form that CLDR has for a locale.

use icu_calendar::{Date, Gregorian};
use icu_datetime::fieldsets::{T, YMDE, YMDET};
use icu_datetime::input::{DateTime, Time};
use icu_datetime::{FixedCalendarDateTimeFormatter, NoCalendarFormatter};
use jiff::civil;

use crate::locale::Locale;

/// Writes dates as one locale does.
pub struct Dates {
    date: FixedCalendarDateTimeFormatter<Gregorian, YMDE>,
    time: NoCalendarFormatter<T>,
    moment: FixedCalendarDateTimeFormatter<Gregorian, YMDET>,
}

impl Dates {
    /// A language that CLDR does not know is written as its root locale: ugly, and right.
    pub fn of(locale: &Locale) -> Self {
        const LOADED: &str = "what every locale needs is compiled in";
        let tag = || locale.id().clone().into();
        Self {
            date: FixedCalendarDateTimeFormatter::try_new(tag(), YMDE::long()).expect(LOADED),
            time: NoCalendarFormatter::try_new(tag(), T::hm()).expect(LOADED),
            moment: FixedCalendarDateTimeFormatter::try_new(tag(), YMDE::long().with_time_hm())
                .expect(LOADED),
        }
    }

    /// `Montag, 23. November 2026`
    pub fn date(&self, date: civil::Date) -> String {
        plain(&self.date.format(&gregorian(date)).to_string())
    }

    /// `09:00`
    pub fn time(&self, time: civil::Time) -> String {
        plain(&self.time.format(&clock(time)).to_string())
    }

    /// `Montag, 23. November 2026 um 09:00`
    pub fn moment(&self, moment: civil::DateTime) -> String {
        let moment = DateTime {
            date: gregorian(moment.date()),
            time: clock(moment.time()),
        };
        plain(&self.moment.format(&moment).to_string())
    }
}

fn gregorian(date: civil::Date) -> Date<Gregorian> {
    let part = |part: i8| u8::try_from(part).expect("months and days are positive");
    Date::try_new_gregorian(date.year().into(), part(date.month()), part(date.day()))
        .expect("a date is a date in every calendar of the same months")
}

fn clock(time: civil::Time) -> Time {
    let part = |part: i8| u8::try_from(part).expect("hours and minutes are not negative");
    Time::try_new(part(time.hour()), part(time.minute()), 0, 0).expect("a time is a time")
}

/// CLDR writes narrow spaces that don't break. In a text message one of them takes room for a hundred
/// characters: everything is sent in two bytes each.
fn plain(text: &str) -> String {
    text.replace(['\u{202f}', '\u{a0}'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(tag: &str) -> [String; 3] {
        let dates = Dates::of(&Locale::parse(tag).unwrap());
        let moment = civil::date(2026, 11, 23).at(17, 5, 0, 0);
        [
            dates.date(moment.date()),
            dates.time(moment.time()),
            dates.moment(moment),
        ]
    }

    #[test]
    fn each_locale_has_its_form() {
        for (tag, date, time) in [
            ("en-DE", "Monday, 23 November 2026", "17:05"),
            ("en-US", "Monday, November 23, 2026", "5:05 PM"),
            ("de", "Montag, 23. November 2026", "17:05"),
            ("fr", "lundi 23 novembre 2026", "17:05"),
            ("es", "lunes, 23 de noviembre de 2026", "17:05"),
            ("it", "lunedì 23 novembre 2026", "17:05"),
            ("pt-BR", "segunda-feira, 23 de novembro de 2026", "17:05"),
        ] {
            let [d, t, _] = written(tag);
            assert_eq!((d.as_str(), t.as_str()), (date, time), "{tag}");
        }
        let january = civil::date(2026, 1, 5);
        let austrian = Dates::of(&Locale::parse("de-AT").unwrap());
        assert_eq!(austrian.date(january), "Montag, 5. Jänner 2026");
    }

    #[test]
    fn a_moment_is_a_date_and_a_time() {
        for tag in ["en-DE", "en-US", "de", "fr", "es", "it", "ja", "ar-EG"] {
            let [date, time, moment] = written(tag);
            assert!(moment.starts_with(&date), "{moment}");
            assert!(moment.ends_with(&time), "{moment}");
            assert!(!moment.contains(['\u{202f}', '\u{a0}']), "{moment}");
        }
    }

    #[test]
    fn an_unknown_language_is_written_all_the_same() {
        let [date, time, _] = written("qaa");
        assert!(
            date.contains("2026") && time.contains("17:05"),
            "{date} {time}"
        );
    }
}
