//! Every recorded delivery of Meeting BaaS, by name, with what it must be read as.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use shared::{
    AcceptId, Endpoint, Event, EventKind, QueueMessage, ReceivedAt,
    auth::{AuthMode, Credentials, StaticHeader},
    event::{Artifact, ArtifactStatus},
    provider::{self, ParseError},
};
use std::{collections::BTreeSet, fs, path::Path};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/provider/meetingbaas");
const BOT: &str = "meetingbaas#0b7d3c51-88e4-4b1d-a1f6-5e2c9d704aa3";
const CALENDAR: &str = "meetingbaas#calendar#5a0c9e1f-7d3b-4c28-8e64-1f2b3c4d5e6f";

/// Kind, outcome, artifacts, and whether the sender says when.
type Told = (&'static str, Option<&'static str>, Vec<Artifact>, bool);

const UNDATED: bool = false;
const DATED: bool = true;

/// Each file, with what it tells.
fn table() -> Vec<(&'static str, Told)> {
    use Artifact::{Audio, Transcript, Video};
    let moves = |kind| (kind, None, vec![], DATED);
    let calendar = |kind, dated| (kind, None, vec![], dated);
    vec![
        ("v1/bot.status_change.in_call_recording.json", moves("session.recording")),
        ("v1/bot.status_change.joining_call.json", moves("session.joining")),
        ("v1/bot.status_change.meeting_error.json", moves("session.warning")),
        ("v1/calendar.sync_events.json", calendar("calendar.events_synced", DATED)),
        ("v1/complete.json", ("session.done", Some("completed"), vec![Audio, Video, Transcript], UNDATED)),
        ("v1/complete.no_transcript.json", ("session.done", Some("completed"), vec![Video], UNDATED)),
        ("v1/failed.snake_case.json", ("session.done", Some("failed"), vec![], UNDATED)),
        ("v1/transcription_complete.json", ("transcript.announced", None, vec![Transcript], UNDATED)),
        ("v2/bot.chat_message.json", moves("chat.message")),
        ("v2/bot.completed.json", ("session.done", Some("completed"), vec![Audio, Video, Transcript], DATED)),
        ("v2/bot.failed.json", ("session.done", Some("denied"), vec![], DATED)),
        ("v2/bot.status_change.completed.json", ("session.done", Some("completed"), vec![], DATED)),
        ("v2/bot.status_change.in_call_recording.json", moves("session.recording")),
        ("v2/bot.status_change.in_waiting_room.json", moves("session.waiting")),
        ("v2/bot.status_change.joining_call.json", moves("session.joining")),
        ("v2/bot.status_change.queued.json", moves("session.scheduled")),
        ("v2/bot.status_change.recording_failed.json", moves("session.warning")),
        ("v2/bot.status_change.retrying.json", moves("session.joining")),
        ("v2/bot.status_change.transcribing.json", moves("session.processing")),
        ("v2/calendar.connection_created.json", calendar("calendar.connection_created", DATED)),
        ("v2/calendar.connection_deleted.json", calendar("calendar.connection_deleted", DATED)),
        ("v2/calendar.connection_updated.json", calendar("calendar.connection_updated", DATED)),
        ("v2/calendar.event_cancelled.json", calendar("calendar.event_cancelled", UNDATED)),
        ("v2/calendar.event_created.json", calendar("calendar.event_created", UNDATED)),
        ("v2/calendar.event_updated.json", calendar("calendar.event_updated", UNDATED)),
        ("v2/calendar.events_synced.json", calendar("calendar.events_synced", UNDATED)),
        ("v2-callback/bot.completed.json", ("session.done", Some("completed"), vec![Audio, Video, Transcript], DATED)),
        ("v2-callback/bot.failed.json", ("session.done", Some("denied"), vec![], DATED)),
    ]
}

fn read(file: &str) -> (QueueMessage, Result<Event, ParseError>) {
    let endpoint = match file.split('/').next() {
        Some("v1") => Endpoint::MeetingBaasV1,
        Some("v2") => Endpoint::MeetingBaasV2,
        _ => Endpoint::MeetingBaasCallback,
    };
    let mode = AuthMode::StaticHeader(StaticHeader::new("x-mb-secret", vec!["s3cret".to_owned()]).unwrap());
    let headers = http::HeaderMap::from_iter([("x-mb-secret".parse().unwrap(), "s3cret".parse().unwrap())]);
    let body = fs::read(Path::new(FOLDER).join(file)).unwrap();
    let verified = mode.verify(Credentials { headers: &headers, path_token: None }, body, 0).unwrap();
    let message = QueueMessage::new(verified, endpoint, AcceptId::new("a"), ReceivedAt(0));
    let event = provider::parse(&message);
    (message, event)
}

#[track_caller]
fn check(file: &str, expected: Told) {
    let (message, event) = read(file);
    let peek = provider::peek_message(&message);
    let (kind, outcome, artifacts, dated) = expected;
    let event = event.unwrap();
    let facts = event.facts();
    let ended = facts.iter().find_map(|(kind, _)| match kind {
        EventKind::Ended(ended) => Some(ended.outcome.as_str()),
        _ => None,
    });
    let ready = facts.iter().filter_map(|(kind, _)| match kind {
        EventKind::Artifact(artifact, ArtifactStatus::Announced) => Some(*artifact),
        _ => None,
    });
    let told = (event.kind.as_str(), ended, ready.collect::<Vec<_>>(), event.occurred_at.is_some());
    assert_eq!(told, (kind, outcome, artifacts, dated), "{file}");
    let subject = if file.contains("/calendar.") { CALENDAR } else { BOT };
    assert_eq!(event.session.encoded(), subject, "{file}");
    assert_eq!(
        (peek.session, peek.key),
        (Some(event.session), Some(event.key)),
        "{file}: both ends of the queue agree"
    );
}

#[test]
fn every_recording_is_read_as_what_it_is() {
    for (file, expected) in table() {
        check(file, expected);
    }
}

#[test]
fn every_recording_has_its_line() {
    let mut recorded = BTreeSet::new();
    for folder in fs::read_dir(FOLDER).unwrap() {
        let folder = folder.unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            let (folder, file) = (folder.file_name(), file.unwrap().file_name());
            recorded.insert(format!("{}/{}", folder.to_str().unwrap(), file.to_str().unwrap()));
        }
    }
    let listed: BTreeSet<_> = table().into_iter().map(|(file, _)| file.to_owned()).collect();
    assert_eq!(listed, recorded);
}

#[test]
fn all_deliveries_about_one_calendar_are_one_group() {
    let groups = table().into_iter().filter(|(file, _)| file.contains("/calendar.")).map(|(file, _)| {
        let (message, _) = read(file);
        provider::peek_message(&message).group
    });
    assert_eq!(groups.collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn what_the_user_attached_is_kept() {
    for file in ["v1/complete.json", "v2/bot.completed.json", "v2-callback/bot.completed.json"] {
        let (_, event) = read(file);
        assert_eq!(event.unwrap().custom_attributes.as_deref(), Some(r#"{"customer_id":"c-19"}"#), "{file}");
    }
    let (_, event) = read("v2/bot.failed.json");
    assert_eq!(event.unwrap().custom_attributes, None);
}
