//! The words of messages: `praxis:template`. What makes them runs here, in a sandbox: the
//! application's own renderer, which makes them of texts, and components that tenants bring.
//!
//! Each call has a fresh instance, which imports nothing that leads anywhere, a limit of memory, fuel
//! and a deadline. Whatever a renderer does, the answer is a message or says what is wrong. Code is
//! named by its digest, so what is held ready is never out of date.

mod bench;
mod bindings;
mod component;
mod kept;
pub mod limits;
mod renderer;
mod shelf;
mod turns;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use self::bindings::praxis::template::sandbox::Template;
pub use self::bindings::praxis::template::types::{Audience, Channel, Message, Mistake, Request};
pub use self::component::Templates;

use self::bench::{Bench, Fault};
use self::kept::{Keeping, Kept, News};
use self::limits::{
    COMPILE_QUEUE_MS_MAX, COMPILED_BYTES_MAX, COMPONENT_BYTES_MAX, FUNCTION_BYTES_MAX,
    FUNCTIONS_MAX, KEPT_OF_OWNER_MAX, NAME_BYTES_MAX, SOURCE_BYTES_MAX, VIEW_BYTES_MAX,
};
use self::renderer::{Own, Texts};
use self::shelf::Shelf;
use self::turns::Turns;
use crate::binary;

/// News of components that wait to be compiled here; more are compiled when they are asked for.
const NEWS_MAX: usize = 64;
/// Who compiles texts: nobody's own, so all share what one owner has.
const AUTHORS: &str = "";

/// What the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Tell the author; at least one.
    #[error("{} mistakes", .0.len())]
    Mistakes(Vec<Mistake>),
    /// Use another template.
    #[error("broken: {0}")]
    Broken(String),
    /// Nothing: the same again is refused again.
    #[error("refused: {0}")]
    Refused(String),
    #[error("no such component is kept")]
    Unknown,
    /// Try later.
    #[error("templates are unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a sandbox is made of.
pub struct Options {
    /// Where compiled code is kept.
    pub cache_folder: PathBuf,
    /// The file of the application's own renderer.
    pub renderer: Option<PathBuf>,
    /// The database that keeps tenants' components.
    pub pool: Option<PgPool>,
}

/// Renderers, and all that bounds them.
pub struct Sandbox {
    bench: Arc<Bench>,
    turns: Turns,
    renderer: Option<PathBuf>,
    texts: ArcSwapOption<Texts>,
    /// Held by whoever reads the renderer's file.
    reading: Mutex<()>,
    /// One component is compiled at one time: it takes a processor.
    compiling: Arc<Semaphore>,
    shelf: Shelf,
    kept: Option<Kept>,
}

impl Sandbox {
    /// Opens it. What other hosts keep is made ready here, too, until `stop`.
    pub fn start(options: Options, stop: &CancellationToken) -> wasmtime::Result<Arc<Self>> {
        let sandbox = Arc::new(Self {
            bench: Arc::new(Bench::new(&options.cache_folder)?),
            turns: Turns::new(),
            renderer: options.renderer,
            texts: ArcSwapOption::empty(),
            reading: Mutex::default(),
            compiling: Arc::new(Semaphore::new(1)),
            shelf: Shelf::default(),
            kept: options.pool.map(Kept::new),
        });
        let warming = Arc::clone(&sandbox).warm();
        tokio::spawn(stop.clone().run_until_cancelled_owned(warming));
        let (sender, news) = mpsc::channel(NEWS_MAX);
        let listening = Arc::clone(&sandbox);
        let until = stop.clone();
        tokio::spawn(async move {
            if let Some(kept) = &listening.kept {
                kept.listen(sender, until).await;
            }
        });
        let hearing = Arc::clone(&sandbox).hear(news);
        tokio::spawn(stop.clone().run_until_cancelled_owned(hearing));
        Ok(sandbox)
    }

