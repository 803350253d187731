//! The function's settings.

use crate::Endpoints;
use shared::{
    Endpoint,
    auth::{AuthMode, PathTokens, SignatureSecrets, TimestampWindow},
    env::{self, ConfigError, Lookup},
};
use std::time::Duration;

const SECRETS: &str = "MEETSTREAM_WEBHOOK_SECRETS";
const TOKENS: &str = "MEETSTREAM_CALLBACK_TOKENS";
const TOLERANCE: &str = "MEETSTREAM_TIMESTAMP_TOLERANCE_SECONDS";

/// What `template.yaml` tells the function.
#[derive(Debug)]
pub struct Config {
    /// The queue that takes the deliveries.
    pub queue_url: String,
    /// The endpoints that exist, each with its way of proof.
    pub endpoints: Endpoints,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] for a missing queue, a weak token, an unresolved reference, or no credential for any endpoint: the
    /// function must not start half configured.
    pub fn from_env(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let mut endpoints = Endpoints::default();
        if let Some(secrets) = SignatureSecrets::new(env::list(lookup, SECRETS)?) {
            let tolerance = env::number(lookup, TOLERANCE, 0, 0..=86_400)?;
            let window = (tolerance > 0).then(|| TimestampWindow(Duration::from_secs(tolerance.into())));
            endpoints.open(Endpoint::MeetStream, AuthMode::MeetStreamSignature { secrets, window });
        }
        let tokens = PathTokens::new(env::list(lookup, TOKENS)?)
            .map_err(|weak| ConfigError::Invalid { name: TOKENS, reason: weak.to_string() })?;
        if let Some(tokens) = tokens {
            endpoints.open(Endpoint::MeetStreamCallback, AuthMode::PathToken(tokens));
        }
        if endpoints.is_empty() {
            let reason = format!("neither it nor {TOKENS} is set, so no endpoint would exist");
            return Err(ConfigError::Invalid { name: SECRETS, reason });
        }
        Ok(Self { queue_url: env::required(lookup, "EVENTS_QUEUE_URL")?, endpoints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a-token-of-22-characters";

    fn config(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let find = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_env(&find)
    }

    #[track_caller]
    fn opens(settings: &[(&str, &str)], expected: &[Endpoint]) {
        let mut settings = settings.to_vec();
        settings.push(("EVENTS_QUEUE_URL", "http://queue"));
        let config = config(&settings).unwrap();
        let open: Vec<_> = Endpoint::ALL.into_iter().filter(|e| config.endpoints.auth(*e).is_some()).collect();
        assert_eq!(open, expected, "{settings:?}");
    }

    #[test]
    fn an_endpoint_exists_only_with_a_credential() {
        opens(&[(SECRETS, "s")], &[Endpoint::MeetStream]);
        opens(&[(SECRETS, "new,old"), (TOKENS, " ")], &[Endpoint::MeetStream]);
        opens(&[(TOKENS, TOKEN)], &[Endpoint::MeetStreamCallback]);
        opens(&[(SECRETS, "s"), (TOKENS, TOKEN)], &[Endpoint::MeetStream, Endpoint::MeetStreamCallback]);
    }

    #[test]
    fn half_a_configuration_does_not_start() {
        let queue = ("EVENTS_QUEUE_URL", "http://queue");
        assert!(config(&[queue]).is_err(), "no credential at all");
        assert!(config(&[queue, (SECRETS, ""), (TOKENS, ",")]).is_err(), "empty credentials");
        assert!(config(&[queue, (TOKENS, "weak")]).is_err(), "a token that can be guessed");
        assert!(config(&[queue, (SECRETS, "{{resolve:secretsmanager:x}}")]).is_err(), "an unresolved reference");
        assert!(config(&[queue, (SECRETS, "s"), (TOLERANCE, "soon")]).is_err(), "an odd tolerance");
        assert_eq!(config(&[(SECRETS, "s")]).err(), Some(ConfigError::Missing("EVENTS_QUEUE_URL")));
    }
}
