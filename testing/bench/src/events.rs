//! What the programs are fed: recorded bodies as function URL events, and batches as the queue hands them over.

use crate::program::{EVENTS_QUEUE, SECRET};
use crate::sink::Sent;
use anyhow::{Context, Result};
use e2e::sender::{BodyEncoding, Delivery};
use e2e::workspace;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A recorded lifecycle webhook, as senders send it: without the spaces of the recording.
///
/// # Errors
/// If there is no such recording.
pub fn recorded(name: &str) -> Result<Value> {
    let path = workspace().join("events/provider/meetstream").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| format!("no recording {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// The webhook that most things are measured with.
///
/// # Errors
/// If there is no such recording.
pub fn typical() -> Result<Value> {
    recorded("current-2026-09/bot.inmeeting.json")
}

const SENTENCE: &str =
    "I think we should ship it this week, and look at the numbers again on Monday once everybody is back.";

/// The typical webhook with a transcript inside that makes it `bytes` long, or as it is if that is longer.
///
/// # Errors
/// If there is no such recording.
pub fn of_size(bytes: usize) -> Result<Value> {
    let mut body = typical()?;
    let mut left = bytes.saturating_sub(body.to_string().len() + r#""transcript":[],"#.len());
    let mut sentences = Vec::new();
    for at in 0.. {
        let said = json!({"speaker": "Priya Raman", "transcript": SENTENCE, "start_time": at, "end_time": at + 7, "confidence": 0.99});
        let length = said.to_string().len() + 1;
        if length > left {
            break;
        }
        left -= length;
        sentences.push(said);
    }
    if let Some(body) = body.as_object_mut().filter(|_| !sentences.is_empty()) {
        body.insert("transcript".to_owned(), json!(sentences));
    }
    Ok(body)
}

/// A signed webhook as a function URL event.
///
/// # Errors
/// Never, for JSON is text.
pub fn signed(body: &Value) -> Result<Vec<u8>> {
    Ok(Delivery::signed(SECRET, body.to_string()).event(BodyEncoding::AsLambda)?.to_string().into_bytes())
}

/// The same with a signature by somebody who does not know the secret.
///
/// # Errors
/// Never, for JSON is text.
pub fn forged(body: &Value) -> Result<Vec<u8>> {
    Ok(Delivery::signed("a guess", body.to_string()).event(BodyEncoding::AsLambda)?.to_string().into_bytes())
}

/// The kinds that move a session, in the order of one meeting: the first of `SESSION_KINDS` and what follows it.
const SESSION_KINDS: [&str; 12] = [
    "bot.joining",
    "bot.in_waiting_room",
    "bot.inmeeting",
    "bot.recording_permission_allowed.zoom",
    "bot.recording",
    "bot.leaving",
    "bot.stopped.clean",
    "manifest.completed",
    "audio.processed",
    "transcription.processed",
    "video.processed",
    "bot.done",
];

/// Kinds that are kept beside the session: participants that come and go, what they say, errors on the way.
const OTHER_KINDS: [&str; 4] = [
    "realtime/participant_events.join",
    "realtime/participant_events.leave",
    "realtime/live_transcript.meetstream_streaming",
    "current-2026-09/bot.error.nonterminal",
];

/// The webhooks of one bot's meeting, `events` of them: up to 12 of lifecycle and artifacts, and between them the rest.
///
/// # Errors
/// If a recording is missing.
pub fn meeting(bot_id: &str, events: usize) -> Result<Vec<Value>> {
    let of_session = events.min(SESSION_KINDS.len());
    let others = events - of_session;
    let mut bodies = Vec::with_capacity(events);
    for (at, kind) in SESSION_KINDS.iter().take(of_session).enumerate() {
        bodies.push(happened(&format!("current-2026-09/{kind}"), bot_id, bodies.len())?);
        // What is said in a meeting is said between the recording and the leaving.
        if at == SESSION_KINDS.iter().position(|kind| *kind == "bot.recording").unwrap_or_default() {
            for other in OTHER_KINDS.iter().cycle().take(others) {
                bodies.push(happened(other, bot_id, bodies.len())?);
            }
        }
    }
    Ok(bodies)
}

/// A recording about another bot at another time, so that none is a repetition: some seconds ago, as webhooks come.
fn happened(name: &str, bot_id: &str, nth: usize) -> Result<Value> {
    let mut body = recorded(&format!("{name}.json"))?;
    let ago = SignedDuration::from_secs(5) - SignedDuration::from_millis(i64::try_from(nth)?);
    let time = (Timestamp::now() - ago).strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
    for (pointer, value) in [("/bot_id", bot_id), ("/data/bot/id", bot_id), ("/timestamp", &time)] {
        if let Some(place) = body.pointer_mut(pointer) {
            *place = json!(value);
        }
    }
    Ok(body)
}

/// One message as the queue hands it over.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Names the record.
    pub id: String,
    /// What was sent.
    pub sent: Sent,
    /// How often it was received, this time included.
    pub receives: u32,
}

/// The event of one batch from the queue of deliveries.
#[must_use]
pub fn batch(records: &[Queued]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
    let record = |record: &Queued| {
        json!({
            "messageId": record.id,
            "receiptHandle": format!("AQEB{}", record.id),
            "body": record.sent.body,
            "attributes": {
                "ApproximateReceiveCount": record.receives.to_string(),
                "SentTimestamp": now,
                "SequenceNumber": "18899000000000000001",
                "MessageGroupId": record.sent.group,
                "SenderId": "AROAEXAMPLE:rollcall-ingest",
                "MessageDeduplicationId": record.id,
                "ApproximateFirstReceiveTimestamp": now,
            },
            "messageAttributes": {},
            "md5OfBody": "d41d8cd98f00b204e9800998ecf8427e",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{EVENTS_QUEUE}"),
            "awsRegion": "us-east-1",
        })
    };
    json!({"Records": records.iter().map(record).collect::<Vec<_>>()}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_meeting_has_as_many_different_webhooks_as_asked_for() {
        for events in [1, 10, 12, 13, 1000] {
            let bodies: BTreeSet<_> = meeting("b", events).unwrap().iter().map(Value::to_string).collect();
            assert_eq!(bodies.len(), events);
            assert!(bodies.iter().all(|body| body.contains(r#""b""#)), "about the bot");
        }
    }

    #[test]
    fn bodies_have_the_size_asked_for() {
        assert_eq!(of_size(1).unwrap(), typical().unwrap());
        for bytes in [1_000, 256 * 1024, 1024 * 1024] {
            let length = of_size(bytes).unwrap().to_string().len();
            assert!(length <= bytes && length > bytes - 230, "{length} of {bytes}");
        }
    }
}
