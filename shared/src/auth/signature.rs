//! HMAC-SHA256 in hexadecimal over the raw body: `X-MeetStream-Signature` and `X-MeetingBaas-Signature`.

use super::error::AuthError;
use crate::time::OccurredAt;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::{fmt, time::Duration};

const TIMESTAMP_HEADER: &str = "x-meetstream-timestamp";
const DIGEST_BYTES: usize = 32;

/// Where a sender puts its signature, and how it writes it.
#[derive(Clone, Copy, Debug)]
pub struct SignatureHeader {
    name: &'static str,
    optional_prefix: &'static [u8],
}

impl SignatureHeader {
    /// `MeetStream`'s: with `sha256=` or without, since both official SDKs accept both.
    pub const MEETSTREAM: Self = Self { name: "x-meetstream-signature", optional_prefix: b"sha256=" };

    /// The one that the web page of Meeting BaaS describes: digits alone.
    pub const MEETINGBAAS: Self = Self { name: "x-meetingbaas-signature", optional_prefix: b"" };

    /// The signature in it, in either case, with surrounding whitespace.
    fn read(self, headers: &HeaderMap) -> Result<[u8; DIGEST_BYTES], AuthError> {
        let given = headers.get(self.name).ok_or(AuthError::MissingHeader)?.as_bytes().trim_ascii();
        let digits = match given.split_at_checked(self.optional_prefix.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(self.optional_prefix) => rest.trim_ascii(),
            _ => given,
        };
        let mut signature = [0; DIGEST_BYTES];
        hex::decode_to_slice(digits, &mut signature).map_err(|_| AuthError::Malformed)?;
        Ok(signature)
    }
}

/// One secret that signs bodies. It cannot be printed or serialised.
#[derive(Clone)]
pub struct SigningSecret(SecretString);

impl SigningSecret {
    /// Takes the secret as the sender's dashboard shows it; its UTF-8 bytes are the key.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(SecretString::from(secret))
    }

    fn signs(&self, body: &[u8], signature: &[u8]) -> bool {
        // HMAC takes keys of any length, so there is always a MAC; without one nothing would be accepted.
        Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes())
            .is_ok_and(|mac| mac.chain_update(body).verify_slice(signature).is_ok())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// The secrets of one endpoint: at least one, and two while a rotation is under way.
#[derive(Debug)]
pub struct SignatureSecrets(Vec<SigningSecret>);

impl SignatureSecrets {
    /// Takes the secrets, or `None` when there are none: an endpoint without a secret does not exist.
    #[must_use]
    pub fn new(secrets: Vec<String>) -> Option<Self> {
        (!secrets.is_empty()).then(|| Self(secrets.into_iter().map(SigningSecret::new).collect()))
    }

    /// Accepts what one of the secrets signed, in the form of this header.
    pub(super) fn check(&self, header: SignatureHeader, headers: &HeaderMap, body: &[u8]) -> Result<(), AuthError> {
        let signature = header.read(headers)?;
        // Every secret is tried, whichever matches, so that the time taken does not tell which one did.
        let matches = self.0.iter().filter(|secret| secret.signs(body, &signature)).count();
        if matches > 0 { Ok(()) } else { Err(AuthError::Mismatch) }
    }
}

/// How far `X-MeetStream-Timestamp` may be from our clock, in either direction.
///
/// The header is outside the signature, so this stops no one who replays a captured body under a fresh header. It only
/// narrows what an unaltered replay can do; the real defence is that every delivery key takes effect once.
#[derive(Clone, Copy, Debug)]
pub struct TimestampWindow(pub Duration);

