//! A secret that the sender puts into a header as it is.

use super::error::AuthError;
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// A header, and the values of it that one endpoint accepts: at least one, and two while a rotation is under way.
///
/// It proves as much as the secret is secret: nothing covers the body, and whoever reads one request can write the next.
/// These senders offer no more. The v1 value is the account's own API key, so these headers must stay out of every log.
#[derive(Debug)]
pub struct StaticHeader {
    name: &'static str,
    secrets: Vec<SecretString>,
}

impl StaticHeader {
    /// The header of Meeting BaaS v1 webhooks: the account's API key, echoed.
    pub const MEETINGBAAS_API_KEY: &'static str = "x-meeting-baas-api-key";

    /// The header of Meeting BaaS v2 callbacks: the `secret` of the bot's `callback_config`.
    pub const MEETINGBAAS_CALLBACK_SECRET: &'static str = "x-mb-secret";

    /// Takes the header's name and its accepted values, or `None` when there are none: an endpoint without a secret does
    /// not exist, and an empty text is no secret.
    #[must_use]
    pub fn new(name: &'static str, secrets: Vec<String>) -> Option<Self> {
        let secrets: Vec<_> = secrets.into_iter().filter(|s| !s.is_empty()).map(SecretString::from).collect();
        (!secrets.is_empty()).then_some(Self { name, secrets })
    }

    /// Digests are compared and not the values, so that neither their content nor their length shows in the time taken.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        let given = headers.get(self.name).ok_or(AuthError::MissingHeader)?.as_bytes().trim_ascii();
        if given.is_empty() {
            return Err(AuthError::Malformed);
        }
        let given = Sha256::digest(given);
        let matches = self.secrets.iter().fold(Choice::from(0), |found, secret| {
            found | Sha256::digest(secret.expose_secret()).as_slice().ct_eq(given.as_slice())
        });
        if bool::from(matches) { Ok(()) } else { Err(AuthError::Mismatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &str = StaticHeader::MEETINGBAAS_API_KEY;

    fn verify(header: &'static str, value: &[u8]) -> Result<(), AuthError> {
        let secrets = StaticHeader::new(NAME, vec!["new-key".into(), String::new(), "old-key".into()]).unwrap();
        secrets.check(&HeaderMap::from_iter([(header.parse().unwrap(), value.try_into().unwrap())]))
    }

    #[track_caller]
    fn check(name: &str, value: &[u8], expected: Result<(), AuthError>) {
        assert_eq!(verify("X-Meeting-Baas-Api-Key", value), expected, "{name}");
    }

    #[test]
    fn only_a_configured_value_of_the_header_is_accepted() {
        check("the current one", b"new-key", Ok(()));
        check("the one that is being retired", b"old-key", Ok(()));
        check("surrounding whitespace", b" new-key\t", Ok(()));
        check("another case", b"New-Key", Err(AuthError::Mismatch));
        check("a part", b"new-ke", Err(AuthError::Mismatch));
        check("more", b"new-key2", Err(AuthError::Mismatch));
        check("both", b"new-key,old-key", Err(AuthError::Mismatch));
        check("not ASCII", b"\xff\xfe", Err(AuthError::Mismatch));
        check("empty", b"", Err(AuthError::Malformed));
        check("blank", b"  ", Err(AuthError::Malformed));
        assert_eq!(verify(StaticHeader::MEETINGBAAS_CALLBACK_SECRET, b"new-key"), Err(AuthError::MissingHeader));
    }

    #[test]
    fn a_secret_that_is_listed_twice_is_accepted() {
        let secrets = StaticHeader::new(NAME, vec!["key".into(), "key".into()]).unwrap();
        assert_eq!(secrets.check(&HeaderMap::from_iter([(NAME.parse().unwrap(), "key".parse().unwrap())])), Ok(()));
    }

    #[test]
    fn no_secret_is_no_endpoint() {
        assert!(StaticHeader::new(NAME, vec![]).is_none());
        assert!(StaticHeader::new(NAME, vec![String::new()]).is_none());
    }

    #[test]
    fn secrets_are_never_printed() {
        let shown = format!("{:?}", StaticHeader::new(NAME, vec!["hunter2".into()]).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    proptest! {
        #[test]
        fn nothing_one_bit_away_is_accepted(bit in 0..7 * 8usize) {
            let mut value = b"new-key".to_vec();
            value[bit / 8] ^= 1 << (bit % 8);
            // Some of these cannot even be sent in a header.
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                prop_assert!(verify(NAME, value.as_bytes()).is_err());
            }
        }
    }
}
