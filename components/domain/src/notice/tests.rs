use super::*;
use crate::link::Deed;
use crate::tenant::Branding;

fn patient(channels: &[Channel]) -> Recipient {
    Recipient {
        id: Uuid::from_u128(1),
        audience: Audience::Patient,
        name: Some("Alice\r\nBcc: eve@example.org".to_owned()),
        email: Some("alice@example.org".to_owned()),
        phone: None,
        channels: channels.to_vec(),
        locale: Locale::english(),
    }
}

fn practitioner() -> Recipient {
    Recipient {
        id: Uuid::from_u128(2),
        audience: Audience::Practitioner,
        name: None,
        email: None,
        phone: None,
        channels: vec![Channel::Email],
        locale: Locale::english(),
    }
}

fn booking(slot_start: &str, time_zone: &str) -> event::Booking {
    event::Booking {
        schema: event::SCHEMA,
        booking_id: Uuid::from_u128(3),
        practitioner_id: Uuid::from_u128(2),
        tenant_id: "north".to_owned(),
        patient_id: Uuid::from_u128(1),
        slot_start: slot_start.parse().unwrap(),
        local_date: "2026-11-23".parse().unwrap(),
        local_hour: 9,
        time_zone: time_zone.to_owned(),
        booking_version: 1,
        calendar_uid: Uuid::from_u128(4),
        calendar_sequence: 0,
        hold_expires_at: None,
        previous: None,
    }
}

fn place() -> Place {
    Place {
        practitioner: "Dr. Anna Weidenbach".to_owned(),
        practice: "Rosenhof".to_owned(),
        address: String::new(),
        city: "Berlin".to_owned(),
        country: "DE".to_owned(),
        phone: None,
    }
}

fn view_of(booking: &event::Booking) -> Result<View, BadTime> {
    view_in(booking, "en")
}

fn view_in(booking: &event::Booking, locale: &str) -> Result<View, BadTime> {
    let alice = patient(&[Channel::Email]);
    let secrets = Secrets::parse(&"x".repeat(32)).unwrap();
    let story = Story {
        occasion: Occasion::Created,
        booking,
        patient_name: alice.name.as_deref(),
        place: &place(),
        brand: &Brand::of("Rosenhof", &Branding::default()),
        public_url: "https://praxis.example",
        secrets: &secrets,
    };
    view(
        &story,
        &alice,
        Channel::Email,
        &Locale::parse(locale).unwrap(),
    )
}

#[test]
fn everybody_is_told_on_every_channel_that_they_want() {
    let recipients = [patient(&[Channel::Email, Channel::Sms]), practitioner()];
    let notices = notices("e1", Occasion::Created, &recipients);
    let told: Vec<_> = notices
        .iter()
        .map(|notice| (notice.template.as_str(), notice.address))
        .collect();
    assert_eq!(
        told,
        [
            ("booking-created.patient.email", Some("alice@example.org")),
            ("booking-created.patient.sms", None),
            ("booking-created.practitioner.email", None),
        ]
    );
}

#[test]
fn the_idempotency_key_names_event_recipient_and_channel() {
    let recipients = [patient(&[Channel::Email, Channel::Sms]), practitioner()];
    let keys = |event| {
        let notices = notices(event, Occasion::Created, &recipients);
        notices
            .into_iter()
            .map(|notice| notice.idempotency_key)
            .collect::<Vec<_>>()
    };
    assert_eq!(keys("e1"), keys("e1"));
    let mut all = [keys("e1"), keys("e2")].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
}

#[test]
fn nobody_is_told_of_holds() {
    assert_eq!(Occasion::of(BookingKind::SlotHeld), None);
    assert_eq!(Occasion::of(BookingKind::HoldExpired), None);
}

#[test]
fn times_are_the_practitioners_own() {
    let view = view_of(&booking("2026-11-23T08:00:00Z", "Europe/Berlin")).unwrap();
    assert_eq!(view.slot.date, "Monday, 23 November 2026");
    assert_eq!(
        (view.slot.from.as_str(), view.slot.to.as_str()),
        ("09:00", "10:00")
    );
    let view = view_of(&booking("2026-11-22T22:30:00Z", "Australia/Adelaide")).unwrap();
    assert_eq!(view.slot.date, "Monday, 23 November 2026");
    assert_eq!(view.slot.from, "09:00");
}

