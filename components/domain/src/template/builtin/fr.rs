//! French, in the polite form.

use super::{Language, Occurrence, Patient, Practitioner};

pub(super) const WORDS: Language = Language {
    tag: "fr",
    hello: "Bonjour,",
    hello_name: "Bonjour {name},",
    zone_time: "Fuseau horaire {zone}",
    before: "Il était prévu auparavant : {previous}",
    your_calendar: "Votre agenda",
    booking: "Réservation",
    hold: "Option",
    local_time: "Les heures sont celles du cabinet.",
    sent_by: "{brand} vous écrit au sujet d’une réservation.",
    cannot_answer: "Vous ne pouvez pas répondre à ce message.",
    cancel: "Annuler sans se connecter",
    opt_out: "Ne plus recevoir de rappels par ce moyen",
    created: Occurrence {
        patient: Patient {
            subject: "Votre rendez-vous : {when}",
            lead: "Votre rendez-vous est réservé.",
            brief: "Votre rendez-vous est réservé : {slot}.",
            title: "Rendez-vous réservé",
            action: "Pour le déplacer ou l’annuler",
        },
        practitioner: Practitioner {
            subject: "Nouveau rendez-vous : {when}",
            named: "{patient} a pris rendez-vous avec vous.",
            unnamed: "Une personne a pris rendez-vous avec vous.",
        },
    },
    cancelled: Occurrence {
        patient: Patient {
            subject: "Annulé : votre rendez-vous, {when}",
            lead: "Votre rendez-vous est annulé. Il était prévu :",
            brief: "Votre rendez-vous est annulé : {slot}.",
            title: "Rendez-vous annulé",
            action: "Pour en prendre un autre",
        },
        practitioner: Practitioner {
            subject: "Annulé : {when}",
            named: "Le rendez-vous de {patient} est annulé. L’heure peut de nouveau être réservée.",
            unnamed: "Un rendez-vous est annulé. L’heure peut de nouveau être réservée.",
        },
    },
    rescheduled: Occurrence {
        patient: Patient {
            subject: "Déplacé : votre rendez-vous, {when}",
            lead: "Votre rendez-vous est déplacé. Le voici :",
            brief: "Votre rendez-vous est déplacé. Le voici : {slot}.",
            title: "Rendez-vous déplacé",
            action: "Pour le déplacer encore ou l’annuler",
        },
        practitioner: Practitioner {
            subject: "Déplacé : {when}",
            named: "Le rendez-vous de {patient} est déplacé. Le voici :",
            unnamed: "Un rendez-vous est déplacé. Le voici :",
        },
    },
    reminder: Occurrence {
        patient: Patient {
            subject: "Rappel : votre rendez-vous, {when}",
            lead: "Nous vous rappelons votre rendez-vous :",
            brief: "Rappel de votre rendez-vous : {slot}.",
            title: "Rappel de rendez-vous",
            action: "Pour le déplacer ou l’annuler",
        },
        practitioner: Practitioner {
            subject: "Rappel : {when}",
            named: "{patient} a rendez-vous avec vous :",
            unnamed: "Une personne a rendez-vous avec vous :",
        },
    },
    offered: Patient {
        subject: "Un rendez-vous s’est libéré : {when}",
        lead: "Vous attendiez un rendez-vous, et celui-ci s’est libéré. Il vous est réservé jusqu’au {until} ; ensuite, il revient à la personne suivante.",
        brief: "Un rendez-vous s’est libéré et vous est réservé jusqu’au {until} : {slot}.",
        title: "Un rendez-vous s’est libéré",
        action: "Pour le prendre, ou y renoncer",
    },
};
