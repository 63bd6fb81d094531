//! English.

use super::{Language, Occurrence, Patient, Practitioner};

pub(super) const WORDS: Language = Language {
    tag: "en",
    hello: "Hello,",
    hello_name: "Hello {name},",
    zone_time: "{zone} time",
    before: "Before, it was: {previous}",
    your_calendar: "Your calendar",
    booking: "Booking",
    hold: "Hold",
    local_time: "Times are the practice’s local time.",
    sent_by: "{brand} sent this because of a booking.",
    cannot_answer: "You cannot answer to this mail.",
    cancel: "Cancel without signing in",
    opt_out: "No more reminders this way",
    created: Occurrence {
        patient: Patient {
            subject: "Your appointment on {when}",
            lead: "Your appointment is booked.",
            brief: "Your appointment is booked: {slot}.",
            title: "Appointment booked",
            action: "To move or cancel it",
        },
        practitioner: Practitioner {
            subject: "New appointment: {when}",
            named: "{patient} has booked an appointment with you.",
            unnamed: "A patient has booked an appointment with you.",
        },
    },
    cancelled: Occurrence {
        patient: Patient {
            subject: "Cancelled: your appointment on {when}",
            lead: "Your appointment is cancelled. It was to be:",
            brief: "Your appointment is cancelled: {slot}.",
            title: "Appointment cancelled",
            action: "To book another one",
        },
        practitioner: Practitioner {
            subject: "Cancelled: {when}",
            named: "The appointment of {patient} is cancelled. The hour can be booked again.",
            unnamed: "The appointment of a patient is cancelled. The hour can be booked again.",
        },
    },
    rescheduled: Occurrence {
        patient: Patient {
            subject: "Moved: your appointment is on {when}",
            lead: "Your appointment is moved. It is now:",
            brief: "Your appointment is moved. It is now: {slot}.",
            title: "Appointment moved",
            action: "To move it again or cancel it",
        },
        practitioner: Practitioner {
            subject: "Moved to {when}",
            named: "The appointment of {patient} is moved. It is now:",
            unnamed: "The appointment of a patient is moved. It is now:",
        },
    },
    reminder: Occurrence {
        patient: Patient {
            subject: "Reminder: your appointment on {when}",
            lead: "This is a reminder of your appointment:",
            brief: "A reminder of your appointment: {slot}.",
            title: "Appointment reminder",
            action: "To move or cancel it",
        },
        practitioner: Practitioner {
            subject: "Reminder: {when}",
            named: "{patient} has an appointment with you:",
            unnamed: "A patient has an appointment with you:",
        },
    },
    offered: Patient {
        subject: "A free appointment on {when}",
        lead: "You have waited for an appointment, and this one came free. It is held for you until {until}; then it goes to the next who waits.",
        brief: "An appointment came free, and is held for you until {until}: {slot}.",
        title: "An appointment came free",
        action: "To book it, or to let it go",
    },
};