#[test]
fn a_view_is_in_the_form_of_its_locale() {
    let booking = booking("2026-11-23T13:00:00Z", "Europe/Berlin");
    let slot = |locale| {
        let slot = view_in(&booking, locale).unwrap().slot;
        format!("{}, {}–{}", slot.date, slot.from, slot.to)
    };
    assert_eq!(slot("de"), "Montag, 23. November 2026, 14:00–15:00");
    assert_eq!(slot("en-US"), "Monday, November 23, 2026, 2:00 PM–3:00 PM");
    assert_eq!(slot("fr-CA"), "lundi 23 novembre 2026, 14 h 00–15 h 00");
    // Of English there is none without a country: it is the practice's.
    assert_eq!(view_in(&booking, "en").unwrap().locale.to_string(), "en-DE");
}

#[test]
fn a_reschedule_tells_both_times() {
    let mut booking = booking("2026-11-23T08:00:00Z", "Europe/Berlin");
    booking.previous = Some(event::Previous {
        rescheduled_from: Uuid::from_u128(9),
        previous_slot_start: "2026-10-20T07:00:00Z".parse().unwrap(),
        previous_local_date: "2026-10-20".parse().unwrap(),
        previous_local_hour: 9,
    });
    let previous = view_of(&booking).unwrap().previous.unwrap();
    assert_eq!(previous.date, "Tuesday, 20 October 2026");
    assert_eq!(previous.from, "09:00");
}

#[test]
fn a_name_cannot_break_out_of_its_line() {
    let view = view_of(&booking("2026-11-23T08:00:00Z", "Europe/Berlin")).unwrap();
    assert_eq!(view.patient_name.unwrap(), "Alice Bcc: eve@example.org");
}

#[test]
fn what_is_no_slot_is_not_told() {
    let error = view_of(&booking("2026-11-23T08:30:00Z", "Europe/Berlin")).unwrap_err();
    assert_eq!(error, BadTime::Slot(Misaligned));
    assert!(view_of(&booking("2026-11-23T08:00:00Z", "Mars/Olympus")).is_err());
}

#[test]
fn news_of_yesterday_is_too_old() {
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let booking = booking("2026-11-23T08:00:00Z", "Europe/Berlin");
    let too_old = |happened: &str| is_too_old(happened.parse().unwrap(), &booking, now);
    assert!(!too_old("2026-11-22T08:00:00Z"));
    assert!(too_old("2026-11-22T07:59:59Z"));
    assert!(!too_old("2026-11-23T09:00:00Z"));
}

fn offer() -> event::Booking {
    event::Booking {
        hold_expires_at: Some("2026-11-22T16:15:00Z".parse().unwrap()),
        ..booking("2026-11-23T08:00:00Z", "Europe/Berlin")
    }
}

#[test]
fn an_offer_is_told_to_the_patient_alone_and_says_until_when() {
    let recipients = [patient(&[Channel::Email]), practitioner()];
    let notices = notices("e1", Occasion::Offered, &recipients);
    let told: Vec<_> = notices.iter().map(|notice| &notice.template[..]).collect();
    assert_eq!(told, ["hold-offered.patient.email"]);
    assert_eq!(
        view_of(&offer()).unwrap().offered_until.as_deref(),
        Some("Sunday, 22 November 2026 at 17:15")
    );
}

#[test]
fn an_offer_that_has_run_out_is_not_told() {
    let happened = "2026-11-22T16:00:00Z".parse().unwrap();
    let too_old = |now: &str| is_too_old(happened, &offer(), now.parse().unwrap());
    assert!(!too_old("2026-11-22T16:14:59Z"));
    assert!(too_old("2026-11-22T16:15:00Z"));
}

#[test]
fn one_ailing_mailbox_is_given_up_sooner_than_a_provider_that_is_away() {
    assert!(!is_given_up(DELIVERY_ATTEMPTS_MAX - 1, true));
    assert!(is_given_up(DELIVERY_ATTEMPTS_MAX, true));
    assert!(!is_given_up(OUTAGE_ATTEMPTS_MAX - 1, false));
    assert!(is_given_up(OUTAGE_ATTEMPTS_MAX, false));
}

#[test]
fn a_view_tells_this_and_nothing_more() {
    let view = view_of(&offer()).unwrap();
    let view = serde_json::to_value(view).unwrap();
    let names = |object: &serde_json::Value| {
        let mut names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&view),
        [
            "booking_id",
            "brand",
            "cancel_url",
            "locale",
            "offered_until",
            "opt_out_url",
            "patient_name",
            "place",
            "previous",
            "public_url",
            "recipient_name",
            "slot"
        ]
    );
    assert_eq!(
        names(&view["place"]),
        [
            "address",
            "city",
            "country",
            "phone",
            "practice",
            "practitioner"
        ]
    );
    assert_eq!(names(&view["slot"]), ["date", "from", "time_zone", "to"]);
    assert_eq!(
        names(&view["brand"]),
        ["colors", "logo_url", "name", "reply_to"]
    );
}

