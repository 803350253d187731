//! The host of presigned URLs. It is S3's, and wants no other credential than the one in the URL.

use super::{Answer, Asked, Pace, Payload, credential, in_place_of_an_answer, paced, transcript_bytes};
use crate::{
    fault::Operation,
    presigned::Refusal,
    request::{Host, Request, Violation},
    world::{BotState, Readiness, World},
};
use jiff::Timestamp;
use shared::{Provider, event::Artifact};
use std::ops::Range;

/// A prefix of paths that redirects lead to.
const ELSEWHERE: &str = "/elsewhere";

/// Answers a download, and writes down that it came.
pub(crate) fn download(world: &mut World, asked: &Asked) -> Answer {
    let offered = [credential::AUTHORIZATION, credential::MEETINGBAAS, "x-spoke-api-key"]
        .into_iter()
        .find(|header| asked.headers.contains_key(*header));
    let (operation, subject, answer) = match offered {
        Some(_) => (None, None, s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")),
        None => open(world, asked),
    };
    world.requests.push(Request {
        host: Host::Files,
        method: asked.method.to_string(),
        path: asked.path.clone(),
        operation,
        subject,
        status: (answer.pace != Pace::Reset).then_some(answer.status),
        violation: offered.map(|header| Violation::CredentialToFiles { header }),
    });
    answer
}

fn open(world: &mut World, asked: &Asked) -> (Option<Operation>, Option<String>, Answer) {
    let path = asked.path.strip_prefix(ELSEWHERE).unwrap_or(&asked.path);
    let segments = match world.presigner.open(path, &asked.query, Timestamp::now()) {
        Ok(segments) if asked.method == axum::http::Method::GET => segments,
        Ok(_) | Err(Refusal::Forged) => return (None, None, s3_error(403, "SignatureDoesNotMatch", "Not for this")),
        Err(Refusal::Expired) => return (None, None, s3_error(403, "AccessDenied", "Request has expired")),
    };
    let missing = || s3_error(404, "NoSuchKey", "The specified key does not exist.");
    let [provider, bot_id, file] = segments.as_slice() else { return (None, None, missing()) };
    let key = Provider::from_name(provider).map(|provider| (provider, bot_id.clone()));
    let Some(state) = key.and_then(|key| world.bots.get_mut(&key)) else { return (None, None, missing()) };
    let artifact = artifact_of(file);
    let operation = Operation::Download(artifact);
    // A redirected download has met its fault already.
    let fault = if asked.path == path { state.faults.next(operation) } else { None };
    let state = state.clone();
    let instead = fault.as_ref().and_then(|fault| in_place_of_an_answer(fault, state.plan.api(), world, asked));
    let answer = instead.map(|answer| with_query(answer, asked)).unwrap_or_else(|| {
        let whole = content(&state, file).map_or_else(missing, |(payload, content_type)| {
            ranged(payload, content_type, asked.headers.get("range").and_then(|range| range.to_str().ok()))
        });
        paced(whole, fault.as_ref())
    });
    (Some(operation), Some(bot_id.clone()), answer)
}

/// A redirect of a download keeps what lets it in.
fn with_query(mut answer: Answer, asked: &Asked) -> Answer {
    let pairs = asked.query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    if let Some((_, location)) = answer.headers.iter_mut().find(|(name, _)| *name == "location") {
        *location = format!("{location}?{}", pairs.join("&"));
    }
    answer
}

fn artifact_of(file: &str) -> Artifact {
    match file {
        "audio.wav" | "audio.flac" => Artifact::Audio,
        "video.mp4" => Artifact::Video,
        _ => Artifact::Transcript,
    }
}

fn content(state: &BotState, file: &str) -> Option<(Payload, &'static str)> {
    let artifact = artifact_of(file);
    if state.is_erased() {
        return None;
    }
    let plan = &state.plan;
    if artifact != Artifact::Transcript {
        let recording = plan.recording(artifact).filter(|_| state.readiness(artifact) == Readiness::Ready)?;
        let range = 0..recording.size_bytes;
        return Some((Payload::Recording(recording, range), recording.format.content_type()));
    }
    let run_of = |prefix: &str| file.strip_prefix(prefix)?.strip_suffix(".json")?.parse::<usize>().ok();
    let bytes = match (run_of("processed_transcript_"), run_of("raw_transcript_"), file) {
        (Some(run), _, _) => transcript_bytes(plan, run),
        (_, Some(run), _) => {
            let id = state.transcript_id(run).unwrap_or_default();
            plan.transcript_of_run(run).raw_of_meetstream(&id).to_string().into_bytes()
        }
        (_, _, "output_transcription.json") => transcript_bytes(plan, 0),
        (_, _, "raw_transcription.json") => {
            serde_json::Value::from(vec![plan.transcript().raw_of_meetstream("g-10c2")]).to_string().into_bytes()
        }
        (_, _, "diarization.jsonl") => {
            let lines = plan.transcript().utterances.into_iter().map(|utterance| {
                let (start, end) = (utterance.start_ms(), utterance.end_ms());
                format!("{}\n", serde_json::json!({ "speaker": utterance.speaker, "start_ms": start, "end_ms": end }))
            });
            lines.collect::<String>().into_bytes()
        }
        _ => return None,
    };
    Some((Payload::Bytes(bytes), "application/json"))
}

/// The whole, or the part that is asked for.
fn ranged(payload: Payload, content_type: &str, range: Option<&str>) -> Answer {
    let size = match &payload {
        Payload::Bytes(bytes) => bytes.len() as u64,
        Payload::Recording(recording, _) => recording.size_bytes,
        Payload::Filler(size) => *size,
    };
    let whole = Answer::bytes(200, content_type, Vec::new()).with("accept-ranges", "bytes".to_owned());
    match range.map(|range| wanted(range, size)) {
        None => Answer { payload, ..whole },
        Some(None) => s3_error(416, "InvalidRange", "The requested range is not satisfiable")
            .with("content-range", format!("bytes */{size}")),
        Some(Some(part)) => {
            let content_range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            let payload = match payload {
                Payload::Recording(recording, _) => Payload::Recording(recording, part),
                Payload::Bytes(bytes) => {
                    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                    Payload::Bytes(bytes.get(index(part.start)..index(part.end)).unwrap_or_default().to_vec())
                }
                filler @ Payload::Filler(_) => filler,
            };
            Answer { status: 206, payload, ..whole }.with("content-range", content_range)
        }
    }
}

/// The part that a `Range` of one part asks for.
fn wanted(range: &str, size: u64) -> Option<Range<u64>> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let part = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => from..to.saturating_add(1).min(size),
        (Ok(from), Err(_)) if to.is_empty() => from..size,
        (Err(_), Ok(last)) if from.is_empty() => size.saturating_sub(last)..size,
        _ => return None,
    };
    (part.start < part.end).then_some(part)
}

fn s3_error(status: u16, code: &str, message: &str) -> Answer {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Answer::bytes(status, "application/xml", xml.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part() {
        assert_eq!(wanted("bytes=0-4", 10), Some(0..5));
        assert_eq!(wanted("bytes=5-", 10), Some(5..10));
        assert_eq!(wanted("bytes=5-99", 10), Some(5..10));
        assert_eq!(wanted("bytes=-3", 10), Some(7..10));
        assert_eq!(wanted("bytes=10-", 10), None);
        assert_eq!(wanted("bytes=5-4", 10), None);
        assert_eq!(wanted("lines=1-2", 10), None);
    }
}
