//! What a delivery says about a calendar.

use crate::event::{CalendarChange, CalendarEvent, MAX_AFFECTED};
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest id of a calendar's entry that is kept, in bytes. The senders use UUIDs.
const MAX_ENTRY_ID_BYTES: usize = 128;

/// What happened, across v1, v2 and the web page; `None` for a name we do not know.
pub(super) fn change(name: &str, body: &[u8]) -> Option<CalendarChange> {
    let what = match name.trim().to_ascii_lowercase().as_str() {
        "calendar.sync_events" | "calendar.events_synced" | "calendar.synced" => CalendarEvent::EventsSynced,
        "calendar.event_created" | "event.added" => CalendarEvent::EventCreated,
        "calendar.event_updated" | "event.updated" => CalendarEvent::EventUpdated,
        "calendar.event_cancelled" | "event.deleted" => CalendarEvent::EventCancelled,
        "calendar.connection_created" => CalendarEvent::ConnectionCreated,
        "calendar.connection_updated" => CalendarEvent::ConnectionUpdated,
        "calendar.connection_error" => CalendarEvent::ConnectionError,
        "calendar.connection_deleted" => CalendarEvent::ConnectionDeleted,
        _ => return None,
    };
    Some(CalendarChange { what, affected: affected(body) })
}

/// The ids of the entries a body names, wherever its dialect has them: in a list of ids, or as `event_id` of an entry.
pub(super) fn affected(body: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Ok(body) = serde_json::from_slice::<Value>(body) {
        collect(body.get("data").unwrap_or(&Value::Null), &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("event_id", Value::String(id)) => add(id, found),
                    ("affected_event_uuids", Value::Array(ids)) => {
                        ids.iter().filter_map(Value::as_str).for_each(|id| add(id, found));
                    }
                    _ => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn add(id: &str, found: &mut BTreeSet<String>) {
    if !id.is_empty() && id.len() <= MAX_ENTRY_ID_BYTES {
        found.insert(id.to_owned());
    }
    if found.len() > MAX_AFFECTED {
        found.pop_last();
    }
}
