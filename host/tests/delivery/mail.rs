//! An e-mail to send.

use praxis_host::capabilities::delivery::Email;

pub fn email(idempotency_key: &str) -> Email {
    Email {
        idempotency_key: idempotency_key.into(),
        to: "Ann <ann@example.com>".into(),
        reply_to: None,
        subject: "Geöffnet ab neun".into(),
        text: "Guten Tag\nwir öffnen um neun.".into(),
        html: None,
        attachments: Vec::new(),
    }
}
