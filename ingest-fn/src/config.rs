//! The function's settings.

use crate::Endpoints;
use shared::{
    Endpoint,
    auth::{AuthMode, PathTokens, SignatureSecrets, StaticHeader, SvixKeys, TimestampWindow},
    env::{self, ConfigError, Lookup},
};
use std::time::Duration;

const MEETSTREAM_SECRETS: &str = "MEETSTREAM_WEBHOOK_SECRETS";
const MEETSTREAM_TOKENS: &str = "MEETSTREAM_CALLBACK_TOKENS";
const MEETSTREAM_TOLERANCE: &str = "MEETSTREAM_TIMESTAMP_TOLERANCE_SECONDS";
const MEETINGBAAS_API_KEYS: &str = "MEETINGBAAS_API_KEYS";
const MEETINGBAAS_SVIX_SECRETS: &str = "MEETINGBAAS_SVIX_SECRETS";
const MEETINGBAAS_CALLBACK_SECRETS: &str = "MEETINGBAAS_CALLBACK_SECRETS";
const MEETINGBAAS_LEGACY_SECRETS: &str = "MEETINGBAAS_LEGACY_SECRETS";

/// What `template.yaml` tells the function.
#[derive(Debug)]
pub struct Config {
    /// The queue that takes the deliveries.
    pub queue_url: String,
    /// The bucket that takes what the queue does not.
    pub bucket_name: String,
    /// The endpoints that exist, each with its way of proof.
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
        for endpoint in Endpoint::ALL {
            if let Some(auth) = auth_of(endpoint, lookup)? {
                endpoints.open(endpoint, auth);
            }
        }
        if endpoints.is_empty() {
            let reason = "neither it nor any other credential is set, so no endpoint would exist".to_owned();
            return Err(ConfigError::Invalid { name: MEETSTREAM_SECRETS, reason });
        }
        Ok(Self {
            queue_url: env::required(lookup, "EVENTS_QUEUE_URL")?,
            bucket_name: env::required(lookup, "BUCKET_NAME")?,
            endpoints,
        })
    }
}

/// The one way of proof of an endpoint, with every credential that is configured for it; `None` if there is none.
fn auth_of(endpoint: Endpoint, lookup: &impl Lookup) -> Result<Option<AuthMode>, ConfigError> {
    Ok(match endpoint {
        Endpoint::MeetStream => {
            let tolerance = env::number(lookup, MEETSTREAM_TOLERANCE, 0, 0..=86_400)?;
            let window = (tolerance > 0).then(|| TimestampWindow(Duration::from_secs(tolerance.into())));
            let secrets = SignatureSecrets::new(env::list(lookup, MEETSTREAM_SECRETS)?);
            secrets.map(|secrets| AuthMode::MeetStreamSignature { secrets, window })
        }
        Endpoint::MeetStreamCallback => PathTokens::new(env::list(lookup, MEETSTREAM_TOKENS)?)
            .map_err(|weak| ConfigError::Invalid { name: MEETSTREAM_TOKENS, reason: weak.to_string() })?
            .map(AuthMode::PathToken),
        Endpoint::MeetingBaasV1 => {
            StaticHeader::new(StaticHeader::MEETINGBAAS_API_KEY, env::list(lookup, MEETINGBAAS_API_KEYS)?)
                .map(AuthMode::StaticHeader)
        }
        Endpoint::MeetingBaasV2 => SvixKeys::new(env::list(lookup, MEETINGBAAS_SVIX_SECRETS)?)
            .map_err(|odd| ConfigError::Invalid { name: MEETINGBAAS_SVIX_SECRETS, reason: odd.to_string() })?
            .map(AuthMode::Svix),
        Endpoint::MeetingBaasCallback => StaticHeader::new(
            StaticHeader::MEETINGBAAS_CALLBACK_SECRET,
            env::list(lookup, MEETINGBAAS_CALLBACK_SECRETS)?,
        )
        .map(AuthMode::StaticHeader),
        Endpoint::MeetingBaasLegacy => {
            SignatureSecrets::new(env::list(lookup, MEETINGBAAS_LEGACY_SECRETS)?).map(AuthMode::MeetingBaasSignature)
        }
    })
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
        settings.extend([("EVENTS_QUEUE_URL", "http://queue"), ("BUCKET_NAME", "bucket")]);
        let config = config(&settings).unwrap();
        let open: Vec<_> = Endpoint::ALL.into_iter().filter(|e| config.endpoints.auth(*e).is_some()).collect();
        assert_eq!(open, expected, "{settings:?}");
    }

    #[test]
    fn an_endpoint_exists_only_with_a_credential() {
        opens(&[(MEETSTREAM_SECRETS, "s")], &[Endpoint::MeetStream]);
        opens(&[(MEETSTREAM_SECRETS, "new,old"), (MEETSTREAM_TOKENS, " ")], &[Endpoint::MeetStream]);
        opens(&[(MEETSTREAM_TOKENS, TOKEN)], &[Endpoint::MeetStreamCallback]);
        opens(
            &[(MEETSTREAM_SECRETS, "s"), (MEETSTREAM_TOKENS, TOKEN)],
            &[Endpoint::MeetStream, Endpoint::MeetStreamCallback],
        );
        opens(&[(MEETINGBAAS_API_KEYS, "key")], &[Endpoint::MeetingBaasV1]);
        opens(&[(MEETINGBAAS_SVIX_SECRETS, "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0,c2Vjb25k")], &[Endpoint::MeetingBaasV2]);
        opens(&[(MEETINGBAAS_CALLBACK_SECRETS, "s")], &[Endpoint::MeetingBaasCallback]);
        opens(&[(MEETINGBAAS_LEGACY_SECRETS, "s")], &[Endpoint::MeetingBaasLegacy]);
        let all = [
            (MEETSTREAM_SECRETS, "s"),
            (MEETSTREAM_TOKENS, TOKEN),
            (MEETINGBAAS_API_KEYS, "s"),
            (MEETINGBAAS_SVIX_SECRETS, "c2VjcmV0"),
            (MEETINGBAAS_CALLBACK_SECRETS, "s"),
            (MEETINGBAAS_LEGACY_SECRETS, "s"),
        ];
        opens(&all, &Endpoint::ALL);
    }

    #[test]
    fn half_a_configuration_does_not_start() {
        let queue = ("EVENTS_QUEUE_URL", "http://queue");
        assert!(config(&[queue]).is_err(), "no credential at all");
        assert!(config(&[queue, (MEETSTREAM_SECRETS, ""), (MEETSTREAM_TOKENS, ",")]).is_err(), "empty credentials");
        assert!(config(&[queue, (MEETSTREAM_TOKENS, "weak")]).is_err(), "a token that can be guessed");
        assert!(config(&[queue, (MEETINGBAAS_SVIX_SECRETS, "not base64!")]).is_err(), "a key that is none");
        assert!(
            config(&[queue, (MEETSTREAM_SECRETS, "{{resolve:secretsmanager:x}}")]).is_err(),
            "an unresolved reference"
        );
        assert!(
            config(&[queue, (MEETSTREAM_SECRETS, "s"), (MEETSTREAM_TOLERANCE, "soon")]).is_err(),
            "an odd tolerance"
        );
        let bucket = ("BUCKET_NAME", "bucket");
        let secret = (MEETSTREAM_SECRETS, "s");
        assert_eq!(config(&[secret, bucket]).err(), Some(ConfigError::Missing("EVENTS_QUEUE_URL")));
        assert_eq!(config(&[secret, queue]).err(), Some(ConfigError::Missing("BUCKET_NAME")));
    }
}
