//! `MeetStream`'s dialect, in all its generations.
//!
//! The public documents describe four, and traffic of each exists: the event's name in `event` alone, in `bot_event`
//! alone, in both with different values (then `bot_event` is the specific one), and with or without a `timestamp`.
//! One rule reads all four: what happened is `bot_event`, and where that is absent or new, `event`.

pub mod rest;

use super::{
    bounds::{Attributes, bounded},
    error::ParseError,
};
use crate::{
    canonical,
    endpoint::Provider,
    event::{Artifact, ArtifactStatus, Certainty, Ended, Event, EventKind, Outcome, Permission, Presence},
    hash::FieldHash,
    ids::{DeliveryKey, SessionId},
    lenient::{Object, Text, object},
    message::QueueMessage,
    sender_id::SenderId,
    source::Source,
    time::OccurredAt,
};
use serde::Deserialize;

/// The fields that say which delivery a body is. Read at both ends of the queue, so it borrows what it can.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    bot_event: Text<'a>,
    #[serde(borrow)]
    bot_id: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    data: Object<Data<'a>>,
}

/// Where realtime pushes have the bot.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow)]
    bot: Object<DataBot<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DataBot<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

/// The fields that say what a delivery means. Read only where it is judged.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    bot_status: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow)]
    transcript: Text<'a>,
    words: Option<serde::de::IgnoredAny>,
    custom_attributes: Attributes,
}

impl Envelope<'_> {
    fn name(&self) -> Option<&str> {
        self.bot_event.get().or(self.event.get()).map(str::trim)
    }

    fn bot_id(&self) -> Option<&str> {
        let in_data = self.data.0.as_ref().and_then(|data| data.bot.0.as_ref()).and_then(|bot| bot.id.get());
        self.bot_id.get().or(in_data)
    }

    fn session(&self) -> Result<SessionId, ParseError> {
        let bot_id = SenderId::try_from(self.bot_id().ok_or(ParseError::NoBot)?)?;
        Ok(SessionId::bot(Provider::MeetStream, bot_id))
    }

    /// What makes two deliveries the same.
    ///
    /// With a timestamp: bot, both names and the timestamp's text as received. Without: the body stands in for it, in
    /// canonical JSON, so that a re-serialised copy is still the same. Kinds that may repeat within one timestamp
    /// (participants, live transcript, errors, unknown ones) always include the body: two people may join at once.
    fn key(&self, body: &[u8]) -> DeliveryKey {
        let acts = kind(self, None).is_some_and(|kind| kind.acts());
        let body_digest = match self.timestamp.get() {
            Some(_) if acts => None,
            _ => Some(canonical::digest(body)),
        };
        let hash = FieldHash::default()
            .field(Provider::MeetStream.as_str())
            .optional(self.bot_id())
            .optional(self.event.get())
            .optional(self.bot_event.get())
            .optional(self.timestamp.get())
            .optional(body_digest);
        DeliveryKey::from_digest(hash.digest())
    }
}

/// The bot and the key of a body that was `sent`, from its `readable` form.
pub(super) fn peek(sent: &[u8], readable: &[u8]) -> Option<(Option<SessionId>, DeliveryKey)> {
    let envelope: Envelope<'_> = object(readable)?;
    Some((envelope.session().ok(), envelope.key(sent)))
}

/// The event in a message whose body has this readable form.
pub(super) fn parse(message: &QueueMessage, body: &[u8]) -> Result<Event, ParseError> {
    let envelope: Envelope<'_> = object(body).ok_or(ParseError::NotAnObject)?;
    let details: Details<'_> = object(body).ok_or(ParseError::NotAnObject)?;

    let (name, kind) = match envelope.name() {
        Some(name) => (name, kind(&envelope, details.bot_status.get()).unwrap_or(EventKind::Unknown)),
        // Live transcription has no name of its own; its shape is the only sign.
        None if details.words.is_some() || details.transcript.get().is_some() => {
            ("live_transcript", EventKind::LiveTranscript)
        }
        None => return Err(ParseError::NoName),
    };
    Ok(Event {
        session: envelope.session()?,
        reason: reason(&kind, name, &details),
        kind,
        name: bounded(name),
        occurred_at: envelope.timestamp.get().and_then(|text| OccurredAt::parse(text).ok()),
        received_at: message.received_at(),
        source: Source::Delivered(message.endpoint()),
        trust: message.trust(),
        key: envelope.key(message.body()),
        accept_id: message.accept_id().clone(),
        has_dropped_attributes: details.custom_attributes == Attributes::Dropped,
        custom_attributes: details.custom_attributes.kept(),
    })
}

