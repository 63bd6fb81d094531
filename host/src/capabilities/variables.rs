//! The application's variables: `spin:variables@3.0.0` and `wasi:config@0.2.0-draft-2024-09-27`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use praxis_wasi::State;
use wasmtime::component::{Accessor, HasData, Linker};

use crate::capabilities::Capability;
use crate::manifest::{Component, Manifest, check_variable, template};

use bindings::store as config;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/spin/variables", "../wit/wasi/config"],
        inline: "
            package praxis:host-variables;
            world imports {
                import spin:variables/variables@3.0.0;
                import wasi:config/store@0.2.0-draft-2024-09-27;
            }
        ",
        world: "praxis:host-variables/imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
    });

    pub use spin::variables::variables::{Error, Host, HostWithStore, add_to_linker};
    pub use wasi::config::store;
}

/// Variables of the environment that set ours: `SPIN_VARIABLE_DATABASE_URL` sets `database_url`.
pub const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// Variables that the host gives a value where it knows one, whatever the environment says.
pub const KNOWN_TO_THE_HOST: [&str; 3] = ["database_url", "redis_url", "public_url"];
/// Beside the manifest; what it says counts where the environment says nothing.
const DOTENV: &str = ".env";

/// The process's environment, and `.env` for what is not there. Read once.
#[derive(Default)]
pub struct Environment(BTreeMap<String, String>);

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(process: T) -> Self {
        Self(process.into_iter().collect())
    }
}

impl Environment {
    /// The process's alone. What is not text is left out.
    pub fn of_process() -> Self {
        let process = std::env::vars_os();
        process
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// With `.env` in the manifest's folder, if there is one. Fails with its name if it cannot be
    /// read or understood.
    pub fn beside(self, manifest: &Manifest) -> anyhow::Result<Self> {
        let path = manifest.folder.join(DOTENV);
        if !path.exists() {
            return Ok(self);
        }
        let unreadable = || format!("in {}", path.display());
        let lines = dotenvy::from_path_iter(&path).with_context(unreadable)?;
        let values = lines
            .collect::<Result<BTreeMap<_, _>, _>>()
            .map_err(|fault| match fault {
                // The line may hold a secret.
                dotenvy::Error::LineParse(_, _) => anyhow!("a line is not NAME=value"),
                other => other.into(),
            });
        let mut values = values.with_context(unreadable)?;
        values.extend(self.0);
        Ok(Self(values))
    }

    /// What sets a variable of the application, if anything does.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(&key(name)).map(String::as_str)
    }
}

/// The variable of the environment that sets one of the application.
fn key(name: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", name.to_uppercase())
}

/// The application's variables, each with its value. Printed, they show names only.
#[derive(Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
    components: BTreeMap<String, Arc<BTreeMap<String, String>>>,
}

impl Variables {
    /// Gives each variable its value: from `overrides` (what the host knows better, such as the
    /// address of a database that it started), else from the environment, else the manifest's
    /// default. As in Spin, a default is taken as it is written.
    ///
    /// Fails with the variable's name if one that is required has no value, if a template is
    /// malformed, or if one names a variable that is not declared.
    pub fn resolve(
        manifest: &Manifest,
        environment: &Environment,
        overrides: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let mut values = BTreeMap::new();
        for (name, variable) in &manifest.variables {
            let known = overrides.get(name).map(String::as_str);
            let value = known.or_else(|| environment.value(name));
            match value.or(variable.default.as_deref()) {
                Some(value) => {
                    values.insert(name.clone(), value.to_owned());
                }
                None => ensure!(
                    !variable.required,
                    "the variable {name} is required: set {}, or write it to {DOTENV}",
                    key(name)
                ),
            }
        }
        let mut variables = Self {
            values,
            components: BTreeMap::new(),
        };
        for (id, component) in &manifest.component {
            let resolved = variables
                .of_component(component)
                .with_context(|| format!("in [component.{id}] variables"))?;
            variables.components.insert(id.clone(), Arc::new(resolved));
        }
        Ok(variables)
    }

    /// A variable of the application.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The text with each `{{ name }}` replaced by the variable's value.
    pub fn expand(&self, text: &str) -> anyhow::Result<String> {
        template::expand(text, |name| self.get(name))
    }

    fn of_component(&self, component: &Component) -> anyhow::Result<BTreeMap<String, String>> {
        let mut values = BTreeMap::new();
        for (name, text) in &component.variables {
            let value = self.expand(text).with_context(|| format!("in {name}"))?;
            values.insert(name.clone(), value);
        }
        Ok(values)
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Each component sees the variables that its manifest gives it.
impl Capability for Variables {
    fn interfaces(&self) -> &'static [&'static str] {
        &["spin:variables/variables", "wasi:config/store"]
    }

    fn is_granted(&self, component: &Component) -> bool {
        !component.variables.is_empty()
    }

    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        bindings::add_to_linker::<State, Link>(linker, |state| state.part::<Instance>().0)?;
        config::add_to_linker::<State, Link>(linker, |state| state.part::<Instance>().0)
    }

    fn attach(&self, component: &Component, state: &mut State) {
        let values = self.components.get(&component.id);
        state.attach(Instance(values.cloned().unwrap_or_default()));
    }
}

/// One instance's part: its component's variables.
struct Instance(Arc<BTreeMap<String, String>>);

impl Instance {
    fn get(&self, name: &str) -> Result<String, bindings::Error> {
        if check_variable(name).is_err() {
            return Err(bindings::Error::InvalidName(name.to_owned()));
        }
        let value = self.0.get(name).cloned();
        value.ok_or_else(|| bindings::Error::Undefined(name.to_owned()))
    }
}

struct Link;

impl HasData for Link {
    type Data<'a> = &'a mut Instance;
}

impl bindings::Host for &mut Instance {}

impl<T: Send + 'static> bindings::HostWithStore<T> for Link {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, bindings::Error>> {
        Ok(accessor.with(|mut access| access.get().get(&name)))
    }
}

/// The same variables once more; a name that cannot be one is only not there.
impl config::Host for &mut Instance {
    async fn get(
        &mut self,
        key: String,
    ) -> wasmtime::Result<Result<Option<String>, config::Error>> {
        Ok(Ok(self.0.get(&key).cloned()))
    }

    async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, config::Error>> {
        let all = self.0.iter();
        Ok(Ok(all
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()))
    }
}

#[cfg(test)]
mod tests;
