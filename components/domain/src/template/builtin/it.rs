//! Italian, in the polite form.

use super::{Language, Occurrence, Patient, Practitioner};

pub(super) const WORDS: Language = Language {
    tag: "it",
    hello: "Buongiorno,",
    hello_name: "Buongiorno {name},",
    zone_time: "Fuso orario {zone}",
    before: "Prima era: {previous}",
    your_calendar: "La Sua agenda",
    booking: "Prenotazione",
    hold: "Prenotazione provvisoria",
    local_time: "Gli orari sono quelli dello studio.",
    sent_by: "{brand} Le scrive per una prenotazione.",
    cannot_answer: "Non è possibile rispondere a questo messaggio.",
    cancel: "Annullare senza accedere",
    opt_out: "Niente più promemoria per questa via",
    created: Occurrence {
        patient: Patient {
            subject: "Il Suo appuntamento: {when}",
            lead: "Il Suo appuntamento è prenotato.",
            brief: "Il Suo appuntamento è prenotato: {slot}.",
            title: "Appuntamento prenotato",
            action: "Per spostarlo o annullarlo",
        },
        practitioner: Practitioner {
            subject: "Nuovo appuntamento: {when}",
            named: "{patient} ha prenotato un appuntamento con Lei.",
            unnamed: "Una persona ha prenotato un appuntamento con Lei.",
        },
    },
    cancelled: Occurrence {
        patient: Patient {
            subject: "Annullato: il Suo appuntamento, {when}",
            lead: "Il Suo appuntamento è annullato. Era previsto:",
            brief: "Il Suo appuntamento è annullato: {slot}.",
            title: "Appuntamento annullato",
            action: "Per prenotarne un altro",
        },
        practitioner: Practitioner {
            subject: "Annullato: {when}",
            named: "L’appuntamento di {patient} è annullato. L’ora può essere prenotata di nuovo.",
            unnamed: "Un appuntamento è annullato. L’ora può essere prenotata di nuovo.",
        },
    },
    rescheduled: Occurrence {
        patient: Patient {
            subject: "Spostato: il Suo appuntamento, {when}",
            lead: "Il Suo appuntamento è spostato. Ora è:",
            brief: "Il Suo appuntamento è spostato. Ora è: {slot}.",
            title: "Appuntamento spostato",
            action: "Per spostarlo ancora o annullarlo",
        },
        practitioner: Practitioner {
            subject: "Spostato: {when}",
            named: "L’appuntamento di {patient} è spostato. Ora è:",
            unnamed: "Un appuntamento è spostato. Ora è:",
        },
    },
    reminder: Occurrence {
        patient: Patient {
            subject: "Promemoria: il Suo appuntamento, {when}",
            lead: "Le ricordiamo il Suo appuntamento:",
            brief: "Promemoria del Suo appuntamento: {slot}.",
            title: "Promemoria dell’appuntamento",
            action: "Per spostarlo o annullarlo",
        },
        practitioner: Practitioner {
            subject: "Promemoria: {when}",
            named: "{patient} ha un appuntamento con Lei:",
            unnamed: "Una persona ha un appuntamento con Lei:",
        },
    },
    offered: Patient {
        subject: "Un appuntamento libero: {when}",
        lead: "Lei aspettava un appuntamento, e questo si è liberato. È riservato per Lei fino a {until}; poi va a chi segue nell’attesa.",
        brief: "Si è liberato un appuntamento, riservato per Lei fino a {until}: {slot}.",
        title: "Si è liberato un appuntamento",
        action: "Per prenotarlo o rinunciare",
    },
};
