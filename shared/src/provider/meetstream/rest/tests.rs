use super::*;
use crate::api::Content;
use proptest::prelude::*;
use serde_json::json;

fn id(text: &str) -> SenderId {
    SenderId::try_from(text).unwrap()
}

fn read(bot_details: Value) -> Detail {
    detail(json!({ "bot_details": bot_details }).to_string().as_bytes()).unwrap()
}

fn kinds(detail: &Detail) -> Vec<EventKind> {
    detail.bot.facts.iter().map(|fact| fact.kind.clone()).collect()
}

fn ended(outcome: Outcome, certainty: Certainty) -> EventKind {
    EventKind::Ended(Ended { outcome, certainty })
}

fn reached(at: &str) -> Value {
    json!({"status": true, "timestamp": at, "message": ""})
}

/// As the API answers after a whole meeting.
fn whole() -> Value {
    json!({
        "BotID": "7c1e4a92", "Status": "Done", "LastUpdatedAt": 1_791_212_102, "Duration": 2810,
        "ManifestStatus": "Success", "AudioStatus": "Success", "TranscriptStatus": "Success",
        "transcript_id": "t-6f0a", "caption_file": {"available": false},
        "custom_attributes": {"tenant": "acme", "streaming_only": "false"}, "RequestPayload": {},
        "StatusTimeline": {
            "Joining": reached("2026-10-05T13:59:01Z"),
            "WaitingRoom": reached("2026-10-05T13:59:44Z"),
            "InMeeting": reached("2026-10-05T14:00:22Z"),
            "Recording": reached("2026-10-05T14:00:23Z"),
            "Leaving": reached("2026-10-05T14:47:10Z"),
            "Stopped": reached("2026-10-05T14:47:12Z"),
            "BotNotAllowed": {"status": false, "timestamp": null, "message": ""},
            "BotRejected": {"status": false, "timestamp": null, "message": ""},
            "Error": {"status": false, "timestamp": null, "message": ""},
            "AudioProcessing": reached("2026-10-05T14:48:02Z"),
            "TranscriptionReady": reached("2026-10-05T14:50:40Z"),
            "VideoProcessing": {"status": false, "timestamp": null, "message": ""},
            "Done": reached("2026-10-05T14:55:02Z"),
            "MediaExpired": {"status": false, "timestamp": null, "message": ""},
        }
    })
}