impl TimestampWindow {
    pub(super) fn check(self, headers: &HeaderMap, now: i64) -> Result<(), AuthError> {
        let given = headers.get(TIMESTAMP_HEADER).ok_or(AuthError::MissingHeader)?;
        let sent = given.to_str().ok().and_then(|text| OccurredAt::parse(text).ok()).ok_or(AuthError::Malformed)?;
        let distance = Duration::from_millis(now.abs_diff(sent.moment().as_millisecond()));
        if distance > self.0 { Err(AuthError::Expired) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AuthMode, Credentials};
    use proptest::prelude::*;

    const SIGNATURE_HEADER: &str = SignatureHeader::MEETSTREAM.name;
    const BODY: &[u8] = br#"{"event":"bot.joining"}"#;
    /// 2026-10-05T14:55:02Z.
    const NOW: i64 = 1_791_212_102_000;

    fn sign(secret: &str, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
        hex::encode(mac.finalize().into_bytes())
    }

    fn verify(headers: &[(&'static str, &str)], window: Option<u64>, body: &[u8]) -> Result<(), AuthError> {
        let mode = AuthMode::MeetStreamSignature {
            secrets: SignatureSecrets::new(vec!["new".into(), "old".into()]).unwrap(),
            window: window.map(|seconds| TimestampWindow(Duration::from_secs(seconds))),
        };
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let offered = Credentials { headers: &headers, path_token: None };
        mode.verify(offered, body.to_vec(), NOW).map(|verified| assert_eq!(verified.bytes(), body))
    }

    #[track_caller]
    fn check(name: &str, signature: &str, expected: Result<(), AuthError>) {
        assert_eq!(verify(&[(SIGNATURE_HEADER, signature)], None, BODY), expected, "{name}");
    }

    #[test]
    fn signatures_are_accepted_in_every_documented_form() {
        let hex = sign("new", BODY);
        check("as documented", &format!("sha256={hex}"), Ok(()));
        check("bare", &hex, Ok(()));
        check("upper case", &format!("sha256={}", hex.to_uppercase()), Ok(()));
        check("upper-case prefix", &format!("SHA256={hex}"), Ok(()));
        check("surrounding whitespace", &format!("  sha256={hex}\t"), Ok(()));
        check("whitespace after the prefix", &format!("sha256= {hex}"), Ok(()));
        check("by the secret that is being retired", &format!("sha256={}", sign("old", BODY)), Ok(()));
    }

    #[test]
    fn everything_else_is_refused() {
        let hex = sign("new", BODY);
        check("empty", "", Err(AuthError::Malformed));
        check("prefix alone", "sha256=", Err(AuthError::Malformed));
        check("not hexadecimal", &format!("sha256={}", "z".repeat(64)), Err(AuthError::Malformed));
        check("odd length", &hex[1..], Err(AuthError::Malformed));
        check("truncated", &hex[2..], Err(AuthError::Malformed));
        check("too long", &format!("{hex}00"), Err(AuthError::Malformed));
        check("another algorithm", &format!("sha1={hex}"), Err(AuthError::Malformed));
        check("two signatures joined", &format!("{hex},{hex}"), Err(AuthError::Malformed));
        check("by a stranger's secret", &sign("stranger", BODY), Err(AuthError::Mismatch));
        check("by the empty secret", &sign("", BODY), Err(AuthError::Mismatch));
        check("of another body", &sign("new", b"{}"), Err(AuthError::Mismatch));
        assert_eq!(verify(&[], None, BODY), Err(AuthError::MissingHeader));
    }

    #[test]
    fn a_secret_that_is_listed_twice_is_accepted() {
        let secrets = SignatureSecrets::new(vec!["new".into(), "new".into()]).unwrap();
        let signature = sign("new", BODY).parse().unwrap();
        let headers = HeaderMap::from_iter([(SIGNATURE_HEADER.parse().unwrap(), signature)]);
        assert_eq!(secrets.check(SignatureHeader::MEETSTREAM, &headers, BODY), Ok(()));
    }

    #[test]
    fn a_bare_header_takes_digits_alone() {
        let secrets = SignatureSecrets::new(vec!["new".into(), "old".into()]).unwrap();
        let mode = AuthMode::MeetingBaasSignature(secrets);
        let check = |name: &str, header: &'static str, value: &str, expected| {
            let headers = HeaderMap::from_iter([(header.parse().unwrap(), value.parse().unwrap())]);
            let offered = Credentials { headers: &headers, path_token: None };
            assert_eq!(mode.verify(offered, BODY.to_vec(), NOW).map(drop), expected, "{name}");
        };
        let (hex, header) = (sign("new", BODY), "X-MeetingBaas-Signature");
        check("as described", header, &hex, Ok(()));
        check("upper case", header, &hex.to_uppercase(), Ok(()));
        check("surrounding whitespace", header, &format!(" {hex}\t"), Ok(()));
        check("by the secret that is being retired", header, &sign("old", BODY), Ok(()));
        check("under a prefix", header, &format!("sha256={hex}"), Err(AuthError::Malformed));
        check("truncated", header, &hex[2..], Err(AuthError::Malformed));
        check("by a stranger's secret", header, &sign("stranger", BODY), Err(AuthError::Mismatch));
        check("under another sender's header", SIGNATURE_HEADER, &hex, Err(AuthError::MissingHeader));
    }

    #[test]
    fn the_window_is_checked_only_when_it_is_set() {
        let signature = sign("new", BODY);
        let at =
            |time: &'static str| verify(&[(SIGNATURE_HEADER, &signature), (TIMESTAMP_HEADER, time)], Some(300), BODY);
        assert_eq!(at("2026-10-05T14:55:02+00:00"), Ok(()));
        assert_eq!(at("2026-10-05T14:50:02.000Z"), Ok(()), "300 s old");
        assert_eq!(at("2026-10-05T15:00:02Z"), Ok(()), "300 s ahead");
        assert_eq!(at("2026-10-05T14:50:01.999Z"), Err(AuthError::Expired), "a millisecond more");
        assert_eq!(at("2026-10-05T15:00:02.001Z"), Err(AuthError::Expired));
        assert_eq!(at("-009999-01-02T01:59:59Z"), Err(AuthError::Expired), "the earliest time there is");
        assert_eq!(at("soon"), Err(AuthError::Malformed));
        assert_eq!(verify(&[(SIGNATURE_HEADER, &signature)], Some(300), BODY), Err(AuthError::MissingHeader));
        assert_eq!(verify(&[(SIGNATURE_HEADER, &signature), (TIMESTAMP_HEADER, "soon")], None, BODY), Ok(()));
    }

    #[test]
    fn secrets_are_never_printed() {
        let shown = format!("{:?}", SignatureSecrets::new(vec!["hunter2".into()]).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_the_secret_signed_is_accepted_and_nothing_one_bit_away(
            body in proptest::collection::vec(any::<u8>(), 1..200), bit in any::<proptest::sample::Index>(),
        ) {
            let signature = sign("new", &body);
            prop_assert_eq!(verify(&[(SIGNATURE_HEADER, &signature)], None, &body), Ok(()));

            let mut other_body = body.clone();
            let at = bit.index(body.len() * 8);
            other_body[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(verify(&[(SIGNATURE_HEADER, &signature)], None, &other_body), Err(AuthError::Mismatch));

            let mut other_signature = hex::decode(&signature).unwrap();
            let at = bit.index(DIGEST_BYTES * 8);
            other_signature[at / 8] ^= 1 << (at % 8);
            let other_signature = hex::encode(other_signature);
            prop_assert_eq!(verify(&[(SIGNATURE_HEADER, &other_signature)], None, &body), Err(AuthError::Mismatch));
        }
    }
}
