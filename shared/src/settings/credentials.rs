//! The credentials by which senders prove themselves.

use super::MEETINGBAAS_API_KEYS;
use crate::{
    Endpoint,
    auth::{AuthMode, PathTokens, SignatureSecrets, StaticHeader, SvixKeys, TimestampWindow},
    env::{self, ConfigError, Lookup},
};
use std::time::Duration;

const MEETSTREAM_SECRETS: &str = "MEETSTREAM_WEBHOOK_SECRETS";
const MEETSTREAM_TOKENS: &str = "MEETSTREAM_CALLBACK_TOKENS";
const MEETSTREAM_TOLERANCE: &str = "MEETSTREAM_TIMESTAMP_TOLERANCE_SECONDS";
const MEETINGBAAS_SVIX_SECRETS: &str = "MEETINGBAAS_SVIX_SECRETS";
const MEETINGBAAS_CALLBACK_SECRETS: &str = "MEETINGBAAS_CALLBACK_SECRETS";

/// The shortest secret that we take where the user makes it up, in bytes: 16 random hexadecimal digits are 64 bits.
const LEAST_SECRET_BYTES: usize = 16;
const MEETINGBAAS_LEGACY_SECRETS: &str = "MEETINGBAAS_LEGACY_SECRETS";

/// Reads which endpoints exist, each with its one way of proof and every credential that is configured for it.
///
/// # Errors
/// [`ConfigError`] for a weak token, a malformed key, an unresolved reference, or no credential for any endpoint.
pub fn endpoints(lookup: &impl Lookup) -> Result<Vec<(Endpoint, AuthMode)>, ConfigError> {
    let mut open = Vec::new();
    for endpoint in Endpoint::ALL {
        open.extend(auth_of(endpoint, lookup)?.map(|auth| (endpoint, auth)));
    }
    if open.is_empty() {
        let reason =
            "no credential of any provider is set, so every route would answer 404: set this one or another".to_owned();
        return Err(ConfigError::Invalid { name: MEETSTREAM_SECRETS, reason });
    }
    Ok(open)
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
        Endpoint::MeetingBaasCallback => {
            let secrets = env::list(lookup, MEETINGBAAS_CALLBACK_SECRETS)?;
            if secrets.iter().any(|secret| secret.len() < LEAST_SECRET_BYTES) {
                let reason = format!(
                    "a callback secret needs at least {LEAST_SECRET_BYTES} characters: whoever guesses it can have data deleted"
                );
                return Err(ConfigError::Invalid { name: MEETINGBAAS_CALLBACK_SECRETS, reason });
            }
            StaticHeader::new(StaticHeader::MEETINGBAAS_CALLBACK_SECRET, secrets).map(AuthMode::StaticHeader)
        }
        Endpoint::MeetingBaasLegacy => {
            SignatureSecrets::new(env::list(lookup, MEETINGBAAS_LEGACY_SECRETS)?).map(AuthMode::MeetingBaasSignature)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a-token-of-22-characters";

    fn read(settings: &[(&str, &str)]) -> Result<Vec<Endpoint>, ConfigError> {
        let find = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        endpoints(&find).map(|open| open.into_iter().map(|(endpoint, _)| endpoint).collect())
    }

    #[track_caller]
    fn opens(settings: &[(&str, &str)], expected: &[Endpoint]) {
        assert_eq!(read(settings).unwrap(), expected, "{settings:?}");
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
        opens(&[(MEETINGBAAS_CALLBACK_SECRETS, "a-secret-of-many-letters")], &[Endpoint::MeetingBaasCallback]);
        opens(&[(MEETINGBAAS_LEGACY_SECRETS, "s")], &[Endpoint::MeetingBaasLegacy]);
        let all = [
            (MEETSTREAM_SECRETS, "s"),
            (MEETSTREAM_TOKENS, TOKEN),
            (MEETINGBAAS_API_KEYS, "s"),
            (MEETINGBAAS_SVIX_SECRETS, "c2VjcmV0"),
            (MEETINGBAAS_CALLBACK_SECRETS, "a-secret-of-many-letters"),
            (MEETINGBAAS_LEGACY_SECRETS, "s"),
        ];
        opens(&all, &Endpoint::ALL);
    }

    #[test]
    fn unusable_credentials_are_refused_by_name_and_never_shown() {
        for (settings, named) in [
            (vec![], MEETSTREAM_SECRETS),
            (vec![(MEETSTREAM_SECRETS, ""), (MEETSTREAM_TOKENS, ",")], MEETSTREAM_SECRETS),
            (vec![(MEETSTREAM_TOKENS, "weak")], MEETSTREAM_TOKENS),
            (vec![(MEETINGBAAS_CALLBACK_SECRETS, "a-secret-of-many-letters,weak")], MEETINGBAAS_CALLBACK_SECRETS),
            (vec![(MEETINGBAAS_SVIX_SECRETS, "not base64!")], MEETINGBAAS_SVIX_SECRETS),
            (vec![(MEETSTREAM_SECRETS, "{{resolve:secretsmanager:x}}")], MEETSTREAM_SECRETS),
            (vec![(MEETSTREAM_SECRETS, "s"), (MEETSTREAM_TOLERANCE, "soon")], MEETSTREAM_TOLERANCE),
        ] {
            let error = read(&settings).unwrap_err();
            assert!(matches!(&error, ConfigError::Invalid { name, .. } if *name == named), "{settings:?}: {error}");
            assert!(!["weak", "not base64!", "secretsmanager"].iter().any(|value| error.to_string().contains(value)));
        }
    }
}
