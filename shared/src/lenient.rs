//! Reading bodies whose irrelevant parts are odd: a field of the wrong type, half of a surrogate pair, a number beyond a double, deep
//! nesting. None of these makes a body unreadable.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use std::{borrow::Cow, fmt, marker::PhantomData};

/// How deep the values are that we look into. What is nested deeper is skipped, whatever it is: our senders nest five deep.
pub(crate) const MAX_DEPTH: usize = 32;

/// The depth below which [`mended`] empties lists and objects. Twice [`MAX_DEPTH`], so nothing is emptied that we would read.
const MAX_LEVELS: usize = 2 * MAX_DEPTH;

/// The fields of `T` in a body that is a JSON object. (Left to itself, serde would also read an array as a struct.)
pub(crate) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice::<Object<T>>(body).ok()?.0
}

/// The result of `read` on the body or, if that is `None`, on the [`mended`] body.
pub(crate) fn tolerantly<T>(body: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    read(body).or_else(|| read(&mended(body)?))
}

/// The body without what JSON's grammar allows (RFC 8259, sections 6, 8.2 and 9) and a program has no use for: half a surrogate
/// pair, which JavaScript writes for a text that was cut within an emoji, becomes U+FFFD; a number beyond the range of a double
/// becomes `null`; and lists and objects at level [`MAX_LEVELS`] become empty. `None` if there is nothing of that. The mended body is
/// as long as the body.
pub(crate) fn mended(body: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    let mut replace = |at: usize, length: usize, by: &[u8]| {
        let place = mended.get_or_insert_with(|| body.to_vec()).get_mut(at..at + length);
        for (byte, new) in place.into_iter().flatten().zip(by.iter().copied().chain(std::iter::repeat(b' '))) {
            *byte = new;
        }
    };
    let (mut at, mut is_text, mut level) = (0, false, 0_usize);
    while let Some(byte) = body.get(at) {
        let is_too_deep = level >= MAX_LEVELS;
        let mut length = 1;
        match byte {
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => level += 1,
            b'}' | b']' if !is_text => level = level.saturating_sub(1),
            b'\\' if is_text => match (utf16_escape(body, at), utf16_escape(body, at + 6)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => length = 12,
                (Some(0xD800..=0xDFFF), _) => {
                    length = 6;
                    replace(at, length, br"\ufffd");
                }
                _ => length = 2,
            },
            b'-' | b'0'..=b'9' if !is_text => {
                length = number_length(body, at);
                let text = body.get(at..at + length).and_then(|text| std::str::from_utf8(text).ok());
                if text.and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_infinite) {
                    replace(at, length, b"null");
                }
            }
            _ => {}
        }
        if is_too_deep && level >= MAX_LEVELS {
            replace(at, length.min(body.len() - at), b"");
        }
        at += length;
    }
    mended
}

/// How many bytes of a number there are from this place on.
fn number_length(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    let is_of_it = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    rest.iter().position(|byte| !is_of_it(byte)).unwrap_or(rest.len())
}

/// The UTF-16 code unit of the escape `\uXXXX` at this place, if there is one.
fn utf16_escape(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(br"\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

/// A value of any type. The contents of lists and objects are skipped.
enum Seen<'a> {
    Text(Cow<'a, str>),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
    Null,
    Inner { is_empty: bool },
}

impl<'de> Deserialize<'de> for Seen<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeenVisitor)
    }
}

/// Below this, 2 to the power of 53, a double holds every whole number exactly.
const EXACT_IN_A_DOUBLE: f64 = 9_007_199_254_740_992.0;

struct SeenVisitor;

impl<'de> Visitor<'de> for SeenVisitor {
    type Value = Seen<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Seen::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Seen::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Seen::Signed(number))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Seen::Unsigned(number))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Seen::Float(number))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Seen::Bool(value))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Seen::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut is_empty = true;
        while items.next_element::<IgnoredAny>()?.is_some() {
            is_empty = false;
        }
        Ok(Seen::Inner { is_empty })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut is_empty = true;
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            is_empty = false;
        }
        Ok(Seen::Inner { is_empty })
    }
}

/// A text, or a number as text. Any other type counts as absent, and so do blank text and a number so large that a double may
/// have rounded it: two bots with such ids would be one.
#[derive(Default, Debug)]
pub(crate) struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.trim().is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Seen::deserialize(deserializer)? {
            Seen::Text(text) => Some(text),
            Seen::Signed(number) => Some(Cow::Owned(number.to_string())),
            Seen::Unsigned(number) => Some(Cow::Owned(number.to_string())),
            Seen::Float(number) if number.abs() < EXACT_IN_A_DOUBLE => Some(Cow::Owned(number.to_string())),
            Seen::Float(_) | Seen::Bool(_) | Seen::Null | Seen::Inner { .. } => None,
        }))
    }
}

