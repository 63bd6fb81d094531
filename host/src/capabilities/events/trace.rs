//! W3C trace context (https://www.w3.org/TR/trace-context/): which events follow from one cause.

use std::ops::Range;

use uuid::Uuid;

/// Begins a trace with an event: the same one however often the event is published.
pub fn begin(id: Uuid) -> String {
    let trace = Uuid::new_v5(&id, b"trace").simple();
    format!("00-{trace}-{}-01", span(id))
}

/// Goes on with the trace of what led to an event, if that is a trace context, else begins one. The
/// event is a span of its own: the same one however often it is published.
pub fn go_on(cause: Option<&str>, id: Uuid) -> String {
    match cause.filter(|text| is_traceparent(text)) {
        Some(cause) => format!("{}{}{}", &cause[..SPAN.start], span(id), &cause[SPAN.end..]),
        None => begin(id),
    }
}

/// Where the span is in a trace context.
const SPAN: Range<usize> = 36..52;

fn span(id: Uuid) -> String {
    let (_, span) = Uuid::new_v5(&id, b"span").as_u64_pair();
    format!("{span:016x}")
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
        let next = |id| go_on(Some(SAMPLE), Uuid::from_u128(id));
        let event = next(7);
        assert!(is_traceparent(&event), "{event}");
        assert_eq!(event[..SPAN.start], SAMPLE[..SPAN.start]);
        assert_eq!(event[SPAN.end..], SAMPLE[SPAN.end..]);
        assert_ne!(event, SAMPLE);
        assert_eq!(event, next(7));
        assert_ne!(event, next(8));
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
            assert_eq!(go_on(Some(wrong), id), begun, "{wrong}");
        }
    }
}
