//! `praxis new`, `praxis build` and `praxis up --watch`, as somebody uses them who begins.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use praxis_host::capabilities::template::{Audience, Channel, Options, Request, Sandbox, Template};
use praxis_servers::{Durability, postgres};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

/// A build, and what comes after it.
const WAIT_MAX: Duration = Duration::from_secs(180);

/// A project of a template, built where all of them are: the second run of a test is quick.
struct Project {
    folder: PathBuf,
    port: u16,
}

/// A host that is stopped at the end.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Project {
    fn make(template: &str, name: &str) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new");
        let folder = place.join(name);
        let _ = std::fs::remove_dir_all(&folder);
        let path = folder.to_str().unwrap();
        let made = praxis()
            .args(["new", template, name, "--path", path])
            .status();
        assert!(made.unwrap().success());

        let target = place.join("target");
        std::fs::create_dir_all(&target).unwrap();
        std::os::unix::fs::symlink(target, folder.join("target")).unwrap();
        // The versions that this workspace has: they are on the machine already.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in ["Cargo.lock", "rust-toolchain.toml"] {
            std::fs::copy(root.join(file), folder.join(file)).unwrap();
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { folder, port }
    }

    fn build(&self) -> (bool, String) {
        let output = praxis()
            .arg("build")
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.success(), text)
    }

    fn up(&self, arguments: &[&str]) -> Host {
        let log = File::create(self.folder.join("up.log")).unwrap();
        let listen = format!("127.0.0.1:{}", self.port);
        let child = praxis()
            .args(["up", "--listen", &listen])
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Host(child.unwrap())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("up.log")).unwrap_or_default()
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.folder.join("src/lib.rs");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    async fn until_logged(&self, text: &str) {
        let deadline = Instant::now() + WAIT_MAX;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the answer; every one before it must be another good one.
    async fn until_answered(&self, text: &str) {
        let url = format!("http://127.0.0.1:{}/", self.port);
        let client = reqwest::Client::new();
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let answer = client.get(&url).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let answer = answer.text().await.unwrap();
            if answer == text {
                return;
            }
            let log = || self.log();
            assert!(
                Instant::now() < deadline,
                "{answer:?} instead of {text:?}:\n{}",
                log()
            );
        }
    }
}

fn praxis() -> Command {
    Command::new(env!("CARGO_BIN_EXE_praxis"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_http_component_answers_and_is_swapped_when_its_source_changes() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let project = Project::make("http", "new-http");
    let (built, output) = project.build();
    assert!(built, "{output}");
    assert!(output.contains("[new-http] "), "{output}");

    let _host = project.up(&["--watch"]);
    project.until_logged("new-http is up").await;
    project.until_answered("Hello from new-http").await;

    project.edit("Hello from", "Greetings from");
    project.until_answered("Greetings from new-http").await;
    project.until_logged("version 2 is live").await;

    project.edit("Greetings from", "Greetings\" from");
    project
        .until_logged("not built, the old version stays")
        .await;
    project.until_answered("Greetings from new-http").await;
    let (built, output) = project.build();
    assert!(!built && output.contains("not built: new-http"), "{output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_kafka_component_handles_events() {
    let project = Project::make("kafka", "new-kafka");
    let (built, output) = project.build();
    assert!(built, "{output}");

    let folder = tempfile::tempdir().unwrap();
    let server = postgres::start(folder.path(), Durability::Scratch).await;
    let database = server.as_ref().unwrap().url();
    let _host = project.up(&["--database-url", &database]);
    project.until_logged("new-kafka is up").await;
    let mut connection = PgConnection::connect(&database).await.unwrap();
    connection
        .execute(
            "insert into outbox (topic, key, kind, stream_version, data)
             values ('new-kafka-events', 'k1', 'SomethingHappened', 1, '{}')",
        )
        .await
        .unwrap();
    project
        .until_logged("new-kafka: SomethingHappened of k1")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_renderer_makes_messages_in_the_sandbox() {
    let project = Project::make("renderer", "new-renderer");
    let (built, output) = project.build();
    assert!(built, "{output}");
    let file = "target/wasm32-wasip2/release/new_renderer.wasm";
    let wasm = std::fs::read(project.folder.join(file)).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let server = postgres::start(&folder.path().join("postgres"), Durability::Scratch).await;
    let database = server.as_ref().unwrap().url();
    let pool = sqlx::PgPool::connect(&database).await.unwrap();
    sqlx::migrate!("../migrations").run(&pool).await.unwrap();
    let options = Options {
        cache_folder: folder.path().join("compiled"),
        renderer: None,
        pool: Some(pool),
    };
    let stop = CancellationToken::new();
    let sandbox = Sandbox::start(options, &stop).unwrap();
    let digest = sandbox.keep("clinic", wasm).await.unwrap();
    let request = Request {
        event: "something-happened".to_owned(),
        audience: Audience::Patient,
        channel: Channel::Email,
        locale: "de-AT".to_owned(),
        view: r#"{"name": "Anna <b>"}"#.to_owned(),
    };
    let template = Template::Component(digest);
    let said = sandbox.render("clinic", &template, &request).await.unwrap();
    stop.cancel();
    assert_eq!(said.subject.as_deref(), Some("Guten Tag from new-renderer"));
    assert!(said.text.ends_with("name: Anna <b>\n"), "{}", said.text);
    assert!(said.html.unwrap().contains("name: Anna &lt;b&gt;"));
}
