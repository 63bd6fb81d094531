//! Whose process a server is. PostgreSQL refuses to run as root.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;

/// Where a server's data go when root's folder is closed to the server's own user.
const OPEN_PLACE: &str = "/var/lib/praxis";
const OTHERS_MAY_ENTER: u32 = 0o001;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The user of that name, if we are root; otherwise we stay who we are.
    pub fn unless_root_is_fine(name: &str) -> anyhow::Result<Option<Self>> {
        if !is_root()? {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("could not read /etc/passwd")?;
        let account = users
            .lines()
            .find_map(|line| parse(line, name))
            .with_context(|| {
                format!("there is no user {name}, who runs the server when root starts it")
            })?;
        Ok(Some(account))
    }

    pub fn setpriv_arguments(&self) -> [String; 3] {
        [
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.gid),
            "--init-groups".to_owned(),
        ]
    }

    /// Hands the folder over.
    pub fn own(&self, folder: &Path) -> anyhow::Result<()> {
        chown(folder, Some(self.uid), Some(self.gid))
            .with_context(|| format!("could not change the owner of {}", folder.display()))
    }
}

/// The folder itself if others can get there, or one under `/var/lib/praxis` that is named after
/// it: a home is often closed (0700).
pub(crate) fn enterable(folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(folder)
        .with_context(|| format!("could not resolve the folder {}", folder.display()))?;
    let closed = folder
        .ancestors()
        .skip(1)
        .filter_map(|above| fs::metadata(above).ok())
        .any(|above| above.permissions().mode() & OTHERS_MAY_ENTER == 0);
    if !closed {
        return Ok(folder);
    }
    let names = folder.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            None
        }
    });
    let name: Vec<_> = names.collect();
    Ok(Path::new(OPEN_PLACE).join(OsString::from(name.join("-"))))
}

fn is_root() -> anyhow::Result<bool> {
    let this = fs::metadata("/proc/self").context("could not read /proc/self")?;
    Ok(this.uid() == 0)
}

/// A line of passwd(5).
fn parse(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { uid, gid })
}
