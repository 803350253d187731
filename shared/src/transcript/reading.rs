//! Finding what was said in what a provider wrote.

use super::{Segment, Word};
use serde_json::{Map, Value};

/// Where segments are, or what leads to them, in order of preference: what is split by speaker before what is not.
const PLACES: [&str; 10] = [
    "utterances",
    "segments",
    "transcripts",
    "transcript",
    "transcription",
    "result",
    "results",
    "bot_data",
    "data",
    "channels",
];

/// A segment's text.
const TEXTS: [&str; 5] = ["transcript", "text", "sentence", "content", "full_transcript"];

/// The segments of a document; `None` if there is no place for them.
pub(super) fn segments(document: &Value) -> Option<Vec<Segment>> {
    match document {
        Value::Array(items) => Some(items.iter().flat_map(item).collect()),
        Value::Object(fields) => in_object(fields),
        _ => None,
    }
}

fn in_object(fields: &Map<String, Value>) -> Option<Vec<Segment>> {
    let mut found = None;
    for place in PLACES {
        let there = fields.get(place).and_then(segments);
        if there.as_ref().is_some_and(|segments| !segments.is_empty()) {
            return there;
        }
        found = found.or(there);
    }
    // Of several hearings of the same words, the first is the likeliest.
    if let Some(Value::Array(alternatives)) = fields.get("alternatives") {
        return Some(alternatives.first().map(item).unwrap_or_default());
    }
    // Words without anybody to say them: the document is one segment.
    match segment(fields) {
        Some(segment) => Some(vec![segment]),
        None => found,
    }
}

/// What one item of a list says.
fn item(value: &Value) -> Vec<Segment> {
    match value {
        Value::Object(fields) => match segment(fields) {
            Some(segment) => vec![segment],
            None => in_object(fields).unwrap_or_default(),
        },
        Value::String(text) if !text.trim().is_empty() => {
            vec![Segment { text: text.trim().to_owned(), ..Segment::default() }]
        }
        Value::Array(items) => items.iter().flat_map(item).collect(),
        _ => vec![],
    }
}

fn segment(fields: &Map<String, Value>) -> Option<Segment> {
    let words: Vec<Word> =
        fields.get("words").and_then(Value::as_array).into_iter().flatten().filter_map(word).collect();
    let text = TEXTS.iter().find_map(|name| text(fields.get(*name)?));
    let text = text.or_else(|| {
        let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        (!words.is_empty()).then(|| words.join(" "))
    })?;
    let start = seconds(fields, &["start_time", "start", "start_seconds", "offset"]);
    let end = seconds(fields, &["end_time", "end", "end_seconds"]);
    let start_seconds = start.or_else(|| words.iter().find_map(|word| word.start));
    let end_seconds = end.or_else(|| words.iter().rev().find_map(|word| word.end));
    Some(Segment {
        speaker: speaker(fields),
        text,
        start_seconds,
        end_seconds: not_before(start_seconds, end_seconds),
        words,
    })
}

fn word(value: &Value) -> Option<Word> {
    let Value::Object(fields) = value else {
        return text(value).map(|text| Word { text, ..Word::default() });
    };
    // With its punctuation, where there are both.
    let text = ["punctuated_word", "word", "text"].iter().find_map(|name| text(fields.get(*name)?))?;
    let start = seconds(fields, &["start", "start_time", "start_seconds"]);
    let end = not_before(start, seconds(fields, &["end", "end_time", "end_seconds"]));
    let confidence = fields.get("confidence").and_then(number).filter(|sure| (0.0..=1.0).contains(sure));
    Some(Word { text, start, end, confidence })
}

fn speaker(fields: &Map<String, Value>) -> Option<String> {
    let named = |value: &Value| match value {
        Value::Object(person) => text(person.get("name")?),
        other => text(other),
    };
    ["speaker", "speaker_name", "speakerName", "participant", "speaker_id"]
        .iter()
        .find_map(|name| named(fields.get(*name)?))
}

/// The language of the whole, or of what is said first in one.
pub(super) fn language(document: &Value) -> Option<String> {
    match document {
        Value::Array(items) => items.iter().find_map(language),
        Value::Object(fields) => {
            let named = ["language", "lang", "language_code"].iter().find_map(|name| text(fields.get(*name)?));
            let listed = || text(fields.get("languages")?.as_array()?.first()?);
            named.or_else(listed).or_else(|| PLACES.iter().find_map(|place| language(fields.get(*place)?)))
        }
        _ => None,
    }
}

/// A text that is not blank, or a number as text.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn seconds(fields: &Map<String, Value>, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| number(fields.get(*name)?)).map(|seconds| seconds.max(0.0))
}

/// A number, or a text that is one: in seconds, or with minutes and hours before them.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => {
            let parts = text.trim().split(':').map(|part| part.parse::<f64>().ok());
            parts.reduce(|sum, part| Some(sum? * 60.0 + part?)).flatten()?
        }
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn not_before(start: Option<f64>, end: Option<f64>) -> Option<f64> {
    end.map(|end| end.max(start.unwrap_or(0.0)))
}
