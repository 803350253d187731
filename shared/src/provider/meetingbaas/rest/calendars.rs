//! Calendars: `GET /calendar_events/` and `/calendar_events/{uuid}` of version 1, `GET /v2/calendars/{id}/events` and
//! `/v2/calendars/{id}/events/{event id}` of version 2.

use crate::{
    api::{CalendarEntry, EntryStatus, Unreadable},
    lenient::{Text, object, tolerantly},
    sender_id::SenderId,
    time::OccurredAt,
    url::percent_decoded,
};
use serde::Deserialize;
use serde_json::Value;

/// One page of a list of entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<CalendarEntry>,
    /// What to ask for the next page with; `None` on the last one.
    pub cursor: Option<String>,
}

/// Reads a page of either version. An entry without a usable id is left out.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object with a list `data`.
pub fn page(body: &[u8]) -> Result<Page, Unreadable> {
    tolerantly(body, read_page).ok_or(Unreadable)
}

fn read_page(body: &[u8]) -> Option<Page> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Wire<'a> {
        data: Value,
        #[serde(borrow)]
        next: Text<'a>,
        #[serde(borrow)]
        cursor: Text<'a>,
    }
    let wire: Wire<'_> = object(body)?;
    let Value::Array(entries) = wire.data else { return None };
    let cursor = match wire.cursor.get().or(wire.next.get()) {
        Some(text) => Some(cursor(text)?),
        None => None,
    };
    Some(Page { entries: entries.iter().filter_map(read).collect(), cursor })
}

/// The cursor, also where the URL of the next page is given in its place. The URL itself is never followed: it could lead our
/// key anywhere.
fn cursor(text: &str) -> Option<String> {
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Some(text.to_owned());
    }
    let query = text.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default());
    let parameter = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("cursor=")));
    parameter.and_then(percent_decoded).filter(|cursor| !cursor.is_empty())
}

/// Reads one entry of either version: version 2 puts it into `data`.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object with a usable id.
pub fn entry(body: &[u8]) -> Result<CalendarEntry, Unreadable> {
    let read = |body: &[u8]| {
        let value: Value = serde_json::from_slice(body).ok()?;
        read(value.get("data").filter(|data| data.is_object()).unwrap_or(&value))
    };
    tolerantly(body, read).ok_or(Unreadable)
}

/// The longest title, URL or name that is kept, in bytes. Anyone can send invitations of any length, and an entry must fit into a
/// table item and into an event.
const MAX_TEXT_BYTES: usize = 2048;

fn read(value: &Value) -> Option<CalendarEntry> {
    let text = |names: [&str; 2]| {
        let text = names.into_iter().find_map(|name| value.get(name)?.as_str());
        let cut = |text: &str| text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default().to_owned();
        text.map(str::trim).filter(|text| !text.is_empty()).map(cut)
    };
    let time = |names| text(names).and_then(|text| OccurredAt::parse(&text).ok());
    Some(CalendarEntry {
        id: SenderId::try_from(text(["event_id", "uuid"])?).ok()?,
        title: text(["title", "name"]),
        starts_at: time(["start_time", "start"]),
        ends_at: time(["end_time", "end"]),
        status: status(value),
        meeting_url: text(["meeting_url", "meeting_url"]),
        series_id: text(["series_id", "recurring_event_id"]),
        bot_scheduled: bot_scheduled(value),
        updated_at: time(["updated_at", "last_updated_at"]),
    })
}

fn status(value: &Value) -> EntryStatus {
    if value.get("deleted") == Some(&Value::Bool(true)) {
        return EntryStatus::Cancelled;
    }
    match value.get("status").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("cancelled") => EntryStatus::Cancelled,
        Some("confirmed") => EntryStatus::Confirmed,
        Some("tentative") => EntryStatus::Tentative,
        // Version 1 has no status, only that an entry is deleted, or not.
        None if value.get("deleted") == Some(&Value::Bool(false)) => EntryStatus::Confirmed,
        _ => EntryStatus::Unknown,
    }
}

/// Version 1 has the bot's parameters in place of an answer.
fn bot_scheduled(value: &Value) -> Option<bool> {
    let said = value.get("bot_scheduled").and_then(Value::as_bool);
    said.or_else(|| value.get("bot_param").map(|parameters| !parameters.is_null()))
}

#[cfg(test)]
mod tests;
