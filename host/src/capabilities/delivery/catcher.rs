//! For development: keeps what would be sent in a folder, and sends nothing.
//!
//! Per delivery, `<id>.json` tells what it is, and for an e-mail `<id>.eml` is the mail itself.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{Email, Error, Push, Receipt, SendEmail, SendPush, SendSms, Sms, id_of, mime};

/// Kept in memory for the page; older ones are on disk only.
const SHOWN_MAX: usize = 2_000;
const PROVIDER: &str = "catcher";

/// What was caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caught {
    pub id: String,
    /// `email`, `sms` or `push`.
    pub channel: String,
    pub idempotency_key: String,
    pub time: DateTime<Utc>,
    pub to: String,
    /// The name that it comes from, if not the host's.
    #[serde(default)]
    pub sender_name: Option<String>,
    pub reply_to: Option<String>,
    /// An e-mail's subject, a push notification's title.
    pub subject: Option<String>,
    pub text: String,
    pub html: Option<String>,
    pub attachments: Vec<CaughtAttachment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaughtAttachment {
    pub file_name: String,
    pub content_type: String,
    pub bytes: usize,
    /// If it is a text.
    pub text: Option<String>,
}

/// Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Catcher {
    folder: PathBuf,
    from: Mailbox,
    now: fn() -> DateTime<Utc>,
    shown: Arc<Mutex<Shown>>,
}

/// By time, then by id.
type Shown = BTreeMap<(DateTime<Utc>, String), Arc<Caught>>;

impl Catcher {
    /// Makes the folder if it is not there, and reads what earlier runs caught. Blocks.
    pub fn open(folder: &Path, from: &str, now: fn() -> DateTime<Utc>) -> anyhow::Result<Self> {
        let from = from
            .parse()
            .with_context(|| format!("the sender {from:?} is not an e-mail address"))?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
        let mut shown = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let caught =
                read(&path).with_context(|| format!("could not read {}", path.display()))?;
            show(&mut shown, caught);
        }
        Ok(Self {
            folder: folder.to_owned(),
            from,
            now,
            shown: Arc::new(Mutex::new(shown)),
        })
    }

    /// The newest first.
    pub fn list(&self) -> Vec<Arc<Caught>> {
        let shown = self
            .shown
            .lock()
            .expect("no one panics while holding the list");
        shown.values().rev().cloned().collect()
    }

    pub fn find(&self, id: &str) -> Option<Arc<Caught>> {
        self.list().into_iter().find(|caught| caught.id == id)
    }

    /// The file first, the list after: what the list shows is kept.
    async fn keep(&self, caught: Caught, mail: Option<Vec<u8>>) -> Result<Receipt, Error> {
        let catcher = self.clone();
        let keeping = move || -> std::io::Result<Receipt> {
            let receipt = Receipt {
                provider: PROVIDER.into(),
                provider_id: caught.id.clone(),
            };
            let path = catcher.folder.join(format!("{}.json", caught.id));
            if path.exists() {
                return Ok(receipt);
            }
            if let Some(mail) = mail {
                write(&catcher.folder, &path.with_extension("eml"), &mail)?;
            }
            let text = serde_json::to_vec_pretty(&caught)?;
            if write(&catcher.folder, &path, &text)? {
                let mut shown = catcher
                    .shown
                    .lock()
                    .expect("no one panics while holding the list");
                show(&mut shown, caught);
            }
            Ok(receipt)
        };
        tokio::task::spawn_blocking(keeping)
            .await
            .map_err(Error::unavailable)?
            .map_err(Error::unavailable)
    }
}

#[async_trait]
impl SendEmail for Catcher {
    async fn send(&self, email: &Email) -> Result<Receipt, Error> {
        let mail = mime::message(&self.from, email)?.formatted();
        let attachments = email.attachments.iter().map(|attachment| CaughtAttachment {
            file_name: attachment.file_name.clone(),
            content_type: attachment.content_type.clone(),
            bytes: attachment.content.len(),
            text: attachment
                .content_type
                .starts_with("text/")
                .then(|| String::from_utf8_lossy(&attachment.content).into_owned()),
        });
        let calendar = email.calendar.iter().map(|calendar| CaughtAttachment {
            file_name: mime::CALENDAR_FILE_NAME.into(),
            content_type: mime::calendar_type(calendar.method),
            bytes: calendar.content.len(),
            text: Some(calendar.content.clone()),
        });
        let caught = Caught {
            id: id_of("email", &email.idempotency_key),
            channel: "email".into(),
            idempotency_key: email.idempotency_key.clone(),
            time: (self.now)(),
            to: email.to.clone(),
            sender_name: email.sender_name.clone(),
            reply_to: email.reply_to.clone(),
            subject: Some(email.subject.clone()),
            text: email.text.clone(),
            html: email.html.clone(),
            attachments: calendar.chain(attachments).collect(),
        };
        self.keep(caught, Some(mail)).await
    }
}

#[async_trait]
impl SendSms for Catcher {
    async fn send(&self, sms: &Sms) -> Result<Receipt, Error> {
        let caught = Caught {
            id: id_of("sms", &sms.idempotency_key),
            channel: "sms".into(),
            idempotency_key: sms.idempotency_key.clone(),
            time: (self.now)(),
            to: sms.to.clone(),
            sender_name: None,
            reply_to: None,
            subject: None,
            text: sms.text.clone(),
            html: None,
            attachments: Vec::new(),
        };
        self.keep(caught, None).await
    }
}

#[async_trait]
impl SendPush for Catcher {
    async fn send(&self, push: &Push) -> Result<Receipt, Error> {
        let caught = Caught {
            id: id_of("push", &push.idempotency_key),
            channel: "push".into(),
            idempotency_key: push.idempotency_key.clone(),
            time: (self.now)(),
            to: push.to.clone(),
            sender_name: None,
            reply_to: None,
            subject: Some(push.title.clone()),
            text: push.text.clone(),
            html: None,
            attachments: Vec::new(),
        };
        self.keep(caught, None).await
    }
}

fn read(path: &Path) -> anyhow::Result<Caught> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn show(shown: &mut BTreeMap<(DateTime<Utc>, String), Arc<Caught>>, caught: Caught) {
    shown.insert((caught.time, caught.id.clone()), Arc::new(caught));
    if shown.len() > SHOWN_MAX {
        shown.pop_first();
    }
}

/// The whole file or none; `false` if it is there already.
fn write(folder: &Path, path: &Path, content: &[u8]) -> std::io::Result<bool> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}
