//! Calendars that are connected to Meeting BaaS.

use crate::{fault::PlannedFault, time::millis, webhook::Webhook};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::Endpoint;

/// One calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarPlan {
    /// The provider's id of it.
    pub calendar_id: String,
    /// Where its deliveries go: it is of v1 or v2 by that.
    pub channel: Endpoint,
    /// What is in it.
    pub entries: Vec<CalendarEntry>,
    /// What its API does wrong.
    pub faults: Vec<PlannedFault>,
}

/// One meeting in a calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarEntry {
    /// The provider's id of it.
    pub event_id: String,
    /// What it is called.
    pub title: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether it was called off.
    pub is_cancelled: bool,
    /// The addresses of those who are invited.
    pub attendees: Vec<String>,
    /// Where it takes place.
    pub meeting_url: String,
}

const SERIES: &str = "9f8e7d6c-5b4a-4392-8170-6f5e4d3c2b1a";

impl CalendarPlan {
    /// A calendar without entries, whose API does nothing wrong.
    #[must_use]
    pub fn new(channel: Endpoint, calendar_id: impl Into<String>) -> Self {
        Self { calendar_id: calendar_id.into(), channel, entries: Vec::new(), faults: Vec::new() }
    }

    /// When it was connected: an hour before anything in it changed.
    pub(crate) fn connected_at(&self) -> Timestamp {
        let first = self.entries.iter().map(|entry| entry.updated_at).min().unwrap_or_default();
        first.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(first)
    }

    fn synced_at(&self) -> Option<Timestamp> {
        self.entries.iter().map(|entry| entry.updated_at).max()
    }

    /// As v1 lists it.
    pub(crate) fn of_v1(&self) -> Value {
        json!({
            "email": "priya@example.com",
            "google_id": format!("g-{}", self.calendar_id),
            "name": "Priya Raman",
            "resource_id": null,
            "uuid": self.calendar_id,
        })
    }

    /// As v2 lists it.
    pub(crate) fn of_v2(&self) -> Value {
        json!({
            "calendar_id": self.calendar_id,
            "calendar_platform": "google",
            "account_email": "priya@example.com",
            "status": "active",
            "synced_at": self.synced_at().map(millis),
            "created_at": millis(self.connected_at()),
        })
    }

    /// As v2 shows it alone.
    pub(crate) fn details_of_v2(&self) -> Value {
        let mut details = self.of_v2();
        let more = json!({
            "status_message": null,
            "subscription_id": null,
            "subscription_expires_at": null,
            "sync_status": "success",
            "sync_error": null,
            "provider_metadata": null,
            "updated_at": millis(self.synced_at().unwrap_or_else(|| self.connected_at())),
        });
        if let (Some(details), Value::Object(more)) = (details.as_object_mut(), more) {
            details.extend(more);
        }
        details
    }

    /// Puts an entry in, in place of one with the same id, and says what is told of that.
    pub(crate) fn put(&mut self, entry: CalendarEntry) -> Webhook {
        let is_new = !self.entries.iter().any(|other| other.event_id == entry.event_id);
        self.entries.retain(|other| other.event_id != entry.event_id);
        let (name, body) = if self.channel == Endpoint::MeetingBaasV2 {
            entry.told_by_v2(&self.calendar_id, is_new)
        } else {
            ("calendar.sync_events", entry.told_by_v1(&self.calendar_id))
        };
        let at = entry.updated_at;
        self.entries.push(entry);
        let timestamp = (name == "calendar.sync_events").then(|| millis(at));
        Webhook {
            endpoint: self.channel,
            name,
            name_in_session: name.to_owned(),
            at,
            timestamp,
            body: body.to_string().into_bytes(),
        }
    }
}

impl CalendarEntry {
    /// Half an hour at `start`, last changed at `updated_at`.
    #[must_use]
    pub fn new(event_id: impl Into<String>, start: Timestamp, updated_at: Timestamp) -> Self {
        Self {
            event_id: event_id.into(),
            title: "Weekly sync".to_owned(),
            start,
            end: start.saturating_add(SignedDuration::from_mins(30)).unwrap_or(start),
            updated_at,
            is_cancelled: false,
            attendees: vec!["priya@example.com".to_owned(), "tom@example.com".to_owned()],
            meeting_url: "https://meet.google.com/abc-defg-hij".to_owned(),
        }
    }

