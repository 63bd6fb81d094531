//! `praxis up --watch`: what changes is built again, and swapped while the application runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use globset::{Glob, GlobBuilder, GlobMatcher};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::build::{build, workdir};
use crate::manifest::{Component, Manifest};
use crate::runtime::deployment::Deployments;

/// Changes that follow each other faster than this are one.
const QUIET: Duration = Duration::from_millis(150);

/// Watches for as long as it lives.
pub struct Watch {
    manifest: Manifest,
    manifest_file: PathBuf,
    watched: Vec<Watched>,
    changes: UnboundedReceiver<PathBuf>,
    /// Dropped, it would send no more.
    _watcher: RecommendedWatcher,
}

/// A component, and the files whose change concerns it.
struct Watched {
    id: String,
    patterns: Vec<GlobMatcher>,
}

impl Watch {
    /// Watches what `build.watch` names, and the file itself of a component that names nothing.
    pub fn start(manifest: &Manifest) -> anyhow::Result<Self> {
        let (sender, changes) = unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            for path in event.into_iter().filter(changes_something).flat_map(|e| e.paths) {
                // Nobody listens any more: the host stops.
                let _ = sender.send(path);
            }
        })?;
        let manifest_file = manifest.path.canonicalize()?;
        let mut folders = BTreeSet::new();
        folders.extend(manifest_file.parent().map(|folder| (folder.to_owned(), false)));
        let mut watched = Vec::new();
        for component in manifest.component.values() {
            let mut patterns = Vec::new();
            for pattern in patterns_of(manifest, component)? {
                folders.insert(pattern.folder);
                patterns.push(pattern.glob.compile_matcher());
            }
            watched.push(Watched {
                id: component.id.clone(),
                patterns,
            });
        }
        for (folder, is_deep) in &folders {
            let mode = if *is_deep {
                RecursiveMode::Recursive
            } else {
                RecursiveMode::NonRecursive
            };
            watcher
                .watch(folder, mode)
                .with_context(|| format!("could not watch {}", folder.display()))?;
        }
        Ok(Self {
            manifest: manifest.clone(),
            manifest_file,
            watched,
            changes,
            _watcher: watcher,
        })
    }

    /// Builds and swaps what changes, until `stop`.
    pub async fn run(mut self, deployments: Arc<Deployments>, stop: CancellationToken) {
        println!("watching for changes");
        let work = async {
            while let Some(paths) = self.next().await {
                if paths.contains(&self.manifest_file) {
                    println!("the manifest has changed: start again to have that take effect");
                }
                for watched in &self.watched {
                    if paths.iter().any(|path| watched.is_concerned(path)) {
                        self.renew(&watched.id, &deployments).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// What has changed, once it is quiet again.
    async fn next(&mut self) -> Option<BTreeSet<PathBuf>> {
        let mut paths = BTreeSet::from([self.changes.recv().await?]);
        while let Ok(Some(path)) = tokio::time::timeout(QUIET, self.changes.recv()).await {
            paths.insert(path);
        }
        Some(paths)
    }

    /// Whatever goes wrong, the version that is live stays.
    async fn renew(&self, id: &str, deployments: &Deployments) {
        let started = Instant::now();
        let component = self.manifest.component(id);
        if let Err(error) = build(&self.manifest, component).await {
            println!("[{id}] not built, the old version stays: {error:#}");
            return;
        }
        let path = self.manifest.folder.join(&component.source);
        let wasm = match tokio::fs::read(&path).await {
            Ok(wasm) => wasm,
            Err(error) => {
                println!("[{id}] could not read {}: {error}", path.display());
                return;
            }
        };
        let before = deployments.live(id);
        let source = component.source.display().to_string();
        match deployments.swap(id, source, wasm).await {
            Ok(live) if before == Some(live.version) => println!("[{id}] nothing has changed"),
            Ok(live) => {
                let taken = started.elapsed().as_millis();
                println!("[{id}] version {} is live after {taken} ms", live.version);
            }
            Err(refused) => println!("[{id}] refused, the old version stays: {refused}"),
        }
    }
}

impl Watched {
    fn is_concerned(&self, path: &Path) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(path))
    }
}

/// Files that match, and the folder to watch for them: with all that is below it, or alone.
struct Pattern {
    glob: Glob,
    folder: (PathBuf, bool),
}

fn patterns_of(manifest: &Manifest, component: &Component) -> anyhow::Result<Vec<Pattern>> {
    let build = component.build.as_ref();
    let watch = build.map_or(&[][..], |build| &build.watch);
    let folder = workdir(manifest, component);
    let folder = folder
        .canonicalize()
        .with_context(|| format!("could not find {}", folder.display()))?;
    if !watch.is_empty() {
        let patterns = watch.iter().map(|written| pattern(&folder, written));
        return patterns.collect();
    }
    let source = manifest.folder.join(&component.source);
    let source = source
        .canonicalize()
        .with_context(|| format!("could not find {}", source.display()))?;
    let folder = source.parent().unwrap_or(Path::new("/"));
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    Ok(vec![pattern(folder, &globset::escape(&name))?])
}

/// A pattern that starts in `folder`: `*` stands for a part of a name, `**` for folders.
fn pattern(folder: &Path, written: &str) -> anyhow::Result<Pattern> {
    let fixed = fixed(written);
    let base = folder.join(&fixed);
    // Parts above, `../`, are taken out: paths of changes hold none.
    let (base, rest) = match base.canonicalize() {
        Ok(base) if base.is_dir() => (base, &written[fixed.len()..]),
        Ok(_) | Err(_) => (folder.to_owned(), written),
    };
    let is_deep = rest.contains('/') || rest.contains("**");
    let absolute = format!(
        "{}/{}",
        globset::escape(&base.to_string_lossy()),
        rest.trim_start_matches('/')
    );
    let glob = GlobBuilder::new(absolute.trim_end_matches('/'))
        .literal_separator(true)
        .build()
        .with_context(|| format!("{written:?} is not a pattern of files"))?;
    Ok(Pattern {
        glob,
        folder: (base, is_deep),
    })
}

/// The folders before the first part that has a special character, or before the file's name.
fn fixed(written: &str) -> String {
    let special = written.find(['*', '?', '[', '{', '\\']);
    let plain = &written[..special.unwrap_or(written.len())];
    match plain.rfind('/') {
        Some(end) => plain[..end].to_owned(),
        None => String::new(),
    }
}

/// Reading a file is an event, too: a build would start the next one.
fn changes_something(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concerns(written: &str, path: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("guest/src/deep")).unwrap();
        std::fs::create_dir_all(root.join("shared")).unwrap();
        let pattern = pattern(&root.join("guest"), written).unwrap();
        pattern.glob.compile_matcher().is_match(root.join(path))
    }

    #[test]
    fn patterns_start_in_the_folder_of_the_build() {
        for (written, path, is_concerned) in [
            ("src/**/*.rs", "guest/src/lib.rs", true),
            ("src/**/*.rs", "guest/src/deep/a.rs", true),
            ("src/**/*.rs", "guest/src/a.txt", false),
            ("src/*.rs", "guest/src/deep/a.rs", false),
            ("Cargo.toml", "guest/Cargo.toml", true),
            ("Cargo.toml", "shared/Cargo.toml", false),
            ("../shared/*.rs", "shared/a.rs", true),
            ("**/*.rs", "guest/a.rs", true),
        ] {
            assert_eq!(concerns(written, path), is_concerned, "{written} {path}");
        }
    }

    #[test]
    fn a_single_file_needs_no_deep_watch() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let one = pattern(&root, "Cargo.toml").unwrap();
        assert_eq!(one.folder, (root.clone(), false));
        let all = pattern(&root, "**/*.rs").unwrap();
        assert_eq!(all.folder, (root, true));
    }

    #[test]
    fn reading_is_no_change() {
        let kind = |kind| changes_something(&Event::new(kind));
        assert!(!kind(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(kind(EventKind::Access(AccessKind::Close(AccessMode::Write))));
    }
}
