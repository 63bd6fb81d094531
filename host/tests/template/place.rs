//! Sandboxes for tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use praxis_host::capabilities::template::{
    Audience, Channel, Error, Message, Mistake, Options, Request, Sandbox, Template,
};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::postgres;

pub const OWNER: &str = "clinic";

/// A host's sandbox. What it does in the background ends with it.
pub struct Place {
    pub sandbox: Arc<Sandbox>,
    _stop: DropGuard,
    _folder: TempDir,
}

/// A component's file.
pub fn built(name: &str) -> PathBuf {
    let path = format!("../target/components/{name}.wasm");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(
        path.exists(),
        "{} is not built: make component-{name}",
        path.display()
    );
    path
}

pub fn rendering() -> Vec<u8> {
    std::fs::read(built("rendering")).unwrap()
}

/// A new database with the project's tables.
pub async fn database() -> PgPool {
    let server = postgres::shared().await;
    PgPool::connect(&postgres::database(server).await)
        .await
        .unwrap()
}

impl Place {
    /// For texts: no database.
    pub fn of_texts() -> Self {
        Self::with(None)
    }

    pub fn on(pool: &PgPool) -> Self {
        Self::with(Some(pool.clone()))
    }

    fn with(pool: Option<PgPool>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let options = Options {
            // Shared by all tests: the renderer is compiled once.
            cache_folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("template-compiled"),
            renderer: Some(built("jinja-renderer")),
            pool,
        };
        let sandbox = Sandbox::start(options, &stop).unwrap();
        Self {
            sandbox,
            _stop: stop.drop_guard(),
            _folder: folder,
        }
    }

    pub async fn compile(&self, channel: Channel, source: &str) -> Result<Template, Error> {
        let compiled = self.sandbox.compile(channel, source).await?;
        Ok(Template::Text(compiled))
    }

    /// What is wrong with a text.
    pub async fn mistakes(&self, channel: Channel, source: &str) -> Vec<Mistake> {
        match self.compile(channel, source).await {
            Err(Error::Mistakes(mistakes)) => mistakes,
            other => panic!("{other:?} of {source}"),
        }
    }

    pub async fn render(&self, template: &Template, request: &Request) -> Result<Message, Error> {
        self.sandbox.render(OWNER, template, request).await
    }

    /// What a text says of a view.
    pub async fn say(&self, channel: Channel, source: &str, view: &str) -> Result<Message, Error> {
        let template = self.compile(channel, source).await?;
        self.render(&template, &request(channel, "plain", view))
            .await
    }

    /// Keeps a component, and gives it a name.
    pub async fn keep(&self, wasm: Vec<u8>) -> Template {
        Template::Component(self.sandbox.keep(OWNER, wasm).await.unwrap())
    }
}

pub fn request(channel: Channel, event: &str, view: &str) -> Request {
    Request {
        event: event.to_owned(),
        audience: Audience::Patient,
        channel,
        locale: "de-AT".to_owned(),
        view: view.to_owned(),
    }
}

/// Why it is broken.
pub fn broken(said: Result<Message, Error>) -> String {
    match said {
        Err(Error::Broken(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// The one mistake.
pub fn mistake(said: Result<Message, Error>) -> Mistake {
    match said {
        Err(Error::Mistakes(mistakes)) if mistakes.len() == 1 => mistakes[0].clone(),
        other => panic!("{other:?}"),
    }
}
