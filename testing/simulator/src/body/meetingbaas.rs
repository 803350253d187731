//! Composes the bodies of Meeting BaaS, in each of its dialects.

use crate::{
    dialect::Dialect,
    script::{SECONDS_AFTER_MEETING, SECONDS_IN_MEETING},
    time::millis,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt;

const STATUS_CHANGE: &str = "bot.status_change";

/// What goes into one body. Whatever is `None` is as Meeting BaaS would have it, or absent where it has nothing.
#[derive(Clone, Copy, Debug)]
pub struct Composition<'a> {
    /// Whose words.
    pub dialect: Dialect,
    /// The event, or a status code.
    pub name: &'a str,
    /// The bot, or the calendar where the event is about one.
    pub id: &'a str,
    /// When it happens.
    pub now: Timestamp,
    /// Another text for that time.
    pub timestamp: Option<&'a str>,
    /// Whether to leave the time out.
    pub no_timestamp: bool,
    /// Another message: of an error, or in the chat.
    pub message: Option<&'a str>,
    /// Another error code.
    pub error_code: Option<&'a str>,
    /// The `extra`; null or absent where there is none.
    pub attributes: Option<&'a Map<String, Value>>,
    /// What the meeting left behind, in a completion.
    pub results: Option<&'a Results>,
}

/// What a meeting left behind, as a completion tells it.
#[derive(Clone, PartialEq, Debug)]
pub struct Results {
    pub participants: Vec<String>,
    pub speakers: Vec<String>,
    pub joined_at: Timestamp,
    pub exited_at: Timestamp,
    pub data_deleted: bool,
    pub video: Option<String>,
    pub audio: Option<String>,
    pub diarization: Option<String>,
    pub raw_transcription: Option<String>,
    pub transcription: Option<String>,
    /// What v1 sends in place of a URL.
    pub transcript: Option<Value>,
}

/// A body, and what became of what went into it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Composed {
    /// The body, compact.
    pub body: Vec<u8>,
    /// The time in it, if it has one.
    pub timestamp: Option<String>,
    /// What was given, and has no place in this event.
    pub unused: Vec<Detail>,
    /// Whether the sender documents the event.
    pub is_documented: bool,
}

/// What can be given, and not every event has a place for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    Timestamp,
    Message,
    ErrorCode,
    Attributes,
}

/// Why there is no such body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unspeakable {
    /// A status change without a status.
    NoCode,
    /// The dialect is closed, and has no event of this name.
    NoEvent {
        /// The name.
        name: String,
    },
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCode => write!(f, "{STATUS_CHANGE} needs a status code"),
            Self::NoEvent { name } => write!(f, "there is no event {name:?}"),
        }
    }
}

impl std::error::Error for Unspeakable {}

/// The events that the dialect documents, without status changes.
#[must_use]
pub fn events(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::MeetStream => &[],
        Dialect::MeetingBaasV1 => &["complete", "failed", "transcription_complete", "calendar.sync_events"],
        Dialect::MeetingBaasV2 => &[
            "bot.completed",
            "bot.failed",
            "bot.chat_message",
            "calendar.connection_created",
            "calendar.connection_updated",
            "calendar.connection_error",
            "calendar.connection_deleted",
            "calendar.events_synced",
            "calendar.event_created",
            "calendar.event_updated",
            "calendar.event_cancelled",
        ],
        Dialect::MeetingBaasCallback => &["bot.completed", "bot.failed"],
        Dialect::MeetingBaasLegacy => &[
            "meeting.started",
            "meeting.completed",
            "meeting.failed",
            "complete",
            "failed",
            "transcription.available",
            "transcription.updated",
            "calendar.synced",
            "event.added",
            "event.updated",
            "event.deleted",
        ],
    }
}

