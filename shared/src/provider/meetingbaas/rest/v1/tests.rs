use super::*;
use serde_json::{Value, json};

fn read(value: &Value) -> Meeting {
    meeting(value.to_string().as_bytes()).unwrap()
}

fn whole() -> Value {
    json!({
        "mp4": "https://s3.example/v.mp4?sig=1", "audio": "", "duration": 1620,
        "bot_data": {
            "bot": {
                "uuid": "0b7d3c51", "ended_at": "2026-08-20T09:28:00", "bot_joined_at": "2026-08-20T09:00:30",
                "bot_exited_at": "2026-08-20T09:27:30", "errors": null, "webhook_url": "https://hooks.example/s3cret",
                "speech_to_text_api_key": "s3cret", "zoom_sdk_pwd": "s3cret", "extra": {"a": 1}
            },
            "event_uuid": null,
            "transcripts": [{"speaker": "Priya", "start_time": 1.5, "end_time": 2.4, "lang": null, "words": [
                {"text": "Good", "start_time": 1.5, "end_time": 1.9}, {"text": "morning", "start_time": 2.0, "end_time": 2.4}
            ]}]
        }
    })
}

#[test]
fn what_there_is_is_found_and_what_is_not_is_pending() {
    let meeting = read(&whole());
    let url = DownloadUrl::parse("https://s3.example/v.mp4?sig=1").unwrap();
    assert_eq!(meeting.located(Artifact::Video), Located::Found { content: Content::At(url), run: None });
    assert_eq!(meeting.located(Artifact::Audio), Located::Pending);
    let Located::Found { content: Content::Inline(transcript), run: None } = meeting.located(Artifact::Transcript)
    else {
        panic!("the transcript is in the answer");
    };
    let transcript: Value = serde_json::from_slice(&transcript).unwrap();
    assert_eq!(transcript, whole()["bot_data"]["transcripts"]);
    assert_eq!(meeting.located(Artifact::Manifest), Located::Unavailable(Absence::NotOffered));
    let told: Vec<_> = meeting.detail.facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(told, ["session.in_call", "session.ended", "video.announced", "transcript.announced"]);
}

#[test]
fn credentials_in_the_answer_are_not_kept() {
    let debug = format!("{:?}", read(&whole()));
    assert!(!debug.contains("s3cret"), "{debug}");
    let Located::Found { content: Content::Inline(transcript), .. } = read(&whole()).located(Artifact::Transcript)
    else {
        panic!("the transcript is in the answer");
    };
    assert!(!String::from_utf8(transcript).unwrap().contains("s3cret"));
}

#[test]
fn a_bot_that_ended_in_an_error_and_left_nothing_leaves_nothing() {
    let at = "2026-08-20T09:28:00";
    let located = |bot: Value, mp4: &str| {
        let meeting = read(&json!({"mp4": mp4, "bot_data": {"bot": bot, "transcripts": []}}));
        meeting.located(Artifact::Transcript)
    };
    let failed = json!({"errors": "TimeoutWaitingToStart", "ended_at": at});
    assert_eq!(located(failed.clone(), ""), Located::Unavailable(Absence::NeverMade));
    assert_eq!(located(failed, "https://s3.example/v.mp4"), Located::Pending, "its words may be on their way");
    assert_eq!(located(json!({"errors": "bot_removed"}), ""), Located::Pending, "it has not ended");
    assert_eq!(located(json!({"ended_at": at}), ""), Located::Pending, "nothing went wrong");
    let meeting = read(&json!({"bot_data": {"bot": {"errors": "TimeoutWaitingToStart", "ended_at": at}}}));
    let ended = Ended { outcome: Outcome::NotAdmitted, certainty: Certainty::Final };
    assert_eq!(meeting.detail.facts[0].kind, EventKind::Ended(ended));
}

#[test]
fn odd_answers_are_unreadable_and_odd_fields_are_absent() {
    for odd in ["", "[]", "{}", r#"{"bot_data":[]}"#] {
        assert_eq!(meeting(odd.as_bytes()), Err(Unreadable), "{odd}");
    }
    let odd = json!({"mp4": {}, "audio": 1, "bot_data": {"bot": 1, "transcripts": {"a": 1}}});
    assert_eq!(read(&odd), Meeting::default());
}

#[test]
fn half_a_surrogate_pair_among_the_attributes_hides_nothing() {
    let body = r#"{"bot_data": {"bot": {"ended_at": "2026-09-01T10:00:00Z", "extra": {"note": "bye \ud83d"}}}}"#;
    let detail = meeting(body.as_bytes()).unwrap().detail;
    assert_eq!(detail.custom_attributes.as_deref(), Some("{\"note\":\"bye \u{FFFD}\"}"));
    assert!(matches!(detail.facts[0].kind, EventKind::Ended(_)));
}
