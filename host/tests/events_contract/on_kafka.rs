//! The suite on Kafka's protocol.
