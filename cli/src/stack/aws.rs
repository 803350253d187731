//! The connection to AWS, or to what stands in for it on this machine.

use crate::{escape, failure::Failure};
use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::{ProvideCredentials as _, error::CredentialsError};
use aws_sdk_dynamodb::{
    config::{Credentials, SharedAsyncSleep, SharedCredentialsProvider, SharedHttpClient},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_types::os_shim_internal::{Env, Fs};
use std::{borrow::Cow, error::Error, time::Duration};

/// How long one AWS call may take, over all its attempts.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clients' configuration, and enough to say in an error what they were talking to.
#[derive(Clone, Debug)]
pub struct Aws {
    pub config: SdkConfig,
    pub name: String,
    is_local: bool,
}

impl Aws {
    /// The local AWS. It takes any credentials, and must not get real ones.
    pub(super) fn local(endpoint_url: String, region: String) -> Self {
        let name = format!("the local stack at {endpoint_url}");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region))
            .endpoint_url(endpoint_url)
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "local")))
            .http_client(http_client())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .timeout_config(timeouts())
            .build();
        Self { config, name, is_local: true }
    }

    /// AWS, with credentials and region found as the AWS command line finds them.
    pub(super) async fn remote(region: Option<String>, profile: Option<String>) -> Result<Self, Failure> {
        check_profile(profile.clone()).await?;
        let mut loader =
            aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client()).timeout_config(timeouts());
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let Some(region) = config.region() else {
            let way_out = "give --region REGION, set AWS_REGION, or choose a --profile that has one";
            return Err(Failure::usage("no AWS region is set").help(way_out));
        };
        let name = match config.endpoint_url() {
            Some(endpoint) => format!("AWS at {endpoint}"),
            None => format!("AWS in {region}"),
        };
        let is_local = config.endpoint_url().is_some_and(is_here);
        if let Some(provider) = config.credentials_provider() {
            provider.provide_credentials().await.map_err(|error| no_credentials(&error))?;
        }
        Ok(Self { config, name, is_local })
    }

    /// A function URL in the form that leads there: that of a local AWS needs no DNS, because what was the host is in the path.
    pub(super) fn reachable(&self, function_url: &str) -> String {
        match (self.config.endpoint_url(), function_url.strip_prefix("https://")) {
            (Some(endpoint), Some(rest)) if self.is_local => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let id = host.split('.').next().unwrap_or_default();
                format!("{}/_aws/lambda-url/{id}/{path}", endpoint.trim_end_matches('/'))
            }
            _ => function_url.to_owned(),
        }
    }

    /// Whether it is what stands in for AWS on this machine.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// What to tell a person about a failed call.
    pub fn failure<E, R>(&self, doing: &str, error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let Some(code) = error.code() else {
            return self.unreachable(doing, error);
        };
        let message = error.message().unwrap_or("no message");
        let failure = Failure::new(format!("{doing} failed on {}: {code}: {message}", self.name));
        match code {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                failure.help("these credentials may not do that; --profile NAME chooses others")
            }
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => failure
                .help("the credentials have run out: sign in again (`aws sso login`), or choose another --profile"),
            "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidSignatureException" => {
                failure.help("AWS does not know these credentials; `aws sts get-caller-identity` shows whose they are")
            }
            "ResourceNotFoundException" if self.is_local => failure.help("`make up` deploys the stack again"),
            "ResourceNotFoundException" => failure.help("check --stack, --region and --profile"),
            _ => failure,
        }
    }

    fn unreachable(&self, doing: &str, error: &(dyn Error + 'static)) -> Failure {
        let causes = causes(error);
        let failure = Failure::new(format!("{doing} failed, no answer from {}: {causes}", self.name));
        failure.help(if self.is_local {
            "`make up` starts the local stack again"
        } else {
            "check network and credentials: `aws sts get-caller-identity`, --profile NAME, `aws sso login`"
        })
    }
}

/// An error with everything that caused it.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut causes = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !causes.ends_with(&text) {
            causes = format!("{causes}: {text}");
        }
        cause = error.source();
    }
    causes
}

/// Refuses a profile that nobody set up: the SDK would say that the region is missing. `None` is the one of the environment.
async fn check_profile(profile: Option<String>) -> Result<(), Failure> {
    let (fs, env, files) = (Fs::real(), Env::real(), Default::default());
    let profiles = aws_config::profile::load(&fs, &env, &files, profile.map(Cow::Owned)).await.map_err(|error| {
        Failure::usage(format!("the AWS profiles cannot be read: {}", causes(&error)))
            .help("correct ~/.aws/config and ~/.aws/credentials")
    })?;
    let selected = profiles.selected_profile();
    if selected == "default" || profiles.get_profile(selected).is_some() {
        return Ok(());
    }
    let known: Vec<_> = profiles.profiles().map(escape::text).collect();
    let known = if known.is_empty() { "no profile at all".to_owned() } else { known.join(", ") };
    Err(Failure::usage(format!("there is no AWS profile \"{}\"", escape::text(selected)))
        .help(format!("~/.aws/config and ~/.aws/credentials have {known}; `aws configure` sets one up")))
}

fn no_credentials(error: &CredentialsError) -> Failure {
    let why = match error {
        CredentialsError::CredentialsNotLoaded(_) => String::new(),
        error => format!(": {}", causes(error)),
    };
    Failure::usage(format!("no usable AWS credentials were found{why}"))
        .help("`aws sso login` signs in, `aws configure` enters keys, --profile NAME chooses a profile that has some")
}

/// Whether a URL leads to this machine, past any proxy.
pub fn is_here(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', ':', '?']).next().unwrap_or_default();
    host == "localhost" || host == "127.0.0.1" || host.ends_with(".localhost")
}

fn http_client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(PATIENCE).connect_timeout(Duration::from_secs(5)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_url_leads_to_where_the_function_is() {
        let of = |endpoint: &str| Aws {
            config: SdkConfig::builder().endpoint_url(endpoint).build(),
            name: String::new(),
            is_local: is_here(endpoint),
        };
        let url = "https://abc.lambda-url.us-east-1.on.aws/webhooks/meetstream";
        let local = "http://localhost:4566/_aws/lambda-url/abc/webhooks/meetstream";
        assert_eq!(of("http://localhost:4566").reachable(url), local);
        assert_eq!(of("http://localhost:4566").reachable(local), local);
        assert_eq!(of("https://vpce.example.com").reachable(url), url);
        assert!(!is_here("https://localhost.example.com/") && is_here("http://a.localhost:1?x"));
    }
}
