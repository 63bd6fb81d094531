//! A message of Kafka's as a record.

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use super::{Options, short};
use crate::capabilities::events::Received;
use crate::capabilities::events::cloudevents::{self, Origin};

pub fn read(options: &Options, message: &BorrowedMessage<'_>) -> Received {
    let published = message.timestamp().to_millis().unwrap_or_default();
    let origin = Origin {
        topic: short(options, message.topic()).to_owned(),
        partition: message.partition().unsigned_abs(),
        offset: message.offset().unsigned_abs(),
        published_ms: u64::try_from(published).unwrap_or_default(),
    };
    let headers = message.headers();
    let headers = headers
        .iter()
        .flat_map(|headers| headers.iter())
        .map(|header| (header.key, header.value));
    let key = message.key().unwrap_or_default();
    let payload = message.payload().unwrap_or_default();
    cloudevents::read(origin, key, payload, headers)
}
