//! An e-mail to send.

use praxis_host::capabilities::delivery::Email;

pub fn email(idempotency_key: &str) -> Email {
    Email {
        owner: "shops".into(),
        idempotency_key: idempotency_key.into(),
        to: "Ann <ann@example.com>".into(),
        sender_name: None,
        reply_to: None,
        subject: "Geöffnet ab neun".into(),
        text: "Guten Tag\nwir öffnen um neun.".into(),
        html: None,
        calendar: None,
        unsubscribe: None,
        attachments: Vec::new(),
    }
}