/// The status codes that the dialect documents.
#[must_use]
pub fn codes(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::MeetStream | Dialect::MeetingBaasCallback | Dialect::MeetingBaasLegacy => &[],
        Dialect::MeetingBaasV1 => &[
            "joining_call",
            "in_waiting_room",
            "in_call_not_recording",
            "in_call_recording",
            "recording_paused",
            "recording_resumed",
            "call_ended",
            "bot_rejected",
            "bot_removed",
            "waiting_room_timeout",
            "invalid_meeting_url",
            "meeting_error",
        ],
        Dialect::MeetingBaasV2 => &[
            "queued",
            "pickup_delayed",
            "joining_call",
            "in_waiting_room",
            "in_waiting_for_host",
            "in_call_not_recording",
            "in_call_recording",
            "recording_paused",
            "recording_resumed",
            "call_ended",
            "recording_succeeded",
            "recording_failed",
            "retrying",
            "transcribing",
            "transcription_failed",
            "completed",
            "failed",
            "awaiting_reconciliation",
            "api_request_stop",
            "bot_rejected",
            "bot_removed",
            "bot_removed_too_early",
            "waiting_room_timeout",
            "invalid_meeting_url",
            "meeting_error",
            "MEET_LOGIN_UNAVAILABLE",
            "MEET_LOGIN_REQUIRED",
            "MEET_LOGIN_FAILED_SAML_REJECTED",
            "MEET_LOGIN_FAILED_TIMEOUT",
        ],
    }
}

/// Whether the event is about a calendar, and not about a bot.
#[must_use]
pub fn is_of_a_calendar(name: &str) -> bool {
    name.starts_with("calendar.") || name.starts_with("event.")
}

/// The body of one delivery.
///
/// # Errors
/// When the dialect cannot say that.
pub fn compose(composition: &Composition<'_>) -> Result<Composed, Unspeakable> {
    let Composition { dialect, name, .. } = *composition;
    let what = What::of(dialect, name)?;
    let mut given = Given { composition, time: None, used: Vec::new() };
    let (event, data) = match what {
        What::Status(code) => (STATUS_CHANGE, given.status_change(code)),
        What::Event(event) => (event, given.data(event)),
    };
    let has_extra_on_top =
        dialect != Dialect::MeetingBaasV1 && dialect != Dialect::MeetingBaasLegacy && !is_of_a_calendar(event);
    let extra = has_extra_on_top.then(|| given.attributes().map_or(Value::Null, Value::from));
    let envelope = Envelope { event, data, extra };
    Ok(Composed {
        // Texts and JSON values are always JSON.
        body: serde_json::to_vec(&envelope).unwrap_or_default(),
        unused: given.unused(),
        timestamp: given.time,
        is_documented: match what {
            What::Status(code) => codes(dialect).contains(&code),
            What::Event(event) => events(dialect).contains(&event),
        },
    })
}

#[derive(Serialize)]
struct Envelope<'a> {
    event: &'a str,
    data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<Value>,
}

/// What a name on the command line means.
#[derive(Clone, Copy)]
enum What<'a> {
    Status(&'a str),
    Event(&'a str),
}

impl<'a> What<'a> {
    fn of(dialect: Dialect, name: &'a str) -> Result<Self, Unspeakable> {
        let has_codes = !codes(dialect).is_empty();
        let code = name.strip_prefix(STATUS_CHANGE).map(|rest| rest.strip_prefix('/').unwrap_or_default());
        match code {
            Some("") if has_codes => Err(Unspeakable::NoCode),
            Some(code) if has_codes => Ok(Self::Status(code)),
            _ if events(dialect).contains(&name) => Ok(Self::Event(name)),
            _ if dialect == Dialect::MeetingBaasCallback || code.is_some() => {
                Err(Unspeakable::NoEvent { name: name.to_owned() })
            }
            _ if codes(dialect).contains(&name) || (has_codes && !name.contains('.')) => Ok(Self::Status(name)),
            _ => Ok(Self::Event(name)),
        }
    }
}

/// What was given, and which of it has found a place.
struct Given<'a> {
    composition: &'a Composition<'a>,
    time: Option<String>,
    used: Vec<Detail>,
}

impl<'a> Given<'a> {
    fn time(&mut self) -> Option<String> {
        self.used.push(Detail::Timestamp);
        let Composition { now, timestamp: given, no_timestamp, .. } = *self.composition;
        self.time = (!no_timestamp).then(|| given.map_or_else(|| millis(now), str::to_owned));
        self.time.clone()
    }

