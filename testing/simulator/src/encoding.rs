//! Percent encoding.

/// A segment of a path.
pub(crate) fn encoded(segment: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    segment.bytes().map(byte).collect()
}

/// What was meant. What is no encoding stays as it is.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digits = match rest {
            [b'%', high, low, ..] => std::str::from_utf8(&[*high, *low]).ok().map(str::to_owned),
            _ => None,
        };
        match digits.and_then(|digits| u8::from_str_radix(&digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The names and values of a query.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plus = |text: &str| decoded(&text.replace('+', " "));
        (plus(name), plus(value))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in ["", "b-1", "a b/c?d=e&f", "%41", "日本", "x/remove_bot?"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
        assert_eq!(decoded("x%2Fremove_bot%3"), "x/remove_bot%3");
        assert_eq!(decoded("%zz"), "%zz");
    }

    #[test]
    fn a_query_is_pairs() {
        let expected = [("calendar_id", "c 1"), ("since", "2026-01-01T00:00:00+00:00"), ("flag", "")];
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(pairs("calendar_id=c+1&since=2026-01-01T00%3A00%3A00%2B00:00&flag"), expected);
    }
}
