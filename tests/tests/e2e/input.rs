//! Bad input: refused by name, and nothing written.

use chrono::Days;
use praxis_tests::directory::{SPECIALTY, fresh_id, today};
use praxis_tests::{Api, Practitioner, Services, World};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

/// Larger than any body may be.
const FAR_TOO_MANY_BYTES: usize = 256 * 1024;

/// One request that must be refused.
struct Case {
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<String>,
    status: u16,
    /// What `errors` must name; `None`: no field is to blame.
    pointer: Option<&'static str>,
}

#[tokio::test]
async fn bad_searches_are_refused_by_name() {
    let world = World::start(Services::Embedded).await;
    let good = [
        ("lat", "52.52"),
        ("lon", "13.4"),
        ("radius_km", "10"),
        ("specialty", SPECIALTY),
    ];
    let mut cases = Vec::new();
    for (name, pointer) in [
        ("lat", "/query/lat"),
        ("lon", "/query/lon"),
        ("radius_km", "/query/radius_km"),
        ("specialty", "/query/specialty"),
    ] {
        cases.push(get(search(&without(&good, name)), 400, pointer));
    }
    for (name, value, pointer) in [
        ("lat", "north", "/query/lat"),
        ("lat", "90.1", "/query/lat"),
        ("lat", "NaN", "/query/lat"),
        ("lon", "-180.5", "/query/lon"),
        ("radius_km", "0", "/query/radius_km"),
        ("radius_km", "201", "/query/radius_km"),
        ("radius_km", "-1", "/query/radius_km"),
        ("available_before", "tomorrow", "/query/available_before"),
        ("limit", "0", "/query/limit"),
        ("limit", "many", "/query/limit"),
        ("cursor", "not-one-of-ours", "/query/cursor"),
        // Of a first page in 1970.
        ("cursor", "4.0.1893456000000.0.0.78", "/query/cursor"),
    ] {
        let mut query = without(&good, name);
        query.push((name, value));
        cases.push(get(search(&query), 400, pointer));
    }
    let unknown = [&good[..], &[("colour", "red")]].concat();
    cases.push(get(search(&unknown), 400, "/query/colour"));
    cases.push(get("/v1/specialties?x=1".to_owned(), 400, "/query/x"));
    refused(&world, &world.api(), cases).await;

    let deliveries = |query: &str| format!("/v1/ops/deliveries{query}");
    let cases = vec![
        get(deliveries(""), 400, "/query/booking_id"),
        get(deliveries("?booking_id=x"), 400, "/query/booking_id"),
    ];
    refused(&world, &world.api().operator().await, cases).await;
}

#[tokio::test]
async fn bad_dates_are_refused_by_name() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Dated");
    world.import(&[&practitioner]).await;
    let day = today("Europe/Berlin");
    let (late, later) = (day + Days::new(62), day + Days::new(5));
    let path = |query: &str| format!("/v1/practitioners/{}/availability{query}", practitioner.id);
    let cases = vec![
        get(path(""), 400, "/query/from"),
        get(path(&format!("?from={day}")), 400, "/query/to"),
        get(path(&format!("?from=someday&to={day}")), 400, "/query/from"),
        get(
            path(&format!("?from={day}&to=2026-02-30")),
            400,
            "/query/to",
        ),
        get(path(&format!("?from={later}&to={day}")), 400, "/query/to"),
        get(path(&format!("?from={day}&to={late}")), 400, "/query/to"),
        missing("/v1/practitioners/nobody".to_owned()),
        missing(format!("/v1/practitioners/{}", fresh_id())),
        missing(format!(
            "/v1/practitioners/{}/availability?from={day}&to={day}",
            fresh_id()
        )),
    ];
    refused(&world, &world.api(), cases).await;
}

