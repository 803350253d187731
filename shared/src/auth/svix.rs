//! Svix, also known as Standard Webhooks: HMAC-SHA256 in base64 over `{id}.{timestamp}.{raw body}`.
//!
//! Here the time is signed, so the tolerance does stop replays of old deliveries. The rules are those of Svix's own
//! verifiers: `svix-*` names before `webhook-*` ones, any matching `v1` signature suffices, entries of other versions count
//! for nothing.

use super::error::AuthError;
use crate::ids::DeliveryId;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

const ID_HEADERS: [&str; 2] = ["svix-id", "webhook-id"];
const TIMESTAMP_HEADERS: [&str; 2] = ["svix-timestamp", "webhook-timestamp"];
const SIGNATURE_HEADERS: [&str; 2] = ["svix-signature", "webhook-signature"];
const KEY_PREFIX: &str = "whsec_";
const SCHEME: &str = "v1,";

/// How far the signed time may be from our clock, in either direction. Svix's own verifiers have the same number.
const TOLERANCE_SECONDS: u64 = 300;

/// Base64 as dashboards show keys: some cut the padding.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys of one endpoint: at least one, and two while a rotation is under way.
#[derive(Debug)]
pub struct SvixKeys(Vec<SecretSlice<u8>>);

/// A configured key is not what the sender's dashboard shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a Svix key is base64, usually after whsec_: copy it from the dashboard as it is")]
pub struct MalformedKey;

impl SvixKeys {
    /// Takes the keys as the sender's dashboard shows them, or `None` when there are none: an endpoint without a key does
    /// not exist.
    ///
    /// # Errors
    /// [`MalformedKey`] if one is not base64, or is empty: such a key would refuse every delivery, or could be guessed.
    pub fn new(keys: Vec<String>) -> Result<Option<Self>, MalformedKey> {
        let keys = keys.iter().map(|key| decode(key)).collect::<Result<Vec<_>, _>>()?;
        Ok((!keys.is_empty()).then_some(Self(keys)))
    }

    /// `now` is our clock in milliseconds since the Unix epoch. The answer is the sender's id of the delivery, which the
    /// signature covers.
    pub(super) fn check(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Result<DeliveryId, AuthError> {
        let id = text(headers, ID_HEADERS)?;
        let timestamp = text(headers, TIMESTAMP_HEADERS)?;
        let signatures = signatures(text(headers, SIGNATURE_HEADERS)?)?;
        if id.is_empty() {
            return Err(AuthError::Malformed);
        }
        if now.div_euclid(1000).abs_diff(unix_seconds(timestamp)?) > TOLERANCE_SECONDS {
            return Err(AuthError::Expired);
        }
        // Every key is tried against every signature, so that the time taken does not tell which one matched. Each key signs the
        // body once, however many signatures are listed: a stranger may list hundreds.
        let matches = self
            .0
            .iter()
            .filter_map(|key| sign(key, [id, timestamp], body))
            .fold(Choice::from(0), |found, expected| {
                signatures.iter().fold(found, |found, given| found | expected.as_slice().ct_eq(given))
            });
        if bool::from(matches) { Ok(DeliveryId::new(id)) } else { Err(AuthError::Mismatch) }
    }
}

fn decode(key: &str) -> Result<SecretSlice<u8>, MalformedKey> {
    let key = key.trim();
    let bytes = KEY_BASE64.decode(key.strip_prefix(KEY_PREFIX).unwrap_or(key)).map_err(|_| MalformedKey)?;
    if bytes.is_empty() { Err(MalformedKey) } else { Ok(SecretSlice::from(bytes)) }
}

fn text<'a>(headers: &'a HeaderMap, names: [&str; 2]) -> Result<&'a str, AuthError> {
    let value = names.iter().find_map(|name| headers.get(*name)).ok_or(AuthError::MissingHeader)?;
    value.to_str().map(str::trim).map_err(|_| AuthError::Malformed)
}

/// The signatures of the version that we know, in a list separated by spaces.
fn signatures(header: &str) -> Result<Vec<Vec<u8>>, AuthError> {
    let known = header.split(' ').filter_map(|entry| entry.strip_prefix(SCHEME));
    let signatures: Vec<_> = known.filter_map(|signature| BASE64_STANDARD.decode(signature).ok()).collect();
    if signatures.is_empty() { Err(AuthError::Malformed) } else { Ok(signatures) }
}

/// Digits alone: the text itself is signed, and no sender writes a sign.
fn unix_seconds(text: &str) -> Result<i64, AuthError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AuthError::Malformed);
    }
    text.parse().map_err(|_| AuthError::Malformed)
}

fn sign(key: &SecretSlice<u8>, [id, timestamp]: [&str; 2], body: &[u8]) -> Option<[u8; 32]> {
    #[cfg(test)]
    tests::BODIES_SIGNED.with(|count| count.set(count.get() + 1));
    // HMAC takes keys of any length, so there is always a MAC; without one nothing would be accepted.
    let mac = Hmac::<Sha256>::new_from_slice(key.expose_secret()).ok()?;
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    Some(parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
