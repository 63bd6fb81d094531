//! The host's own composition, with addresses where nobody is and nothing that is opened.

use std::path::Path;

use clap::Parser;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::compose::COMPILED_FOLDER;
use super::super::services::Services;
use super::super::settings::Settings;
use crate::capabilities::Capability;
use crate::capabilities::variables::{Environment, KNOWN_TO_THE_HOST};
use crate::config::{Config, Delivery, KafkaSecurity};
use crate::manifest::grant::Grant;
use crate::manifest::{Component, Fault, Manifest, Place, Service, template};
use crate::runtime::engine;
use crate::runtime::fitter::{Fitted, Fitter, Misfit};

/// Where nobody is; nothing is sent there either.
const NO_DATABASE: &str = "postgres://127.0.0.1:1/none";
const NO_REDIS: &str = "redis://127.0.0.1:1/0";
/// What stands for a grant whose variable has no value here, and whose scheme is not written.
const ANYWHERE: &str = "*://*:*";
/// And where the host gives the variable its value.
const KNOWN_ANYWHERE: [(&str, &str); 3] = [
    ("database_url", "postgres://*:*"),
    ("redis_url", "redis://*:*"),
    ("public_url", "http://*:*"),
];

/// Everything that components are linked with.
pub struct Rehearsal {
    pub fitter: Fitter,
    /// Variables that have no value here.
    pub unset: Vec<String>,
    pub faults: Vec<Fault>,
    _folder: TempDir,
}

#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    config: Config,
}

impl Rehearsal {
    pub async fn of(manifest: &Manifest, data_dir: &Path) -> anyhow::Result<Self> {
        let mut faults = Vec::new();
        let first = |what: String| Fault {
            file: manifest.path.clone(),
            place: Place::default(),
            what,
        };
        let environment = match Environment::of_process().beside(manifest) {
            Ok(environment) => environment,
            Err(error) => {
                faults.push(first(format!("{error:#}; correct it or remove it")));
                Environment::of_process()
            }
        };
        let (mut acted, unset) = act(manifest, &environment);
        let folder = tempfile::tempdir()?;
        let mut config = config(manifest, folder.path());
        // What is told to end before it begins connects to nothing.
        let stop = CancellationToken::new();
        stop.cancel();
        let settings = match Settings::resolve(&config, &acted, true) {
            Ok(settings) => settings,
            Err(error) => {
                faults.push(first(format!("{error:#}")));
                acted.application.tool.praxis.services = vec![Service::Postgres, Service::Redis];
                Settings::resolve(&config, &acted, true)?
            }
        };
        let services = Services::connect(&config, &settings, &acted, &environment, true, &stop);
        let services = services.await;
        let capabilities: Vec<std::sync::Arc<dyn Capability>> = match services {
            Ok(services) => services.capabilities,
            Err(error) => {
                faults.push(first(format!("{error:#}")));
                // What the components import is granted or not all the same.
                config.block_networks.clear();
                config.outbound_ca = None;
                let stood_in = stand_in(&acted);
                let nothing = Environment::default();
                let services =
                    Services::connect(&config, &settings, &stood_in, &nothing, true, &stop).await;
                services.map_or_else(|_| Vec::new(), |services| services.capabilities)
            }
        };
        let engines = engine::start(&data_dir.join(COMPILED_FOLDER))?;
        Ok(Self {
            fitter: Fitter::new(&engines, &acted, &capabilities),
            unset,
            faults,
            _folder: folder,
        })
    }

    /// Compiles and links a component of the manifest.
    pub fn fit(&self, component: &Component) -> Result<Fitted, Misfit> {
        let acted = self.fitter.manifest.component.get(&component.id);
        let component = acted.unwrap_or(component);
        match self.fitter.read(component) {
            Ok(wasm) => self.fitter.fit(component, &wasm),
            Err(why) => Err(Misfit {
                faults: vec![why],
                ..Misfit::default()
            }),
        }
    }
}

/// A development host's configuration, of which nothing leads anywhere.
fn config(manifest: &Manifest, folder: &Path) -> Config {
    let mut config = Defaults::parse_from(["praxis"]).config;
    config.manifest.clone_from(&manifest.path);
    config.data_dir = folder.to_path_buf();
    config.database_url = Some(NO_DATABASE.into());
    config.redis_url = Some(NO_REDIS.into());
    config.kafka_brokers = None;
    config.kafka_security = KafkaSecurity::default();
    config.opensearch_url = None;
    config.smtp_url = None;
    config.delivery = Delivery::default();
    config.jwks = None;
    config
}

/// The manifest as if every variable had a value, and the names of those that have none.
fn act(manifest: &Manifest, environment: &Environment) -> (Manifest, Vec<String>) {
    let mut acted = manifest.clone();
    let mut unset = Vec::new();
    for (name, variable) in &mut acted.variables {
        if variable.default.is_none() && environment.value(name).is_none() {
            unset.push(name.clone());
            variable.default = Some(String::new());
        }
    }
    let is_open = |entry: &str| {
        let names = template::names(entry).unwrap_or_default();
        names
            .iter()
            .any(|name| KNOWN_TO_THE_HOST.contains(name) || unset.iter().any(|unset| unset == name))
    };
    for component in acted.component.values_mut() {
        for entry in &mut component.allowed_outbound_hosts {
            if is_open(entry) {
                *entry = anywhere(entry);
            }
        }
    }
    (acted, unset)
}

/// Everywhere that an entry can lead, by what it begins with: a scheme, or a variable that is an
/// address.
fn anywhere(entry: &str) -> String {
    if let Some((scheme, _)) = entry.split_once("://")
        && !scheme.contains("{{")
    {
        return format!("{scheme}://*:*");
    }
    let first = entry.trim_start().strip_prefix("{{");
    let first = first.and_then(|rest| rest.split_once("}}"));
    let known = first.and_then(|(name, _)| {
        let mut known = KNOWN_ANYWHERE.iter();
        known.find(|(variable, _)| *variable == name.trim())
    });
    known.map_or(ANYWHERE, |(_, anywhere)| anywhere).to_owned()
}

/// The manifest without what may be wrong with values: it grants as much.
fn stand_in(acted: &Manifest) -> Manifest {
    let mut manifest = acted.clone();
    for variable in manifest.variables.values_mut() {
        variable.default.get_or_insert_default();
    }
    for component in manifest.component.values_mut() {
        for text in component.variables.values_mut() {
            text.clear();
        }
        for entry in &mut component.allowed_outbound_hosts {
            *entry = match Grant::parse(entry) {
                Ok(_) => continue,
                Err(_) => anywhere(entry),
            };
        }
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entry_begins_with_says_where_it_leads() {
        for (entry, expected) in [
            ("{{ database_url }}", "postgres://*:*"),
            ("{{redis_url}}", "redis://*:*"),
            ("{{ public_url }}/x", "http://*:*"),
            ("{{ other }}", "*://*:*"),
            ("https://{{ other }}", "https://*:*"),
            ("{{ other }}://{{ database_url }}", "*://*:*"),
        ] {
            assert_eq!(anywhere(entry), expected, "{entry}");
        }
    }
}