    fn message(&mut self) -> Option<&'a str> {
        self.used.push(Detail::Message);
        self.composition.message
    }

    fn attributes(&mut self) -> Option<Map<String, Value>> {
        self.used.push(Detail::Attributes);
        self.composition.attributes.cloned()
    }

    /// The error code and its message.
    fn error(&mut self, usual: &'static str) -> (&'a str, &'a str) {
        self.used.push(Detail::ErrorCode);
        let code = self.composition.error_code.unwrap_or(usual);
        (code, self.message().unwrap_or(explained(code)))
    }

    fn unused(&self) -> Vec<Detail> {
        let Composition { timestamp, message, error_code, attributes, .. } = self.composition;
        let given = [
            (Detail::Timestamp, timestamp.is_some()),
            (Detail::Message, message.is_some()),
            (Detail::ErrorCode, error_code.is_some()),
            (Detail::Attributes, attributes.is_some()),
        ];
        let unused = given.into_iter().filter(|(detail, is_given)| *is_given && !self.used.contains(detail));
        unused.map(|(detail, _)| detail).collect()
    }

    fn status_change(&mut self, code: &str) -> Value {
        let time = self.time();
        let started = (code == "in_call_recording").then(|| {
            let given: Option<Timestamp> = time.as_deref().and_then(|time| time.parse().ok());
            given.unwrap_or(self.composition.now).as_second()
        });
        let (message, error_type) = match code {
            "meeting_error" => (self.message().or(Some("Lost connection")), Some("ConnectionLost")),
            "recording_failed" => (self.message().or(Some("Bot was removed before recording could start")), None),
            _ => (self.message(), None),
        };
        let is_v1 = self.composition.dialect == Dialect::MeetingBaasV1;
        let (attempt, max) = if code == "retrying" { (Some(2), Some(5)) } else { (None, None) };
        let status = object([
            ("code", Some(code.into())),
            ("created_at", time.map(Value::from)),
            ("start_time", started.map(Value::from)),
            ("error_message", message.map(Value::from)),
            ("error_type", error_type.filter(|_| is_v1).map(Value::from)),
            ("attempt", attempt.map(Value::from)),
            ("max", max.map(Value::from)),
        ]);
        let event_id = (!is_v1).then_some(Value::Null);
        object([("bot_id", Some(self.composition.id.into())), ("event_id", event_id), ("status", Some(status))])
    }

    fn data(&mut self, event: &str) -> Value {
        let id = self.composition.id;
        match event {
            "complete" | "meeting.completed" => self.complete(),
            "failed" | "meeting.failed" => {
                let (error, message) = self.error("meeting_not_found");
                let data = json!({ "bot_id": id, "event_uuid": null, "error": error, "message": message });
                with(data, "extra", self.attributes().map(Value::from))
            }
            "calendar.sync_events" | "calendar.synced" | "event.added" | "event.updated" | "event.deleted" => {
                let data = json!({ "calendar_id": id, "affected_event_uuids": [ENTRY, OTHER_ENTRY] });
                with(data, "last_updated_ts", self.time().map(Value::from))
            }
            "bot.completed" => self.completed(),
            "bot.failed" => {
                let (code, message) = self.error("BOT_NOT_ACCEPTED");
                let data = json!({ "bot_id": id, "event_id": null, "error_code": code, "error_message": message });
                with(data, "sent_at", self.time().map(Value::from))
            }
            "bot.chat_message" => {
                let data = json!({
                    "bot_id": id,
                    "event_id": null,
                    "message_id": format!("spaces/Ab3/messages/{}", self.composition.now.as_millisecond()),
                    "sender_name": "Tom Ilves",
                    "sender_id": 2,
                    "text": self.message().unwrap_or("Link is in the doc"),
                });
                with(data, "sent_at", self.time().map(Value::from))
            }
            "calendar.connection_deleted" => {
                let data = json!({ "calendar_id": id, "calendar_platform": "microsoft" });
                with(data, "deleted_at", self.time().map(Value::from))
            }
            "calendar.connection_created" => with(connection(id, "active"), "created_at", self.time().map(Value::from)),
            "calendar.connection_updated" => self.updated(connection(id, "permission_denied")),
            "calendar.connection_error" => self.updated(connection(id, "error")),
            "calendar.events_synced" => {
                json!({ "calendar_id": id, "events": [series("instances", "confirmed", false)] })
            }
            "calendar.event_created" => with(series("instances", "confirmed", false), "calendar_id", Some(id.into())),
            "calendar.event_updated" => {
                let series = with(series("affected_instances", "confirmed", true), "is_exception", Some(true.into()));
                with(series, "calendar_id", Some(id.into()))
            }
            "calendar.event_cancelled" => json!({
                "calendar_id": id,
                "event_type": "one_off",
                "series_id": null,
                "cancelled_instances": [entry("cancelled", false)],
            }),
            name if is_of_a_calendar(name) => json!({ "calendar_id": id }),
            // transcription_complete and its relatives; and whatever is not documented.
            _ => json!({ "bot_id": id }),
        }
    }

    /// v1 has the transcript inside, and no time at all.
    fn complete(&mut self) -> Value {
        let results = self.results();
        let data = object([
            ("bot_id", Some(self.composition.id.into())),
            ("event_uuid", Some(ENTRY.into())),
            ("transcript", results.transcript),
            ("speakers", Some(results.speakers.into())),
            ("mp4", Some(results.video.into())),
            ("audio", results.audio.map(Value::from)),
            ("event", Some("complete".into())),
        ]);
        with(data, "extra", self.attributes().map(Value::from))
    }

    fn completed(&mut self) -> Value {
        let whole = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let results = self.results();
        let has_transcript = results.transcription.is_some();
        let data = json!({
            "bot_id": self.composition.id,
            "event_id": null,
            "participants": people(&results.participants),
            "speakers": people(&results.speakers),
            "duration_seconds": results.exited_at.duration_since(results.joined_at).as_secs(),
            "joined_at": whole(results.joined_at),
            "exited_at": whole(results.exited_at),
            "data_deleted": results.data_deleted,
            "video": results.video,
            "audio": results.audio,
            "diarization": results.diarization,
            "raw_transcription": results.raw_transcription,
            "transcription": results.transcription,
            "transcription_provider": has_transcript.then_some("gladia"),
            "transcription_ids": has_transcript.then_some(["g-10c2"]),
        });
        with(data, "sent_at", self.time().map(Value::from))
    }

    /// What was given, or a small example with URLs that lead nowhere.
    fn results(&self) -> Results {
        if let Some(results) = self.composition.results {
            return results.clone();
        }
        let before =
            |moment: Timestamp, seconds| moment.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(moment);
        let exited_at = before(self.composition.now, SECONDS_AFTER_MEETING);
        let (priya, tom) = ("Priya Raman".to_owned(), "Tom Ilves".to_owned());
        let is_v2 = matches!(self.composition.dialect, Dialect::MeetingBaasV2 | Dialect::MeetingBaasCallback);
        let url = |v1: &str, v2: &str| {
            Some(if is_v2 {
                format!("https://s3.example.invalid/{v2}?X-Amz-Expires=14400")
            } else {
                format!("https://bots-videos.example.invalid/{v1}?X-Amz-Signature=abc")
            })
        };
        let words = json!([
            { "start": 1.5, "end": 1.9, "word": "Good" },
            { "start": 2.0, "end": 2.4, "word": "morning" },
        ]);
        let said = json!({ "speaker": priya, "offset": 1.5, "start_time": 1.5, "end_time": 2.4, "words": words });
        Results {
            speakers: if is_v2 { vec![priya.clone()] } else { vec![priya.clone(), tom.clone()] },
            participants: vec![priya, tom],
            joined_at: before(exited_at, SECONDS_IN_MEETING),
            exited_at,
            data_deleted: false,
            video: url("v.mp4", "video.mp4"),
            audio: url("a.wav", "audio.flac"),
            diarization: url("", "diarization.jsonl"),
            raw_transcription: None,
            transcription: url("", "output_transcription.json"),
            transcript: Some(json!([said])),
        }
    }

    /// A connection that is a day old.
    fn updated(&mut self, connection: Value) -> Value {
        let now = self.composition.now;
        let created = millis(now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now));
        with(with(connection, "created_at", Some(created.into())), "updated_at", self.time().map(Value::from))
    }
}

