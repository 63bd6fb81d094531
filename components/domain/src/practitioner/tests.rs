use serde_json::json;

use super::*;
use crate::terms::Terms;

fn anna() -> Value {
    json!({
        "tenant": "north",
        "name": "Dr. Anna Weidenbach",
        "specialty": "cardiology",
        "practice": "Rosenhof",
        "address": "Rosenhofstraße 4",
        "city": "Berlin",
        "country": "DE",
        "location": { "lat": 52.5, "lon": 13.4 },
        "time_zone": "Europe/Berlin",
        "rating": 4.5,
        "email": "anna@rosenhof.example",
        "phone": "+493023125000",
        "locale": "de",
        "hours": { "monday": [9, 10, 13], "sunday": [] },
        "periods": [
            { "valid_from": "2027-06-01", "hours": { "monday": [8] } },
            { "valid_from": "2027-01-01", "valid_until": "2027-03-31", "hours": {} },
        ],
        "holidays": ["2027-01-01", "2026-12-26"],
        "exceptions": { "2026-12-24": [9], "2026-12-25": [] },
        "leave": [{ "from": "2026-12-27", "until": "2026-12-31" }],
        "lead_minutes": 90,
        "horizon_days": 180,
    })
}

fn parse(value: &Value) -> Result<Practitioner, Vec<FieldError>> {
    Practitioner::parse(value.to_string().as_bytes(), None, &Editor::Operator)
}

fn pointers(result: Result<Practitioner, Vec<FieldError>>) -> Vec<String> {
    let errors = result.unwrap_err();
    errors.into_iter().map(|error| error.pointer).collect()
}

#[test]
fn a_practitioner_is_read() {
    let anna = parse(&anna()).unwrap();
    assert_eq!(
        anna.schedule.week[0].hours().collect::<Vec<_>>(),
        [9, 10, 13]
    );
    assert!(anna.schedule.week[6].is_empty());
    assert_eq!(anna.schedule.exceptions.len(), 2);
    assert_eq!(anna.schedule.holidays.len(), 2);
    let begin = anna
        .schedule
        .periods
        .iter()
        .map(|period| period.valid_from.to_string());
    assert_eq!(begin.collect::<Vec<_>>(), ["2027-01-01", "2027-06-01"]);
    assert_eq!(anna.schedule.leave.iter().count(), 1);
    assert_eq!(anna.schedule.terms, Terms::new(90, 180).unwrap());
    assert_eq!(anna.specialty.key(), "cardiology");
    assert!(anna.active);
}

#[test]
fn what_may_be_left_out_has_a_meaning() {
    let mut value = anna();
    for field in [
        "rating",
        "email",
        "phone",
        "locale",
        "periods",
        "holidays",
        "exceptions",
        "leave",
        "lead_minutes",
        "horizon_days",
        "practice",
        "address",
        "city",
    ] {
        value.as_object_mut().unwrap().remove(field);
    }
    value["subject"] = Value::Null;
    let anna = parse(&value).unwrap();
    assert_eq!(anna.rating, 0.0);
    assert_eq!((anna.email, anna.phone, anna.subject), (None, None, None));
    assert_eq!(anna.locale, "en");
    let schedule = &anna.schedule;
    assert_eq!(
        *schedule,
        Schedule::of_week(schedule.zone.clone(), schedule.week)
    );
}

#[test]
fn every_field_that_is_wrong_is_named() {
    for (field, value, pointer) in [
        ("tenant", json!("North Side"), "/tenant"),
        ("name", json!("  "), "/name"),
        ("name", json!("a\nb"), "/name"),
        ("specialty", json!("astrology"), "/specialty"),
        ("country", json!("Germany"), "/country"),
        ("location", json!({ "lat": 91, "lon": 0 }), "/location/lat"),
        ("location", json!({ "lat": 1 }), "/location/lon"),
        ("location", json!([1, 2]), "/location"),
        (
            "location",
            json!({ "lat": 1, "lon": 2, "alt": 3 }),
            "/location/alt",
        ),
        ("time_zone", json!("Europe/Bonn"), "/time_zone"),
        ("time_zone", json!("+01:00"), "/time_zone"),
        ("rating", json!(5.1), "/rating"),
        ("rating", json!("5"), "/rating"),
        ("email", json!("anna@"), "/email"),
        ("email", json!("a b@c.example"), "/email"),
        ("email", json!("anna@c.example, eve@d.example"), "/email"),
        ("phone", json!("030 1234"), "/phone"),
        ("locale", json!("german"), "/locale"),
        ("active", json!("yes"), "/active"),
        ("hours", json!({ "monday": [9, 24] }), "/hours/monday/1"),
        ("hours", json!({ "monday": [9.5] }), "/hours/monday/0"),
        ("hours", json!({ "monday": "9-12" }), "/hours/monday"),
        ("hours", json!({ "montag": [9] }), "/hours/montag"),
        ("hours", json!(null), "/hours"),
        (
            "exceptions",
            json!({ "2026-02-30": [] }),
            "/exceptions/2026-02-30",
        ),
        (
            "exceptions",
            json!({ "2026-02-27T10:00": [] }),
            "/exceptions/2026-02-27T10:00",
        ),
        (
            "exceptions",
            json!({ "2026-02-27": [-1] }),
            "/exceptions/2026-02-27/0",
        ),
        ("periods", json!({}), "/periods"),
        ("periods", json!(["2027"]), "/periods/0"),
        (
            "periods",
            json!([{ "valid_from": "2027-01-01" }]),
            "/periods/0/hours",
        ),
        ("periods", json!([{ "hours": {} }]), "/periods/0/valid_from"),
        (
            "periods",
            json!([{ "valid_from": "2027-01-01", "valid_until": "2026-12-31", "hours": {} }]),
            "/periods/0/valid_until",
        ),
        (
            "periods",
            json!([{ "valid_from": "2027-01-01", "hours": { "monday": [24] } }]),
            "/periods/0/hours/monday/0",
        ),
        (
            "periods",
            json!([
                { "valid_from": "2027-03-01", "hours": {} },
                { "valid_from": "2027-01-01", "valid_until": "2027-03-01", "hours": {} },
            ]),
            "/periods/0/valid_from",
        ),
        (
            "periods",
            json!([
                { "valid_from": "2027-01-01", "hours": {} },
                { "valid_from": "2030-01-01", "hours": {} },
            ]),
            "/periods/1/valid_from",
        ),
        ("holidays", json!("2027-01-01"), "/holidays"),
        ("holidays", json!(["2027-01-01", "easter"]), "/holidays/1"),
        ("holidays", json!([20270101]), "/holidays/0"),
        ("leave", json!([{ "from": "2027-01-01" }]), "/leave/0/until"),
        (
            "leave",
            json!([{ "from": "2027-01-02", "until": "2027-01-01" }]),
            "/leave/0/until",
        ),
        (
            "leave",
            json!([{ "from": "2027-01-01", "until": "2027-01-02", "why": "sea" }]),
            "/leave/0/why",
        ),
        ("lead_minutes", json!(-1), "/lead_minutes"),
        ("lead_minutes", json!(1.5), "/lead_minutes"),
        ("lead_minutes", json!(43_201), "/lead_minutes"),
        ("horizon_days", json!(0), "/horizon_days"),
        ("horizon_days", json!(366), "/horizon_days"),
        ("horizon_days", json!("62"), "/horizon_days"),
        ("practitioner_id", json!("7"), "/practitioner_id"),
        ("doctor/s", json!("x"), "/doctor~1s"),
    ] {
        let mut anna = anna();
        anna[field] = value.clone();
        assert_eq!(pointers(parse(&anna)), [pointer], "{field}: {value}");
    }
}

