//! What SES says of bounces and complaints, both as a notification of an identity and as an event
//! of a configuration set.
//! https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html

use serde::Deserialize;

use super::{Error, Outcome, Report};
use crate::capabilities::delivery::aws::ses::PROVIDER;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(alias = "eventType")]
    notification_type: Option<String>,
    mail: Option<Mail>,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    message_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    bounce_sub_type: String,
    bounced_recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Recipient>,
    complaint_feedback_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
}

/// What a message of SNS reports. Most report nothing: deliveries, openings, and what SES says to
/// see whether it is heard, which is not even JSON.
pub fn reports(message: &str) -> Result<Vec<Report>, Error> {
    if !message.trim_start().starts_with('{') {
        return Ok(Vec::new());
    }
    let told: Told = serde_json::from_str(message).map_err(|error| {
        // Its place only: its words may hold an address.
        let (line, column) = (error.line(), error.column());
        Error::Malformed(format!(
            "no notification of SES: line {line}, column {column}"
        ))
    })?;
    let kind = told.notification_type.as_deref();
    let missing = |what: &str| Error::Malformed(format!("a notification of SES without {what}"));
    let (outcome, detail, recipients) = match kind {
        Some("Bounce") => {
            let bounce = told.bounce.ok_or_else(|| missing("its bounce"))?;
            let outcome = match &bounce.bounce_type[..] {
                "Permanent" => Outcome::Bounced,
                _ => Outcome::Undelivered,
            };
            let detail = format!("{}/{}", bounce.bounce_type, bounce.bounce_sub_type);
            (outcome, detail, bounce.bounced_recipients)
        }
        Some("Complaint") => {
            let complaint = told.complaint.ok_or_else(|| missing("its complaint"))?;
            let kind = complaint.complaint_feedback_type;
            let kind = kind.unwrap_or_else(|| "no reason".into());
            // RFC 5965: somebody took it out of the spam again.
            if kind == "not-spam" {
                return Ok(Vec::new());
            }
            (Outcome::Complained, kind, complaint.complained_recipients)
        }
        Some(_) | None => return Ok(Vec::new()),
    };
    let mail = told.mail.ok_or_else(|| missing("its mail"))?;
    Ok(vec![Report {
        provider: PROVIDER.into(),
        provider_id: mail.message_id,
        outcome,
        detail: plain(&detail),
        addresses: recipients
            .into_iter()
            .map(|recipient| recipient.email_address)
            .collect(),
    }])
}

/// It goes into the ledger: a word or two of Amazon's, and nothing else.
fn plain(detail: &str) -> String {
    const DETAIL_CHARS_MAX: usize = 64;
    detail
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-/ ".contains(*letter))
        .take(DETAIL_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNCE: &str = r#"{
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                { "emailAddress": "ann@example.com", "diagnosticCode": "smtp; 550 ann@example.com" }
            ]
        },
        "mail": { "messageId": "0100-abc", "destination": ["ann@example.com"] }
    }"#;

    #[test]
    fn both_forms_of_a_bounce_are_one_report() {
        let event = BOUNCE.replace("notificationType", "eventType");
        for message in [BOUNCE, &event] {
            let expected = Report {
                provider: "ses".into(),
                provider_id: "0100-abc".into(),
                outcome: Outcome::Bounced,
                detail: "Permanent/General".into(),
                addresses: vec!["ann@example.com".into()],
            };
            assert_eq!(reports(message).unwrap(), [expected]);
        }
        let full = BOUNCE
            .replace("Permanent", "Transient")
            .replace("General", "MailboxFull");
        let report = reports(&full).unwrap().remove(0);
        assert_eq!(report.outcome, Outcome::Undelivered);
        assert_eq!(report.detail, "Transient/MailboxFull");
    }

    #[test]
    fn who_takes_it_out_of_the_spam_does_not_complain() {
        let complaint = |kind: &str| {
            let message = format!(
                r#"{{"eventType": "Complaint", "mail": {{"messageId": "1"}}, "complaint": {{
                    "complaintFeedbackType": {kind},
                    "complainedRecipients": [{{"emailAddress": "ann@example.com"}}]
                }}}}"#
            );
            reports(&message).unwrap()
        };
        assert_eq!(complaint("\"abuse\"")[0].outcome, Outcome::Complained);
        assert_eq!(complaint("null")[0].detail, "no reason");
        assert_eq!(complaint("\"not-spam\""), []);
    }

    #[test]
    fn what_is_no_report_reports_nothing_and_what_is_broken_names_nobody() {
        for message in [
            "Successfully validated SNS topic for Amazon SES event publishing.",
            r#"{"notificationType": "AmazonSnsSubscriptionSucceeded"}"#,
            r#"{"eventType": "Delivery", "mail": {"messageId": "1"}, "delivery": {}}"#,
            "{}",
        ] {
            assert_eq!(reports(message).unwrap(), [], "{message}");
        }
        for message in [
            r#"{"notificationType": "Bounce", "mail": {"messageId": "1"}}"#,
            r#"{"notificationType": "Bounce", "bounce": "ann@example.com"}"#,
            &BOUNCE.replace("\"mail\"", "\"post\""),
            "{",
        ] {
            let error = reports(message).unwrap_err().to_string();
            assert!(error.starts_with("malformed"), "{error}");
            assert!(!error.contains("ann@"), "{error}");
        }
    }
}
