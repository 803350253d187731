//! How senders sign.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD as BASE64},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

const SVIX_KEY_PREFIX: &str = "whsec_";

/// Base64 as dashboards show keys: some cut the padding.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// That a text is not the key of a Svix endpoint. It does not say which text: it is a secret even where it is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSvixKey;

impl fmt::Display for NoSvixKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("that is no Svix key: one is base64, usually after whsec_")
    }
}

impl std::error::Error for NoSvixKey {}

/// `X-MeetStream-Signature`: `sha256=` and the digits of [`bare`].
#[must_use]
pub fn meetstream(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", bare(secret, body))
}

/// `X-MeetingBaas-Signature`: the lower-case hexadecimal digits of HMAC-SHA256 over the bytes as they are.
#[must_use]
pub fn bare(secret: &str, body: &[u8]) -> String {
    hex::encode(hmac(secret.as_bytes(), body))
}

/// `svix-signature`, of a delivery with this `svix-id` and this `svix-timestamp`, in seconds since the Unix epoch.
#[must_use]
pub fn svix(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body].concat();
    format!("v1,{}", BASE64.encode(hmac(key, &signed)))
}

/// The bytes of a key as a dashboard shows it.
///
/// # Errors
/// When it is none.
pub fn svix_key(secret: &str) -> Result<Vec<u8>, NoSvixKey> {
    let key = secret.trim();
    let bytes = KEY_BASE64.decode(key.strip_prefix(SVIX_KEY_PREFIX).unwrap_or(key)).unwrap_or_default();
    if bytes.is_empty() { Err(NoSvixKey) } else { Ok(bytes) }
}

fn hmac(key: &[u8], signed: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key").chain_update(signed);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn signs_as_the_standard_says() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(meetstream("Jefe", b"what do ya want for nothing?"), expected);
    }

    #[test]
    fn a_svix_key_is_base64() {
        for good in ["whsec_c2VjcmV0", "c2VjcmV0", " whsec_c2VjcmV0cw "] {
            assert!(svix_key(good).is_ok(), "{good}");
        }
        for bad in ["", "whsec_", "not base64!"] {
            assert_eq!(svix_key(bad), Err(NoSvixKey), "{bad}");
        }
    }
}
