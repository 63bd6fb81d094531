//! `files`: what a component may read. Copied into a folder of its own when it is made ready, so
//! that a version keeps the files that it began with, and nothing leads out of the folder.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use glob::{MatchOptions, Pattern};
use sha2::{Digest as _, Sha256};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::shelf::{Shelf, Space};
use crate::manifest::{Component, FileMount};

/// Files of one component.
const FILES_MAX: usize = 10_000;
/// Their bytes, together.
const FILES_BYTES_MAX: u64 = 512 << 20;
/// As Spin matches: `*` does not reach into folders.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The files of one version of a component.
pub struct Files(Space);

impl Files {
    /// Copies what the component's table names; `None` if it names nothing.
    ///
    /// Fails as [`Files::check`] does, and if they cannot be copied.
    pub(super) fn gather(
        folder: &Path,
        component: &Component,
        shelf: &Shelf,
    ) -> anyhow::Result<Option<Self>> {
        if component.files.is_empty() {
            return Ok(None);
        }
        let space = shelf.space()?;
        let mut walk = Walk::new(folder, component, shelf.data())?;
        walk.target = Some(space.path().to_path_buf());
        walk.all(component)?;
        Ok(Some(Self(space)))
    }

    /// Looks at what the component's table names. The host's folder `data` is not for components.
    ///
    /// Fails with the entry if there is no such file, if one lies outside the manifest's folder, or
    /// if there are too many.
    pub fn check(folder: &Path, component: &Component, data: &Path) -> anyhow::Result<()> {
        if component.files.is_empty() {
            return Ok(());
        }
        Walk::new(folder, component, data)?.all(component)
    }

    /// Of every path and what it holds.
    pub fn digest(&self) -> anyhow::Result<[u8; 32]> {
        let folder = Pattern::escape(&self.0.path().to_string_lossy());
        let mut digest = Sha256::new();
        // In the order of the paths.
        for path in glob::glob_with(&format!("{folder}/**/*"), MATCHING)? {
            let path = path?;
            if path.is_dir() {
                continue;
            }
            let bytes = std::fs::read(&path).context("a component's files are gone")?;
            for part in [
                path.strip_prefix(self.0.path())?.as_os_str().as_bytes(),
                &bytes,
            ] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        Ok(digest.finalize().into())
    }

    /// Shows them to a guest as its root, read-only.
    pub fn mount(&self, wasi: &mut WasiCtxBuilder) {
        if let Err(error) = wasi.preopened_dir(self.0.path(), "/", FsPerms::ReadOnly) {
            let folder = self.0.path().display().to_string();
            tracing::error!(folder, %error, "a component's files are gone");
        }
    }
}

/// Through the files of a component, copied on the way where there is a target.
struct Walk {
    folder: PathBuf,
    excluded: Vec<Pattern>,
    /// The host's own, if it is there: keys, mail, copies of files.
    data: Option<PathBuf>,
    target: Option<PathBuf>,
    files: usize,
    bytes: u64,
}

impl Walk {
    fn new(folder: &Path, component: &Component, data: &Path) -> anyhow::Result<Self> {
        let shown = folder.display().to_string();
        let folder = if shown.is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let excluded = component.exclude_files.iter();
        Ok(Self {
            folder: folder.canonicalize().context("the manifest's folder")?,
            excluded: excluded
                .map(|pattern| Pattern::new(pattern).with_context(|| format!("{pattern:?}")))
                .collect::<anyhow::Result<_>>()?,
            data: data.canonicalize().ok(),
            target: None,
            files: 0,
            bytes: 0,
        })
    }

    fn all(&mut self, component: &Component) -> anyhow::Result<()> {
        for mount in &component.files {
            match mount {
                FileMount::Pattern(pattern) => self.pattern(pattern),
                FileMount::Placement {
                    source,
                    destination,
                } => self.placement(source, destination),
            }
            .with_context(|| format!("in its files, {mount:?}"))?;
        }
        Ok(())
    }

    /// A file, a folder with all that is in it, or whatever matches; under the same path.
    fn pattern(&mut self, pattern: &str) -> anyhow::Result<()> {
        let pattern = pattern.trim_end_matches('/');
        if self.folder.join(pattern).is_dir() {
            return self.placement(Path::new(pattern), pattern);
        }
        // What has no wildcard names a file.
        let is_there = || self.folder.join(pattern).exists();
        ensure!(
            pattern.contains(['*', '?', '[']) || is_there(),
            "there is no such file"
        );
        for path in self.matches(&self.folder, pattern)? {
            let seen = path.strip_prefix(&self.folder)?.to_path_buf();
            self.file(&path, &seen)?;
        }
        Ok(())
    }

    fn placement(&mut self, source: &Path, destination: &str) -> anyhow::Result<()> {
        let source = self.folder.join(source);
        let seen = Path::new(destination.trim_start_matches('/'));
        if !source.is_dir() {
            ensure!(source.exists(), "there is no such file");
            return self.file(&source, seen);
        }
        for path in self.matches(&source, "**/*")? {
            let seen = seen.join(path.strip_prefix(&source)?);
            self.file(&path, &seen)?;
        }
        Ok(())
    }

    /// The files that match below the folder, whatever its own name is.
    fn matches(&self, folder: &Path, pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
        let folder = Pattern::escape(&folder.to_string_lossy());
        let pattern = format!("{folder}/{pattern}");
        let mut paths = Vec::new();
        for path in glob::glob_with(&pattern, MATCHING)? {
            let path = path?;
            if !path.is_dir() {
                paths.push(path);
            }
        }
        Ok(paths)
    }

