//! German, in the polite form.

use super::{Language, Occurrence, Patient, Practitioner};

pub(super) const WORDS: Language = Language {
    tag: "de",
    hello: "Guten Tag,",
    hello_name: "Guten Tag {name},",
    zone_time: "Zeitzone {zone}",
    before: "Vorher war er: {previous}",
    your_calendar: "Ihr Kalender",
    booking: "Buchung",
    hold: "Reservierung",
    local_time: "Alle Zeiten sind Ortszeit der Praxis.",
    sent_by: "{brand} schreibt Ihnen wegen einer Buchung.",
    cannot_answer: "Auf diese E-Mail können Sie nicht antworten.",
    cancel: "Ohne Anmeldung absagen",
    opt_out: "Auf diesem Weg keine Erinnerungen mehr",
    created: Occurrence {
        patient: Patient {
            subject: "Ihr Termin am {when}",
            lead: "Ihr Termin ist gebucht.",
            brief: "Ihr Termin ist gebucht: {slot}.",
            title: "Termin gebucht",
            action: "Verschieben oder absagen",
        },
        practitioner: Practitioner {
            subject: "Neuer Termin: {when}",
            named: "{patient} hat einen Termin bei Ihnen gebucht.",
            unnamed: "Jemand hat einen Termin bei Ihnen gebucht.",
        },
    },
    cancelled: Occurrence {
        patient: Patient {
            subject: "Abgesagt: Ihr Termin am {when}",
            lead: "Ihr Termin ist abgesagt. Er wäre gewesen:",
            brief: "Ihr Termin ist abgesagt: {slot}.",
            title: "Termin abgesagt",
            action: "Einen neuen Termin buchen",
        },
        practitioner: Practitioner {
            subject: "Abgesagt: {when}",
            named: "Der Termin von {patient} ist abgesagt. Die Stunde kann wieder gebucht werden.",
            unnamed: "Ein Termin ist abgesagt. Die Stunde kann wieder gebucht werden.",
        },
    },
    rescheduled: Occurrence {
        patient: Patient {
            subject: "Verschoben: Ihr Termin ist am {when}",
            lead: "Ihr Termin ist verschoben. Er ist jetzt:",
            brief: "Ihr Termin ist verschoben. Er ist jetzt: {slot}.",
            title: "Termin verschoben",
            action: "Noch einmal verschieben oder absagen",
        },
        practitioner: Practitioner {
            subject: "Verschoben auf {when}",
            named: "Der Termin von {patient} ist verschoben. Er ist jetzt:",
            unnamed: "Ein Termin ist verschoben. Er ist jetzt:",
        },
    },
    reminder: Occurrence {
        patient: Patient {
            subject: "Erinnerung: Ihr Termin am {when}",
            lead: "Wir erinnern Sie an Ihren Termin:",
            brief: "Erinnerung an Ihren Termin: {slot}.",
            title: "Erinnerung an Ihren Termin",
            action: "Verschieben oder absagen",
        },
        practitioner: Practitioner {
            subject: "Erinnerung: {when}",
            named: "{patient} hat einen Termin bei Ihnen:",
            unnamed: "Jemand hat einen Termin bei Ihnen:",
        },
    },
    offered: Patient {
        subject: "Ein freier Termin am {when}",
        lead: "Sie warten auf einen Termin, und dieser ist frei geworden. Er ist für Sie reserviert bis {until}; danach bekommt ihn, wer als Nächstes wartet.",
        brief: "Ein Termin ist frei geworden und für Sie reserviert bis {until}: {slot}.",
        title: "Ein Termin ist frei geworden",
        action: "Buchen oder ablehnen",
    },
};
