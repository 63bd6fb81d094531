//! Amazon's services, through its own SDK, over the HTTP client that the host has anyway.

mod http;
pub mod ses;
pub mod sns;

use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_types::SdkConfig;

use super::Error;
use crate::capabilities::secret::Secret;

/// Where nobody says how long to wait. Amazon counts by the second.
const PAUSE: Duration = Duration::from_secs(1);

/// Who asks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `eu-central-1`
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// Of credentials that last for a time only.
    pub session_token: Option<Secret>,
    /// Another address than the region's own.
    pub endpoint_url: Option<String>,
}

impl Account {
    /// The SDK tries once: when to try again, the component decides.
    fn config(&self) -> anyhow::Result<SdkConfig> {
        let credentials = Credentials::new(
            &self.access_key_id,
            &self.secret_access_key.0,
            self.session_token.clone().map(|token| token.0),
            None,
            "settings",
        );
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(http::client()?);
        config.set_endpoint_url(self.endpoint_url.clone());
        Ok(config.build())
    }
}

/// What a service answered instead of taking it.
struct Refusal {
    status: u16,
    /// `Throttling`
    code: String,
    /// May name the recipient: it is looked at, and never passed on.
    message: String,
}

impl Refusal {
    /// What holds for all services alike; an error where no service answered.
    fn of<E>(error: SdkError<E, HttpResponse>) -> Result<Self, Error>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let SdkError::ServiceError(answer) = &error else {
            return Err(Error::unavailable(error));
        };
        let refusal = Self {
            status: answer.raw().status().as_u16(),
            code: answer.err().code().unwrap_or("unknown").to_owned(),
            message: answer.err().message().unwrap_or_default().to_owned(),
        };
        match refusal.of_all_services() {
            Some(error) => Err(error),
            None => Ok(refusal),
        }
    }

    fn of_all_services(&self) -> Option<Error> {
        let Self { status, code, .. } = self;
        match &code[..] {
            "Throttling"
            | "ThrottlingException"
            | "Throttled"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "LimitExceededException"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "SlowDown" => Some(Error::Throttled(PAUSE)),
            _ if *status == 429 => Some(Error::Throttled(PAUSE)),
            _ if *status >= 500 => Some(self.unavailable("answered")),
            // Who we are is not accepted: not the message's fault, so it must not be lost.
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "AuthorizationErrorException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "MissingAuthenticationToken"
            | "OptInRequired"
            | "RequestExpired"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => Some(self.unavailable("wants other credentials")),
            _ if matches!(status, 401 | 403) => Some(self.unavailable("wants other credentials")),
            _ => None,
        }
    }

    fn unavailable(&self, what: &str) -> Error {
        Error::unavailable(format!("the service {what}: {} {}", self.status, self.code))
    }

    fn rejected(&self) -> Error {
        Error::Rejected(format!(
            "the service answered {} {}",
            self.status, self.code
        ))
    }

    fn bad_address(&self) -> Error {
        Error::BadAddress(format!("the service refuses the recipient: {}", self.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of the class that a refusal falls into.
    fn class(error: &Error) -> &'static str {
        match error {
            Error::BadAddress(_) => "bad address",
            Error::Rejected(_) => "rejected",
            Error::Throttled(_) => "throttled",
            Error::Unavailable(_) => "unavailable",
        }
    }

    #[test]
    fn what_a_service_answers_says_what_to_do() {
        let ses: fn(&Refusal) -> Error = ses::classify;
        let sns: fn(&Refusal) -> Error = sns::classify;
        let cases = [
            (ses, 429, "TooManyRequestsException", "", "throttled"),
            (ses, 400, "LimitExceededException", "", "throttled"),
            (ses, 503, "ServiceUnavailable", "", "unavailable"),
            (ses, 403, "SignatureDoesNotMatch", "", "unavailable"),
            (ses, 400, "SendingPausedException", "", "unavailable"),
            (ses, 400, "AccountSuspendedException", "", "unavailable"),
            (
                ses,
                400,
                "MailFromDomainNotVerifiedException",
                "",
                "unavailable",
            ),
            (ses, 404, "NotFoundException", "", "unavailable"),
            (
                ses,
                400,
                "MessageRejected",
                "Email address is not verified. The following identities failed: a@b.c",
                "unavailable",
            ),
            (
                ses,
                400,
                "MessageRejected",
                "Invalid content: ann@example.com",
                "rejected",
            ),
            (
                ses,
                400,
                "BadRequestException",
                "Missing final '@domain'",
                "bad address",
            ),
            (
                ses,
                400,
                "BadRequestException",
                "something else",
                "rejected",
            ),
            (sns, 400, "Throttled", "", "throttled"),
            (sns, 400, "InvalidClientTokenId", "", "unavailable"),
            (sns, 403, "AuthorizationError", "", "unavailable"),
            (sns, 500, "InternalError", "", "unavailable"),
            (sns, 400, "EndpointDisabled", "", "bad address"),
            (sns, 404, "NotFound", "", "bad address"),
            (sns, 400, "PlatformApplicationDisabled", "", "unavailable"),
            (
                sns,
                400,
                "InvalidParameter",
                "Invalid parameter: PhoneNumber Reason: +4989123 is not valid to publish to",
                "bad address",
            ),
            (
                sns,
                400,
                "InvalidParameter",
                "Invalid parameter: Message too long",
                "rejected",
            ),
        ];
        for (classify, status, code, message, expected) in cases {
            let refusal = Refusal {
                status,
                code: code.into(),
                message: message.into(),
            };
            let error = refusal
                .of_all_services()
                .unwrap_or_else(|| classify(&refusal));
            assert_eq!(class(&error), expected, "{status} {code} {message}");
            let text = format!("{error:?}");
            assert!(!text.contains("ann@") && !text.contains("+49"), "{text}");
        }
    }
}
