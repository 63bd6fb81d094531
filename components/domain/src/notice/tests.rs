use super::*;

fn patient(channels: &[Channel]) -> Recipient {
    Recipient {
        id: Uuid::from_u128(1),
        audience: Audience::Patient,
        name: Some("Alice\r\nBcc: eve@example.org".to_owned()),
        email: Some("alice@example.org".to_owned()),
        phone: None,
        channels: channels.to_vec(),
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
        phone: None,
    }
}

fn view_of(booking: &event::Booking) -> Result<View, BadTime> {
    let alice = patient(&[Channel::Email]);
    view(
        booking,
        &alice,
        alice.name.as_deref(),
        &place(),
        "https://praxis.example",
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
        Some("Sunday, 22 November 2026, 17:15")
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