/// What the names mean: the specific one first, then the family, because a new kind of ending is still an ending.
fn kind(envelope: &Envelope<'_>, bot_status: Option<&str>) -> Option<EventKind> {
    let specific = envelope.bot_event.get().and_then(|name| kind_of(name, true, bot_status));
    specific.or_else(|| envelope.event.get().and_then(|name| kind_of(name, false, bot_status)))
}

fn kind_of(name: &str, specific: bool, bot_status: Option<&str>) -> Option<EventKind> {
    use {Artifact as A, ArtifactStatus as S};
    let ended = |outcome| EventKind::Ended(Ended { outcome, certainty: Certainty::Final });
    Some(match name.trim().to_ascii_lowercase().as_str() {
        "bot.scheduled" => EventKind::Scheduled,
        "bot.joining" => EventKind::Joining,
        "bot.in_waiting_room" => EventKind::Waiting,
        "bot.inmeeting" => EventKind::InCall,
        "bot.recording_permission_allowed" => EventKind::Permission(Permission::Allowed),
        "bot.recording_permission_denied" => EventKind::Permission(Permission::Denied),
        "bot.recording" => EventKind::Recording,
        "bot.leaving" => EventKind::Leaving,
        "bot.stopped" if specific => ended(Outcome::Completed),
        "bot.stopped" => EventKind::Ended(ended_by_status(bot_status)),
        "bot.kicked" => ended(Outcome::Kicked),
        "bot.notallowed" => ended(Outcome::NotAdmitted),
        "bot.denied" => ended(Outcome::Denied),
        "bot.failed" => ended(Outcome::Failed),
        "bot.error" => EventKind::Warning,
        "bot.uploading" => EventKind::Uploading,
        "manifest.completed" | "manifest.processed" => EventKind::Artifact(A::Manifest, S::Announced),
        "manifest.failed" => EventKind::Artifact(A::Manifest, S::Failed),
        "manifest.skipped" => EventKind::Artifact(A::Manifest, S::Skipped),
        "audio.processed" => EventKind::Artifact(A::Audio, S::Announced),
        "audio.failed" => EventKind::Artifact(A::Audio, S::Failed),
        "audio.skipped" => EventKind::Artifact(A::Audio, S::Skipped),
        "video.processed" => EventKind::Artifact(A::Video, S::Announced),
        "video.failed" => EventKind::Artifact(A::Video, S::Failed),
        "video.skipped" => EventKind::Artifact(A::Video, S::Skipped),
        "transcription.processed" | "bot.transcriptionready" => EventKind::Artifact(A::Transcript, S::Announced),
        "transcription.failed" => EventKind::Artifact(A::Transcript, S::Failed),
        "transcription.skipped" => EventKind::Artifact(A::Transcript, S::Skipped),
        "bot.done" => EventKind::Done,
        "data_deletion" => EventKind::Deleted,
        "participant_events.join" => EventKind::Participant(Presence::Joined),
        "participant_events.leave" => EventKind::Participant(Presence::Left),
        _ => return None,
    })
}

/// How a `bot.stopped` without a more specific name ended: by `bot_status`, whose spelling and case drift, and which says
/// `Stopped` for a clean end and for a kick alike. So all it gives is a hint of how; that it ended is certain.
fn ended_by_status(bot_status: Option<&str>) -> Ended {
    let outcome = match bot_status.map(|status| status.trim().to_ascii_lowercase()).as_deref() {
        None | Some("stopped") => Outcome::Completed,
        Some("notallowed") => Outcome::NotAdmitted,
        Some("denied") => Outcome::Denied,
        Some("error" | "failed") => Outcome::Failed,
        Some(_) => Outcome::Unknown,
    };
    Ended { outcome, certainty: Certainty::Hint }
}

