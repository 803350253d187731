//! What deliveries say: the recorded bodies of both providers, told of bots of our own, and bodies that nobody can read.

use anyhow::{Context, Result};
use e2e::recordings;
use fastrand::Rng;
use serde_json::{Value, json};
use shared::{Endpoint, Provider, event::Artifact, message::MAX_WHOLE_BYTES, provider};
use std::{collections::BTreeMap, sync::OnceLock};

/// A body and what it is.
#[derive(Clone, Debug)]
pub struct Body {
    /// Its name, for people.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it is a genuine delivery, which must be understood however odd its details are.
    pub is_genuine: bool,
}

/// A meeting of `MeetStream`, in the order of its course. Of names with bars, one.
const MEETSTREAM: &[&str] = &[
    "current-2026-09/bot.scheduled",
    "current-2026-09/bot.joining",
    "current-2026-09/bot.joining.retry2",
    "current-2026-09/bot.in_waiting_room",
    "current-2026-09/bot.inmeeting|docs-event-2026-02/bot.joining|blog-2025/bot.inmeeting",
    "current-2026-09/bot.recording_permission_allowed.zoom|current-2026-09/bot.recording_permission_denied.zoom",
    "current-2026-09/bot.recording",
    "realtime/participant_events.join",
    "realtime/live_transcript.meetstream_streaming",
    "current-2026-09/bot.error.nonterminal",
    "realtime/participant_events.leave",
    "current-2026-09/bot.leaving",
    "current-2026-09/bot.stopped.clean|current-2026-09/bot.stopped.kicked|current-2026-09/bot.stopped.denied|\
     current-2026-09/bot.stopped.notallowed|current-2026-09/bot.stopped.failed|docs-event-2026-02/bot.stopped.Stopped|\
     docs-event-2026-02/bot.stopped.NotAllowed|docs-event-2026-02/bot.stopped.Error|blog-2025/bot.stopped",
    "current-2026-09/bot.uploading",
    "current-2026-09/manifest.completed|current-2026-09/manifest.skipped",
    "current-2026-09/audio.processed|current-2026-09/audio.skipped",
    "current-2026-09/video.processed",
    "current-2026-09/transcription.processed|current-2026-09/transcription.failed|\
     current-2026-09/transcription.skipped|docs-event-2026-02/transcription.processed.no_timestamp",
    "current-2026-09/bot.transcriptionready",
    "current-2026-09/bot.done",
    "current-2026-09/data_deletion|docs-event-2026-02/data_deletion",
];

/// A meeting of Meeting BaaS v1.
const V1: &[&str] = &[
    "v1/bot.status_change.joining_call",
    "v1/bot.status_change.in_call_recording",
    "v1/bot.status_change.meeting_error",
    "v1/complete|v1/complete.no_transcript|v1/failed.snake_case",
    "v1/transcription_complete",
];

/// A meeting of Meeting BaaS v2.
const V2: &[&str] = &[
    "v2/bot.status_change.queued",
    "v2/bot.status_change.joining_call",
    "v2/bot.status_change.retrying",
    "v2/bot.status_change.in_waiting_room",
    "v2/bot.status_change.in_call_recording",
    "v2/bot.chat_message",
    "v2/bot.status_change.recording_failed",
    "v2/bot.status_change.transcribing",
    "v2/bot.status_change.completed",
    "v2/bot.completed|v2/bot.failed",
];

/// What is told of a calendar.
const CALENDAR: &[&str] = &[
    "v2/calendar.connection_created",
    "v2/calendar.events_synced",
    "v2/calendar.event_created",
    "v2/calendar.event_updated",
    "v2/calendar.event_cancelled",
    "v2/calendar.connection_updated",
    "v2/calendar.connection_deleted",
];

/// What the callback of a bot of Meeting BaaS says.
const CALLBACK: &[&str] = &["v2-callback/bot.completed|v2-callback/bot.failed"];

/// What the vendor's web page calls things.
const LEGACY: &[&str] = &["meeting.started", "meeting.completed|meeting.failed", "transcription.available"];

