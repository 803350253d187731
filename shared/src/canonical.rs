//! JSON in one spelling, so that copies of a body which say the same have the same digest.

use crate::hash::sha256_hex;
use serde_json::Value;
use std::collections::BTreeMap;

/// A digest of what the JSON says, whatever its spacing and order of fields; of the bytes where they are not JSON.
pub(crate) fn digest(body: &[u8]) -> String {
    digest_of(body, |value| value)
}

/// The same without the query part of every URL: presigned URLs are made anew for every copy that is sent.
pub(crate) fn digest_without_queries(body: &[u8]) -> String {
    digest_of(body, without_queries)
}

/// The same value with the fields of every object in order of their names. `serde_json` has them so by itself only as long
/// as no crate in the build asks it to preserve their order.
pub(crate) fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name, canonical(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        scalar => scalar,
    }
}

fn digest_of(body: &[u8], but: impl FnOnce(Value) -> Value) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => sha256_hex(canonical(but(value)).to_string().as_bytes()),
        Err(_) => sha256_hex(body),
    }
}

fn without_queries(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, without_queries(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_queries).collect()),
        Value::String(text) if text.starts_with("https://") || text.starts_with("http://") => {
            Value::String(text.split('?').next().unwrap_or_default().to_owned())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
