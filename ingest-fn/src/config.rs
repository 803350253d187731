//! The function's settings.

use crate::Endpoints;
use shared::{
    env::{self, ConfigError, Lookup},
    settings,
};

/// The settings that `template.yaml` gives the function.
#[derive(Debug)]
pub struct Config {
    pub queue_url: String,
    pub bucket_name: String,
    pub endpoints: Endpoints,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] for a missing queue or bucket, a weak token, an unresolved reference, or no credential for any endpoint: the
    /// function must not start half configured.
    pub fn from_env(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let mut endpoints = Endpoints::default();
        for (endpoint, auth) in settings::endpoints(lookup)? {
            endpoints.open(endpoint, auth);
        }
        Ok(Self {
            queue_url: env::required(lookup, "EVENTS_QUEUE_URL")?,
            bucket_name: env::required(lookup, "BUCKET_NAME")?,
            endpoints,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Endpoint;

    fn config(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let find = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::from_env(&find)
    }

    #[test]
    fn half_a_configuration_does_not_start() {
        let complete =
            [("EVENTS_QUEUE_URL", "http://queue"), ("BUCKET_NAME", "bucket"), ("MEETSTREAM_WEBHOOK_SECRETS", "s")];
        assert!(config(&complete).is_ok());
        let without = |name: &str| complete.iter().filter(|(known, _)| *known != name).copied().collect::<Vec<_>>();
        for name in ["EVENTS_QUEUE_URL", "BUCKET_NAME"] {
            assert_eq!(config(&without(name)).err(), Some(ConfigError::Missing(name)));
        }
        let invalid = |settings: &[_]| match config(settings) {
            Err(ConfigError::Invalid { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            invalid(&without("MEETSTREAM_WEBHOOK_SECRETS")),
            "MEETSTREAM_WEBHOOK_SECRETS",
            "no credential at all"
        );
        let weak = ("MEETSTREAM_CALLBACK_TOKENS", "weak");
        assert_eq!(invalid(&[&complete[..], &[weak]].concat()), weak.0, "a token that can be guessed");
    }

    #[test]
    fn every_endpoint_with_a_credential_is_open() {
        let settings = [
            ("EVENTS_QUEUE_URL", "http://queue"),
            ("BUCKET_NAME", "bucket"),
            ("MEETSTREAM_WEBHOOK_SECRETS", "s"),
            ("MEETINGBAAS_API_KEYS", "k"),
        ];
        let open = config(&settings).unwrap().endpoints;
        let open: Vec<_> = Endpoint::ALL.into_iter().filter(|endpoint| open.auth(*endpoint).is_some()).collect();
        assert_eq!(open, [Endpoint::MeetStream, Endpoint::MeetingBaasV1]);
    }
}
