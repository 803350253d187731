//! Finding what was said in what a provider wrote.
//!
//! No tree of the document is built. A value stays the text that it is until something in it is asked for, and what is built of a
//! transcript is counted against a [`Budget`].

use super::shape::{Segment, Word};
use crate::lenient::MAX_DEPTH;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, value::RawValue};
use std::{borrow::Cow, fmt, mem::size_of};

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

const SPEAKERS: [&str; 5] = ["speaker", "speaker_name", "speakerName", "participant", "speaker_id"];
const STARTS: [&str; 4] = ["start_time", "start", "start_seconds", "offset"];
const ENDS: [&str; 3] = ["end_time", "end", "end_seconds"];
const WORD_TEXTS: [&str; 3] = ["punctuated_word", "word", "text"];
const WORD_STARTS: [&str; 3] = ["start", "start_time", "start_seconds"];
const WORD_ENDS: [&str; 3] = ["end", "end_time", "end_seconds"];
const LANGUAGES: [&str; 3] = ["language", "lang", "language_code"];
const OTHERS: [&str; 5] = ["alternatives", "words", "confidence", "name", "languages"];

/// Every name that is ever looked for.
const NAMES: [&[&str]; 8] = [&PLACES, &TEXTS, &SPEAKERS, &STARTS, &ENDS, &WORD_TEXTS, &LANGUAGES, &OTHERS];

/// What a segment takes: the list of segments has room for up to twice as many.
const SEGMENT_BYTES: usize = 2 * size_of::<Segment>();

/// How many bytes may still be built.
struct Budget(usize);

/// What was to be built would be out of proportion to the document.
pub(super) struct Exhausted;

impl Budget {
    /// For a document of this many bytes. Words as providers write them take less than two and a half times their bytes.
    fn of(document_bytes: usize) -> Self {
        Self(document_bytes.saturating_mul(3).saturating_add(32_768))
    }

    fn take(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(bytes).ok_or(Exhausted)?;
        Ok(())
    }
}

/// A value, seen from outside.
enum Value<'a> {
    Object(Fields<'a>),
    List(&'a RawValue),
    Text(Cow<'a, str>),
    Number(Number),
    Other,
}

impl<'a> Value<'a> {
    fn of(raw: &'a RawValue) -> Self {
        let text = raw.get();
        let seen = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(Self::Object),
            Some(b'[') => return Self::List(raw),
            Some(b'"') => serde_json::from_str::<Borrowed<'a>>(text).map(|text| Self::Text(text.0)),
            Some(b'-' | b'0'..=b'9') => serde_json::from_str(text).map(Self::Number),
            _ => return Self::Other,
        };
        seen.unwrap_or(Self::Other)
    }
}

#[derive(serde::Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of an object that are ever looked for, each as its text.
struct Fields<'a>(Vec<(&'static str, &'a RawValue)>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(Fields)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<(&'static str, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut known: Self::Value = Vec::with_capacity(8);
        while let Some(Known(name)) = fields.next_key()? {
            let Some(name) = name else {
                fields.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = fields.next_value()?;
            // The last of several fields with one name counts.
            match known.iter_mut().find(|(other, _)| *other == name) {
                Some(field) => field.1 = value,
                None => known.push((name, value)),
            }
        }
        Ok(known)
    }
}

/// A name that is looked for, if it is one.
struct Known(Option<&'static str>);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KnownVisitor)
    }
}

struct KnownVisitor;

impl Visitor<'_> for KnownVisitor {
    type Value = Known;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_str<E>(self, name: &str) -> Result<Known, E> {
        Ok(Known(NAMES.into_iter().flatten().copied().find(|known| *known == name)))
    }
}

/// Does something with each item of a list until it says that it has enough.
fn each<'a>(list: &'a RawValue, mut with: impl FnMut(&'a RawValue) -> bool) {
    struct Items<F>(F);
    impl<'de, F: FnMut(&'de RawValue) -> bool> Visitor<'de> for Items<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
            while items.next_element()?.is_some_and(&mut self.0) {}
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(())
        }
    }
    // The document was read to its end before, so nothing can fail.
    let _ = serde_json::Deserializer::from_str(list.get()).deserialize_seq(Items(&mut with));
}

fn count(list: &RawValue) -> usize {
    let mut count = 0;
    each(list, |_| {
        count += 1;
        true
    });
    count
}

/// A reader of one document.
pub(super) struct Reader {
    budget: Budget,
}

impl Reader {
    /// A reader of a document of this many bytes.
    pub(super) fn new(document_bytes: usize) -> Self {
        Self { budget: Budget::of(document_bytes) }
    }

    /// The segments of a document; `None` if there is no place for them. What is nested deeper than [`MAX_DEPTH`] is no place.
    pub(super) fn segments(&mut self, document: &RawValue) -> Result<Option<Vec<Segment>>, Exhausted> {
        self.segments_at(document, 0)
    }

    fn segments_at(&mut self, document: &RawValue, depth: usize) -> Result<Option<Vec<Segment>>, Exhausted> {
        if depth > MAX_DEPTH {
            return Ok(None);
        }
        match Value::of(document) {
            Value::List(list) => {
                let mut segments = Vec::new();
                self.items(list, &mut segments, depth)?;
                Ok(Some(segments))
            }
            Value::Object(fields) => self.in_object(&fields, depth),
            _ => Ok(None),
        }
    }