    /// Checks a text, and does what can be done once.
    pub async fn compile(&self, channel: Channel, source: &str) -> Result<String, Error> {
        if source.len() > SOURCE_BYTES_MAX {
            let what = format!("it has more than {SOURCE_BYTES_MAX} bytes");
            return Err(Error::Mistakes(vec![mistake(what)]));
        }
        let texts = self.texts().await?;
        let _turn = self.turns.next(AUTHORS).await.map_err(unavailable)?;
        let compiled = texts.compile(&self.bench, channel, source).await?;
        let compiled = compiled.map_err(|mistakes| match mistakes.is_empty() {
            true => Error::Broken("it found a mistake, and did not say which".into()),
            false => Error::Mistakes(limits::told(mistakes)),
        })?;
        if compiled.len() > COMPILED_BYTES_MAX {
            let what = format!("compiled, it has more than {COMPILED_BYTES_MAX} bytes");
            return Err(Error::Mistakes(vec![mistake(what)]));
        }
        Ok(compiled)
    }

    /// Keeps a component for every host, once it is seen to be a renderer. Answers its digest.
    pub async fn keep(&self, owner: &str, wasm: Vec<u8>) -> Result<String, Error> {
        check_name("the owner", owner)?;
        if wasm.len() > COMPONENT_BYTES_MAX {
            let what = format!("it has more than {COMPONENT_BYTES_MAX} bytes");
            return Err(Error::Refused(what));
        }
        let Some(kept) = &self.kept else {
            let what = "this host keeps no components: it has no database";
            return Err(Error::Refused(what.into()));
        };
        binary::expect_small_functions(&wasm, FUNCTIONS_MAX, FUNCTION_BYTES_MAX)
            .map_err(|why| Error::Refused(why.to_string()))?;
        let digest = hex::encode(Sha256::digest(&wasm));
        let wasm = Arc::new(wasm);
        let code = Arc::clone(&wasm);
        let made = self.made("component", move |bench| Own::new(bench, &code));
        let own = made.await?.map_err(Error::Refused)?;
        {
            let _turn = self.turns.next(owner).await.map_err(unavailable)?;
            own.start(&self.bench).await.map_err(|fault| match fault {
                Fault::Broken(why) => Error::Refused(format!("it does not start: {why}")),
                Fault::Full => Error::from(Fault::Full),
            })?;
        }
        let keeping = kept.keep(owner, &digest, &wasm).await;
        match keeping.map_err(unavailable)? {
            Keeping::Kept => {
                self.shelf.put(owner, &digest, Arc::new(own));
                Ok(digest)
            }
            Keeping::TooMany => {
                let what = format!("its owner has {KEPT_OF_OWNER_MAX} components already");
                Err(Error::Refused(what))
            }
        }
    }

