//! Spanish, in the polite form.

use super::{Language, Occurrence, Patient, Practitioner};

pub(super) const WORDS: Language = Language {
    tag: "es",
    hello: "Buenos días:",
    hello_name: "Buenos días, {name}:",
    zone_time: "Zona horaria {zone}",
    before: "Antes era: {previous}",
    your_calendar: "Su agenda",
    booking: "Reserva",
    hold: "Reserva provisional",
    local_time: "Las horas son las de la consulta.",
    sent_by: "{brand} le escribe por una reserva.",
    cannot_answer: "No puede responder a este mensaje.",
    cancel: "Cancelar sin iniciar sesión",
    opt_out: "No recibir más recordatorios por este medio",
    created: Occurrence {
        patient: Patient {
            subject: "Su cita: {when}",
            lead: "Su cita está reservada.",
            brief: "Su cita está reservada: {slot}.",
            title: "Cita reservada",
            action: "Para cambiarla o cancelarla",
        },
        practitioner: Practitioner {
            subject: "Nueva cita: {when}",
            named: "{patient} ha reservado una cita con usted.",
            unnamed: "Una persona ha reservado una cita con usted.",
        },
    },
    cancelled: Occurrence {
        patient: Patient {
            subject: "Cancelada: su cita, {when}",
            lead: "Su cita está cancelada. Era:",
            brief: "Su cita está cancelada: {slot}.",
            title: "Cita cancelada",
            action: "Para reservar otra",
        },
        practitioner: Practitioner {
            subject: "Cancelada: {when}",
            named: "La cita de {patient} está cancelada. La hora puede reservarse de nuevo.",
            unnamed: "Una cita está cancelada. La hora puede reservarse de nuevo.",
        },
    },
    rescheduled: Occurrence {
        patient: Patient {
            subject: "Cambiada: su cita, {when}",
            lead: "Su cita ha cambiado. Ahora es:",
            brief: "Su cita ha cambiado. Ahora es: {slot}.",
            title: "Cita cambiada",
            action: "Para cambiarla otra vez o cancelarla",
        },
        practitioner: Practitioner {
            subject: "Cambiada: {when}",
            named: "La cita de {patient} ha cambiado. Ahora es:",
            unnamed: "Una cita ha cambiado. Ahora es:",
        },
    },
    reminder: Occurrence {
        patient: Patient {
            subject: "Recordatorio: su cita, {when}",
            lead: "Le recordamos su cita:",
            brief: "Recordatorio de su cita: {slot}.",
            title: "Recordatorio de cita",
            action: "Para cambiarla o cancelarla",
        },
        practitioner: Practitioner {
            subject: "Recordatorio: {when}",
            named: "{patient} tiene una cita con usted:",
            unnamed: "Una persona tiene una cita con usted:",
        },
    },
    offered: Patient {
        subject: "Una cita libre: {when}",
        lead: "Usted esperaba una cita, y esta ha quedado libre. Se la guardamos hasta el {until}; después pasa a quien sigue en la espera.",
        brief: "Ha quedado libre una cita, y se la guardamos hasta el {until}: {slot}.",
        title: "Ha quedado libre una cita",
        action: "Para reservarla o dejarla",
    },
};
