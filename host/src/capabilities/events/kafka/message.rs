//! A message of Kafka's as a record.

use std::collections::BTreeMap;

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use super::{Options, short};
use crate::capabilities::events::Received;
use crate::capabilities::events::cloudevents::{self, Origin};

pub fn read(options: &Options, message: &BorrowedMessage<'_>) -> Received {
    let headers: BTreeMap<_, _> = message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter())
        .filter_map(|header| {
            let value = std::str::from_utf8(header.value?).ok()?;
            Some((header.key, value))
        })
        .collect();
    let published = message.timestamp().to_millis().unwrap_or_default();
    let origin = Origin {
        topic: short(options, message.topic()).to_owned(),
        partition: message.partition().unsigned_abs(),
        offset: message.offset().unsigned_abs(),
        published_ms: u64::try_from(published).unwrap_or_default(),
    };
    let key = message.key().unwrap_or_default();
    let payload = message.payload().unwrap_or_default();
    cloudevents::read(origin, key, payload, |name| {
        headers.get(name).map(|value| (*value).to_owned())
    })
}