#[test]
fn a_detail_tells_the_whole_meeting() {
    let detail = read(whole());
    let told: Vec<(&str, Option<&str>)> = (detail.bot.facts.iter())
        .map(|fact| (fact.kind.as_str(), fact.occurred_at.as_ref().map(OccurredAt::as_sent)))
        .collect();
    assert_eq!(
        told,
        [
            ("session.joining", Some("2026-10-05T13:59:01Z")),
            ("session.waiting", Some("2026-10-05T13:59:44Z")),
            ("session.in_call", Some("2026-10-05T14:00:22Z")),
            ("session.recording", Some("2026-10-05T14:00:23Z")),
            ("session.leaving", Some("2026-10-05T14:47:10Z")),
            ("session.ended", Some("2026-10-05T14:47:12Z")),
            ("session.done", Some("2026-10-05T14:55:02Z")),
            ("manifest.announced", None),
            ("audio.announced", Some("2026-10-05T14:48:02Z")),
            ("transcript.announced", Some("2026-10-05T14:50:40Z")),
        ]
    );
    assert!(kinds(&detail).contains(&ended(Outcome::Completed, Certainty::Hint)), "a kick looks the same");
    assert_eq!(detail.bot.status.as_deref(), Some("Done"));
    assert_eq!(detail.bot.custom_attributes.as_deref(), Some(r#"{"streaming_only":"false","tenant":"acme"}"#));
    assert_eq!(detail.transcript_id, Some(id("t-6f0a")));
    assert_eq!(detail.captions, None);
}

#[test]
fn ends_are_told_apart() {
    use Certainty::{Final, Hint};
    let end = |status: &str, stages: Value| kinds(&read(json!({"Status": status, "StatusTimeline": stages})));
    let at = "2026-10-05T14:47:12Z";
    let stopped = || json!({"Stopped": reached(at)});
    assert_eq!(end("Stopped", stopped()), [ended(Outcome::Completed, Hint)]);
    assert_eq!(end("ERROR", stopped()), [ended(Outcome::Failed, Hint)]);
    assert_eq!(end("NotAllowed", json!({"BotNotAllowed": reached(at)})), [ended(Outcome::NotAdmitted, Final)]);
    assert_eq!(end("Denied", json!({"BotRejected": reached(at)})), [ended(Outcome::Denied, Final)]);
    assert_eq!(end("MediaExpired", json!({})), [EventKind::Deleted]);
    assert_eq!(end("Done", json!({})), [EventKind::Done]);
    let error = json!({"Error": {"status": true, "timestamp": at, "message": " out of memory "}});
    let detail = read(json!({"StatusTimeline": error}));
    assert_eq!(detail.bot.facts[0].reason.as_deref(), Some("out of memory"));
}

#[test]
fn runs_are_read_oldest_first() {
    let body = json!({"bot_id": "b", "transcriptions": [
        {"transcript_id": "second", "provider": "deepgram_streaming", "status": "Processing", "created_at": "2026-10-06T00:00:00Z", "download_urls": null},
        {"transcript_id": "first", "status": "Success", "created_at": "2026-10-05T23:59:59.5+00:00"},
        {"transcript_id": "", "status": "Success"},
        {"status": "Success"},
        "odd",
        {"transcript_id": "undated", "status": "Failed"},
    ]});
    let runs = runs(body.to_string().as_bytes()).unwrap();
    let read: Vec<_> = runs.iter().map(|run| (run.id.as_sent(), run.status, run.is_live)).collect();
    use ArtifactStatus::{Announced, Failed};
    assert_eq!(read, [("undated", Some(Failed), false), ("first", Some(Announced), false), ("second", None, true)]);
    assert_eq!(super::runs(b"{}"), Ok(vec![]));
    assert_eq!(super::runs(b"[]"), Err(Unreadable));
}

/// What becomes of the transcript, with these runs and this detail. Runs by age: `id status`, or `id status live`.
#[track_caller]
fn check(name: &str, given: &[&str], bot_details: Value, expected: Step) {
    let run = |text: &&str| {
        let words: Vec<&str> = text.split(' ').collect();
        Run { id: id(words[0]), status: artifact_status(words[1]), created_at: None, is_live: words.len() > 2 }
    };
    let runs: Vec<Run> = given.iter().map(run).collect();
    let step = match succeeded(&runs) {
        Some(run) => Step::Fetch(run.clone()),
        None => otherwise(&runs, &read(bot_details)),
    };
    assert_eq!(step, expected, "{name}");
}

#[test]
fn a_transcript_is_the_newest_that_succeeded() {
    let fetch = |run: &str| Step::Fetch(id(run));
    check("one run", &["a Success"], json!({}), fetch("a"));
    check("a second run", &["a Success", "b Success"], json!({}), fetch("b"));
    check("a second run under way", &["a Success", "b Processing"], json!({}), fetch("a"));
    check("a second run that failed", &["a Success", "b Failed"], json!({}), fetch("a"));
    check("a live run that succeeded", &["a Success live"], json!({}), fetch("a"));
    check("a run that is not listed", &[], json!({"transcript_id": "c"}), fetch("c"));
    check("a newer run that is not listed", &["a Failed"], json!({"transcript_id": "c"}), fetch("c"));
    let url = DownloadUrl::parse("https://s3.example/captions.json?sig=1").unwrap();
    let captions = Step::Answer(Located::Found { content: Content::At(url), run: None });
    let file = json!({"available": true, "url": "https://s3.example/captions.json?sig=1"});
    check("captions only", &[], json!({"caption_file": file, "Status": "Done"}), captions.clone());
    check("captions as a text", &[], json!({"caption_file": "https://s3.example/captions.json?sig=1"}), captions);
}

#[test]
fn a_transcript_that_is_not_there_is_pending_or_explained() {
    let absent = |absence| Step::Answer(Located::Unavailable(absence));
    let pending = || Step::Answer(Located::Pending);
    check("under way", &["a Processing"], json!({"transcript_id": "a", "TranscriptStatus": "Processing"}), pending());
    check("a status we do not know", &["a Queued"], json!({}), pending());
    check("a retry under way", &["a Failed", "b Processing"], json!({"TranscriptStatus": "Failed"}), pending());
    check("made again after the end", &["a Failed", "b Processing"], json!({"Status": "Done"}), pending());
    check("nothing yet", &[], json!({"Status": "InMeeting"}), pending());
    check("failed", &["a Failed"], json!({"transcript_id": "a"}), absent(Absence::Failed));
    check("failed and done", &["a Failed"], json!({"Status": "Done"}), absent(Absence::Failed));
    let failed = || json!({"transcript_id": "a", "TranscriptStatus": "Failed"});
    check("failed, and the run does not say so", &["a Processing"], failed(), absent(Absence::Failed));
    check("failed, and no run is listed", &[], failed(), absent(Absence::Failed));
    check("skipped", &[], json!({"TranscriptStatus": "Skipped"}), absent(Absence::Skipped));
    check("never made", &[], json!({"Status": "Done"}), absent(Absence::NeverMade));
    let live = |status: &str| json!({"transcript_id": "a", "Status": "Stopped", "AudioStatus": status});
    check("live, in the meeting", &["a Processing live"], live("Processing"), pending());
    check("live, and over", &["a Processing live"], live("Success"), absent(Absence::NeverMade));
    check("live, and over without audio", &["a Processing live"], live("Skipped"), absent(Absence::NeverMade));
    check("live, then transcribed", &["a Processing live", "b Processing"], live("Success"), pending());
    check("expired", &["a Failed"], json!({"Status": "MediaExpired"}), absent(Absence::Erased));
    let expired = json!({"transcript_id": "c", "Status": "MediaExpired", "TranscriptStatus": "Success"});
    check("expired after a run that is not listed", &[], expired, absent(Absence::Erased));
}

#[test]
fn recordings_are_where_the_answer_says() {
    let url = |artifact, body: &[u8]| media_url(artifact, body).map(|url| url.map(|url| url.expose()));
    let audio = br#"{"audio_url":"https://s3.example/a?sig=1"}"#;
    assert_eq!(url(Artifact::Audio, audio), Ok(Some("https://s3.example/a?sig=1".to_owned())));
    assert_eq!(url(Artifact::Video, audio), Ok(None));
    let video = br#"{"video_url":"https://s3.example/v?sig=1","video_info":{"width":1280}}"#;
    assert_eq!(url(Artifact::Video, video), Ok(Some("https://s3.example/v?sig=1".to_owned())));
    assert_eq!(url(Artifact::Audio, br#"{"audio_url":"file:///etc/passwd"}"#), Ok(None));
    assert_eq!(url(Artifact::Audio, b"\"https://s3.example/a\""), Err(Unreadable));
}

proptest! {
    #[test]
    fn no_answer_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        name in "Status|StatusTimeline|transcript_id|caption_file|TranscriptStatus|custom_attributes",
        value in "null|true|1|\"Done\"|\\[1\\]|\\{\"Done\":\\{\"status\":true,\"timestamp\":1\\},\"Error\":3\\}",
    ) {
        let _ = (runs(&bytes), detail(&bytes), media_url(Artifact::Audio, &bytes));
        let body = format!(r#"{{"bot_details":{{"{name}":{value}}},"transcriptions":{value}}}"#);
        let detail = detail(body.as_bytes()).unwrap();
        let _ = otherwise(&runs(body.as_bytes()).unwrap(), &detail);
    }
}

#[test]
fn half_a_surrogate_pair_hides_nothing() {
    let body = r#"{"bot_details": {"Status": "Done", "custom_attributes": {"note": "bye \ud83d"}}}"#;
    let detail = detail(body.as_bytes()).unwrap().bot;
    assert_eq!(detail.custom_attributes.as_deref(), Some("{\"note\":\"bye \u{FFFD}\"}"));
    assert_eq!(detail.status.as_deref(), Some("Done"));
    let body = r#"{"transcriptions": [{"transcript_id": "t", "status": "success", "preview": "bye \ud83d"}]}"#;
    assert_eq!(runs(body.as_bytes()).unwrap().len(), 1);
    let body = r#"{"audio_url": "https://files.example/a.wav", "video_url": "cut \ud83d"}"#;
    assert!(media_url(Artifact::Audio, body.as_bytes()).unwrap().is_some());
}