#[test]
fn all_complaints_come_at_once() {
    let errors = pointers(parse(&json!({ "tenant": "north", "rating": 9 })));
    assert_eq!(
        errors,
        [
            "/name",
            "/specialty",
            "/country",
            "/location",
            "/time_zone",
            "/rating",
            "/hours"
        ]
    );
}

#[test]
fn what_is_not_an_object_is_refused_as_a_whole() {
    for text in ["", "{", "[]", "7", "{\"a\":1}{}"] {
        let result = Practitioner::parse(text.as_bytes(), None, &Editor::Operator);
        assert_eq!(pointers(result), [""], "{text}");
    }
    let long = " ".repeat(PRACTITIONER_BYTES_MAX + 1);
    assert_eq!(
        pointers(Practitioner::parse(
            long.as_bytes(),
            None,
            &Editor::Operator
        )),
        [""]
    );
}

#[test]
fn the_same_line_twice_is_the_same_practitioner() {
    assert_eq!(parse(&anna()).unwrap().id, parse(&anna()).unwrap().id);
    let mut other = anna();
    other["address"] = json!("Rosenhofstraße 5");
    assert_ne!(parse(&anna()).unwrap().id, parse(&other).unwrap().id);
}

#[test]
fn the_id_in_the_address_is_the_id() {
    let (named, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut value = anna();
    let put = |value: &Value| {
        Practitioner::parse(value.to_string().as_bytes(), Some(named), &Editor::Operator)
    };
    assert_eq!(put(&value).unwrap().id, named);
    value["practitioner_id"] = json!(named);
    assert_eq!(put(&value).unwrap().id, named);
    value["practitioner_id"] = json!(other);
    assert_eq!(pointers(put(&value)), ["/practitioner_id"]);
}

#[test]
fn staff_edit_their_own_tenant_only() {
    let staff = |tenant: &str| Editor::Staff {
        tenant: tenant.to_owned(),
    };
    let mut value = anna();
    let put = |value: &Value, editor: &Editor| {
        Practitioner::parse(value.to_string().as_bytes(), None, editor)
    };
    assert!(put(&value, &staff("north")).is_ok());
    assert_eq!(pointers(put(&value, &staff("south"))), ["/tenant"]);
    value.as_object_mut().unwrap().remove("tenant");
    assert_eq!(put(&value, &staff("south")).unwrap().tenant, "south");
    assert_eq!(pointers(put(&value, &Editor::Operator)), ["/tenant"]);
}

#[test]
fn the_directory_that_comes_along_is_well_formed() {
    let demo = include_str!("../../../../host/directory/demo/practitioners.ndjson");
    for line in demo.lines() {
        let practitioner = Practitioner::parse(line.as_bytes(), None, &Editor::Operator);
        assert_eq!(practitioner.map(|_| ()), Ok(()), "{line}");
    }
}

#[test]
fn more_than_can_be_kept_is_refused() {
    for (field, items_max, item) in [
        ("holidays", HOLIDAYS_MAX, json!("2027-01-01")),
        (
            "leave",
            LEAVE_MAX,
            json!({ "from": "2027-01-01", "until": "2027-01-01" }),
        ),
        (
            "periods",
            PERIODS_MAX,
            json!({ "valid_from": "2027-01-01", "hours": {} }),
        ),
    ] {
        let mut anna = anna();
        anna[field] = vec![item; items_max + 1].into();
        assert_eq!(pointers(parse(&anna)), [format!("/{field}")]);
    }
}

#[test]
fn a_lead_time_as_long_as_the_horizon_is_refused() {
    let mut anna = anna();
    anna["horizon_days"] = json!(1);
    anna["lead_minutes"] = json!(1_440);
    assert_eq!(pointers(parse(&anna)), ["/lead_minutes"]);
}
