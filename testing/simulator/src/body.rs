//! Composes the bodies of webhooks as `MeetStream` writes them, in each of its generations. Meeting BaaS: [`meetingbaas`].

pub mod meetingbaas;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Which of `MeetStream`'s generations a body is of: they differ in where the event's name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Era {
    /// `event` has the family and `bot_event` the particular name (since September 2026)
    #[default]
    Both,
    /// only `event`: a kick looks like a clean end
    Event,
    /// only `bot_event`
    BotEvent,
}

/// What goes into one body. Whatever is `None` is as `MeetStream` would have it, or absent where it has nothing.
#[derive(Clone, Copy, Debug)]
pub struct Composition<'a> {
    /// The particular name of the event, as in `bot_event`.
    pub name: &'a str,
    /// The bot.
    pub bot_id: &'a str,
    /// The generation.
    pub era: Era,
    /// Another `bot_status`.
    pub status: Option<&'a str>,
    /// Another `message`.
    pub message: Option<&'a str>,
    /// The `timestamp`; absent where there is none.
    pub timestamp: Option<&'a str>,
    /// The `custom_attributes`; absent where there are none.
    pub attributes: Option<&'a Map<String, Value>>,
}

/// The events that `MeetStream` documents, in the order of a meeting.
pub const DOCUMENTED: [&str; 30] = [
    "bot.scheduled",
    "bot.joining",
    "bot.in_waiting_room",
    "bot.inmeeting",
    "bot.recording_permission_allowed",
    "bot.recording_permission_denied",
    "bot.recording",
    "participant_events.join",
    "participant_events.leave",
    "live_transcript",
    "bot.error",
    "bot.leaving",
    "bot.stopped",
    "bot.kicked",
    "bot.notallowed",
    "bot.denied",
    "bot.failed",
    "bot.uploading",
    "manifest.completed",
    "manifest.skipped",
    "audio.processed",
    "audio.skipped",
    "transcription.processed",
    "transcription.failed",
    "transcription.skipped",
    "bot.transcriptionready",
    "video.processed",
    "video.skipped",
    "bot.done",
    "data_deletion",
];

/// Whether an event carries the user's attributes even when there are some: erasing and errors do not.
#[must_use]
pub fn echoes_attributes(name: &str) -> bool {
    !matches!(name, "data_deletion" | "bot.error")
}

/// The body, compact, its fields in the sender's order.
#[must_use]
pub fn compose(composition: &Composition<'_>) -> Vec<u8> {
    let text = match composition.name {
        "participant_events.join" | "participant_events.leave" => participant(composition).to_string(),
        "live_transcript" => live_transcript(composition).to_string(),
        // A struct of texts and numbers is always JSON.
        _ => serde_json::to_string(&Body::of(composition)).unwrap_or_default(),
    };
    text.into_bytes()
}

#[derive(Serialize, Default)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot_event: Option<&'a str>,
    bot_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_objects: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_attributes: Option<&'a Map<String, Value>>,
}

impl<'a> Body<'a> {
    fn of(composition: &Composition<'a>) -> Self {
        let Composition { name, bot_id, era, status, message, timestamp, attributes } = *composition;
        let usual = Self::usual(name);
        let (event, bot_event) = match era {
            Era::Both => (Some(family(name)), (!is_named_once(name)).then_some(name)),
            Era::Event => (Some(family(name)), None),
            Era::BotEvent => (None, Some(name)),
        };
        Self {
            event,
            bot_event,
            bot_id,
            bot_status: status.or(usual.bot_status),
            message: message.or(usual.message),
            timestamp,
            custom_attributes: attributes,
            ..usual
        }
    }

