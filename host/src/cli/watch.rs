//! `praxis up --watch`: what changes is built again, and swapped while the application runs.
//!
//! Files are looked at again and again, rather than waited for: it costs little for the sources of
//! a few components, and works where no file system tells of changes, as in many containers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use glob::{MatchOptions, Pattern};
use tokio_util::sync::CancellationToken;

use super::build::{build, workdir};
use crate::manifest::{Component, DependencySource, Manifest};
use crate::runtime::deployment::{Deployments, Refused};

/// How long a change may go unseen.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Changes that follow each other faster than this are one.
const QUIET: Duration = Duration::from_millis(100);
/// Of the time, at most one part in so many goes into looking.
const TIME_PER_LOOK: u32 = 20;

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What is watched, and how it was when it was last looked at.
pub struct Watch {
    manifest: Manifest,
    patterns: Arc<Patterns>,
    seen: Seen,
}

/// What a file is to a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// The component is built from it, or is it.
    Source,
    /// It is what `dependencies` puts inside the component.
    Inside,
}
/// A component's id, and one of the roles that files have for it.
type Concern = (String, Role);
type Patterns = BTreeMap<Concern, Vec<Pattern>>;
/// The files that match, and the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    files: BTreeMap<Concern, BTreeMap<PathBuf, Stamp>>,
    manifest: Option<Stamp>,
}
/// When a file was changed, and how many bytes it has.
type Stamp = (SystemTime, u64);

impl Watch {
    /// Watches what `build.watch` names, the file itself of a component that names nothing, and
    /// the files that `dependencies` puts inside.
    pub fn start(manifest: &Manifest) -> anyhow::Result<Self> {
        let mut patterns = Patterns::new();
        for (id, component) in &manifest.component {
            let sources = patterns_of(manifest, component)?;
            patterns.insert((id.clone(), Role::Source), sources);
            let inside = inside(manifest, component)?;
            patterns.insert((id.clone(), Role::Inside), inside);
        }
        Ok(Self {
            seen: look(&manifest.path, &patterns),
            manifest: manifest.clone(),
            patterns: Arc::new(patterns),
        })
    }