const ENTRY: &str = "d2f5c0de-1c64-4f3b-9f2d-6a7d0f3b1c22";
const OTHER_ENTRY: &str = "e7a1b0c2-3d4e-4f50-8a6b-7c8d9e0f1a2b";

fn explained(code: &str) -> &'static str {
    match code {
        "BOT_NOT_ACCEPTED" | "BotNotAccepted" => "Bot was not accepted into the meeting",
        "BOT_REMOVED" | "BotRemoved" => "Bot was removed from the meeting",
        "TIMEOUT_WAITING_TO_START" | "TimeoutWaitingToStart" => "Bot was not admitted in time",
        "meeting_not_found" => "The meeting could not be found",
        _ => "The bot could not go on",
    }
}

/// People as v2 lists them.
#[must_use]
pub fn people(names: &[String]) -> Value {
    let people = names.iter().zip(1_u32..).map(|(name, id)| json!({ "name": name, "id": id }));
    people.collect()
}

fn connection(id: &str, status: &str) -> Value {
    json!({ "calendar_id": id, "calendar_platform": "google", "account_email": "ops@example.com", "status": status })
}

fn entry(status: &str, is_exception: bool) -> Value {
    json!({
        "event_id": ENTRY,
        "start": "2026-08-24T10:00:00.000Z",
        "end": "2026-08-24T10:30:00.000Z",
        "title": "Weekly sync",
        "status": status,
        "is_all_day": false,
        "is_exception": is_exception,
        "bot_scheduled": false,
        "meeting_url": "https://meet.google.com/abc-defg-hij",
        "meeting_platform": "meet",
    })
}

