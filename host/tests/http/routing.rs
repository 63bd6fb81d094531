//! Who answers a request, and what it is told.

use crate::host::{self, Host};
use crate::wire::{exchange, statuses};

const ROUTES: &str = r#"
[[trigger.http]]
route = "/..."
component = "hello"
[[trigger.http]]
route = "/exact/echo"
component = "unruly"
[[trigger.http]]
route = "/users/:user_id/echo"
component = "unruly"
[[trigger.http]]
route = "/rest/..."
component = "unruly"
[[trigger.http]]
route = "/old"
component = "wasi02"
[[trigger.http]]
route = { private = true }
component = "inner"
[[trigger.http]]
route = "/.well-known/spin/..."
component = "hello"
[component.hello]
source = "hello.wasm"
[component.unruly]
source = "unruly.wasm"
[component.wasi02]
source = "wasi02.wasm"
[component.inner]
source = "unruly.wasm"
"#;

/// The lines that the component saw.
async fn seen(host: &Host, path: &str) -> Vec<String> {
    let (status, lines) = host.get(path).await;
    assert_eq!(status, 200, "{path}: {lines}");
    lines.lines().map(str::to_owned).collect()
}

/// What the component saw in one header.
async fn told(host: &Host, path: &str, header: &str) -> Option<String> {
    let lines = seen(host, path).await;
    let prefix = format!("{header}: ");
    lines
        .iter()
        .find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
}

#[tokio::test]
async fn a_component_sees_the_request_as_under_spin() {
    let host = host::run(ROUTES).await;
    let at = host.address;
    let lines = seen(&host, "/users/42%2F7/echo?a=%20b&a=2").await;
    for line in [
        format!("GET http://{at}/users/42%2F7/echo?a=%20b&a=2"),
        format!("spin-full-url: http://{at}/users/42%2F7/echo?a=%20b&a=2"),
        "spin-matched-route: /users/:user_id/echo".into(),
        "spin-raw-component-route: /users/:user_id/echo".into(),
        "spin-component-route: /users/:user_id/echo".into(),
        "spin-path-match-user-id: 42%2F7".into(),
        "spin-path-info: ".into(),
        "spin-base-path: /".into(),
    ] {
        assert!(lines.contains(&line), "{line} is not in {lines:#?}");
    }
    let client = told(&host, "/exact/echo", "spin-client-addr")
        .await
        .unwrap();
    assert!(client.starts_with("127.0.0.1:"), "{client}");
}

#[tokio::test]
async fn what_a_wildcard_stood_for_is_the_path_info() {
    let host = host::run(ROUTES).await;
    for (path, info) in [
        ("/rest/echo", "/echo"),
        ("/rest/a/b/echo", "/a/b/echo"),
        ("/rest/echo/", "/echo/"),
        ("/rest/a%20b/echo?q=/x", "/a%20b/echo"),
        ("//rest//echo", "/echo"),
    ] {
        let told = told(&host, path, "spin-path-info").await;
        assert_eq!(told.as_deref(), Some(info), "{path}");
    }
}

#[tokio::test]
async fn a_client_cannot_forge_what_the_host_says() {
    let host = host::run(ROUTES).await;
    let request = host.client.get(host.url("/exact/echo"));
    let request = request
        .header("spin-client-addr", "1.2.3.4:5")
        .header("spin-path-match-user-id", "root")
        .header("Spin-Anything", "else");
    let lines = request.send().await.unwrap().text().await.unwrap();
    for forged in ["1.2.3.4", "root", "spin-anything"] {
        assert!(!lines.contains(forged), "{lines}");
    }
}

#[tokio::test]
async fn every_method_reaches_the_component() {
    let host = host::run(ROUTES).await;
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = host.client.request(method.clone(), host.url("/exact/echo"));
        let lines = request.send().await.unwrap().text().await.unwrap();
        assert!(lines.contains(&format!("{method} http://")), "{lines}");
    }
    let head = host
        .client
        .head(host.url("/exact/echo"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.status().as_u16(), head.text().await.unwrap()),
        (200, String::new())
    );
}

