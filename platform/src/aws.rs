//! Connections to AWS, from the environment that Lambda sets.

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use shared::env::{self, ConfigError, Lookup};
use std::time::Duration;

/// How long one AWS call may take, over all its attempts.
#[derive(Clone, Copy, Debug)]
pub struct CallBudget {
    pub total: Duration,
    pub attempt: Duration,
    /// The first attempt included.
    pub attempts: u32,
}

impl CallBudget {
    #[must_use]
    pub fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .operation_timeout(self.total)
            .operation_attempt_timeout(self.attempt)
            .connect_timeout(self.attempt)
            .build()
    }

    #[must_use]
    pub fn retries(self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(self.attempts).with_initial_backoff(Duration::from_millis(50))
    }
}

/// True if an answer to a call of S3 has an `ETag`, which S3 always sends. An answer of 200 without one comes from something
/// else on the way and proves nothing.
#[must_use]
pub fn is_from_s3(e_tag: Option<&str>) -> bool {
    e_tag.is_some()
}

/// The configuration for all clients of a function: region and credentials as Lambda sets them, TLS by ring, and
/// `AWS_ENDPOINT_URL` where it is set and not empty (the local AWS).
///
/// Credentials are fixed: Lambda replaces a sandbox before its credentials expire.
///
/// # Errors
/// [`ConfigError`] when a variable that Lambda always sets is missing.
pub fn connection(lookup: &impl Lookup, budget: CallBudget) -> Result<SdkConfig, ConfigError> {
    let credentials = Credentials::new(
        env::required(lookup, "AWS_ACCESS_KEY_ID")?,
        env::required(lookup, "AWS_SECRET_ACCESS_KEY")?,
        env::optional(lookup, "AWS_SESSION_TOKEN")?,
        None,
        "environment",
    );
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(env::required(lookup, "AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(budget.timeouts())
        .retry_config(budget.retries());
    config.set_endpoint_url(env::optional(lookup, "AWS_ENDPOINT_URL")?);
    Ok(config.build())
}

/// True if SQS refuses this very message, so that sending it again is useless. Unknown errors count as temporary.
#[must_use]
pub fn is_about_the_message(status: u16, code: Option<&str>) -> bool {
    status == 400 && matches!(code, Some("InvalidMessageContents" | "InvalidParameterValue" | "MissingParameter"))
}

/// Logs that a call to AWS failed and that the SDK does not try it again.
pub fn log_failure(operation: &'static str, error: &dyn std::error::Error) {
    tracing::error!(operation, error = causes(error), "an AWS call failed and is not tried again");
}

/// The messages of an error and its causes, for the log. The SDK's `DisplayErrorContext` is not used: its debug form may hold a
/// whole answer, and with it personal data.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: CallBudget =
        CallBudget { total: Duration::from_secs(4), attempt: Duration::from_secs(1), attempts: 3 };

    fn connect(endpoint: &str) -> Result<SdkConfig, ConfigError> {
        let lookup = |name: &str| match name {
            "AWS_REGION" => Some("eu-central-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
            "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
            _ => None,
        };
        connection(&lookup, BUDGET)
    }

    #[test]
    fn an_empty_endpoint_is_no_endpoint() {
        assert_eq!(connect("").unwrap().endpoint_url(), None);
        assert_eq!(connect("http://127.0.0.1:4566").unwrap().endpoint_url(), Some("http://127.0.0.1:4566"));
    }

    #[test]
    fn causes_are_told_without_their_debug_form() {
        #[derive(Debug)]
        struct Error(&'static str, Option<Box<Error>>);
        impl std::fmt::Display for Error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        impl std::error::Error for Error {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                self.1.as_deref().map(|cause| cause as _)
            }
        }
        let error = Error("dispatch failure", Some(Box::new(Error("io", Some(Box::new(Error("refused", None)))))));
        assert_eq!(causes(&error), "dispatch failure: io: refused");
    }

    #[test]
    fn what_lambda_always_sets_is_required() {
        assert_eq!(connection(&|_: &str| None, BUDGET).err(), Some(ConfigError::Missing("AWS_ACCESS_KEY_ID")));
    }
}