    /// Builds and swaps what changes, until `stop`.
    pub async fn run(mut self, deployments: Arc<Deployments>, stop: CancellationToken) {
        let work = async {
            loop {
                let changed = self.next().await;
                let started = Instant::now();
                for id in self.build(changed).await {
                    self.swap(&id, &deployments, started).await;
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// What has changed, once it is quiet again.
    async fn next(&mut self) -> Vec<Concern> {
        let mut pause = LOOK_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let started = Instant::now();
            let mut now = self.look().await;
            pause = LOOK_EVERY.max(started.elapsed() * TIME_PER_LOOK);
            if now == self.seen {
                continue;
            }
            loop {
                tokio::time::sleep(QUIET).await;
                let again = self.look().await;
                if again == now {
                    break;
                }
                now = again;
            }
            if now.manifest != self.seen.manifest {
                println!("the manifest has changed: start again to have that take effect");
            }
            let changed = now.changed_since(&self.seen);
            self.seen = now;
            return changed;
        }
    }

    async fn look(&self) -> Seen {
        let patterns = Arc::clone(&self.patterns);
        let manifest = self.manifest.path.clone();
        let looked = tokio::task::spawn_blocking(move || look(&manifest, &patterns));
        // It can only fail where the runtime ends.
        looked.await.unwrap_or_else(|_| self.seen.clone())
    }

    /// Builds what was changed, and says which components are to be swapped then: those that are
    /// called, and those around them.
    async fn build(&self, changed: Vec<Concern>) -> BTreeSet<String> {
        let mut concerned = BTreeSet::new();
        for (id, role) in changed {
            match role {
                Role::Inside => {}
                Role::Source => {
                    if let Err(error) = build(&self.manifest, self.manifest.component(&id)).await {
                        println!("[{id}] not built, the old version stays: {error:#}");
                        continue;
                    }
                    let around = self.manifest.around(&id);
                    concerned.extend(around.map(|outer| outer.id.clone()));
                }
            }
            let mut called = self.manifest.trigger.components();
            if called.any(|called| called == id) {
                concerned.insert(id);
            }
        }
        concerned
    }

    /// Whatever goes wrong, the version that is live stays.
    async fn swap(&self, id: &str, deployments: &Deployments, started: Instant) {
        let component = self.manifest.component(id);
        let path = self.manifest.folder.join(&component.source);
        let source = component.source.display().to_string();
        loop {
            let wasm = match tokio::fs::read(&path).await {
                Ok(wasm) => wasm,
                Err(error) => {
                    println!("[{id}] could not read {}: {error}", path.display());
                    return;
                }
            };
            let before = deployments.live(id);
            match deployments.swap(id, source.clone(), wasm).await {
                // An operator's: it ends, and the change is still to be swapped in.
                Err(Refused::Busy(_)) => tokio::time::sleep(LOOK_EVERY).await,
                Ok(live) if before == Some(live.version) => {
                    println!("[{id}] nothing has changed");
                    return;
                }
                Ok(live) => {
                    let taken = started.elapsed().as_millis();
                    println!("[{id}] version {} is live after {taken} ms", live.version);
                    return;
                }
                Err(refused) => {
                    println!("[{id}] refused, the old version stays: {refused}");
                    return;
                }
            }
        }
    }
}

impl Seen {
    fn changed_since(&self, before: &Self) -> Vec<Concern> {
        let files = self.files.iter();
        let changed = files.filter(|(concern, files)| before.files.get(*concern) != Some(files));
        changed.map(|(concern, _)| concern.clone()).collect()
    }
}

fn look(manifest: &Path, patterns: &Patterns) -> Seen {
    let files = patterns.iter().map(|(concern, patterns)| {
        let found = patterns.iter().flat_map(files);
        (concern.clone(), found.collect())
    });
    Seen {
        files: files.collect(),
        manifest: stamp(manifest),
    }
}

fn files(pattern: &Pattern) -> Vec<(PathBuf, Stamp)> {
    let paths = glob::glob_with(pattern.as_str(), OPTIONS);
    let paths = paths.expect("it was parsed before").flatten();
    paths
        .filter_map(|path| stamp(&path).map(|stamp| (path, stamp)))
        .collect()
}

/// None if it is no file, or gone.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn patterns_of(manifest: &Manifest, component: &Component) -> anyhow::Result<Vec<Pattern>> {
    let build = component.build.as_ref();
    let watch = build.map_or(&[][..], |build| &build.watch);
    if watch.is_empty() {
        let source = manifest.folder.join(&component.source);
        let source = Pattern::escape(&source.to_string_lossy());
        return Ok(vec![Pattern::new(&source)?]);
    }
    let folder = workdir(manifest, component);
    let folder = Pattern::escape(&folder.to_string_lossy());
    let patterns = watch.iter().map(|written| {
        Pattern::new(&format!("{folder}/{written}")).with_context(|| {
            format!(
                "[component.{}.build] watches {written:?}, which is no pattern",
                component.id
            )
        })
    });
    patterns.collect()
}

/// The files inside the component. Those that are components of the manifest are watched there.
fn inside(manifest: &Manifest, component: &Component) -> anyhow::Result<Vec<Pattern>> {
    let files = component
        .dependencies
        .iter()
        .filter_map(|inner| match &inner.source {
            DependencySource::Path(path) => Some(manifest.folder.join(path)),
            DependencySource::Component(_) => None,
        });
    let patterns = files.map(|file| Ok(Pattern::new(&Pattern::escape(&file.to_string_lossy()))?));
    patterns.collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const MANIFEST: &str = "spin_manifest_version = 2\n[application]\nname = \"a\"\n\
        [component.a]\nsource = \"a.wasm\"\n\
        [component.b]\nsource = \"b.wasm\"\n\
        [component.b.build]\ncommand = \"true\"\nworkdir = \"b\"\n\
        watch = [\"src/**/*.rs\", \"Cargo.toml\", \"../shared/*\"]\n\
        [component.around]\nsource = \"around.wasm\"\n\
        dependencies = { \"x:x\" = { component = \"a\" }, \"y:y\" = { path = \"y.wasm\" } }\n\
        [[trigger.http]]\nroute = \"/...\"\ncomponent = \"around\"\n";

    fn project() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for folder in ["b/src/deep", "shared/deep"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (file, text) in [
            ("spin.toml", MANIFEST),
            ("a.wasm", "a"),
            ("b.wasm", "b"),
            ("around.wasm", "around"),
            ("b/src/deep/one.rs", "1"),
            ("b/Cargo.toml", "1"),
        ] {
            std::fs::write(root.join(file), text).unwrap();
        }
        folder
    }

    fn concern((id, role): (&str, Role)) -> Concern {
        (id.to_owned(), role)
    }

    fn changed_by(change: impl FnOnce(&Path)) -> (Vec<Concern>, bool) {
        let folder = project();
        let root = folder.path();
        let manifest = Manifest::load(&root.join("spin.toml")).unwrap();
        let watch = Watch::start(&manifest).unwrap();
        change(root);
        let now = look(&manifest.path, &watch.patterns);
        let manifest = now.manifest != watch.seen.manifest;
        (now.changed_since(&watch.seen), manifest)
    }

    #[test]
    fn a_change_concerns_the_components_that_watch_the_file() {
        let b = Some(("b", Role::Source));
        for (file, concerned) in [
            ("b/src/deep/one.rs", b),
            ("b/src/two.rs", b),
            ("b/Cargo.toml", b),
            ("shared/x", b),
            ("shared/deep/x", None),
            ("b/src/two.txt", None),
            ("b/src/.one.rs.swp", None),
            ("b.wasm", None),
            ("a.wasm", Some(("a", Role::Source))),
            ("around.wasm", Some(("around", Role::Source))),
            ("y.wasm", Some(("around", Role::Inside))),
        ] {
            let concerned: Vec<_> = concerned.map(concern).into_iter().collect();
            let (changed, manifest) =
                changed_by(|root| std::fs::write(root.join(file), "changed").unwrap());
            assert_eq!(changed, concerned, "{file}");
            assert!(!manifest);
        }
    }

    #[test]
    fn a_file_that_goes_is_a_change() {
        let gone = |root: &Path| std::fs::remove_file(root.join("b/src/deep/one.rs")).unwrap();
        assert_eq!(
            changed_by(gone),
            (vec![concern(("b", Role::Source))], false)
        );
    }

    #[tokio::test]
    async fn a_component_inside_another_has_that_one_swapped() {
        let folder = project();
        let manifest = Manifest::load(&folder.path().join("spin.toml")).unwrap();
        let watch = Watch::start(&manifest).unwrap();
        for (changed, swapped) in [
            (("a", Role::Source), &["around"][..]),
            (("around", Role::Inside), &["around"]),
            (("around", Role::Source), &["around"]),
            (("b", Role::Source), &[]),
        ] {
            let concerned = watch.build(vec![concern(changed)]).await;
            assert!(concerned.iter().eq(swapped), "{changed:?}: {concerned:?}");
        }
    }

    #[test]
    fn the_manifest_is_watched_for_itself() {
        let changed = |root: &Path| std::fs::write(root.join("spin.toml"), "").unwrap();
        assert_eq!(changed_by(changed), (vec![], true));
    }
}