#[tokio::test]
async fn a_component_of_wasi_0_2_is_routed_to_as_well() {
    let host = host::run(ROUTES).await;
    assert_eq!(host.get("/old").await, (200, "WASI 0.2 saw /old".into()));
    assert_eq!(
        host.get("/old?q").await,
        (200, "WASI 0.2 saw /old?q".into())
    );
}

#[tokio::test]
async fn what_spin_reserves_is_answered_by_the_host() {
    let host = host::run(ROUTES).await;
    assert_eq!(
        host.get("/.well-known/spin/health").await,
        (200, "OK".into())
    );
    let (status, info) = host.get("/.well-known/spin/info").await;
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        info,
        serde_json::json!({ "name": "app", "version": "1.2.3" })
    );
    assert_eq!(host.get("/.well-known/spin/other").await.0, 404);
    assert_eq!(
        host.get("/.well-known/spindle").await,
        (200, "Hello".into())
    );
}

#[tokio::test]
async fn a_path_without_a_route_is_not_found() {
    let routes = ROUTES.replacen("route = \"/...\"", "route = \"/hello\"", 1);
    let host = host::run(&routes).await;
    for path in ["/", "/nothing", "/hello/below", "/inner", "/exact"] {
        let (status, problem) = host.get(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(problem.contains("/problems/not-found"), "{problem}");
    }
}

#[tokio::test]
async fn the_host_of_a_request_is_said_once_and_clearly() {
    let host = host::run(ROUTES).await;
    let mut all = Vec::new();
    for (head, expected) in [
        ("GET /exact/echo HTTP/1.1\r\nHost: a.example", 200),
        (
            "GET http://a.example/exact/echo HTTP/1.1\r\nHost: a.example",
            200,
        ),
        ("GET http://a.example/exact/echo HTTP/1.1", 200),
        ("GET /exact/echo HTTP/1.0", 200),
        ("GET //exact/echo HTTP/1.1\r\nHost: a.example", 200),
        ("GET /exact/echo HTTP/1.1", 400),
        ("GET /exact/echo HTTP/1.1\r\nHost:", 400),
        ("GET /exact/echo HTTP/1.1\r\nHost: a b", 400),
        ("GET /exact/echo HTTP/1.1\r\nHost: user@a", 400),
        ("GET /exact/echo HTTP/1.1\r\nHost: a/b", 400),
        ("GET /exact/echo HTTP/1.1\r\nHost: a\r\nHost: a", 400),
        (
            "GET http://a.example/exact/echo HTTP/1.1\r\nHost: b.example",
            400,
        ),
        ("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443", 501),
    ] {
        let request = format!("{head}\r\nConnection: close\r\n\r\n");
        let answer = exchange(host.address, request.as_bytes()).await;
        if statuses(&answer) != [expected] {
            all.push(format!("{head:?}: expected {expected}: {answer}"));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[tokio::test]
async fn a_component_is_written_inside_its_trigger() {
    let manifest = "[[trigger.http]]\nroute = \"/one\"\ncomponent = { source = \"hello.wasm\" }\n\
                    [[trigger.http]]\nid = \"second\"\nroute = \"/two\"\n\
                    component = { source = \"hello.wasm\", tool.praxis.body_bytes_max = 1 }\n";
    let host = host::run(manifest).await;
    assert_eq!(host.get("/one").await, (200, "Hello".into()));
    assert_eq!(host.get("/two").await, (200, "Hello".into()));
    // Each has a table of its own.
    for (path, expected) in [("/one", 200), ("/two", 413)] {
        let url = format!("http://{}{path}", host.address);
        let answer = host.client.post(url).body("too much").send().await.unwrap();
        assert_eq!(answer.status(), expected, "{path}");
    }
}
