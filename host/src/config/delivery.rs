//! Who takes messages, and how many.

use std::num::NonZeroU32;

use clap::Args;

use crate::capabilities::delivery::aws::Account;
use crate::capabilities::delivery::feedback::{Hosts, Trust};
use crate::capabilities::delivery::rates::Allowance;
use crate::capabilities::secret::Secret;

/// A region is named, and nobody who asks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoKeys;

/// What the operator says of it, besides the mail server. Names are Amazon's own where it has some.
#[derive(Debug, Clone, Default, Args)]
pub struct Delivery {
    /// The region whose Amazon SES takes mail, instead of a mail server: eu-central-1.
    #[arg(long, env = "SES_REGION")]
    pub ses_region: Option<String>,
    /// The configuration set of SES that mail is sent with: it says where bounces are told.
    #[arg(long, env = "SES_CONFIGURATION_SET")]
    pub ses_configuration_set: Option<String>,
    /// Where SES is, if not at the region's own address.
    #[arg(long, env = "SES_ENDPOINT_URL")]
    pub ses_endpoint_url: Option<String>,
    /// The region whose Amazon SNS takes text messages and push notifications.
    #[arg(long, env = "SNS_REGION")]
    pub sns_region: Option<String>,
    /// Shown as the sender of text messages, where a country has such a thing.
    #[arg(long, env = "SNS_SENDER_ID")]
    pub sns_sender_id: Option<String>,
    /// Where SNS is, if not at the region's own address.
    #[arg(long, env = "SNS_ENDPOINT_URL")]
    pub sns_endpoint_url: Option<String>,
    /// The key of the account at Amazon.
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    pub aws_access_key_id: Option<String>,
    /// Its secret.
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub aws_secret_access_key: Option<Secret>,
    /// The token of credentials that last for a time only.
    #[arg(long, env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    pub aws_session_token: Option<Secret>,
    /// The SNS topics whose bounces and complaints count: their ARNs, divided by commas.
    #[arg(long, env = "SNS_FEEDBACK_TOPICS", value_delimiter = ',')]
    pub sns_feedback_topics: Vec<String>,
    /// Where SNS's certificates are instead of sns.REGION.amazonaws.com, host:port. For tests.
    #[arg(long, env = "SNS_CERTIFICATE_HOST")]
    pub sns_certificate_host: Option<String>,
    /// Mails a second, of this host.
    #[arg(long, env = "EMAIL_PER_SECOND_MAX")]
    pub email_per_second_max: Option<NonZeroU32>,
    /// Mails a minute of each owner, of this host.
    #[arg(long, env = "EMAIL_OWNER_PER_MINUTE_MAX")]
    pub email_owner_per_minute_max: Option<NonZeroU32>,
    /// Text messages a second, of this host.
    #[arg(long, env = "SMS_PER_SECOND_MAX")]
    pub sms_per_second_max: Option<NonZeroU32>,
    /// Text messages a minute of each owner, of this host.
    #[arg(long, env = "SMS_OWNER_PER_MINUTE_MAX")]
    pub sms_owner_per_minute_max: Option<NonZeroU32>,
    /// Push notifications a second, of this host.
    #[arg(long, env = "PUSH_PER_SECOND_MAX")]
    pub push_per_second_max: Option<NonZeroU32>,
    /// Push notifications a minute of each owner, of this host.
    #[arg(long, env = "PUSH_OWNER_PER_MINUTE_MAX")]
    pub push_owner_per_minute_max: Option<NonZeroU32>,
}

impl Delivery {
    /// Who asks SES, where it is named.
    pub fn ses(&self) -> Option<Result<Account, NoKeys>> {
        let region = self.ses_region.as_ref()?;
        Some(self.account(region, self.ses_endpoint_url.as_ref()))
    }

    /// Who asks SNS, where it is named.
    pub fn sns(&self) -> Option<Result<Account, NoKeys>> {
        let region = self.sns_region.as_ref()?;
        Some(self.account(region, self.sns_endpoint_url.as_ref()))
    }

    fn account(&self, region: &str, endpoint_url: Option<&String>) -> Result<Account, NoKeys> {
        let keys = self
            .aws_access_key_id
            .clone()
            .zip(self.aws_secret_access_key.clone());
        let (access_key_id, secret_access_key) = keys.ok_or(NoKeys)?;
        Ok(Account {
            region: region.to_owned(),
            access_key_id,
            secret_access_key,
            session_token: self.aws_session_token.clone(),
            endpoint_url: endpoint_url.cloned(),
        })
    }

    pub fn email(&self) -> Allowance {
        Allowance {
            all_per_second_max: self.email_per_second_max,
            owner_per_minute_max: self.email_owner_per_minute_max,
        }
    }

    pub fn sms(&self) -> Allowance {
        Allowance {
            all_per_second_max: self.sms_per_second_max,
            owner_per_minute_max: self.sms_owner_per_minute_max,
        }
    }

    pub fn push(&self) -> Allowance {
        Allowance {
            all_per_second_max: self.push_per_second_max,
            owner_per_minute_max: self.push_owner_per_minute_max,
        }
    }

    /// Whose reports count; `authorities` are those of outbound HTTPS.
    pub fn trust(&self, authorities: Option<Vec<u8>>) -> Trust {
        Trust {
            topics: self.sns_feedback_topics.clone(),
            hosts: match &self.sns_certificate_host {
                Some(host) => Hosts::Only(host.clone()),
                None => Hosts::Amazons,
            },
            authorities,
        }
    }
}