    fn file(&mut self, path: &Path, seen: &Path) -> anyhow::Result<()> {
        let own = path.strip_prefix(&self.folder).unwrap_or(path);
        let is_excluded = |pattern: &Pattern| pattern.matches_path_with(own, MATCHING);
        if self.excluded.iter().any(is_excluded) {
            return Ok(());
        }
        let is_own = |path: &Path| {
            let data = self.data.as_ref();
            data.is_some_and(|data| path.starts_with(data))
        };
        // What is there may go at any time.
        if is_own(path) {
            return Ok(());
        }
        // A link may lead anywhere.
        let real = path.canonicalize()?;
        if is_own(&real) {
            return Ok(());
        }
        if !real.starts_with(&self.folder) {
            bail!("{} is outside the manifest's folder", own.display());
        }
        self.files += 1;
        self.bytes += real.metadata()?.len();
        ensure!(
            self.files <= FILES_MAX,
            "there are more than {FILES_MAX} files"
        );
        ensure!(
            self.bytes <= FILES_BYTES_MAX,
            "the files have more than {FILES_BYTES_MAX} bytes"
        );
        let Some(target) = &self.target else {
            return Ok(());
        };
        let target = target.join(seen);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(&real, &target)
            .with_context(|| format!("could not copy {}", own.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// `a.txt`, `deep/b.txt`, `deep/er/c.txt`, a link to a file elsewhere, and what a host keeps
    /// that was started there.
    fn folder() -> TempDir {
        let outer = tempfile::Builder::new()
            .prefix("files [x] ")
            .tempdir()
            .unwrap();
        let folder = outer.path().join("app");
        std::fs::create_dir_all(folder.join("deep/er")).unwrap();
        std::fs::create_dir_all(folder.join(".praxis/issuer")).unwrap();
        for path in [
            "app/a.txt",
            "app/deep/b.txt",
            "app/deep/er/c.txt",
            "app/.praxis/issuer/key.txt",
            "secret",
        ] {
            std::fs::write(outer.path().join(path), path).unwrap();
        }
        std::os::unix::fs::symlink(outer.path().join("secret"), folder.join("link")).unwrap();
        outer
    }

    fn seen(files: Vec<FileMount>, excluded: &[&str]) -> anyhow::Result<Vec<String>> {
        let outer = folder();
        let component = Component {
            files,
            exclude_files: excluded.iter().map(|&pattern| pattern.into()).collect(),
            ..Component::default()
        };
        let app = outer.path().join("app");
        let shelf = Shelf::new(&app.join(".praxis"))?;
        let gathered = Files::gather(&app, &component, &shelf);
        let checked = Files::check(&app, &component, shelf.data());
        assert_eq!(gathered.is_ok(), checked.is_ok(), "{checked:?}");
        let root = gathered?.unwrap();
        let all = Pattern::escape(&root.0.path().to_string_lossy()) + "/**/*";
        let mut seen: Vec<_> = glob::glob(&all)
            .unwrap()
            .map(Result::unwrap)
            .filter(|path| path.is_file())
            .map(|path| {
                path.strip_prefix(root.0.path())
                    .unwrap()
                    .display()
                    .to_string()
            })
            .collect();
        seen.sort();
        Ok(seen)
    }

    fn pattern(text: &str) -> Vec<FileMount> {
        vec![FileMount::Pattern(text.into())]
    }

    fn placement(source: &str, destination: &str) -> Vec<FileMount> {
        vec![FileMount::Placement {
            source: source.into(),
            destination: destination.into(),
        }]
    }

    #[test]
    fn entries_show_files_where_spin_shows_them() {
        let table = [
            (pattern("a.txt"), vec!["a.txt"]),
            (pattern("*.txt"), vec!["a.txt"]),
            (pattern("deep/*"), vec!["deep/b.txt"]),
            (pattern("deep"), vec!["deep/b.txt", "deep/er/c.txt"]),
            (
                pattern("**/*.txt"),
                vec!["a.txt", "deep/b.txt", "deep/er/c.txt"],
            ),
            (pattern("nothing/*"), vec![]),
            (pattern(".praxis/**/*"), vec![]),
            (placement(".praxis", "/"), vec![]),
            (
                placement("deep", "/there"),
                vec!["there/b.txt", "there/er/c.txt"],
            ),
            (placement("deep/b.txt", "/there/d.txt"), vec!["there/d.txt"]),
            (placement("deep", "/"), vec!["b.txt", "er/c.txt"]),
        ];
        for (files, expected) in table {
            let entry = format!("{files:?}");
            assert_eq!(seen(files, &[]).unwrap(), expected, "{entry}");
        }
        let left = seen(pattern("**/*.txt"), &["deep/**/*"]).unwrap();
        assert_eq!(left, ["a.txt"]);
    }

    #[test]
    fn what_leads_out_of_the_folder_or_is_not_there_is_refused() {
        for files in [
            pattern("link"),
            pattern("nothing"),
            pattern("deep/nothing.txt"),
            pattern("*"),
            placement("link", "/there"),
            placement("../secret", "/there"),
            placement("nothing", "/there"),
        ] {
            let entry = format!("{files:?}");
            assert!(seen(files, &[]).is_err(), "{entry}");
        }
    }
}