/// Every delivery about one subject through one endpoint, in the order of its course. `word` stands in what people said, entered
/// or are called.
#[must_use]
pub fn course(rng: &mut Rng, endpoint: Endpoint, is_calendar: bool, id: &str, word: &str) -> Vec<Body> {
    let (provider, names) = match endpoint {
        Endpoint::MeetStream | Endpoint::MeetStreamCallback => ("meetstream", MEETSTREAM),
        Endpoint::MeetingBaasV1 => ("meetingbaas", V1),
        Endpoint::MeetingBaasV2 if is_calendar => ("meetingbaas", CALENDAR),
        Endpoint::MeetingBaasV2 => ("meetingbaas", V2),
        Endpoint::MeetingBaasCallback => ("meetingbaas", CALLBACK),
        Endpoint::MeetingBaasLegacy => ("", LEGACY),
    };
    let bodies = names.iter().filter_map(|names| {
        let name = rng.choice(names.split('|').collect::<Vec<_>>())?.trim();
        let bytes = if provider.is_empty() {
            json!({"event": name, "data": {"bot_id": id}, "extra": {"who": word}}).to_string().into_bytes()
        } else {
            told_of(endpoint, recorded(&format!("{provider}/{name}"))?, id, word)
        };
        Some(Body { name: name.to_owned(), bytes, is_genuine: true })
    });
    bodies.collect()
}

/// The same, happening at one of a few other times: a little earlier or later, or years off, where the sender's clock is wrong.
/// It may then be the same fact as another delivery and not the same delivery, or the other way round.
#[must_use]
pub fn moved(rng: &mut Rng, body: &Body) -> Body {
    let Ok(mut value) = serde_json::from_slice::<Value>(&body.bytes) else { return body.clone() };
    let time = match rng.u8(0..4) {
        0 => (*rng.choice(&FAR_OFF).unwrap_or(&FAR_OFF[0])).to_owned(),
        _ => format!("2026-10-05T14:{:02}:00Z", rng.u8(0..3)),
    };
    for at in ["/timestamp", "/data/status/created_at", "/data/sent_at", "/data/exited_at"] {
        if let Some(place) = value.pointer_mut(at).filter(|place| place.is_string()) {
            *place = json!(time);
        }
    }
    Body { name: format!("{} at {time}", body.name), bytes: value.to_string().into_bytes(), ..*body }
}

/// Times of clocks that are years off.
const FAR_OFF: [&str; 5] = [
    "9999-12-30T00:00:00Z",
    "-009999-06-01T00:00:00Z",
    "2031-01-01T00:00:00Z",
    "2019-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
];

/// The same with something in it that is hard to read: in what people said, entered or are called, or in its attributes.
#[must_use]
pub fn hostile(rng: &mut Rng, endpoint: Endpoint, body: &Body) -> Body {
    let Ok(value) = serde_json::from_slice::<Value>(&body.bytes) else { return body.clone() };
    let text = if rng.bool() { hostile_text(rng, body, value.clone()) } else { None };
    text.unwrap_or_else(|| hostile_attributes(rng, endpoint, body, value))
}

/// The fields that hold the words of people or of a provider.
const WORDS: [&str; 12] = [
    "message",
    "error_message",
    "name",
    "full_name",
    "bot_name",
    "display_name",
    "sender_name",
    "speaker",
    "title",
    "text",
    "word",
    "transcript",
];

/// The same with a text that is hard to read behind each of its words; `None` if it has no words.
fn hostile_text(rng: &mut Rng, body: &Body, mut value: Value) -> Option<Body> {
    const PLACE: char = '\u{e000}';
    fn mark(value: &mut Value, marked: &mut usize) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if WORDS.contains(&name.as_str()) => {
                            text.push(PLACE);
                            *marked += 1;
                        }
                        value => mark(value, marked),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| mark(value, marked)),
            _ => {}
        }
    }
    let mut marked = 0;
    mark(&mut value, &mut marked);
    if marked == 0 {
        return None;
    }
    let (what, odd) = match rng.u8(0..5) {
        0 => ("cut within a character", r" bye \ud83d".to_owned()),
        1 => ("half a character before another", r"\udc00\ud83e\udd80\ud800x".to_owned()),
        2 => ("control characters", r"\u0000\u0007\u001b[31m\u009b\u202e\u2028\r\n".to_owned()),
        3 => ("characters of 4 bytes", "\u{1f980}".repeat(rng.usize(1..200))),
        _ => ("quotes", r#"\"}],\\"#.to_owned()),
    };
    let bytes = value.to_string().replace(PLACE, &odd).into_bytes();
    Some(Body { name: format!("{}, {what}", body.name), bytes, ..*body })
}