    fn in_object(&mut self, fields: &Fields<'_>, depth: usize) -> Result<Option<Vec<Segment>>, Exhausted> {
        let mut found = None;
        for place in PLACES {
            let Some(value) = fields.get(place) else { continue };
            let there = self.segments_at(value, depth + 1)?;
            if there.as_ref().is_some_and(|segments| !segments.is_empty()) {
                return Ok(there);
            }
            found = found.or(there);
        }
        // Of several hearings of the same words, the first is the likeliest.
        if let Some(Value::List(alternatives)) = fields.get("alternatives").map(Value::of) {
            let mut first = None;
            each(alternatives, |alternative| {
                first = Some(alternative);
                false
            });
            let mut segments = Vec::new();
            if let Some(first) = first {
                self.item(first, &mut segments, depth + 1)?;
            }
            return Ok(Some(segments));
        }
        // Words without anybody to say them: the document is one segment.
        Ok(self.segment(fields)?.map(|segment| vec![segment]).or(found))
    }

    fn items(&mut self, list: &RawValue, segments: &mut Vec<Segment>, depth: usize) -> Result<(), Exhausted> {
        let mut end = Ok(());
        each(list, |value| {
            end = self.item(value, segments, depth + 1);
            end.is_ok()
        });
        end
    }

    /// Adds what one item of a list says.
    fn item(&mut self, value: &RawValue, segments: &mut Vec<Segment>, depth: usize) -> Result<(), Exhausted> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        match Value::of(value) {
            Value::Object(fields) => match self.segment(&fields)? {
                Some(segment) => segments.push(segment),
                None => segments.extend(self.in_object(&fields, depth)?.unwrap_or_default()),
            },
            Value::Text(text) if !text.trim().is_empty() => {
                self.budget.take(SEGMENT_BYTES + text.len())?;
                segments.push(Segment { text: text.trim().to_owned(), ..Segment::default() });
            }
            Value::List(list) => self.items(list, segments, depth)?,
            _ => {}
        }
        Ok(())
    }

    fn segment(&mut self, fields: &Fields<'_>) -> Result<Option<Segment>, Exhausted> {
        let words = self.words(fields)?;
        let text = TEXTS.iter().find_map(|name| text(fields.get(name)?));
        let text = text.or_else(|| {
            let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            (!words.is_empty()).then(|| words.join(" "))
        });
        let Some(text) = text else { return Ok(None) };
        let speaker = speaker(fields);
        self.budget.take(SEGMENT_BYTES + text.len() + speaker.as_ref().map_or(0, String::len))?;
        let start = seconds(fields, &STARTS);
        let end = seconds(fields, &ENDS);
        let start_seconds = start.or_else(|| words.iter().find_map(|word| word.start));
        let end_seconds = end.or_else(|| words.iter().rev().find_map(|word| word.end));
        Ok(Some(Segment { speaker, text, start_seconds, end_seconds: not_before(start_seconds, end_seconds), words }))
    }

    fn words(&mut self, fields: &Fields<'_>) -> Result<Vec<Word>, Exhausted> {
        let Some(Value::List(list)) = fields.get("words").map(Value::of) else { return Ok(Vec::new()) };
        let count = count(list);
        self.budget.take(count.saturating_mul(size_of::<Word>()))?;
        let mut words = Vec::with_capacity(count);
        let mut end = Ok(());
        each(list, |value| {
            words.extend(word(value));
            end = self.budget.take(words.last().map_or(0, |word: &Word| word.text.len()));
            end.is_ok()
        });
        end.map(|()| words)
    }
}

fn word(value: &RawValue) -> Option<Word> {
    let Value::Object(fields) = Value::of(value) else {
        return text(value).map(|text| Word { text, ..Word::default() });
    };
    // With its punctuation, where there are both.
    let text = WORD_TEXTS.iter().find_map(|name| text(fields.get(name)?))?;
    let start = seconds(&fields, &WORD_STARTS);
    let end = not_before(start, seconds(&fields, &WORD_ENDS));
    let confidence = fields.get("confidence").and_then(number).filter(|sure| (0.0..=1.0).contains(sure));
    Some(Word { text, start, end, confidence })
}

fn speaker(fields: &Fields<'_>) -> Option<String> {
    let named = |value: &RawValue| match Value::of(value) {
        Value::Object(person) => text(person.get("name")?),
        _ => text(value),
    };
    SPEAKERS.iter().find_map(|name| named(fields.get(name)?))
}

/// The language of the whole, or of what is said first in one.
pub(super) fn language(document: &RawValue) -> Option<String> {
    language_at(document, 0)
}

fn language_at(document: &RawValue, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    match Value::of(document) {
        Value::List(list) => {
            let mut found = None;
            each(list, |item| {
                found = language_at(item, depth + 1);
                found.is_none()
            });
            found
        }
        Value::Object(fields) => {
            let named = LANGUAGES.iter().find_map(|name| text(fields.get(name)?));
            let listed = || {
                let Value::List(languages) = Value::of(fields.get("languages")?) else { return None };
                let mut first = None;
                each(languages, |language| {
                    first = text(language);
                    false
                });
                first
            };
            let inside = || PLACES.iter().find_map(|place| language_at(fields.get(place)?, depth + 1));
            named.or_else(listed).or_else(inside)
        }
        _ => None,
    }
}

/// A text that is not blank, or a number as text.
fn text(value: &RawValue) -> Option<String> {
    let text = match Value::of(value) {
        Value::Text(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn seconds(fields: &Fields<'_>, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| number(fields.get(name)?)).map(|seconds| seconds.max(0.0))
}

/// A number, or a text that is one: in seconds, or with minutes and hours before them.
fn number(value: &RawValue) -> Option<f64> {
    let number = match Value::of(value) {
        Value::Number(number) => number.as_f64()?,
        Value::Text(text) => {
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