fn series(list: &str, status: &str, is_exception: bool) -> Value {
    json!({
        "event_type": "recurring",
        "series_id": "9f8e7d6c-5b4a-4392-8170-6f5e4d3c2b1a",
        "series_bot_scheduled": true,
        list: [entry(status, is_exception)],
    })
}

fn object<const FIELDS: usize>(fields: [(&str, Option<Value>); FIELDS]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

fn with(mut value: Value, name: &str, field: Option<Value>) -> Value {
    if let (Some(fields), Some(field)) = (value.as_object_mut(), field) {
        fields.insert(name.to_owned(), field);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given<'a>(dialect: Dialect, name: &'a str) -> Composition<'a> {
        Composition {
            dialect,
            name,
            id: "b-1",
            now: "2026-08-20T09:31:04.221Z".parse().unwrap(),
            timestamp: None,
            no_timestamp: false,
            message: None,
            error_code: None,
            attributes: None,
            results: None,
        }
    }

    fn body(composition: &Composition<'_>) -> Value {
        serde_json::from_slice(&compose(composition).unwrap().body).unwrap()
    }

    /// The time of a recorded body, wherever it is.
    fn time_of(recorded: &Value) -> Option<&str> {
        let data = &recorded["data"];
        ["deleted_at", "updated_at", "created_at", "sent_at", "last_updated_ts"]
            .iter()
            .find_map(|name| data[*name].as_str())
            .or(data["status"]["created_at"].as_str())
    }

    /// Every recorded body is what we would have composed, field by field.
    #[test]
    fn composed_bodies_are_like_recorded_ones() {
        let mut compared = 0;
        for (folder, dialect) in [
            ("v1", Dialect::MeetingBaasV1),
            ("v2", Dialect::MeetingBaasV2),
            ("v2-callback", Dialect::MeetingBaasCallback),
        ] {
            let folder = format!("{}/../../events/provider/meetingbaas/{folder}", env!("CARGO_MANIFEST_DIR"));
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                let mut recorded: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let data = &recorded["data"];
                let name = text(&data["status"]["code"]).or(text(&recorded["event"])).unwrap();
                let id = text(&data["bot_id"]).or(text(&data["calendar_id"])).unwrap();
                let extra = recorded["extra"].as_object().or(data["extra"].as_object()).cloned();
                let time = time_of(&recorded).map(str::to_owned);
                let message = text(&data["text"]);
                let composition = Composition {
                    id: &id,
                    now: time.as_deref().unwrap_or("2026-08-20T09:31:04Z").parse().unwrap(),
                    timestamp: time.as_deref(),
                    message: message.as_deref(),
                    attributes: extra.as_ref(),
                    ..given(dialect, &name)
                };
                let made = compose(&composition).unwrap();
                assert!(made.is_documented && made.unused.is_empty(), "{}: {:?}", path.display(), made.unused);
                assert_eq!(made.timestamp, time, "{}", path.display());
                let mut composed: Value = serde_json::from_slice(&made.body).unwrap();
                if path.ends_with("complete.no_transcript.json") {
                    for more in ["transcript", "event_uuid", "audio", "event"] {
                        composed["data"].as_object_mut().unwrap().remove(more);
                    }
                    composed["data"]["speakers"] = json!([]);
                }
                // Some have a name for show as well.
                for list in ["participants", "speakers"] {
                    for person in recorded["data"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                        person.as_object_mut().map(|person| person.remove("display_name"));
                    }
                }
                // A new one for every message.
                if name == "bot.chat_message" {
                    recorded["data"]["message_id"] = composed["data"]["message_id"].clone();
                }
                // Recorded with another time than one would expect.
                if recorded["data"]["status"]["start_time"].is_number() && dialect == Dialect::MeetingBaasV1 {
                    composed["data"]["status"]["start_time"] = recorded["data"]["status"]["start_time"].clone();
                }
                assert_eq!(composed, recorded, "{}", path.display());
                compared += 1;
            }
        }
        assert!(compared > 25, "{compared}");
    }

    #[test]
    fn every_documented_event_can_be_composed_and_read() {
        for dialect in
            [Dialect::MeetingBaasV1, Dialect::MeetingBaasV2, Dialect::MeetingBaasCallback, Dialect::MeetingBaasLegacy]
        {
            for name in events(dialect).iter().chain(codes(dialect)) {
                let made = compose(&given(dialect, name)).unwrap();
                assert!(made.is_documented, "{name}");
                let session = shared::provider::peek(dialect.endpoint(), &made.body).session.unwrap();
                let is_calendar = session.subject == shared::ids::Subject::Calendar;
                assert_eq!(is_calendar, is_of_a_calendar(name), "{name}");
                assert_eq!(session.id.as_sent(), "b-1", "{name}");
            }
        }
    }

    #[track_caller]
    fn check(dialect: Dialect, name: &str, expected: Result<(&str, Option<&str>, bool), &str>) {
        match (compose(&given(dialect, name)), expected) {
            (Ok(made), Ok((event, code, is_documented))) => {
                let body: Value = serde_json::from_slice(&made.body).unwrap();
                assert_eq!(body["event"], event, "{name}");
                assert_eq!(body["data"]["status"]["code"].as_str(), code, "{name}");
                assert_eq!(made.is_documented, is_documented, "{name}");
            }
            (Err(failure), Err(told)) => assert!(failure.to_string().contains(told), "{failure}"),
            (made, _) => panic!("{name}: {made:?}"),
        }
    }

    #[test]
    fn names_mean_events_or_codes() {
        use Dialect::{
            MeetingBaasCallback as Callback, MeetingBaasLegacy as Legacy, MeetingBaasV1 as V1, MeetingBaasV2 as V2,
        };
        check(V2, "joining_call", Ok((STATUS_CHANGE, Some("joining_call"), true)));
        check(V2, "bot.status_change/joining_call", Ok((STATUS_CHANGE, Some("joining_call"), true)));
        check(V2, "bot.status_change/levitating", Ok((STATUS_CHANGE, Some("levitating"), false)));
        check(V1, "queued", Ok((STATUS_CHANGE, Some("queued"), false)));
        check(V1, "failed", Ok(("failed", None, true)));
        check(V2, "failed", Ok((STATUS_CHANGE, Some("failed"), true)));
        check(V2, "bot.brand_new", Ok(("bot.brand_new", None, false)));
        check(V2, "bot.status_change", Err("needs a status code"));
        check(V1, "bot.status_change/", Err("needs a status code"));
        check(Callback, "joining_call", Err("there is no event \"joining_call\""));
        check(Callback, "bot.status_change/completed", Err("no event"));
        check(Legacy, "bot.status_change/completed", Err("no event"));
        check(Legacy, "meeting.started", Ok(("meeting.started", None, true)));
        check(Legacy, "joining_call", Ok(("joining_call", None, false)));
    }

    #[test]
    fn what_is_given_replaces_what_is_usual_or_is_unused() {
        let extra = json!({ "customer_id": "c-19" });
        let all = |dialect, name| Composition {
            timestamp: Some("yesterday"),
            message: Some("a \"word\""),
            error_code: Some("BOT_REMOVED"),
            attributes: extra.as_object(),
            ..given(dialect, name)
        };
        let failed = all(Dialect::MeetingBaasV2, "bot.failed");
        assert_eq!(compose(&failed).unwrap().unused, []);
        let expected = json!({
            "event": "bot.failed",
            "data": {
                "bot_id": "b-1", "event_id": null, "error_code": "BOT_REMOVED", "error_message": "a \"word\"",
                "sent_at": "yesterday",
            },
            "extra": { "customer_id": "c-19" },
        });
        assert_eq!(body(&failed), expected);
        let unused = |dialect, name| compose(&all(dialect, name)).unwrap().unused;
        assert_eq!(unused(Dialect::MeetingBaasV1, "complete"), [Detail::Timestamp, Detail::Message, Detail::ErrorCode]);
        assert_eq!(unused(Dialect::MeetingBaasV1, "joining_call"), [Detail::ErrorCode, Detail::Attributes]);
        assert_eq!(
            unused(Dialect::MeetingBaasV2, "calendar.connection_created"),
            [Detail::Message, Detail::ErrorCode, Detail::Attributes]
        );
        let timeless = Composition { no_timestamp: true, ..given(Dialect::MeetingBaasV2, "queued") };
        assert_eq!(body(&timeless)["data"]["status"], json!({ "code": "queued" }));
    }
}
