//! JSON in one spelling, so that copies of a body which say the same have the same digest.
//!
//! The spelling is written while the JSON is read. No tree is built of it: a tree takes up to 130 times the memory of its text, and
//! senders choose the text.

use crate::hash::sha256_hex;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

/// The most fields of one object that are put in order. Our senders' objects have some dozens.
const MAX_FIELDS: usize = 1024;

/// The digest of the canonical spelling of a JSON body, so that white space and the order of fields make no difference. The digest of
/// the raw bytes instead, if they are not JSON, if their canonical spelling would be more than twice as long, or if an object has
/// more than [`MAX_FIELDS`] fields.
pub(crate) fn digest(body: &[u8]) -> String {
    digest_of(body, false)
}

/// The same without the query part of every URL: presigned URLs are made anew for every copy that is sent.
pub(crate) fn digest_without_queries(body: &[u8]) -> String {
    digest_of(body, true)
}

fn digest_of(body: &[u8], without_queries: bool) -> String {
    let mut spelling = Spelling { without_queries, ..Spelling::new(body.len().saturating_mul(2), usize::MAX) };
    spelling.text.reserve_exact(body.len());
    let mut json = serde_json::Deserializer::from_slice(body);
    match Place::first(&mut spelling).deserialize(&mut json).and_then(|()| json.end()) {
        Ok(()) if !spelling.is_over => sha256_hex(&spelling.text),
        _ => sha256_hex(body),
    }
}

/// A value in one spelling: the fields of every object in the order of their names, the last of several with one name, and no
/// white space.
pub(crate) struct Spelling {
    text: Vec<u8>,
    most_bytes: usize,
    most_levels: usize,
    without_queries: bool,
    is_over: bool,
}

impl Spelling {
    fn new(most_bytes: usize, most_levels: usize) -> Self {
        Self { text: Vec::new(), most_bytes, most_levels, without_queries: false, is_over: false }
    }

    /// Reads a value to its end and returns its canonical spelling; `None` if that would exceed `most_bytes` or `most_levels`.
    pub(crate) fn of<'de, D: Deserializer<'de>>(
        deserializer: D,
        most_bytes: usize,
        most_levels: usize,
    ) -> Result<Option<String>, D::Error> {
        let mut spelling = Self::new(most_bytes, most_levels);
        Place::first(&mut spelling).deserialize(deserializer)?;
        Ok((!spelling.is_over).then(|| String::from_utf8(spelling.text).ok()).flatten())
    }

    fn add(&mut self, text: &[u8]) {
        self.is_over |= text.len() > self.most_bytes.saturating_sub(self.text.len());
        if !self.is_over {
            self.text.extend_from_slice(text);
        }
    }

    fn quote(&mut self, text: &str) {
        self.is_over |= text.len() > self.most_bytes.saturating_sub(self.text.len());
        if !self.is_over {
            // Writing to memory cannot fail.
            self.is_over |= serde_json::to_writer(&mut self.text, text).is_err() || self.text.len() > self.most_bytes;
        }
    }

    /// Puts the fields that were written from `begin` on into the order of their names.
    fn sort(&mut self, begin: usize, mut fields: Vec<Field>) {
        let text = std::mem::take(&mut self.text);
        let name = |field: &Field| unquoted(text.get(field.begin..field.colon).unwrap_or_default());
        if !fields.is_sorted_by(|a, b| name(a) < name(b)) {
            // Stable, so that of several fields with one name the last stays the last.
            fields.sort_by(|a, b| name(a).cmp(&name(b)));
            let mut sorted = Vec::with_capacity(text.len().saturating_sub(begin));
            for (at, field) in fields.iter().enumerate() {
                if fields.get(at + 1).is_some_and(|next| name(next) == name(field)) {
                    continue;
                }
                if !sorted.is_empty() {
                    sorted.push(b',');
                }
                sorted.extend_from_slice(text.get(field.begin..field.end).unwrap_or_default());
            }
            self.text = text;
            self.text.truncate(begin);
            self.text.extend_from_slice(&sorted);
        } else {
            self.text = text;
        }
    }
}

/// Where a field is in what was written.
struct Field {
    begin: usize,
    colon: usize,
    end: usize,
}

/// The name that was written like this.
fn unquoted(name: &[u8]) -> Cow<'_, [u8]> {
    if name.contains(&b'\\') {
        return Cow::Owned(serde_json::from_slice::<String>(name).unwrap_or_default().into_bytes());
    }
    Cow::Borrowed(name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name))
}

/// Where a value is read, and how many levels there are around it.
struct Place<'s> {
    spelling: &'s mut Spelling,
    level: usize,
}

impl<'s> Place<'s> {
    fn first(spelling: &'s mut Spelling) -> Self {
        Self { spelling, level: 0 }
    }

