//! Identifiers that a sender chose.

use crate::hash::sha256_hex;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The longest identifier we accept, in bytes. A longer one is quarantined: no sender documents anything near it.
pub const MAX_SENDER_ID_BYTES: usize = 512;

/// The longest result of [`SenderId::encoded`], in characters. S3 keys end at 1024 bytes and carry more than the id.
const MAX_ENCODED_CHARS: usize = 256;

/// An identifier as its sender wrote it: opaque and hostile. It may hold slashes, dots, control characters or anything else,
/// so it becomes part of a key or a path only through [`SenderId::encoded`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SenderId(String);

/// Why a text is not a usable [`SenderId`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SenderIdError {
    /// There is no text.
    #[error("the id is empty")]
    Empty,
    /// The text is longer than [`MAX_SENDER_ID_BYTES`].
    #[error("the id has {0} bytes, more than {MAX_SENDER_ID_BYTES}")]
    TooLong(usize),
}

impl TryFrom<&str> for SenderId {
    type Error = SenderIdError;

    fn try_from(text: &str) -> Result<Self, SenderIdError> {
        match text.len() {
            0 => Err(SenderIdError::Empty),
            length if length > MAX_SENDER_ID_BYTES => Err(SenderIdError::TooLong(length)),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for SenderId {
    type Error = SenderIdError;

    fn try_from(text: String) -> Result<Self, SenderIdError> {
        Self::try_from(text.as_str())
    }
}

impl From<SenderId> for String {
    fn from(id: SenderId) -> Self {
        id.0
    }
}

impl SenderId {
    /// The id exactly as the sender wrote it: for showing and comparing, never for building a key.
    #[must_use]
    pub fn as_sent(&self) -> &str {
        &self.0
    }

    /// The id for table keys, S3 keys and URL paths: ASCII letters, digits, `-` and `_` stay, every other byte becomes
    /// `~` and two hexadecimal digits. Different ids have different encodings.
    ///
    /// Not percent encoding, because servers and proxies undo that: `x%2Fremove_bot` may be routed as `x/remove_bot`, and
    /// URL parsers read `%2E%2E` as `..`. Encodings over 256 characters become `~~` and the SHA-256 of the id.
    #[must_use]
    pub fn encoded(&self) -> String {
        let mut encoded = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => encoded.push(char::from(byte)),
                _ => {
                    // Writing to a string cannot fail.
                    let _ = write!(encoded, "~{byte:02X}");
                }
            }
        }
        if encoded.len() > MAX_ENCODED_CHARS { format!("~~{}", sha256_hex(self.0.as_bytes())) } else { encoded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(name: &str, id: &str, encoded: &str) {
        assert_eq!(SenderId::try_from(id).unwrap().encoded(), encoded, "{name}");
    }

    #[test]
    fn hostile_ids_are_defused() {
        check("an ordinary id", "7c1e4a92-5d0b-4f6e-9a37-2b8f0c6d1e54", "7c1e4a92-5d0b-4f6e-9a37-2b8f0c6d1e54");
        check("a short id", "b_7fk20qa81mzx", "b_7fk20qa81mzx");
        check("a path into a mutating call", "x/remove_bot?", "x~2Fremove_bot~3F");
        check("the parent folder", "..", "~2E~2E");
        check("our own separator", "a#session", "a~23session");
        check("our own escape", "a~2Fb", "a~7E2Fb");
        check("a control character", "a\u{0}b\n", "a~00b~0A");
        check("an emoji", "🤖", "~F0~9F~A4~96");
        check("long and odd", &"🤖".repeat(100), &format!("~~{}", sha256_hex("🤖".repeat(100).as_bytes())));
    }

    #[test]
    fn ids_are_bounded() {
        assert_eq!(SenderId::try_from(""), Err(SenderIdError::Empty));
        assert!(SenderId::try_from("a".repeat(512).as_str()).is_ok());
        assert_eq!(SenderId::try_from("a".repeat(513).as_str()), Err(SenderIdError::TooLong(513)));
    }

    proptest! {
        #[test]
        fn encodings_are_plain_short_and_different(left in ".{1,80}", right in ".{1,80}") {
            let (left, right) = (SenderId::try_from(left.as_str()).unwrap(), SenderId::try_from(right.as_str()).unwrap());
            let encoded = left.encoded();
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_~".contains(&b)));
            prop_assert!(encoded.len() <= MAX_ENCODED_CHARS);
            prop_assert_eq!(left == right, left.encoded() == right.encoded());
        }
    }
}
