//! Requests that may be repeated.

use sha2::{Digest as _, Sha256};

pub const KEY_BYTES_MAX: usize = 255;

/// Names a request by what it asks: the operation and its parameters, as canonical JSON.
/// The same key with another hash is a mistake of the caller.
pub fn request_hash(operation: &str, parameters: &serde_json::Value) -> String {
    let mut hash = Sha256::new();
    hash.update(operation);
    hash.update([0]);
    // serde_json keeps the keys of a map sorted, so equal values are equal bytes.
    hash.update(parameters.to_string());
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a text can be an `Idempotency-Key`: 1 to 255 visible ASCII characters.
pub fn is_key(text: &str) -> bool {
    (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_the_fields_does_not_matter_but_their_values_do() {
        let hash = |value| request_hash("book", &value);
        assert_eq!(hash(json!({"a": 1, "b": 2})), hash(json!({"b": 2, "a": 1})));
        assert_ne!(hash(json!({"a": 1})), hash(json!({"a": 2})));
        assert_ne!(hash(json!({})), request_hash("reschedule", &json!({})));
    }
}