#[tokio::test]
async fn bad_bookings_are_refused_by_name() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Strict");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let own = alice
        .book(practitioner.id, &slots[4])
        .await
        .expect(201)
        .text_of("booking_id");
    world.settle().await;

    let good = json!({ "practitioner_id": practitioner.id, "slot_start": slots[0] });
    let with = |field: &str, value: Value| changed(&good, field, value);
    let mut cases = Vec::new();
    for path in ["/v1/bookings", "/v1/holds"] {
        cases.extend([
            post(path, "{", 400, None),
            post(path, "[]", 400, None),
            post(path, &with("colour", json!("red")), 400, Some("/colour")),
            post(
                path,
                &with("practitioner_id", Value::Null),
                400,
                Some("/practitioner_id"),
            ),
            post(
                path,
                &with("practitioner_id", json!("x")),
                400,
                Some("/practitioner_id"),
            ),
            post(
                path,
                &with("slot_start", Value::Null),
                400,
                Some("/slot_start"),
            ),
            post(
                path,
                &with("slot_start", json!("soon")),
                400,
                Some("/slot_start"),
            ),
            post(
                path,
                &with("slot_start", json!("2020-01-01T09:00:00Z")),
                422,
                Some("/slot_start"),
            ),
            post(
                path,
                &with("slot_start", json!(half_past(&slots[0]))),
                422,
                Some("/slot_start"),
            ),
            post(
                path,
                &with("patient_id", json!("x")),
                400,
                Some("/patient_id"),
            ),
            post(path, &with("hold_id", json!("x")), 400, Some("/hold_id")),
            post(path, &" ".repeat(FAR_TOO_MANY_BYTES), 413, None),
        ]);
    }
    let mut keyless = post(
        "/v1/bookings",
        &good.to_string(),
        400,
        Some("/header/idempotency-key"),
    );
    keyless.headers.clear();
    cases.push(keyless);

    let cancel = format!("/v1/bookings/{own}/cancel");
    let reschedule = format!("/v1/bookings/{own}/reschedule");
    let to_fifth = json!({ "slot_start": slots[4] }).to_string();
    let to_second = json!({ "slot_start": slots[1] }).to_string();
    cases.extend([
        post(&cancel, "", 400, Some("/header/if-match")),
        if_match("latest", post(&cancel, "", 400, Some("/header/if-match"))),
        post(&reschedule, &to_second, 400, Some("/header/if-match")),
        if_match("\"1\"", post(&reschedule, "{}", 400, Some("/slot_start"))),
        if_match(
            "\"1\"",
            post(&reschedule, r#"{"slot_start":7}"#, 400, Some("/slot_start")),
        ),
        // It is there already.
        if_match(
            "\"1\"",
            post(&reschedule, &to_fifth, 422, Some("/slot_start")),
        ),
        get("/v1/bookings?status=lost".to_owned(), 400, "/query/status"),
        get("/v1/bookings?from=then".to_owned(), 400, "/query/from"),
        get(
            "/v1/bookings?from=-009999-01-01".to_owned(),
            400,
            "/query/from",
        ),
        get("/v1/bookings?to=0000-01-01".to_owned(), 400, "/query/to"),
        get(
            "/v1/bookings?cursor=not-one-of-ours".to_owned(),
            400,
            "/query/cursor",
        ),
        get(
            format!("/v1/bookings?cursor=-377705023201.{own}"),
            400,
            "/query/cursor",
        ),
        missing("/v1/bookings/mine".to_owned()),
        missing(format!("/v1/bookings/{}", fresh_id())),
    ]);
    refused(&world, &alice, cases).await;
}

#[tokio::test]
async fn bad_people_are_refused_by_name() {
    let world = World::start(Services::Embedded).await;
    let alice = world.api().patient("alice").await;
    let good = json!({ "name": "Alice", "email": "alice@patients.example", "channels": ["email"] });
    alice
        .send(Method::PUT, "/v1/patients/me", &[], Some(good.to_string()))
        .await
        .expect(200);
    let put = |field: &str, value: Value, pointer| Case {
        method: Method::PUT,
        ..post(
            "/v1/patients/me",
            &changed(&good, field, value),
            400,
            Some(pointer),
        )
    };
    let cases = vec![
        put("email", json!("not an address"), "/email"),
        put("email", json!("a@b.example\r\nbcc: c@d.example"), "/email"),
        put("phone", json!("call me"), "/phone"),
        put("locale", json!("!!"), "/locale"),
        put("name", json!("x".repeat(10_000)), "/name"),
        put("channels", json!(["pigeon"]), "/channels/0"),
        put("age", json!(7), "/age"),
    ];
    refused(&world, &alice, cases).await;
}

