//! What the development mail catcher caught: `/dev/mail.json`.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::{Api, eventually};

/// A mail whose host was killed in mid-send is sent again only once the claim is nobody's.
const MAIL_WITHIN: Duration = Duration::from_secs(180);

#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    pub channel: String,
    pub to: String,
    #[serde(default)]
    pub subject: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub html: Option<String>,
    #[serde(default)]
    pub reply_to: Option<String>,
}

/// All mail to an address so far, the newest first.
pub async fn to(api: &Api, address: &str) -> Vec<Mail> {
    let caught = api.get("/dev/mail.json").await.expect(200);
    let caught: Vec<Mail> = serde_json::from_value(caught.json()).expect("a list of mail");
    caught
        .into_iter()
        .filter(|mail| mail.channel == "email" && mail.to.contains(address))
        .collect()
}

/// All mail to an address that a host ever caught, also what it shows no more.
///
/// # Panics
/// If the folder can't be read.
pub fn kept_in(folder: &Path, address: &str) -> Vec<Mail> {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of caught mail") {
        let path = entry.expect("a file of it").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let mail = std::fs::read(&path).expect("a mail");
            let mail: Mail = serde_json::from_slice(&mail).expect("a mail");
            kept.push(mail);
        }
    }
    kept.retain(|mail| mail.channel == "email" && mail.to.contains(address));
    kept
}

/// Waits until there are that many to an address, and gives the newest.
///
/// # Panics
/// If there are more, or not as many in time.
pub async fn wait_for(api: &Api, address: &str, count: usize) -> Mail {
    let what = format!("{count} mails to {address}");
    eventually(MAIL_WITHIN, &what, async || {
        let mut mails = to(api, address).await;
        assert!(
            mails.len() <= count,
            "too many mails to {address}: {mails:#?}"
        );
        if mails.len() < count {
            return Err(format!("{} mails", mails.len()));
        }
        Ok(mails.swap_remove(0))
    })
    .await
}
