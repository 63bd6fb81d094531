//! W3C trace context (https://www.w3.org/TR/trace-context/): which events follow from one cause.

use uuid::Uuid;

/// Begins a trace with an event: the same one however often the event is published.
pub fn begin(id: Uuid) -> String {
    let trace = Uuid::new_v5(&id, b"trace").simple();
    let (_, span) = Uuid::new_v5(&id, b"span").as_u64_pair();
    format!("00-{trace}-{span:016x}-01")
}

/// Goes on with what the caller says, if that is a trace context; else begins one.
pub fn go_on(traceparent: Option<String>, id: Uuid) -> String {
    let known = traceparent.filter(|text| is_traceparent(text));
    known.unwrap_or_else(|| begin(id))
}

/// Version 00: `00`, the trace, the span, the flags.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |digits: usize| {
        let part = parts.next().unwrap_or_default();
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (part.len() == digits && part.bytes().all(is_hex)).then_some(part)
    };
    let is_some = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|b| b != b'0'));
    let version = hex(2);
    let (trace, span, flags) = (hex(32), hex(16), hex(2));
    version == Some("00")
        && is_some(trace)
        && is_some(span)
        && flags.is_some()
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_trace_that_is_known_goes_on() {
        let id = Uuid::from_u128(7);
        assert_eq!(go_on(Some(SAMPLE.to_owned()), id), SAMPLE);
    }

    #[test]
    fn what_is_no_trace_context_begins_one() {
        let id = Uuid::from_u128(7);
        let begun = begin(id);
        assert!(is_traceparent(&begun), "{begun}");
        assert_eq!(begin(id), begun);
        assert_ne!(begin(Uuid::from_u128(8)), begun);
        assert_eq!(go_on(None, id), begun);
        for wrong in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(go_on(Some(wrong.to_owned()), id), begun, "{wrong}");
        }
    }
}
