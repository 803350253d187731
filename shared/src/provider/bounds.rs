//! How much of a sender's text goes into a session: every write of it pays for all of it.

use crate::canonical::canonical;
use serde_json::{Map, Value};

/// The largest custom attributes we keep in the session, in bytes of JSON.
pub(super) const MAX_ATTRIBUTES_BYTES: usize = 2048;

/// The longest text of the sender's that we keep in the session, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 256;

/// What the user attached to the bot, as JSON text; none if there is nothing in it, or too much.
pub(super) fn attributes(attributes: Option<Map<String, Value>>) -> Option<String> {
    let attributes = attributes.filter(|attributes| !attributes.is_empty())?;
    let text = canonical(Value::Object(attributes)).to_string();
    (text.len() <= MAX_ATTRIBUTES_BYTES).then_some(text)
}

/// As much of the text as we keep.
pub(super) fn bounded(text: &str) -> String {
    let end = (0..=text.len().min(MAX_TEXT_BYTES)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}