    /// One message.
    pub async fn render(
        &self,
        owner: &str,
        template: &Template,
        request: &Request,
    ) -> Result<Message, Error> {
        let begun = Instant::now();
        let rendered = self.rendered(owner, template, request).await;
        let kind = match template {
            Template::Text(_) => "text",
            Template::Component(_) => "component",
        };
        let outcome = match &rendered {
            Ok(_) => "ok",
            Err(error) => error.name(),
        };
        metrics::counter!("template_renders_total", "kind" => kind, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("template_render_seconds", "kind" => kind)
            .record(begun.elapsed().as_secs_f64());
        rendered
    }

    async fn rendered(
        &self,
        owner: &str,
        template: &Template,
        request: &Request,
    ) -> Result<Message, Error> {
        check_name("the owner", owner)?;
        check_name("the event", &request.event)?;
        check_name("the locale", &request.locale)?;
        if request.view.len() > VIEW_BYTES_MAX {
            let what = format!("the view has more than {VIEW_BYTES_MAX} bytes");
            return Err(Error::Refused(what));
        }
        let said = match template {
            Template::Text(compiled) if compiled.len() > COMPILED_BYTES_MAX => {
                let what = format!("the text has more than {COMPILED_BYTES_MAX} bytes");
                return Err(Error::Refused(what));
            }
            Template::Text(compiled) => {
                let texts = self.texts().await?;
                let _turn = self.turns.next(owner).await.map_err(unavailable)?;
                texts.render(&self.bench, compiled, request).await?
            }
            Template::Component(digest) => {
                let own = self.own(owner, digest).await?;
                let _turn = self.turns.next(owner).await.map_err(unavailable)?;
                own.render(&self.bench, request).await?
            }
        };
        let message = said.map_err(|mistake| Error::Mistakes(limits::told(vec![mistake])))?;
        limits::check(request.channel, &message)
            .map_err(|why| Error::Broken(format!("what it said is no message: {why}")))?;
        Ok(message)
    }

    /// The application's own renderer.
    async fn texts(&self) -> Result<Arc<Texts>, Error> {
        if let Some(texts) = self.texts.load_full() {
            return Ok(texts);
        }
        let Some(path) = &self.renderer else {
            let what = "the application names no template_renderer";
            return Err(Error::Refused(what.into()));
        };
        let _reading = self.reading.lock().await;
        if let Some(texts) = self.texts.load_full() {
            return Ok(texts);
        }
        let wasm = tokio::fs::read(path).await.map_err(unavailable)?;
        let made = self.made("renderer", move |bench| Texts::new(bench, &wasm));
        let texts = Arc::new(made.await?.map_err(Error::Refused)?);
        self.texts.store(Some(Arc::clone(&texts)));
        Ok(texts)
    }

    /// A tenant's component, loaded and compiled unless it is ready.
    async fn own(&self, owner: &str, digest: &str) -> Result<Arc<Own>, Error> {
        if !is_digest(digest) {
            return Err(Error::Unknown);
        }
        let slot = self.shelf.slot(owner, digest);
        let filled = slot.get_or_try_init(|| self.loaded(digest)).await;
        match filled {
            Ok(Ok(own)) => Ok(Arc::clone(own)),
            Ok(Err(why)) => Err(Error::Refused(why.clone())),
            Err(error) => {
                self.shelf.forget(digest);
                Err(error)
            }
        }
    }

    async fn loaded(&self, digest: &str) -> Result<Result<Arc<Own>, String>, Error> {
        let kept = self.kept.as_ref().ok_or(Error::Unknown)?;
        let wasm = kept.load(digest).await.map_err(unavailable)?;
        let wasm = wasm.ok_or(Error::Unknown)?;
        let digest = digest.to_owned();
        let made = self.made("component", move |bench| {
            if hex::encode(Sha256::digest(&wasm)) != digest {
                return Err("it is not what was kept: its digest is another".to_owned());
            }
            Own::new(bench, &wasm).map(Arc::new)
        });
        made.await
    }

    /// What is made on a thread where it may take its time, one after the other.
    async fn made<T: Send + 'static>(
        &self,
        kind: &'static str,
        make: impl FnOnce(&Bench) -> Result<T, String> + Send + 'static,
    ) -> Result<Result<T, String>, Error> {
        let queue = Duration::from_millis(COMPILE_QUEUE_MS_MAX);
        let turn = Arc::clone(&self.compiling).acquire_owned();
        let turn = timeout(queue, turn).await.map_err(unavailable)?;
        let turn = turn.map_err(unavailable)?;
        let bench = Arc::clone(&self.bench);
        let made = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            let made = make(&bench);
            drop(turn);
            metrics::histogram!("template_compile_seconds", "kind" => kind)
                .record(begun.elapsed().as_secs_f64());
            made
        });
        // The compiler panics where it meets its own limits: that is the component's doing.
        Ok(made
            .await
            .unwrap_or_else(|_| Err("the compiler gives up on it".to_owned())))
    }

    /// Makes the application's renderer ready before anybody needs it.
    async fn warm(self: Arc<Self>) {
        if self.renderer.is_none() {
            return;
        }
        if let Err(error) = self.texts().await {
            let error = anyhow::Error::from(error);
            tracing::warn!(
                error = format!("{error:#}"),
                "the template renderer is not ready"
            );
        }
    }

    /// Makes ready what other hosts keep.
    async fn hear(self: Arc<Self>, mut news: mpsc::Receiver<News>) {
        while let Some(News { digest, owner }) = news.recv().await {
            if self.shelf.has(&digest) {
                continue;
            }
            if let Err(error) = self.own(&owner, &digest).await {
                tracing::debug!(%error, digest, "a kept component is not ready");
            }
        }
    }
}

impl Error {
    /// In metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Mistakes(_) => "mistakes",
            Self::Broken(_) => "broken",
            Self::Refused(_) => "refused",
            Self::Unknown => "unknown",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Broken(why) => Self::Broken(why),
            Fault::Full => unavailable("there is no room for one more renderer"),
        }
    }
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unavailable(source.into())
}

fn mistake(detail: String) -> Mistake {
    Mistake {
        detail,
        line: None,
        column: None,
    }
}

fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) {
        Ok(())
    } else {
        let what = format!("{what} has not 1 to {NAME_BYTES_MAX} bytes");
        Err(Error::Refused(what))
    }
}

fn is_digest(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 64 && text.bytes().all(is_hex)
}