/// The sender's own words for an end or a failure: name, status and message, since none of them alone tells a kick from a
/// clean exit in every generation.
fn reason(kind: &EventKind, name: &str, details: &Details<'_>) -> Option<String> {
    let explains = matches!(
        kind,
        EventKind::Ended(_)
            | EventKind::Warning
            | EventKind::Artifact(_, ArtifactStatus::Failed | ArtifactStatus::Skipped)
    );
    if !explains {
        return None;
    }
    let mut reason = name.to_owned();
    if let Some(status) = details.bot_status.get() {
        reason = format!("{reason} ({})", status.trim());
    }
    if let Some(message) = details.message.get() {
        reason = format!("{reason}: {}", message.trim());
    }
    Some(bounded(&reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        endpoint::Endpoint,
        message::tests::message,
        provider::{self, Peek, bounds::MAX_TEXT_BYTES},
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(body: &Value) -> Result<Event, ParseError> {
        provider::parse(&message(Endpoint::MeetStream, "a", body.to_string().as_bytes()))
    }

    #[track_caller]
    fn check_kind(name: &str, mut body: Value, expected: EventKind) {
        body["bot_id"] = json!("b");
        assert_eq!(read(&body).unwrap().kind, expected, "{name}");
    }

    fn ended(outcome: Outcome, certainty: Certainty) -> EventKind {
        EventKind::Ended(Ended { outcome, certainty })
    }

    #[test]
    fn the_end_is_read_in_every_generation() {
        use Certainty::{Final, Hint};
        let end = |event: &str, status: &str| json!({"event": event, "bot_status": status});
        check_kind("event only, clean or kicked", end("bot.stopped", "Stopped"), ended(Outcome::Completed, Hint));
        check_kind("event only, lobby", end("bot.stopped", "NotAllowed"), ended(Outcome::NotAdmitted, Hint));
        check_kind("event only, refused", end("bot.stopped", "Denied"), ended(Outcome::Denied, Hint));
        for status in ["FAILED", "Failed", "ERROR", "Error", " error "] {
            check_kind(status, end("bot.stopped", status), ended(Outcome::Failed, Hint));
        }
        check_kind("event only, a new status", end("bot.stopped", "Vanished"), ended(Outcome::Unknown, Hint));
        check_kind("event only, no status", json!({"event": "bot.stopped"}), ended(Outcome::Completed, Hint));
        for (name, outcome) in [
            ("bot.kicked", Outcome::Kicked),
            ("bot.notallowed", Outcome::NotAdmitted),
            ("bot.denied", Outcome::Denied),
            ("bot.failed", Outcome::Failed),
        ] {
            check_kind("bot_event only", json!({"bot_event": name, "bot_status": "Stopped"}), ended(outcome, Final));
            let both = json!({"event": "bot.stopped", "bot_event": name, "bot_status": "Stopped"});
            check_kind("both", both, ended(outcome, Final));
        }
        let new = json!({"event": "bot.stopped", "bot_event": "bot.beamed_up", "bot_status": "Stopped"});
        check_kind("a new end is still an end", new, ended(Outcome::Completed, Hint));
    }

    #[test]
    fn a_clean_end_named_twice_is_final() {
        let clean = json!({"event": "bot.stopped", "bot_event": "bot.stopped", "bot_status": "Stopped"});
        check_kind("both names", clean, ended(Outcome::Completed, Certainty::Final));
    }

    #[test]
    fn odd_fields_never_make_a_body_unreadable() {
        let joining = |mut more: Value| {
            more["bot_event"] = json!("bot.joining");
            check_kind(&more.to_string(), more.clone(), EventKind::Joining);
        };
        joining(json!({"event": {"a": [1]}, "timestamp": [1], "data": "text", "status_code": "x"}));
        joining(json!({"timestamp": 1767225600, "custom_attributes": "text", "message": {"a": 1}, "words": 3}));
        joining(json!({"data": {"bot": [1]}, "bot_status": null, "event": ""}));
        joining(json!({"event": "bot.joining", "unheard_of": {"deep": [[[]]]}}));
    }

    #[test]
    fn the_bot_is_found_in_both_places() {
        let bot = |body: Value| read(&body).map(|event| event.session.id.as_sent().to_owned());
        assert_eq!(bot(json!({"event": "bot.joining", "bot_id": "b"})), Ok("b".to_owned()));
        assert_eq!(bot(json!({"event": "participant_events.join", "data": {"bot": {"id": "b"}}})), Ok("b".to_owned()));
        assert_eq!(bot(json!({"event": "bot.joining", "bot_id": 17})), Ok("17".to_owned()));
        assert_eq!(bot(json!({"event": "bot.joining"})), Err(ParseError::NoBot));
        assert_eq!(bot(json!({"event": "bot.joining", "bot_id": null})), Err(ParseError::NoBot));
        assert!(matches!(bot(json!({"event": "bot.joining", "bot_id": "b".repeat(600)})), Err(ParseError::BadBot(_))));
    }

    #[test]
    fn what_cannot_be_understood_has_a_reason() {
        let refused = |body: &[u8]| provider::parse(&message(Endpoint::MeetStream, "a", body)).unwrap_err();
        assert_eq!(refused(b"hello"), ParseError::NotAnObject);
        assert_eq!(refused(b""), ParseError::NotAnObject);
        assert_eq!(refused(b"\xff\xfe"), ParseError::NotAnObject);
        assert_eq!(refused(b"[1]"), ParseError::NotAnObject);
        assert_eq!(refused(br#"{"bot_id":"a","bot_id":"b","event":"bot.joining"}"#), ParseError::NotAnObject);
        assert_eq!(refused(br#"{"bot_id":"a"}"#), ParseError::NoName);
    }

    #[test]
    fn unknown_names_are_kept() {
        let event = read(&json!({"event": "bot.levitating", "bot_id": "b"})).unwrap();
        assert_eq!((event.kind, event.name.as_str()), (EventKind::Unknown, "bot.levitating"));
        let long = read(&json!({"event": "é".repeat(1000), "bot_id": "b"})).unwrap();
        assert_eq!(long.name.len(), MAX_TEXT_BYTES);
    }

    fn key(body: &str) -> DeliveryKey {
        let from_parse = provider::parse(&message(Endpoint::MeetStream, "a", body.as_bytes())).unwrap().key;
        assert_eq!(
            provider::peek(Endpoint::MeetStream, body.as_bytes()).key.as_ref(),
            Some(&from_parse),
            "both ends of the queue agree"
        );
        from_parse
    }

    #[test]
    fn the_same_delivery_has_the_same_key() {
        let dated =
            key(r#"{"event":"bot.stopped","bot_event":"bot.kicked","bot_id":"b","timestamp":"2026-01-01T00:00:00Z"}"#);
        let other_bytes = r#"{ "bot_id":"b", "message":"x", "timestamp":"2026-01-01T00:00:00Z", "bot_event":"bot.kicked", "event":"bot.stopped" }"#;
        assert_eq!(dated, key(other_bytes));
        let undated = key(r#"{"event":"transcription.processed","bot_id":"b","status":"success"}"#);
        assert_eq!(undated, key(r#"{"bot_id": "b", "status": "success", "event": "transcription.processed"}"#));
    }

    #[test]
    fn numbers_are_kept_to_their_last_digit() {
        let sent = json!({"event": "bot.joining", "bot_id": "b"})
            .to_string()
            .replace('}', r#","custom_attributes":{"x":1787218264.5787141}}"#);
        let event = provider::parse(&message(Endpoint::MeetStream, "a", sent.as_bytes())).unwrap();
        assert_eq!(event.custom_attributes.as_deref(), Some(r#"{"x":1787218264.5787141}"#));
    }

    #[test]
    fn different_deliveries_have_different_keys() {
        let keys = [
            key(r#"{"event":"bot.joining","bot_id":"b","timestamp":"2026-01-01T00:00:00Z"}"#),
            key(r#"{"event":"bot.joining","bot_id":"b","timestamp":"2026-01-01T00:00:01Z"}"#),
            key(r#"{"event":"bot.joining","bot_id":"c","timestamp":"2026-01-01T00:00:00Z"}"#),
            key(r#"{"event":"bot.joining","bot_id":"b"}"#),
            key(r#"{"event":"bot.joining","bot_id":"b","message":"again"}"#),
            key(r#"{"event":"bot.stopped","bot_event":"bot.stopped","bot_id":"b","timestamp":"2026-01-01T00:00:00Z"}"#),
            key(r#"{"event":"bot.stopped","bot_event":"bot.kicked","bot_id":"b","timestamp":"2026-01-01T00:00:00Z"}"#),
            key(
                r#"{"event":"participant_events.join","data":{"bot":{"id":"b"},"who":1},"timestamp":"2026-01-01T00:00:00Z"}"#,
            ),
            key(
                r#"{"event":"participant_events.join","data":{"bot":{"id":"b"},"who":2},"timestamp":"2026-01-01T00:00:00Z"}"#,
            ),
        ];
        for (i, left) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|right| left != right), "key {i}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = provider::parse(&message(Endpoint::MeetStream, "a", &body));
            let _ = provider::peek(Endpoint::MeetStream, &body);
        }

        #[test]
        fn parsing_json_never_panics(
            name in ".*", id in ".{0,600}", time in ".*", status in ".*",
            odd in prop_oneof![Just(json!(null)), Just(json!([{}])), Just(json!({"bot": {"id": 1e300}}))],
        ) {
            let body = json!({"event": name, "bot_id": id, "timestamp": time, "bot_status": status, "data": odd});
            let _ = read(&body);
            let Peek { session, key, .. } = provider::peek(Endpoint::MeetStream, body.to_string().as_bytes());
            prop_assert!(key.is_some());
            prop_assert!(session.is_none_or(|session| session.encoded().len() < 300));
        }
    }
}
