//! How far behind the groups are, for operators and as metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Group;
use crate::capabilities::events::{Broker, Error, Lag};

/// How often the metrics are brought up to date.
const EVERY: Duration = Duration::from_secs(15);

/// Each partition of each group.
pub async fn of(broker: &dyn Broker, groups: &[Group]) -> Result<Vec<Lag>, Error> {
    let mut lags = Vec::new();
    for group in groups {
        let topics: Vec<_> = group.topics.keys().cloned().collect();
        lags.extend(broker.lag(&group.name, &topics).await?);
    }
    Ok(lags)
}

/// Keeps `event_lag` and `event_lag_seconds` up to date until `stop`. While the broker is away they
/// keep their last values.
pub async fn measure(broker: Arc<dyn Broker>, groups: Vec<Group>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let asked = stop.run_until_cancelled(of(&*broker, &groups)).await;
        match asked {
            Some(Ok(lags)) => lags.iter().for_each(show),
            Some(Err(error)) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "how far behind the consumers are is not known"
            ),
            None => return,
        }
    }
}

fn show(lag: &Lag) {
    let labels = [
        ("group", lag.group.clone()),
        ("topic", lag.topic.clone()),
        ("partition", lag.partition.to_string()),
    ];
    metrics::gauge!("event_lag", &labels).set(lag.lag as f64);
    metrics::gauge!("event_lag_seconds", &labels).set(lag.behind_ms as f64 / 1e3);
}