#[tokio::test]
async fn bad_profiles_are_refused_by_name() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Profile");
    world.import(&[&practitioner]).await;
    world.settle().await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let mut good = practitioner.json();
    good.as_object_mut().unwrap().remove("practitioner_id");
    let path = format!("/v1/practitioners/{}", practitioner.id);
    let put = |field: &str, value: Value, pointer| Case {
        method: Method::PUT,
        ..post(&path, &changed(&good, field, value), 400, Some(pointer))
    };
    let cases = vec![
        put("name", json!(""), "/name"),
        put("specialty", Value::Null, "/specialty"),
        put("location", json!({ "lat": 91, "lon": 0 }), "/location/lat"),
        put("location", json!({ "lat": 0, "lon": "x" }), "/location/lon"),
        put("time_zone", json!("Mars/Olympus"), "/time_zone"),
        put("country", json!("Germany"), "/country"),
        put("rating", json!(5.1), "/rating"),
        put("email", json!("nowhere"), "/email"),
        put("hours", json!({ "monday": [24] }), "/hours/monday/0"),
        put("hours", json!({ "someday": [9] }), "/hours/someday"),
        put(
            "exceptions",
            json!({ "2026-02-30": [] }),
            "/exceptions/2026-02-30",
        ),
        put(
            "exceptions",
            json!({ "0000-12-24": [] }),
            "/exceptions/0000-12-24",
        ),
        put("shoe_size", json!(43), "/shoe_size"),
    ];
    refused(&world, &staff, cases).await;
}

/// Sends them all, and looks at the tables before and after.
async fn refused(world: &World, api: &Api, cases: Vec<Case>) {
    let before = rows(&world.database).await;
    let mut failures = Vec::new();
    for case in cases {
        if let Err(failure) = is_refused(api, &case).await {
            failures.push(failure);
        }
    }
    assert!(
        failures.is_empty(),
        "{} cases:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert_eq!(rows(&world.database).await, before, "something was written");
}

async fn is_refused(api: &Api, case: &Case) -> Result<(), String> {
    let answer = api
        .send(
            case.method.clone(),
            &case.path,
            &case.headers,
            case.body.clone(),
        )
        .await;
    let sent: String = case
        .body
        .iter()
        .flat_map(|body| body.chars())
        .take(200)
        .collect();
    let told = format!(
        "{} {sent} -> {} {}",
        answer.request, answer.status, answer.text
    );
    if answer.status != case.status {
        return Err(format!("not {}: {told}", case.status));
    }
    answer.check_problem();
    let problem = answer.json();
    let Some(pointer) = case.pointer else {
        return Ok(());
    };
    let errors = problem["errors"].as_array().into_iter().flatten();
    let named: Vec<_> = errors
        .filter_map(|error| error["pointer"].as_str())
        .map(str::to_ascii_lowercase)
        .collect();
    if named.iter().any(|named| named == pointer) {
        Ok(())
    } else {
        Err(format!("{pointer} is not named: {told}"))
    }
}

/// How many rows each table that requests write to has.
async fn rows(database: &PgPool) -> Vec<(String, i64)> {
    sqlx::query_as(
        "
        select 'bookings', count(*) from bookings
        union all select 'deliveries', count(*) from deliveries
        union all select 'idempotency_receipts', count(*) from idempotency_receipts
        union all select 'outbox', count(*) from outbox
        union all select 'patients', count(*) from patients
        union all select 'practitioners', count(*) from practitioners
        union all select 'schedule_exceptions', count(*) from schedule_exceptions
        union all select 'tenants', count(*) from tenants
        order by 1
        ",
    )
    .fetch_all(database)
    .await
    .unwrap()
}

fn get(path: String, status: u16, pointer: &'static str) -> Case {
    Case {
        method: Method::GET,
        path,
        headers: Vec::new(),
        body: None,
        status,
        pointer: Some(pointer),
    }
}

fn missing(path: String) -> Case {
    Case {
        pointer: None,
        ..get(path, 404, "")
    }
}

fn post(path: &str, body: &str, status: u16, pointer: Option<&'static str>) -> Case {
    Case {
        method: Method::POST,
        path: path.to_owned(),
        headers: vec![("idempotency-key", "never-stored")],
        body: Some(body.to_owned()),
        status,
        pointer,
    }
}

fn if_match(etag: &'static str, mut case: Case) -> Case {
    case.headers.push(("if-match", etag));
    case
}

fn search(query: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("/v1/practitioners/search?{}", pairs.join("&"))
}

fn without<'a>(query: &[(&'a str, &'a str)], name: &str) -> Vec<(&'a str, &'a str)> {
    query
        .iter()
        .copied()
        .filter(|(other, _)| *other != name)
        .collect()
}

/// The body with one field set, or taken away (`null`).
fn changed(body: &Value, field: &str, value: Value) -> String {
    let mut body = body.clone();
    let fields = body.as_object_mut().unwrap();
    match value {
        Value::Null => fields.remove(field),
        value => fields.insert(field.to_owned(), value),
    };
    body.to_string()
}

fn half_past(slot_start: &str) -> String {
    slot_start.replace(":00:00Z", ":30:00Z")
}
