//! The manifest's HTTP triggers, and who answers them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::guest::Guest;
use super::pace::Window;
use crate::manifest::{Manifest, Route};
use crate::runtime::application::Application;
use crate::runtime::deployment::Seats;

/// The components with an HTTP trigger.
pub struct Guests {
    /// All of them, by id.
    pub by_component: BTreeMap<String, Guest>,
    /// By route, those that a path leads to.
    pub routes: Vec<(String, Guest)>,
}

impl Guests {
    /// Gives each its seat. Fails with the component if one exports no HTTP interface.
    pub fn new(
        manifest: &Manifest,
        application: &Application,
        seats: &mut Seats,
    ) -> anyhow::Result<Self> {
        let mut by_component: BTreeMap<String, Guest> = BTreeMap::new();
        let mut routes = Vec::new();
        let slowest = Window::new(&manifest.application.tool.praxis.limits);
        for trigger in &manifest.trigger.http {
            let id = &trigger.component;
            let guest = match by_component.get(id) {
                Some(guest) => guest.clone(),
                None => {
                    let guest = Guest::paced(application.component(id), slowest)?;
                    seats.add(id, Arc::new(guest.clone()));
                    by_component.insert(id.clone(), guest.clone());
                    guest
                }
            };
            if let Route::Public(route) = &trigger.route {
                routes.push((route.clone(), guest));
            }
        }
        Ok(Self {
            by_component,
            routes,
        })
    }
}