    /// What the event has besides names, bot and time.
    fn usual(name: &str) -> Self {
        match name {
            "bot.scheduled" => Self::step("Scheduled", "Bot has been scheduled"),
            "bot.joining" => Self::step("Joining", "Bot is joining the meeting"),
            "bot.in_waiting_room" => Self::step("InWaitingRoom", "Bot is waiting to be admitted"),
            "bot.inmeeting" => Self::step("InMeeting", "Bot is in the meeting"),
            "bot.recording_permission_allowed" => Self::step("RecordingPermissionAllowed", "Host allowed recording"),
            "bot.recording_permission_denied" => Self::step("RecordingPermissionDenied", "Host denied recording"),
            "bot.recording" => Self::step("Recording", "Bot started recording"),
            "bot.leaving" => Self::step("Leaving", "Bot is leaving the meeting"),
            "bot.stopped" => Self::step("Stopped", "Bot left the meeting"),
            // The same status as after a clean end.
            "bot.kicked" => Self::step("Stopped", "Bot was removed by a participant"),
            "bot.notallowed" => Self::step("NotAllowed", "Failed: Not admitted to meeting").failed(),
            "bot.denied" => Self::step("Denied", "Failed: Host denied entry").failed(),
            "bot.failed" => Self::step("FAILED", "Error: browser session terminated").failed(),
            "bot.error" => Self {
                bot_status: Some("InMeeting"),
                message: Some("assemblyai_streaming: insufficient funds"),
                ..Self::default()
            },
            "bot.uploading" => Self::remark("Uploading recording"),
            "manifest.completed" => Self { manifest_status: Some("Success"), ..Self::made("Manifest uploaded") },
            "manifest.skipped" => Self::remark("No manifest to upload"),
            "audio.processed" => {
                Self { audio_status: Some("Success"), ..Self::made("Audio processing completed successfully") }
            }
            "audio.skipped" => Self::remark("No audio was captured"),
            "video.processed" => {
                Self { video_status: Some("Success"), ..Self::made("Video processing completed successfully") }
            }
            "video.skipped" => Self::remark("No video was captured"),
            "transcription.processed" => Self {
                transcript_status: Some("Success"),
                ..Self::made("Transcript processing completed successfully")
            },
            "transcription.failed" => Self {
                status: Some("error"),
                transcript_status: Some("Failed"),
                ..Self::remark("Transcript processing error: Deepgram API error: 401").failed()
            },
            "transcription.skipped" => Self::remark("No transcription provider configured"),
            "bot.transcriptionready" => Self::remark("Transcript is ready"),
            "bot.done" => Self::step("Done", "Post-call processing finished"),
            "data_deletion" => Self {
                bot_status: Some("MediaExpired"),
                deleted_objects: Some(7),
                ..Self::made("Successfully deleted 7 objects")
            },
            _ => Self::default(),
        }
    }

    fn step(bot_status: &'static str, message: &'static str) -> Self {
        Self { bot_status: Some(bot_status), ..Self::remark(message) }
    }

    fn made(message: &'static str) -> Self {
        Self { status: Some("success"), ..Self::remark(message) }
    }

    fn remark(message: &'static str) -> Self {
        Self { message: Some(message), status_code: Some(200), ..Self::default() }
    }

    fn failed(self) -> Self {
        Self { status_code: Some(500), ..self }
    }
}

/// The generic name of an event: all ends are called `bot.stopped` in `event`.
#[must_use]
pub fn family(name: &str) -> &str {
    match name {
        "bot.kicked" | "bot.notallowed" | "bot.denied" | "bot.failed" => "bot.stopped",
        own => own,
    }
}

/// Whether `MeetStream` leaves out `bot_event` even in the generation that has both.
fn is_named_once(name: &str) -> bool {
    matches!(name, "manifest.completed" | "manifest.skipped" | "bot.transcriptionready" | "bot.uploading")
}

/// Realtime pushes have another envelope: the bot is inside `data`.
fn participant(composition: &Composition<'_>) -> Value {
    let Composition { name, bot_id, timestamp, attributes, .. } = *composition;
    json!({
        "event": name,
        "timestamp": timestamp,
        "data": {
            "data": {
                "action": name.rsplit('.').next(),
                "participant": {
                    "id": "spaces/QmX3aPlE/devices/212", "name": "Unknown", "full_name": "Priya Raman", "platform": "gmeet",
                },
                "timestamp": { "relative": 176.3, "absolute": timestamp },
            },
            "bot": { "id": bot_id, "metadata": {} },
        },
        "custom_attributes": attributes,
    })
}

