//! The templates of the notification component, rendered: natively, in milliseconds.

use praxis_domain::notice::{Place, Time, View};
use uuid::Uuid;

#[path = "../../notification/src/templates.rs"]
mod templates;

const OCCASIONS: [&str; 3] = [
    "booking-created",
    "booking-cancelled",
    "booking-rescheduled",
];

fn time(date: &str, from: &str, to: &str) -> Time {
    Time {
        date: date.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
    }
}

fn view() -> View {
    View {
        booking_id: Uuid::from_u128(7),
        recipient_name: Some("Alice <script>".to_owned()),
        patient_name: Some("Alice <script>".to_owned()),
        place: Place {
            practitioner: "Dr. Anna Weidenbach".to_owned(),
            practice: "Praxis am Rosenhof".to_owned(),
            address: "Rosenhofstraße 4, 10119 Berlin".to_owned(),
            city: "Berlin".to_owned(),
            phone: Some("+493023125000".to_owned()),
        },
        slot: time("Monday, 23 November 2026", "09:00", "10:00"),
        previous: Some(time("Friday, 20 November 2026", "14:00", "15:00")),
        public_url: "https://praxis.example".to_owned(),
        offered_until: None,
    }
}

/// Nothing known that may be unknown.
fn bare() -> View {
    View {
        recipient_name: None,
        patient_name: None,
        place: Place {
            practitioner: "Dr. Anna Weidenbach".to_owned(),
            practice: String::new(),
            address: String::new(),
            city: String::new(),
            phone: None,
        },
        previous: None,
        ..view()
    }
}

#[test]
fn every_mail_tells_when_in_the_practitioners_zone() {
    for occasion in OCCASIONS {
        for audience in ["patient", "practitioner"] {
            for view in [view(), bare()] {
                let mail =
                    templates::email(&format!("{occasion}.{audience}.email"), &view).unwrap();
                assert!(
                    mail.subject.contains("Monday, 23 November 2026, 09:00"),
                    "{}",
                    mail.subject
                );
                assert!(!mail.subject.contains('\n'));
                for body in [mail.text.clone(), mail.html.replace("&#x2f;", "/")] {
                    assert!(
                        body.contains("Monday, 23 November 2026, 09:00–10:00"),
                        "{body}"
                    );
                    assert!(body.contains("Europe/Berlin"), "{body}");
                    assert!(body.contains("https:"), "{body}");
                    assert!(!body.contains("none") && !body.contains("{{"), "{body}");
                }
                assert!(!mail.text.contains("\n\n\n"), "{}", mail.text);
            }
        }
    }
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let mail = templates::email("booking-created.practitioner.email", &view()).unwrap();
    assert!(mail.text.contains("Alice <script> has booked"));
    assert!(mail.html.contains("Alice &lt;script&gt; has booked"));
    assert!(!mail.html.contains("<script>"));
    assert!(mail.html.contains("<p>Hello"), "{}", mail.html);
}

#[test]
fn a_reschedule_tells_when_it_was() {
    let mail = templates::email("booking-rescheduled.patient.email", &view()).unwrap();
    assert_eq!(
        mail.text,
        "Hello Alice <script>,\n\
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
         Booking 00000000-0000-0000-0000-000000000007\n"
    );
}

#[test]
fn what_a_lock_screen_shows_names_nobody() {
    for occasion in OCCASIONS {
        let sms = templates::sms(&format!("{occasion}.patient.sms"), &view()).unwrap();
        let push = templates::push(&format!("{occasion}.patient.push"), &view()).unwrap();
        for text in [&sms, &push.title, &push.text] {
            assert!(
                !text.contains("Anna") && !text.contains("Rosenhof"),
                "{text}"
            );
        }
        assert!(sms.contains("09:00–10:00 (Europe/Berlin)"), "{sms}");
    }
}

#[test]
fn a_template_that_is_not_there_is_an_error() {
    let error = templates::sms("booking-created.practitioner.sms", &view()).unwrap_err();
    assert!(error.to_string().contains("no such template"), "{error}");
}
