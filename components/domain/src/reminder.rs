//! When a patient is reminded of an appointment.

use jiff::{SignedDuration, Timestamp};

use crate::FieldError;

/// A day and two hours before, where a tenant says nothing else.
pub const LEADS_MINUTES_DEFAULT: [i32; 2] = [24 * 60, 2 * 60];
pub const LEADS_MAX: usize = 5;
pub const LEAD_MINUTES_MIN: i32 = 10;
/// Four weeks.
pub const LEAD_MINUTES_MAX: i32 = 28 * 24 * 60;

/// Reminders that one tick of the timer announces: after an outage they go out in portions, the longest
/// overdue first.
pub const ANNOUNCED_MAX: i64 = 500;

/// What is wrong with a tenant's list.
pub fn check(leads_minutes: &[i32]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if leads_minutes.len() > LEADS_MAX {
        let detail = format!("must have {LEADS_MAX} entries at most");
        errors.push(FieldError::new("/reminder_minutes", detail));
    }
    for (index, lead) in leads_minutes.iter().enumerate() {
        let pointer = format!("/reminder_minutes/{index}");
        if !(LEAD_MINUTES_MIN..=LEAD_MINUTES_MAX).contains(lead) {
            let detail = format!("must be from {LEAD_MINUTES_MIN} to {LEAD_MINUTES_MAX}");
            errors.push(FieldError::new(pointer, detail));
        } else if leads_minutes[..index].contains(lead) {
            errors.push(FieldError::new(pointer, "is there twice"));
        }
    }
    errors
}

/// Whether a reminder that was announced may still be sent: the appointment has not begun, and no
/// later reminder of it is due by now, which says the same and is closer to the time.
pub fn is_timely(slot_start: Timestamp, lead_minutes: i32, leads: &[i32], now: Timestamp) -> bool {
    let is_due = |lead: i32| slot_start - SignedDuration::from_mins(lead.into()) <= now;
    let is_superseded = leads
        .iter()
        .any(|other| *other < lead_minutes && is_due(*other));
    now < slot_start && !is_superseded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_is_neither_late_nor_said_twice() {
        let slot: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let timely =
            |lead, now: &str| is_timely(slot, lead, &LEADS_MINUTES_DEFAULT, now.parse().unwrap());
        assert!(timely(1440, "2026-11-22T08:00:00Z"));
        assert!(timely(1440, "2026-11-23T05:59:59Z"));
        assert!(
            !timely(1440, "2026-11-23T06:00:00Z"),
            "the other one is due"
        );
        assert!(timely(120, "2026-11-23T06:00:00Z"));
        assert!(timely(120, "2026-11-23T07:59:59Z"));
        assert!(!timely(120, "2026-11-23T08:00:00Z"), "it has begun");
    }

    #[test]
    fn a_list_of_leads_is_checked_entry_by_entry() {
        assert_eq!(check(&LEADS_MINUTES_DEFAULT), []);
        assert_eq!(check(&[]), []);
        let pointers = |leads: &[i32]| -> Vec<String> {
            check(leads)
                .into_iter()
                .map(|error| error.pointer)
                .collect()
        };
        assert_eq!(
            pointers(&[120, 9, 120]),
            ["/reminder_minutes/1", "/reminder_minutes/2"]
        );
        assert_eq!(pointers(&[10, 20, 30, 40, 50, 60]), ["/reminder_minutes"]);
    }
}
