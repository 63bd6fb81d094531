//! `[component.*.dependencies]`: one component made of several.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty};
use praxis_host::capabilities::Capability;
use praxis_host::manifest::Manifest;
use praxis_host::runtime::application;
use praxis_host::runtime::engine;
use praxis_host::triggers::http::guest::Guest;

use crate::application::{Application, built, compiled, importing};

const GREETER: &str = "[component.a.dependencies]\n\
                       \"example:greeter/greet\" = { path = \"greeter.wasm\" }\n";

fn caller(table: &str) -> Application {
    Application::of_one(&built("caller"), table).with("greeter.wasm", &built("greeter"))
}

async fn see(application: &Application, path: &str) -> String {
    let manifest = Manifest::load(&application.manifest()).unwrap();
    let engine = engine::start(&compiled()).unwrap();
    let none: [Arc<dyn Capability>; 0] = [];
    let data = manifest.folder.join(".praxis");
    let loaded = application::Application::load(&engine, &manifest, &none, &data).unwrap();
    let guest = Guest::new(loaded.component("a")).unwrap();
    let body =
        Empty::new().map_err(|never: Infallible| -> wasmtime_wasi_http::Error { match never {} });
    let request = http::Request::get(format!("http://localhost{path}"));
    let answer = guest.answer(request.body(body).unwrap()).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_calls_another_one_inside_it() {
    for name in [
        "example:greeter/greet@0.1.0",
        "example:greeter/greet",
        "example:greeter",
    ] {
        let application = caller(&GREETER.replace("example:greeter/greet", name));
        assert_eq!(
            see(&application, "/greet/Ada").await,
            "Hello, Ada",
            "{name}"
        );
    }
    let of_the_application = Application::of(
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"a\"\n\
         [component.a]\nsource = \"a.wasm\"\n\
         dependencies = { \"example:greeter\" = { component = \"greeter\" } }\n\
         [component.greeter]\nsource = \"greeter.wasm\"\n",
    );
    let application = of_the_application
        .with("a.wasm", &built("caller"))
        .with("greeter.wasm", &built("greeter"));
    assert_eq!(see(&application, "/greet/Ada").await, "Hello, Ada");
    let findings = application.examine().await;
    assert_eq!(application.lines(&findings.warnings), [""; 0]);
    assert!(
        findings
            .report
            .contains("from the component greeter, without grants")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_inside_sees_the_environment_only_if_it_inherits() {
    let environment = "environment = { SECRET = \"hush\" }\n";
    let confined = caller(&format!("{environment}{GREETER}"));
    let seen = see(&confined, "/environment").await;
    assert_eq!(seen, "own [\"SECRET\"], inner []");
    let inheriting = GREETER.replace(" }", ", inherit_configuration = true }");
    let inheriting = caller(&format!("{environment}{inheriting}"));
    let seen = see(&inheriting, "/environment").await;
    assert_eq!(seen, "own [\"SECRET\"], inner [\"SECRET\"]");
    let all = "dependencies_inherit_configuration = true\n";
    let seen = see(
        &caller(&format!("{environment}{all}{GREETER}")),
        "/environment",
    )
    .await;
    assert_eq!(seen, "own [\"SECRET\"], inner [\"SECRET\"]");
}

#[tokio::test]
async fn what_cannot_be_composed_is_said() {
    let with = |from: &str, to: &str| caller(&GREETER.replace(from, to));
    for (application, says) in [
        (
            with("example:greeter/greet", "example:greeter/great"),
            "the dependency \"example:greeter/great\" satisfies none of its imports",
        ),
        (
            with("greeter.wasm", "nowhere.wasm"),
            "the dependency \"example:greeter/greet\": nowhere.wasm is not there; build it first",
        ),
        (
            caller(GREETER).with("greeter.wasm", b"\0asm\x01\0\0\0"),
            "the dependency \"example:greeter/greet\": it is a core module",
        ),
        (
            caller(GREETER).with("greeter.wasm", &built("hello")),
            "the dependency \"example:greeter/greet\": it imports wasi:http",
        ),
        (
            caller(GREETER).with("greeter.wasm", &importing("spin:redis/redis@3.0.0")),
            "it imports spin:redis/redis@3.0.0, and has no grants; write inherit_configuration",
        ),
        (
            caller(GREETER).with("greeter.wasm", &wat::parse_str("(component)").unwrap()),
            "it does not export example:greeter/greet@0.1.0; there is none",
        ),
        (
            caller(&format!(
                "{GREETER}\"example:greeter\" = {{ path = \"greeter.wasm\" }}\n"
            )),
            "its import example:greeter/greet@0.1.0 is satisfied by",
        ),
    ] {
        let faults = application.faults().await;
        assert!(
            faults.iter().any(|fault| fault.contains(says)),
            "{says}: {faults:#?}"
        );
    }
}
