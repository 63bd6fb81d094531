//! What calls components besides requests: topics, timers and channels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::services::Services;
use crate::manifest::Manifest;
use crate::runtime::application::Application;
use crate::runtime::consumer::{Consumer, Handler};
use crate::runtime::deployment::Seats;
use crate::triggers::http::operations;
use crate::triggers::kafka::dead_letters::DeadLetters;
use crate::triggers::kafka::lag;
use crate::triggers::kafka::watch::Watch;
use crate::triggers::relay::Relay;
use crate::triggers::{cron, kafka, redis};

/// The manifest's triggers for events, with the components that they call.
pub struct Events {
    /// None if there is no broker.
    readers: Vec<(kafka::Group, Arc<dyn Handler>)>,
    /// The partitions that they read here.
    watch: Watch,
    /// What the timers wake; `None` where no database decides which host runs them.
    jobs: Option<Vec<cron::Job>>,
    subscriptions: Vec<redis::Subscription>,
}

impl Events {
    /// Gives each component its seat. Fails with the component if one exports no interface for its
    /// trigger.
    pub fn new(
        manifest: &Manifest,
        application: &Application,
        services: &Services,
        seats: &mut Seats,
    ) -> anyhow::Result<Self> {
        let groups = match &services.broker {
            Some(_) => kafka::groups(manifest),
            None => Vec::new(),
        };
        let mut readers = Vec::new();
        for group in groups {
            let handler = handler(&group.component, application, seats)?;
            readers.push((group, handler));
        }
        let jobs = match (&services.broker, &services.pool) {
            (Some(_), Some(_)) => Some(jobs(manifest, application, seats)?),
            (Some(_), None) | (None, _) => None,
        };
        let subscriptions = redis::subscriptions(manifest, &services.variables, application)?;
        for subscriber in subscriptions
            .iter()
            .flat_map(redis::Subscription::subscribers)
        {
            seats.add(&subscriber.id(), Arc::new(subscriber.clone()));
        }
        Ok(Self {
            readers,
            watch: Watch::default(),
            jobs,
            subscriptions,
        })
    }

    /// What operators see of events, and do with them.
    pub fn for_operators(
        &self,
        manifest: &Manifest,
        services: &Services,
    ) -> Option<operations::Events> {
        let broker = services.broker.as_ref()?;
        let topics = manifest.application.trigger.kafka.topics.keys();
        let mut readers: BTreeMap<_, BTreeSet<_>> = topics
            .map(|topic| (topic.clone(), BTreeSet::new()))
            .collect();
        for (group, _) in &self.readers {
            for topic in group.topics.keys() {
                let groups = readers.entry(topic.clone()).or_default();
                groups.insert(group.name.clone());
            }
        }
        let name = &manifest.application.name;
        Some(operations::Events {
            broker: Arc::clone(broker),
            groups: self.groups(),
            watch: self.watch.clone(),
            dead_letters: DeadLetters::new(Arc::clone(broker), readers, name),
        })
    }

    fn groups(&self) -> Vec<kafka::Group> {
        let groups = self.readers.iter();
        groups.map(|(group, _)| group.clone()).collect()
    }

    /// Starts everything; it ends when it is told to stop.
    pub fn run(
        self,
        services: &Services,
        application: &str,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        if let Some(broker) = &services.broker {
            let measuring = lag::measure(Arc::clone(broker), self.groups(), stop.clone());
            tasks.spawn(measuring);
            for (group, handler) in self.readers {
                let (broker, watch) = (Arc::clone(broker), self.watch.clone());
                tasks.spawn(kafka::run(broker, group, handler, watch, stop.clone()));
            }
            if let (Some(jobs), Some(pool)) = (self.jobs, &services.pool) {
                let relay = Relay::new(pool.clone(), Arc::clone(broker), application);
                tasks.spawn(relay.run(stop.clone()));
                let timers = cron::run(pool.clone(), Arc::clone(broker), jobs, stop.clone());
                tasks.spawn(timers);
            }
        }
        for subscription in self.subscriptions {
            tasks.spawn(redis::run(subscription, stop.clone()));
        }
    }
}

/// A component that handles events, in its seat.
fn handler(
    component: &str,
    application: &Application,
    seats: &mut Seats,
) -> anyhow::Result<Arc<dyn Handler>> {
    let consumer = Consumer::new(application.component(component))?;
    seats.add(component, Arc::new(consumer.clone()));
    Ok(Arc::new(consumer))
}

/// What the timers wake.
fn jobs(
    manifest: &Manifest,
    application: &Application,
    seats: &mut Seats,
) -> anyhow::Result<Vec<cron::Job>> {
    let triggers = manifest.trigger.cron.iter();
    let jobs = triggers.map(|trigger| {
        let handler = handler(&trigger.component, application, seats)?;
        cron::Job::new(trigger, handler)
    });
    jobs.collect()
}
