//! Identifiers that a sender chose.

use crate::{hash::sha256_hex, url::percent_encoded};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The longest identifier we accept, in bytes. A longer one is quarantined: no sender documents anything near it.
pub const MAX_SENDER_ID_BYTES: usize = 512;

/// The longest result of [`SenderId::encoded`], in characters. S3 keys end at 1024 bytes and carry more than the id.
const MAX_ENCODED_CHARS: usize = 256;

/// An identifier as its sender wrote it: opaque and hostile. It may hold slashes, dots, control characters or anything else,
/// so it becomes part of a key only through [`SenderId::encoded`], and part of a URL only through
/// [`SenderId::path_segment`] and [`SenderId::query_value`].
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

    /// The id for table keys and S3 keys: ASCII letters, digits, `-` and `_` stay, every other byte becomes
    /// `~` and two hexadecimal digits. Different ids have different encodings.
    ///
    /// Not percent encoding, because readers of keys undo that. Encodings over 256 characters become `~~` and the SHA-256 of the id.
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

    /// The id that [`SenderId::encoded`] gave this text for; `None` for a text that it never gives, or gives for a hash.
    #[must_use]
    pub fn decoded(text: &str) -> Option<Self> {
        let mut pieces = text.split('~');
        let mut bytes = pieces.next()?.as_bytes().to_vec();
        for piece in pieces {
            let (byte, rest) = piece.as_bytes().split_at_checked(2)?;
            bytes.extend(hex::decode(byte).ok()?);
            bytes.extend(rest);
        }
        let id = Self::try_from(String::from_utf8(bytes).ok()?).ok()?;
        (id.encoded() == text).then_some(id)
    }

    /// The id as one segment of the path of a URL, percent-encoded. `None` for an id that no encoding makes safe there.
    ///
    /// Servers and proxies undo percent encoding before they route, some of them twice: `x%2Fremove_bot` may reach the call
    /// `remove_bot` of the bot `x`, which is a GET that ends a meeting, and `%2E%2E` is `..` to every parser of URLs. So ids
    /// with a character that means something in a path, and ids of dots alone, are not for paths. No provider makes such ids.
    #[must_use]
    pub fn path_segment(&self) -> Option<String> {
        let means_something = |c: char| matches!(c, '/' | '\\' | '?' | '#' | '%' | ';') || c.is_control();
        let is_dots = self.0.trim().bytes().all(|byte| byte == b'.');
        (!is_dots && !self.0.contains(means_something)).then(|| percent_encoded(&self.0))
    }

    /// The id as the value of one parameter in the query of a URL, percent-encoded.
    #[must_use]
    pub fn query_value(&self) -> String {
        percent_encoded(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::percent_decoded;
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
    fn what_no_encoding_gives_is_not_decoded() {
        for text in ["", "~", "~2", "~2f", "~41", "a#b", "a/b", "~FF", "~~", &format!("~~{}", sha256_hex(b"x"))] {
            assert_eq!(SenderId::decoded(text), None, "{text}");
        }
    }

    #[test]
    fn ids_are_bounded() {
        assert_eq!(SenderId::try_from(""), Err(SenderIdError::Empty));
        assert!(SenderId::try_from("a".repeat(512).as_str()).is_ok());
        assert_eq!(SenderId::try_from("a".repeat(513).as_str()), Err(SenderIdError::TooLong(513)));
    }

    #[track_caller]
    fn check_segment(name: &str, id: &str, segment: Option<&str>) {
        assert_eq!(SenderId::try_from(id).unwrap().path_segment().as_deref(), segment, "{name}");
    }

    #[test]
    fn hostile_ids_are_kept_out_of_paths() {
        let uuid = "7c1e4a92-5d0b-4f6e-9a37-2b8f0c6d1e54";
        check_segment("an ordinary id", uuid, Some(uuid));
        check_segment("a short id", "b_7fk20qa81mzx", Some("b_7fk20qa81mzx"));
        check_segment("odd and harmless", "a b:é+~.1", Some("a%20b%3A%C3%A9%2B~.1"));
        check_segment("dots beside something", "..a", Some("..a"));
        check_segment("a path into a mutating call", "x/remove_bot?", None);
        check_segment("the same in the other direction", r"x\remove_bot", None);
        check_segment("the same, encoded already", "x%2Fremove_bot", None);
        check_segment("a query", "x?y", None);
        check_segment("a fragment", "x#y", None);
        check_segment("parameters, which some servers cut off before they look for dots", "..;x", None);
        check_segment("this folder", ".", None);
        check_segment("the parent folder", "..", None);
        check_segment("the parent folder, padded", " .. ", None);
        check_segment("blank", "  ", None);
        check_segment("a line break", "a\nb", None);
    }

    /// What an eager server makes of a path: everything decoded that can be.
    fn decoded(text: &str) -> String {
        percent_decoded(text).unwrap_or_else(|| text.to_owned())
    }

    proptest! {
        #[test]
        fn no_id_changes_the_structure_of_a_url(id in "(?s).{1,60}|[./%2Ff?#;a\\\\ ]{1,12}") {
            let id = SenderId::try_from(id.as_str()).unwrap();
            if let Some(segment) = id.path_segment() {
                let path = format!("/v1/bots/{segment}/detail");
                let url: http::Uri = format!("https://api.example{path}").parse().unwrap();
                prop_assert_eq!((url.host(), url.path(), url.query()), (Some("api.example"), path.as_str(), None));
                for seen in [path.clone(), decoded(&path), decoded(&decoded(&path))] {
                    let segments: Vec<&str> = seen.split(['/', '\\']).collect();
                    prop_assert_eq!(segments.len(), 5, "{}", seen);
                    prop_assert_eq!((segments[1], segments[2], segments[4]), ("v1", "bots", "detail"));
                    prop_assert!(!matches!(segments[3].trim(), "" | "." | ".."), "{}", seen);
                    prop_assert!(!seen.contains(['?', '#']));
                }
                prop_assert_eq!(decoded(&segment), id.as_sent());
            }
            let url: http::Uri = format!("https://api.example/b?bot_id={}&x=1", id.query_value()).parse().unwrap();
            let query = url.query().unwrap();
            prop_assert_eq!(url.path(), "/b");
            prop_assert_eq!(query.split('&').count(), 2);
            prop_assert_eq!(decoded(query), format!("bot_id={}&x=1", id.as_sent()));
        }

        #[test]
        fn encodings_are_plain_short_and_different(left in ".{1,80}", right in ".{1,80}") {
            let (left, right) = (SenderId::try_from(left.as_str()).unwrap(), SenderId::try_from(right.as_str()).unwrap());
            let encoded = left.encoded();
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_~".contains(&b)));
            prop_assert!(encoded.len() <= MAX_ENCODED_CHARS);
            let decoded = SenderId::decoded(&encoded);
            prop_assert_eq!(decoded, Some(left.clone()).filter(|_| !encoded.starts_with("~~")));
            prop_assert_eq!(left == right, left.encoded() == right.encoded());
        }
    }
}