fn told(occasion: Occasion, recipient: &Recipient, channel: Channel) -> View {
    told_at("https://praxis.example/", occasion, recipient, channel).0
}

fn told_at(
    public_url: &str,
    occasion: Occasion,
    recipient: &Recipient,
    channel: Channel,
) -> (View, Option<String>, Option<Entry>) {
    let secrets = secrets();
    let booking = booking("2026-11-23T08:00:00Z", "Europe/Berlin");
    let story = Story {
        occasion,
        booking: &booking,
        patient_name: Some("Alice"),
        place: &place(),
        brand: &Brand::of("Rosenhof", &Branding::default()),
        public_url,
        secrets: &secrets,
    };
    let said = "2026-11-20T07:00:00Z".parse().unwrap();
    (
        view(&story, recipient, channel, &recipient.locale).unwrap(),
        unsubscribe_url(&story, recipient, channel),
        entry(&story, recipient, said).unwrap(),
    )
}

fn secrets() -> Secrets {
    Secrets::parse(&"x".repeat(32)).unwrap()
}

fn deed_of(url: &str) -> Deed {
    let token = url.rsplit('/').next().unwrap();
    let now = "2026-11-23T07:59:00Z".parse().unwrap();
    secrets().verify(token, now).unwrap()
}

#[test]
fn a_patient_can_cancel_what_is_to_come_by_a_link() {
    let alice = patient(&[Channel::Email]);
    for occasion in [Occasion::Created, Occasion::Rescheduled, Occasion::Reminder] {
        let url = told(occasion, &alice, Channel::Email).cancel_url.unwrap();
        assert!(url.starts_with("https://praxis.example/#/cancel/"), "{url}");
        let deed = Deed::Cancel {
            booking_id: Uuid::from_u128(3),
            version: 1,
        };
        assert_eq!(deed_of(&url), deed);
        assert_eq!(
            told(occasion, &practitioner(), Channel::Email).cancel_url,
            None
        );
    }
    for occasion in [Occasion::Cancelled, Occasion::Offered] {
        assert_eq!(told(occasion, &alice, Channel::Email).cancel_url, None);
    }
}

#[test]
fn reminders_can_be_ended_on_their_channel() {
    let alice = patient(&[Channel::Sms]);
    let url = told(Occasion::Reminder, &alice, Channel::Sms).opt_out_url;
    let deed = Deed::OptOut {
        patient_id: alice.id,
        channel: Channel::Sms,
    };
    assert_eq!(deed_of(&url.unwrap()), deed);
    assert_eq!(
        told(Occasion::Created, &alice, Channel::Sms).opt_out_url,
        None
    );
    assert_eq!(
        told(Occasion::Reminder, &practitioner(), Channel::Email).opt_out_url,
        None
    );
}

#[test]
fn a_mail_program_ends_reminders_where_the_way_is_safe() {
    let alice = patient(&[Channel::Email]);
    let url = |public| told_at(public, Occasion::Reminder, &alice, Channel::Email).1;
    let safe = url("https://praxis.example").unwrap();
    assert!(safe.starts_with("https://praxis.example/v1/links/opt-out/"));
    assert!(url("http://127.0.0.1:3000").is_some());
    assert_eq!(url("http://praxis.example"), None);
}

#[test]
fn a_mail_takes_an_entry_for_the_calendar_along() {
    let alice = patient(&[Channel::Email]);
    let entry = |occasion, of: &Recipient| {
        told_at(
            "https://praxis.example:8443/x",
            occasion,
            of,
            Channel::Email,
        )
        .2
    };
    let made = entry(Occasion::Created, &alice).unwrap();
    assert_eq!(made.method, invitation::Method::Request);
    for line in ["SUMMARY:Dr. Anna Weidenbach", "LOCATION:Rosenhof\\, Berlin"] {
        assert!(made.content.contains(line), "{}", made.content);
    }
    let unfolded = made.content.replace("\r\n ", "");
    assert!(
        unfolded.contains("mailto:no-reply@praxis.example\r\n"),
        "{unfolded}"
    );
    let gone = entry(Occasion::Cancelled, &alice).unwrap();
    assert_eq!(gone.method, invitation::Method::Cancel);
    assert_eq!(entry(Occasion::Offered, &alice), None);
    assert_eq!(
        entry(Occasion::Created, &practitioner()),
        None,
        "no address"
    );
}