/// Whether there is something: a text that is not blank, a list or an object with anything in it, a number, `true`.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Present(pub(crate) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Seen::deserialize(deserializer)? {
            Seen::Text(text) => !text.trim().is_empty(),
            Seen::Signed(_) | Seen::Unsigned(_) | Seen::Float(_) => true,
            Seen::Bool(value) => value,
            Seen::Null => false,
            Seen::Inner { is_empty } => !is_empty,
        }))
    }
}

/// Whether there is `true`, and nothing that only looks like it.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(matches!(Seen::deserialize(deserializer)?, Seen::Bool(true))))
    }
}

/// An object of a known shape. Any other type counts as absent.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData)).map(Object)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_takes_texts_and_numbers_and_nothing_else() {
        let read = |json: &str| serde_json::from_str::<Text<'_>>(json).unwrap().get().map(str::to_owned);
        assert_eq!(read(r#""a\u0062""#), Some("ab".to_owned()));
        for number in ["17", "18446744073709551615", "-1.5", "9007199254740991"] {
            assert_eq!(read(number), Some(number.to_owned()));
        }
        for absent in
            ["36893488147419103233", "9007199254740993.5", "null", "true", "[1,[2]]", r#"{"a":{"b":1}}"#, r#""  ""#]
        {
            assert_eq!(read(absent), None, "{absent}");
        }
    }

    #[test]
    fn presence_is_seen_in_every_type() {
        let read = |json: &str| serde_json::from_str::<Present>(json).unwrap().0;
        for present in [r#""https://x""#, "[null]", r#"{"a":[{}]}"#, "0", "-1", "1.5", "true"] {
            assert!(read(present), "{present}");
        }
        for absent in ["null", "false", r#""""#, r#""  ""#, "[]", "{}"] {
            assert!(!read(absent), "{absent}");
        }
    }

    #[test]
    fn only_true_is_true() {
        let read = |json: &str| serde_json::from_str::<Flag>(json).unwrap().0;
        assert!(read("true"));
        for other in ["false", "null", "1", r#""true""#, "[true]", r#"{"a":true}"#] {
            assert!(!read(other), "{other}");
        }
    }

    #[test]
    fn what_no_program_can_hold_is_mended_and_all_else_is_left_alone() {
        let read = |json: &str| mended(json.as_bytes()).map(|mended| String::from_utf8(mended).unwrap());
        for (sent, expected) in [
            (r#"{"a":"bye \ud83d"}"#, r#"{"a":"bye \ufffd"}"#),
            (
                r#"["\uDE00 \ud83dx\ud83d\ude00\ud83d\ud83d\ude00"]"#,
                r#"["\ufffd \ufffdx\ud83d\ude00\ufffd\ud83d\ude00"]"#,
            ),
            (r#"["\ud83d\\ude00"]"#, r#"["\ufffd\\ude00"]"#),
            ("[1e999,-1E+400,1.5]", "[null ,null   ,1.5]"),
            (r#"{"\udc00":[]}"#, r#"{"\ufffd":[]}"#),
            (r#"["\ud800","\uDBFF","\udC00","\udfff"]"#, r#"["\ufffd","\ufffd","\ufffd","\ufffd"]"#),
            (r#"["\ud83d\ud83d","\ude00\ud83d","\ud83d\ue000"]"#, r#"["\ufffd\ufffd","\ufffd\ufffd","\ufffd\ue000"]"#),
        ] {
            assert_eq!(read(sent).as_deref(), Some(expected), "{sent}");
        }
        let (open, close) = ("[".repeat(MAX_LEVELS), "]".repeat(MAX_LEVELS));
        assert_eq!(read(&format!("{open}{close}")), None);
        let deep = r#"{"]":"\"["},[1e999]"#;
        assert_eq!(read(&format!("{open}{deep}{close}")), Some(format!("{open}{}{close}", " ".repeat(deep.len()))));
        let digits = "9".repeat(400);
        assert_eq!(read(&digits), Some(format!("null{}", " ".repeat(396))));
        for fine in [
            r#"{"a":"\ud83d\ude00 \\ud83d 1e999","b":[1e308,-0.5e-999,0]}"#,
            r#"["\ud7ff\ue000","\ud800\udc00","\udbff\udfff"]"#,
            "",
            r#"""#,
            r#""\"#,
            r#""\u12"#,
            "-",
            "1e",
        ] {
            assert_eq!(read(fine), None, "{fine}");
        }
    }

    #[test]
    fn object_takes_objects_and_nothing_else() {
        let read = |json: &str| serde_json::from_str::<Object<std::collections::BTreeMap<String, u8>>>(json).unwrap().0;
        assert_eq!(read(r#"{"a":1}"#).unwrap()["a"], 1);
        for absent in ["null", "true", "[1]", "1", "-1", "1.5", r#""text""#] {
            assert!(read(absent).is_none(), "{absent}");
        }
    }
}
