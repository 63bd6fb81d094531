//! Who takes messages, and who hears what became of them.

use std::sync::Arc;

use anyhow::Context as _;

use super::{certificates, in_outbound_ca};
use crate::capabilities::Capability;
use crate::capabilities::delivery::aws::ses::Ses;
use crate::capabilities::delivery::aws::sns::Sns;
use crate::capabilities::delivery::catcher::Catcher;
use crate::capabilities::delivery::feedback::Feedback;
use crate::capabilities::delivery::rates::Rates;
use crate::capabilities::delivery::smtp::Smtp;
use crate::capabilities::delivery::{
    EmailChannel, PushChannel, SendEmail, SendPush, SendSms, SmsChannel,
};
use crate::cli::settings::{Email, Settings};
use crate::clock;
use crate::config::Config;

const MAIL_FOLDER: &str = "mail";

#[derive(Default)]
pub struct Channels {
    pub channels: Vec<Arc<dyn Capability>>,
    /// In development, who keeps what nobody was named for.
    pub catcher: Option<Arc<Catcher>>,
}

impl Channels {
    pub fn new(config: &Config, settings: &Settings, development: bool) -> anyhow::Result<Self> {
        let Some(email) = &settings.email else {
            return Ok(Self::default());
        };
        let catcher = if development {
            let folder = config.data_dir.join(MAIL_FOLDER);
            let catcher = Catcher::open(&folder, &config.mail_from, clock::now)?;
            Some(Arc::new(catcher))
        } else {
            None
        };
        let authorities = certificates(config)?;
        let email: Option<Arc<dyn SendEmail>> = match email {
            Email::Smtp(url) => {
                let smtp = Smtp::new(url, &config.mail_from, authorities.as_deref());
                Some(Arc::new(smtp?))
            }
            Email::Ses(account) => {
                let set = config.delivery.ses_configuration_set.clone();
                Some(Arc::new(Ses::new(account, &config.mail_from, set)?))
            }
            Email::Caught => catcher.clone().map(|catcher| catcher as _),
        };
        let sns = settings.sns.as_ref();
        let sns = sns.map(|account| Sns::new(account, config.delivery.sns_sender_id.clone()));
        let sns = sns.transpose()?.map(Arc::new);
        let sms: Option<Arc<dyn SendSms>> = match (&sns, &catcher) {
            (Some(sns), _) => Some(Arc::clone(sns) as _),
            (None, catcher) => catcher.clone().map(|catcher| catcher as _),
        };
        let push: Option<Arc<dyn SendPush>> = match (sns, &catcher) {
            (Some(sns), _) => Some(sns),
            (None, catcher) => catcher.clone().map(|catcher| catcher as _),
        };
        let feedback = Feedback::new(config.delivery.trust(authorities));
        let feedback = feedback.with_context(|| in_outbound_ca(config))?;
        let mut channels: Vec<Arc<dyn Capability>> = vec![
            Arc::new(SmsChannel::new(sms, Rates::new(config.delivery.sms()))),
            Arc::new(PushChannel::new(push, Rates::new(config.delivery.push()))),
            Arc::new(feedback),
        ];
        if let Some(email) = email {
            channels.push(Arc::new(EmailChannel::new(
                email,
                Rates::new(config.delivery.email()),
            )));
        }
        Ok(Self { channels, catcher })
    }
}
