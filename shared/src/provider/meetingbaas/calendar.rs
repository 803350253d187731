//! What a delivery says about a calendar.

use crate::{
    event::{CalendarChange, CalendarEvent, MAX_AFFECTED},
    lenient::{MAX_DEPTH, tolerantly},
};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{collections::BTreeSet, fmt};

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

/// The ids of the entries a body names, wherever its dialect has them: in a list of ids, or as `event_id` of an entry. At most
/// [`MAX_AFFECTED`]; what is nested deeper than [`MAX_DEPTH`] names none.
pub(super) fn affected(body: &[u8]) -> BTreeSet<String> {
    let read = |body: &[u8]| {
        let mut found = BTreeSet::new();
        let place = Place { what: What::Body, depth: 0, found: &mut found };
        place.deserialize(&mut serde_json::Deserializer::from_slice(body)).ok().map(|()| found)
    };
    tolerantly(body, read).unwrap_or_default()
}

/// What a value is, by where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Body,
    Anything,
    Id,
    ListOfIds,
    IdInList,
}

/// A place where ids may be.
struct Place<'f> {
    what: What,
    depth: usize,
    found: &'f mut BTreeSet<String>,
}

impl Place<'_> {
    fn inner(&mut self, what: What) -> Place<'_> {
        Place { what, depth: self.depth + 1, found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > MAX_DEPTH {
            return IgnoredAny::deserialize(deserializer).map(drop);
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
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if matches!(self.what, What::Id | What::IdInList) {
            add(text, self.found);
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let what = if self.what == What::ListOfIds { What::IdInList } else { What::Anything };
        while items.next_element_seed(self.inner(what))?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Name>()? {
            let what = match name {
                Name::Data if self.what == What::Body => What::Anything,
                _ if self.what == What::Body => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
                Name::EventId => What::Id,
                Name::AffectedEventUuids => What::ListOfIds,
                Name::Data | Name::Other => What::Anything,
            };
            fields.next_value_seed(self.inner(what))?;
        }
        Ok(())
    }
}

/// The names that matter here.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    Data,
    EventId,
    AffectedEventUuids,
    #[serde(other)]
    Other,
}

fn add(id: &str, found: &mut BTreeSet<String>) {
    if !id.is_empty() && id.len() <= MAX_ENTRY_ID_BYTES {
        found.insert(id.to_owned());
    }
    if found.len() > MAX_AFFECTED {
        found.pop_last();
    }
}
