//! `praxis check`: the manifest and its components, looked at without running them.

use std::collections::BTreeMap;

use clap::Args;

use super::compose;
use crate::config::Config;
use crate::manifest::Manifest;

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    config: Config,
}

impl Check {
    pub async fn run(self) -> anyhow::Result<()> {
        let manifest = Manifest::load(&self.config.manifest)?;
        let application = compose::dry(&self.config, &manifest).await?;
        for component in application.components() {
            println!("{}", component.manifest.id);
            for import in component.imports() {
                println!("  imports {import}");
            }
        }
        let mut routes = BTreeMap::new();
        for trigger in &manifest.trigger.http {
            routes.insert(&trigger.route, &trigger.component);
        }
        for (route, component) in routes {
            println!("{route} is answered by {component}");
        }
        Ok(())
    }
}