/// The same with attributes that are nested deeply, cut within a character, beyond the range of numbers, or large.
fn hostile_attributes(rng: &mut Rng, endpoint: Endpoint, body: &Body, mut value: Value) -> Body {
    const PLACE: &str = "the place of the attributes";
    let name = if endpoint.provider() == Provider::MeetStream { "custom_attributes" } else { "extra" };
    let Some(fields) = value.as_object_mut() else { return body.clone() };
    let before = fields.insert(name.to_owned(), json!(PLACE)).unwrap_or(Value::Null);
    let (what, odd) = match rng.u8(0..4) {
        0 => ("nested deeply", format!("{}{}", "[".repeat(3000), "]".repeat(3000))),
        1 => ("cut within a character", r#""bye \ud83d""#.to_owned()),
        2 => ("beyond all numbers", "1e999".to_owned()),
        _ => ("large", format!("[{}0]", r#"{"a":1},"#.repeat(rng.usize(100..3_000)))),
    };
    let attributes = format!(r#"{{"before":{before},"odd":{odd}}}"#);
    let text = value.to_string().replace(&json!(PLACE).to_string(), &attributes);
    Body { name: format!("{}, {what}", body.name), bytes: text.into_bytes(), ..*body }
}

/// The same with 4 MB of attributes, as a tree of small objects.
#[must_use]
pub fn bloated(endpoint: Endpoint, body: &Body) -> Body {
    let Ok(mut value) = serde_json::from_slice::<Value>(&body.bytes) else { return body.clone() };
    let name = if endpoint.provider() == Provider::MeetStream { "custom_attributes" } else { "extra" };
    if let Some(fields) = value.as_object_mut() {
        fields.insert(name.to_owned(), json!([]));
    }
    let tree = format!(r#"{{"all":[{}0]}}"#, r#"{"a":{"b":[]}},"#.repeat(4_000_000 / 15));
    let text = value.to_string().replacen(&format!(r#""{name}":[]"#), &format!(r#""{name}":{tree}"#), 1);
    Body { name: format!("{}, 4 MB of attributes", body.name), bytes: text.into_bytes(), ..*body }
}

/// The same with so much beside it that it does not fit the queue.
#[must_use]
pub fn swollen(body: &Body) -> Body {
    let Ok(mut value) = serde_json::from_slice::<Value>(&body.bytes) else { return body.clone() };
    if let Some(value) = value.as_object_mut() {
        value.insert("filler".to_owned(), json!("x".repeat(MAX_WHOLE_BYTES)));
    }
    Body { name: format!("{}, swollen", body.name), bytes: value.to_string().into_bytes(), ..*body }
}

/// What an authentic sender should not send, and does.
#[must_use]
pub fn odd(rng: &mut Rng, endpoint: Endpoint, id: &str) -> Body {
    let of = |name: &str, bytes: Vec<u8>| Body { name: name.to_owned(), bytes, is_genuine: false };
    let about = |event: &str, extra: u32| match endpoint.provider() {
        Provider::MeetStream => json!({"event": event, "bot_id": id, "n": extra}),
        Provider::MeetingBaas => json!({"event": event, "data": {"bot_id": id}, "n": extra}),
    };
    match rng.u8(0..9) {
        0 => of("not JSON", format!("not json {}", rng.u32(..)).into_bytes()),
        1 => of("empty", Vec::new()),
        2 => of("not text", vec![0xff, 0xfe, rng.u8(..)]),
        3 => of("a list", b"[1,2,3]".to_vec()),
        4 => of("no bot", json!({"event": "bot.joining", "n": rng.u32(..)}).to_string().into_bytes()),
        5 => {
            let mut nameless = about("", rng.u32(..));
            if let Some(nameless) = nameless.as_object_mut() {
                nameless.remove("event");
            }
            of("no name", nameless.to_string().into_bytes())
        }
        6 => of("an endless id", json!({"event": "bot.joining", "bot_id": "x".repeat(600)}).to_string().into_bytes()),
        7 => of("control characters", b"a \x00 and a \x1f".to_vec()),
        _ => of("an unknown event", about("bot.unheard_of", rng.u32(0..3)).to_string().into_bytes()),
    }
}

/// A body that is as long and says something else: what an altered claim holds.
#[must_use]
pub fn altered(body: &[u8]) -> Vec<u8> {
    let mut other = body.to_vec();
    // In the filler at the end, so that it still parses and only its digest tells.
    if let Some(byte) = other.iter_mut().rev().find(|byte| **byte == b'x') {
        *byte = b'y';
    }
    other
}

/// What people said, entered or are called in the recordings.
const SAID: [&str; 7] = ["acme", "c-19", "Priya", "Raman", "Tom Ilves", "Weekly sync", "morning"];

fn told_of(endpoint: Endpoint, recorded: &[u8], id: &str, word: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(recorded);
    let text = SAID.into_iter().fold(text.into_owned(), |text, said| text.replace(said, word));
    match provider::peek(endpoint, recorded).session {
        Some(session) => text.replace(session.id.as_sent(), id).into_bytes(),
        None => recorded.to_vec(),
    }
}

/// The artifacts that a delivery of this name announces, as the providers' documents have it.
#[must_use]
pub fn announces(name: &str) -> Option<Artifact> {
    let names = [
        ("audio.processed", Artifact::Audio),
        ("video.processed", Artifact::Video),
        ("transcription.processed", Artifact::Transcript),
        ("v1/transcription_complete", Artifact::Transcript),
    ];
    names.into_iter().find(|(known, _)| name.contains(known)).map(|(_, artifact)| artifact)
}

/// Whether a delivery of this name says that a bot's data was deleted.
#[must_use]
pub fn deletes(name: &str) -> bool {
    name.contains("data_deletion")
}

fn recorded(name: &str) -> Option<&'static [u8]> {
    static ALL: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    ALL.get_or_init(|| read().unwrap_or_default()).get(name).map(Vec::as_slice)
}

fn read() -> Result<BTreeMap<String, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for provider in ["meetstream", "meetingbaas"] {
        for name in recordings::names(provider)? {
            let file = recordings::folder(provider).join(format!("{name}.json"));
            let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
            all.insert(format!("{provider}/{name}"), bytes);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_recording() {
        for (provider, names) in [
            ("meetstream", MEETSTREAM),
            ("meetingbaas", V1),
            ("meetingbaas", V2),
            ("meetingbaas", CALENDAR),
            ("meetingbaas", CALLBACK),
        ] {
            for name in names.iter().flat_map(|names| names.split('|')).map(str::trim) {
                assert!(recorded(&format!("{provider}/{name}")).is_some(), "{provider}/{name}");
            }
        }
    }

    #[test]
    fn every_recording_is_told_of_the_bot_it_should_be_about() {
        let mut rng = Rng::with_seed(1);
        for endpoint in Endpoint::ALL {
            for is_calendar in [false, true] {
                for body in course(&mut rng, endpoint, is_calendar, "our-own", "word") {
                    let session = provider::peek(endpoint, &body.bytes).session.unwrap();
                    assert_eq!(session.id.as_sent(), "our-own", "{}", body.name);
                }
            }
        }
    }

    #[test]
    fn a_word_is_planted_where_people_said_something() {
        let mut rng = Rng::with_seed(1);
        for (endpoint, is_calendar) in [(Endpoint::MeetStream, false), (Endpoint::MeetingBaasV2, true)] {
            let bodies = course(&mut rng, endpoint, is_calendar, "b", "planted");
            assert!(bodies.iter().filter(|body| body.bytes.windows(7).any(|part| part == b"planted")).count() > 2);
        }
    }

    #[test]
    fn hostile_texts_and_attributes_are_still_about_the_same_bot() {
        let mut rng = Rng::with_seed(1);
        let body = &course(&mut rng, Endpoint::MeetStream, false, "b", "word")[0];
        let all: Vec<_> = (0..80).map(|_| hostile(&mut rng, Endpoint::MeetStream, body)).collect();
        for hostile in &all {
            assert!(hostile.is_genuine && hostile.bytes != body.bytes, "{}", hostile.name);
            let session = provider::peek(Endpoint::MeetStream, &hostile.bytes).session.unwrap();
            assert_eq!(session.id.as_sent(), "b", "{}", hostile.name);
        }
        let is_odd = |hostile: &&Body| String::from_utf8_lossy(&hostile.bytes).contains(r#""odd":"#);
        assert!(all.iter().filter(is_odd).count() > 20 && all.iter().filter(|hostile| !is_odd(hostile)).count() > 20);
        let bloated = bloated(Endpoint::MeetStream, body);
        assert!(bloated.bytes.len() > 4_000_000 && serde_json::from_slice::<Value>(&bloated.bytes).is_ok());
    }

    #[test]
    fn an_altered_body_is_as_long_and_as_readable() {
        let mut rng = Rng::with_seed(1);
        let body = swollen(&course(&mut rng, Endpoint::MeetStream, false, "b", "word")[0]);
        let other = altered(&body.bytes);
        assert!(other.len() == body.bytes.len() && other != body.bytes && body.bytes.len() > MAX_WHOLE_BYTES);
        assert!(serde_json::from_slice::<Value>(&other).is_ok());
    }
}
