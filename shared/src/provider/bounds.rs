//! How much of a sender's text goes into a session: every write of it pays for all of it.

use crate::{canonical::Spelling, lenient::MAX_DEPTH};
use serde::{Deserialize, Deserializer};

/// The largest custom attributes we keep in the session, in bytes of JSON.
pub(super) const MAX_ATTRIBUTES_BYTES: usize = 2048;

/// The longest text of the sender's that we keep in the session, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 256;

/// As much of the text as we keep.
pub(super) fn bounded(text: &str) -> String {
    let end = (0..=text.len().min(MAX_TEXT_BYTES)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

/// What the user attached to the bot.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) enum Attributes {
    /// Nothing, or something that is no object.
    #[default]
    Absent,
    /// An object that is too long or nested too deep to be kept. It is read to its end, and no part of it is kept.
    Dropped,
    /// An object as JSON text, its fields in the order of their names: at most [`MAX_ATTRIBUTES_BYTES`], and never empty.
    Kept(String),
}

impl Attributes {
    /// The attributes that are kept.
    pub(super) fn kept(self) -> Option<String> {
        match self {
            Self::Kept(text) => Some(text),
            Self::Absent | Self::Dropped => None,
        }
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Spelling::of(deserializer, MAX_ATTRIBUTES_BYTES, MAX_DEPTH)? {
            None => Self::Dropped,
            Some(text) if !text.starts_with('{') || text == "{}" => Self::Absent,
            Some(text) => Self::Kept(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(json: &str) -> Attributes {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_object_is_kept_in_one_spelling() {
        let kept = |json: &str| read(json).kept().unwrap();
        assert_eq!(
            kept(r#"{ "b" : [ 1.50, -2, "\u00e9\n", {} ], "a":{"d":null,"c":true}}"#),
            r#"{"a":{"c":true,"d":null},"b":[1.5,-2,"é\n",{}]}"#
        );
        assert_eq!(kept(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#, "the last one counts");
    }

    #[test]
    fn what_is_no_object_or_empty_is_absent() {
        for absent in ["null", "true", "1", "[1]", r#""{}""#, "{}", "{ }"] {
            assert_eq!(read(absent), Attributes::Absent, "{absent}");
        }
    }

    #[test]
    fn what_is_too_much_is_dropped_and_read_to_its_end() {
        let of_length = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8));
        assert!(read(&of_length(MAX_ATTRIBUTES_BYTES)).kept().is_some());
        let deep = |depth: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(read(&deep(MAX_DEPTH)).kept().is_some());
        let many: String = (0..300).map(|n| format!(r#""{n}":null,"#)).collect();
        let commas = "0,".repeat(MAX_ATTRIBUTES_BYTES);
        for dropped in [
            of_length(MAX_ATTRIBUTES_BYTES + 1),
            deep(MAX_DEPTH + 1),
            deep(100_000),
            format!("{{{}}}", many.trim_end_matches(',')),
            format!(r#"{{"a":[{}]}}"#, commas.trim_end_matches(',')),
            format!(r#"{{"a":[{}0]}}"#, "0,".repeat(1024)),
            format!(r#"{{"{}":0,"b":1}}"#, "x".repeat(MAX_ATTRIBUTES_BYTES)),
        ] {
            assert_eq!(read(&dropped), Attributes::Dropped, "{dropped}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_says_the_same(text in "[ -~é\n]{0,20}", number in any::<f64>(), integer in any::<i64>(), fields in proptest::collection::btree_map(".{0,5}", any::<u64>(), 0..6)) {
            let sent = json!({"t": text, "n": number, "i": [integer, [null, true]], "f": fields});
            let kept = read(&sent.to_string()).kept().unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), sent);
        }
    }
}
