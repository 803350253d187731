use super::*;
use serde_json::json;

fn read(data: Value) -> Bot {
    bot(json!({"success": true, "data": data}).to_string().as_bytes()).unwrap()
}

fn completed() -> Value {
    json!({
        "bot_id": "0b7d3c51", "status": "completed", "joined_at": "2026-08-20T09:00:30.000Z",
        "exited_at": "2026-08-20T09:27:30.000Z", "duration_seconds": 1620, "participants": [], "speakers": [],
        "artifacts_deleted": false, "video": "https://s3.example/video.mp4?sig=1",
        "audio": "https://s3.example/audio.flac?sig=1", "transcription": "https://s3.example/t.json?sig=1",
        "raw_transcription": null, "transcription_ids": ["g-10c1", "g-10c2"], "error_code": null, "extra": {"a": 1}
    })
}

fn found(url: &str, run: Option<&str>) -> Located {
    let content = Content::At(DownloadUrl::parse(url).unwrap());
    Located::Found { content, run: run.map(|run| SenderId::try_from(run).unwrap()) }
}

fn told(bot: &Bot) -> Vec<(&'static str, Option<&str>)> {
    bot.detail
        .facts
        .iter()
        .map(|fact| (fact.kind.as_str(), fact.occurred_at.as_ref().map(OccurredAt::as_sent)))
        .collect()
}

#[test]
fn a_completed_bot_has_everything() {
    let bot = read(completed());
    assert_eq!(bot.located(Artifact::Video), Some(found("https://s3.example/video.mp4?sig=1", None)));
    assert_eq!(bot.located(Artifact::Audio), Some(found("https://s3.example/audio.flac?sig=1", None)));
    assert_eq!(bot.located(Artifact::Transcript), Some(found("https://s3.example/t.json?sig=1", Some("g-10c2"))));
    assert_eq!(bot.located(Artifact::Manifest), Some(Located::Unavailable(Absence::NotOffered)));
    assert_eq!(bot.detail.custom_attributes.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(
        told(&bot),
        [
            ("session.in_call", Some("2026-08-20T09:00:30.000Z")),
            ("session.ended", Some("2026-08-20T09:27:30.000Z")),
            ("session.done", None),
            ("video.announced", None),
            ("audio.announced", None),
            ("transcript.announced", None),
        ]
    );
}

#[test]
fn a_failed_bot_says_why() {
    let failed = json!({"status": "failed", "error_code": "TIMEOUT_WAITING_TO_START", "error_message": "nobody came"});
    let bot = read(failed);
    let ended = Ended { outcome: Outcome::NotAdmitted, certainty: Certainty::Final };
    assert_eq!(bot.detail.facts[0].kind, EventKind::Ended(ended));
    assert_eq!(bot.detail.facts[0].reason.as_deref(), Some("TIMEOUT_WAITING_TO_START: nobody came"));
    assert!(bot.detail.is_over());
    assert_eq!(bot.located(Artifact::Video), Some(Located::Unavailable(Absence::NeverMade)));
    assert_eq!(bot.located(Artifact::Transcript), None, "the status of the transcription says more");
}

#[test]
fn a_bot_on_its_way_has_nothing_yet() {
    let bot = read(json!({"status": "in_call_recording", "joined_at": "2026-08-20T09:00:30.000Z", "video": null}));
    assert_eq!(told(&bot), [("session.in_call", Some("2026-08-20T09:00:30.000Z")), ("session.recording", None)]);
    assert_eq!(bot.located(Artifact::Video), Some(Located::Pending));
    let transcribing = read(json!({"status": "transcribing", "exited_at": "2026-08-20T09:27:30.000Z"}));
    assert_eq!(told(&transcribing), [("session.ended", Some("2026-08-20T09:27:30.000Z"))]);
    assert!(!transcribing.detail.is_over());
}

#[test]
fn an_erased_bot_has_nothing_any_more() {
    for field in ["artifacts_deleted", "data_deleted"] {
        let bot = read(json!({"status": "completed", field: true, "video": null}));
        assert!(bot.detail.is_erased());
        for artifact in [Artifact::Video, Artifact::Audio, Artifact::Transcript] {
            assert_eq!(bot.located(artifact), Some(Located::Unavailable(Absence::Erased)), "{field} {artifact:?}");
        }
    }
}

#[test]
fn the_status_of_the_transcription_settles_what_the_bot_does_not() {
    let check = |status: &str, raw: Option<&str>, expected: Located| {
        let body = json!({"success": true, "data": {"transcription_status": status}}).to_string();
        let bot = read(json!({"status": "completed", "raw_transcription": raw}));
        assert_eq!(bot.located(Artifact::Transcript), None);
        assert_eq!(bot.transcript(transcription_status(body.as_bytes()).unwrap()), expected, "{status}");
    };
    for status in ["queued", "processing", "not-started", "levitating"] {
        check(status, None, Located::Pending);
    }
    check("done", None, Located::Pending);
    check("done", Some("https://s3.example/raw"), found("https://s3.example/raw", None));
    check("error", Some("https://s3.example/raw"), Located::Unavailable(Absence::Failed));
    check("not-applicable", None, Located::Unavailable(Absence::Skipped));
}

#[test]
fn odd_answers_are_unreadable_and_odd_fields_are_absent() {
    for odd in ["", "[]", "{}", r#"{"data":[]}"#, r#"{"success":false}"#] {
        assert_eq!(bot(odd.as_bytes()), Err(Unreadable), "{odd}");
        assert_eq!(transcription_status(odd.as_bytes()), Err(Unreadable), "{odd}");
    }
    let bot = read(json!({"status": 3, "video": {"url": 1}, "joined_at": [], "transcription_ids": [1], "extra": "x"}));
    assert_eq!(bot.located(Artifact::Video), Some(Located::Pending));
}

#[test]
fn half_a_surrogate_pair_among_the_attributes_hides_nothing() {
    let body = r#"{"data": {"status": "completed", "extra": {"note": "bye \ud83d"}}}"#;
    let detail = bot(body.as_bytes()).unwrap().detail;
    assert_eq!(detail.custom_attributes.as_deref(), Some("{\"note\":\"bye \u{FFFD}\"}"));
    assert_eq!(detail.status.as_deref(), Some("completed"));
    let body = r#"{"data": {"transcription_status": "done", "error_message": "cut \ud83d"}}"#;
    assert_eq!(transcription_status(body.as_bytes()), Ok(TranscriptionStatus::Made));
}