    /// As v1 lists it.
    pub(crate) fn of_v1(&self, calendar_id: &str) -> Value {
        let attendees = self.attendees.iter().map(|email| json!({ "email": email, "name": null }));
        json!({
            "uuid": self.event_id,
            "calendar_uuid": calendar_id,
            "google_id": format!("g-{}", self.event_id),
            "name": self.title,
            "meeting_url": self.meeting_url,
            "start_time": millis(self.start),
            "end_time": millis(self.end),
            "is_organizer": true,
            "is_recurring": true,
            "recurring_event_id": SERIES,
            "deleted": self.is_cancelled,
            "last_updated_at": millis(self.updated_at),
            "attendees": attendees.collect::<Vec<_>>(),
            "bot_param": null,
            "raw": {},
        })
    }

    /// As v2 lists it.
    pub(crate) fn of_v2(&self, calendar_id: &str) -> Value {
        json!({
            "series_id": SERIES,
            "event_type": "recurring",
            "event_id": self.event_id,
            "title": self.title,
            "start_time": millis(self.start),
            "end_time": millis(self.end),
            "status": self.status(),
            "is_exception": false,
            "meeting_url": self.meeting_url,
            "meeting_platform": "meet",
            "calendar_id": calendar_id,
            "bot_scheduled": false,
            "created_at": millis(self.updated_at),
        })
    }

    /// As v2 shows it alone.
    pub(crate) fn details_of_v2(&self, calendar_id: &str) -> Value {
        let attendees = self
            .attendees
            .iter()
            .map(|email| json!({ "email": email, "name": null, "response_status": "accepted" }))
            .collect::<Vec<_>>();
        let mut details = self.of_v2(calendar_id);
        let more = json!({
            "description": null,
            "location": null,
            "timezone": "UTC",
            "is_all_day": false,
            "organizer_email": self.attendees.first(),
            "organizer_name": null,
            "attendees": attendees,
            "calendar_platform": "google",
            "raw_payload": {},
            "updated_at": millis(self.updated_at),
        });
        if let (Some(details), Value::Object(more)) = (details.as_object_mut(), more) {
            details.remove("is_exception");
            details.extend(more);
        }
        details
    }

    fn told_by_v1(&self, calendar_id: &str) -> Value {
        json!({
            "event": "calendar.sync_events",
            "data": {
                "calendar_id": calendar_id,
                "last_updated_ts": millis(self.updated_at),
                "affected_event_uuids": [self.event_id],
            },
        })
    }

    fn told_by_v2(&self, calendar_id: &str, is_new: bool) -> (&'static str, Value) {
        let (name, list) = match (self.is_cancelled, is_new) {
            (true, _) => ("calendar.event_cancelled", "cancelled_instances"),
            (false, true) => ("calendar.event_created", "instances"),
            (false, false) => ("calendar.event_updated", "affected_instances"),
        };
        let instance = json!({
            "event_id": self.event_id,
            "start": millis(self.start),
            "end": millis(self.end),
            "title": self.title,
            "status": self.status(),
            "is_all_day": false,
            "is_exception": false,
            "bot_scheduled": false,
            "meeting_url": self.meeting_url,
            "meeting_platform": "meet",
        });
        let mut data = json!({
            "calendar_id": calendar_id, "event_type": "recurring", "series_id": SERIES, list: [instance],
        });
        // A cancellation says nothing of the series, and only a change whether it is an exception.
        let more = [("series_bot_scheduled", !self.is_cancelled), ("is_exception", !self.is_cancelled && !is_new)];
        if let Some(data) = data.as_object_mut() {
            data.extend(
                more.into_iter().filter(|(_, is_told)| *is_told).map(|(name, _)| (name.to_owned(), false.into())),
            );
        }
        (name, json!({ "event": name, "data": data }))
    }

    pub(crate) fn status(&self) -> &'static str {
        if self.is_cancelled { "cancelled" } else { "confirmed" }
    }
}