/// Live transcription does not name its event at all.
fn live_transcript(composition: &Composition<'_>) -> Value {
    let Composition { bot_id, message, timestamp, attributes, .. } = *composition;
    json!({
        "bot_id": bot_id,
        "speakerName": "Priya Raman",
        "timestamp": timestamp,
        "transcript": message.unwrap_or("we should ship it"),
        "words": [{ "word": "it", "start": 301.7, "end": 301.9, "confidence": 0, "speaker": "Priya Raman" }],
        "is_final": true,
        "end_of_turn": true,
        "custom_attributes": attributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(name: &str, era: Era) -> Composition<'_> {
        let timestamp = Some("2026-10-05T13:59:01.402911+00:00");
        Composition { name, bot_id: "b-1", era, status: None, message: None, timestamp, attributes: None }
    }

    #[track_caller]
    fn check(name: &str, composition: &Composition<'_>, expected: &str) {
        assert_eq!(String::from_utf8(compose(composition)).unwrap(), expected, "{name}");
    }

    /// Every recorded body of the newest generation is what we would have composed, field by field.
    #[test]
    fn composed_bodies_are_like_recorded_ones() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/provider/meetstream/current-2026-09");
        let mut compared = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let recorded: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let text = |field: &str| recorded[field].as_str();
            let name = text("bot_event").or(text("event")).unwrap();
            let composition = Composition {
                bot_id: text("bot_id").unwrap(),
                timestamp: text("timestamp"),
                attributes: recorded["custom_attributes"].as_object(),
                ..body(name, Era::Both)
            };
            let mut composed: Value = serde_json::from_slice(&compose(&composition)).unwrap();
            if path.to_string_lossy().contains("retry") {
                composed["message"] = recorded["message"].clone();
            }
            assert_eq!(composed, recorded, "{}", path.display());
            assert!(DOCUMENTED.contains(&name), "{name}");
            assert!(recorded.get("custom_attributes").is_none() != echoes_attributes(name), "{name}");
            compared += 1;
        }
        assert!(compared > 20);
    }

    #[test]
    fn every_generation_has_its_names() {
        check(
            "both",
            &body("bot.kicked", Era::Both),
            r#"{"event":"bot.stopped","bot_event":"bot.kicked","bot_id":"b-1","bot_status":"Stopped","message":"Bot was removed by a participant","status_code":200,"timestamp":"2026-10-05T13:59:01.402911+00:00"}"#,
        );
        check(
            "event alone",
            &body("bot.denied", Era::Event),
            r#"{"event":"bot.stopped","bot_id":"b-1","bot_status":"Denied","message":"Failed: Host denied entry","status_code":500,"timestamp":"2026-10-05T13:59:01.402911+00:00"}"#,
        );
        check(
            "bot_event alone",
            &body("bot.done", Era::BotEvent),
            r#"{"bot_event":"bot.done","bot_id":"b-1","bot_status":"Done","message":"Post-call processing finished","status_code":200,"timestamp":"2026-10-05T13:59:01.402911+00:00"}"#,
        );
        check(
            "never named twice",
            &body("manifest.completed", Era::Both),
            r#"{"event":"manifest.completed","bot_id":"b-1","message":"Manifest uploaded","status_code":200,"status":"success","manifest_status":"Success","timestamp":"2026-10-05T13:59:01.402911+00:00"}"#,
        );
    }

    #[test]
    fn what_is_given_replaces_what_is_usual() {
        let attributes = json!({ "tenant": "acme" });
        let composition = Composition {
            status: Some("error"),
            message: Some("a \"quoted\"\u{1b} word"),
            timestamp: None,
            attributes: attributes.as_object(),
            ..body("bot.brandnew", Era::Both)
        };
        check(
            "a new event",
            &composition,
            r#"{"event":"bot.brandnew","bot_event":"bot.brandnew","bot_id":"b-1","bot_status":"error","message":"a \"quoted\"\u001b word","custom_attributes":{"tenant":"acme"}}"#,
        );
    }
}
