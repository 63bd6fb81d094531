//! The routes that the host answers itself.

use reqwest::header::HOST;

use crate::host;

/// Other spellings of the host's routes, as a manifest may write them, and paths that lead to them.
const SPELLINGS: [(&str, &str); 9] = [
    ("/health/live", "/health/live"),
    ("/health/live/", "/health/live/"),
    ("/health//live", "//health/live"),
    ("//metrics", "//metrics"),
    ("/:any", "/metrics"),
    ("/metrics/...", "/metrics/"),
    ("/v1/ops/components/:id", "/v1/ops/components/hello:swap"),
    (
        "/v1/ops/components/hello:swap",
        "/v1/ops/components/hello:swap",
    ),
    ("/dev/token/", "/dev/token/"),
];

#[tokio::test]
async fn no_spelling_of_the_hosts_routes_leads_to_a_component() {
    for (route, path) in SPELLINGS {
        let manifest = format!(
            "[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"hello\"\n\
             [component.hello]\nsource = \"hello.wasm\"\n"
        );
        let host = host::run_with_its_own(&manifest).await;
        let (status, answer) = host.get(path).await;
        assert_ne!(answer, "Hello", "{route} takes {path}");
        assert_ne!(status, 404, "nobody answers {path}");
    }
}

#[tokio::test]
async fn a_component_answers_beside_the_hosts_routes() {
    let manifest = "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"hello\"\n\
                    [component.hello]\nsource = \"hello.wasm\"\n";
    let host = host::run_with_its_own(manifest).await;
    for path in ["/", "/health", "/metrics/more", "/v1/ops", "/dev/tokens"] {
        assert_eq!(host.get(path).await, (200, "Hello".into()), "{path}");
    }
    assert_eq!(host.get("/.well-known/spin/health").await.1, "OK");
}

/// A web page may let its own name lead to this machine (DNS rebinding).
#[tokio::test]
async fn tokens_are_given_to_this_machine_only() {
    let host = host::run_with_its_own("").await;
    for (name, expected) in [
        ("localhost", 200),
        ("LOCALHOST:3000", 200),
        ("127.0.0.1:3000", 200),
        ("127.1.2.3", 200),
        ("[::1]:3000", 200),
        ("evil.example", 403),
        ("evil.example:3000", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.1", 403),
        ("[::2]", 403),
        ("[localhost]", 403),
    ] {
        let request = host.client.post(host.url("/dev/token")).header(HOST, name);
        let claims = r#"{"sub":"anybody","roles":["operator"]}"#;
        let answer = request.body(claims).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{name}");
    }
}
