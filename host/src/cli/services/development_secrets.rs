//! Secrets that a development host makes up, so that nobody has to.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use crate::capabilities::variables::Environment;
use crate::manifest::Manifest;
use crate::private;

const FOLDER: &str = "secrets";
const SECRET_BYTES: usize = 32;

/// The variables that the manifest calls so and the environment does not set. A secret stays as it is for as
/// long as the data folder does.
pub fn made_up(
    manifest: &Manifest,
    environment: &Environment,
    data_dir: &Path,
) -> anyhow::Result<BTreeMap<String, String>> {
    let names = &manifest.application.tool.praxis.development_secrets;
    let unset = names
        .iter()
        .filter(|name| environment.value(name).is_none());
    unset
        .map(|name| Ok((name.clone(), kept(data_dir, name)?)))
        .collect()
}

fn kept(data_dir: &Path, name: &str) -> anyhow::Result<String> {
    let folder = data_dir.join(FOLDER);
    let path = folder.join(name);
    if !path.exists() {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        let secret: [u8; SECRET_BYTES] = rand::random();
        private::write(&path, hex::encode(secret).as_bytes())?;
    }
    std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_unless_somebody_sets_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::default();
        let secrets = &mut manifest.application.tool.praxis.development_secrets;
        secrets.push("seal".to_owned());
        let made =
            |environment: &Environment| made_up(&manifest, environment, folder.path()).unwrap();
        let first = made(&Environment::default());
        assert_eq!(first["seal"].len(), 2 * SECRET_BYTES);
        assert_eq!(made(&Environment::default()), first);
        let set = [("SPIN_VARIABLE_SEAL".to_owned(), "mine".to_owned())];
        assert!(made(&set.into_iter().collect()).is_empty());
    }
}