    fn inner(&mut self) -> Place<'_> {
        Place { spelling: self.spelling, level: self.level + 1 }
    }

    fn add<E>(self, text: &[u8]) -> Result<(), E> {
        self.spelling.add(text);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.spelling.is_over |= self.level > self.spelling.most_levels;
        if self.spelling.is_over {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.add(b"null")
    }
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.add(if value { b"true" } else { b"false" })
    }
    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.add(number.to_string().as_bytes())
    }
    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.add(number.to_string().as_bytes())
    }
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.add(serde_json::to_string(&number).map_err(E::custom)?.as_bytes())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let is_url = self.spelling.without_queries && (text.starts_with("https://") || text.starts_with("http://"));
        self.spelling.quote(if is_url { text.split('?').next().unwrap_or_default() } else { text });
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.spelling.add(b"[");
        let begin = self.spelling.text.len();
        loop {
            let end = self.spelling.text.len();
            if end > begin {
                self.spelling.add(b",");
            }
            if items.next_element_seed(self.inner())?.is_none() {
                self.spelling.text.truncate(end);
                break;
            }
        }
        self.add(b"]")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.spelling.add(b"{");
        let first = self.spelling.text.len();
        let mut written = Vec::new();
        loop {
            let end = self.spelling.text.len();
            if end > first {
                self.spelling.add(b",");
            }
            let begin = self.spelling.text.len();
            if fields.next_key_seed(Name(self.spelling))?.is_none() {
                self.spelling.text.truncate(end);
                break;
            }
            let colon = self.spelling.text.len();
            self.spelling.add(b":");
            fields.next_value_seed(self.inner())?;
            self.spelling.is_over |= written.len() == MAX_FIELDS;
            if !self.spelling.is_over {
                written.push(Field { begin, colon, end: self.spelling.text.len() });
            }
        }
        if !self.spelling.is_over {
            self.spelling.sort(first, written);
        }
        self.add(b"}")
    }
}

/// Where a field's name is read.
struct Name<'s>(&'s mut Spelling);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.quote(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn spelled(json: &str) -> Option<String> {
        Spelling::of(&mut serde_json::Deserializer::from_str(json), 10_000, usize::MAX).unwrap()
    }

    #[test]
    fn there_is_one_spelling() {
        let spell = |json: &str| spelled(json).unwrap();
        let (sent, expected) = (
            r#"{ "b" : [ 1.50, -2, "\u00e9\n", {}, [] ], "a":{"d":null,"c":true}}"#,
            r#"{"a":{"c":true,"d":null},"b":[1.5,-2,"é\n",{},[]]}"#,
        );
        assert_eq!(spell(sent), expected);
        assert_eq!(spell(r#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#, "the last one counts");
        assert_eq!(
            spell(r#"{"a!":1,"a":2,"a\"":3,"":4}"#),
            r#"{"":4,"a":2,"a!":1,"a\"":3}"#,
            "by the names themselves"
        );
    }

    #[test]
    fn spelling_makes_no_difference_and_content_does() {
        let same = [r#"{"a":1,"b":[{"c":"é","d":null}]}"#, "{ \"b\": [{\"d\":null,\n\"c\":\"\\u00e9\"}], \"a\":1 }"];
        assert_eq!(digest(same[0].as_bytes()), digest(same[1].as_bytes()));
        for other in [r#"{"a":1}"#, r#"{"a":1,"b":[{"c":"e","d":null}]}"#, "not json", ""] {
            assert_ne!(digest(same[0].as_bytes()), digest(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn fresh_urls_make_no_difference() {
        let of = |url: &str| digest_without_queries(format!(r#"{{"data":{{"mp4":["{url}"]}}}}"#).as_bytes());
        assert_eq!(of("https://x/v.mp4?X-Amz-Signature=a"), of("https://x/v.mp4?X-Amz-Signature=b&c=d?e"));
        assert_eq!(of("https://x/v.mp4?X-Amz-Signature=a"), of("https://x/v.mp4"));
        assert_ne!(of("https://x/v.mp4?X-Amz-Signature=a"), of("https://x/w.mp4?X-Amz-Signature=a"));
        assert_ne!(of("really?"), of("really? no"), "a question in a transcript is no URL");
    }

    #[test]
    fn odd_forms_are_known_by_their_bytes() {
        let wide = |fields: usize| {
            let fields: Vec<_> = (0..fields).map(|n| format!(r#""{n}": 0"#)).collect();
            format!("{{{}}}", fields.join(","))
        };
        let deep = format!("{} {}", "[".repeat(128), "]".repeat(128));
        let long = format!("[ {}1e15]", "1e15,".repeat(1000));
        for odd in [wide(MAX_FIELDS + 1).as_str(), &deep, &long, r#"{"a":"\ud83d"}"#, "[ 1e999]"] {
            assert_eq!(digest(odd.as_bytes()), sha256_hex(odd.as_bytes()));
        }
        let widest = wide(MAX_FIELDS);
        assert_ne!(digest(widest.as_bytes()), sha256_hex(widest.as_bytes()));
    }

    /// The same by way of a tree.
    fn by_a_tree(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let sorted: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name, by_a_tree(value))).collect();
                Value::Object(sorted.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(by_a_tree).collect()),
            scalar => scalar,
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(?s).{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let names = prop_oneof!["[ab!\"\\\\\n]{0,3}", "(?s).{0,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((names, inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_spelling_is_that_of_a_sorted_tree(value in values(), is_pretty: bool) {
            let sent = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(spelled(&sent).unwrap(), by_a_tree(value).to_string());
        }
    }
}
