use super::*;
use crate::{
    endpoint::Endpoint,
    ids::DeliveryKey,
    message::tests::{identified, message},
    provider::{self, peek_message},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(body: &Value) -> Result<Event, ParseError> {
    provider::parse(&message(Endpoint::MeetingBaasV1, "a", body.to_string().as_bytes()))
}

fn status(code: &str, more: Value) -> Value {
    let mut status = json!({"code": code, "created_at": "2026-03-02T09:00:11.512Z"});
    status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"event": "bot.status_change", "data": {"bot_id": "b", "status": status}})
}

fn conclusion_of(body: &Value) -> Conclusion {
    let EventKind::Concluded(conclusion) = read(body).unwrap().kind else { panic!("{body} is no conclusion") };
    conclusion
}

#[test]
fn names_of_the_web_page_are_aliases() {
    let check = |name: &str, expected: &str| {
        let event = read(&json!({"event": name, "data": {"bot_id": "b"}})).unwrap();
        assert_eq!((event.kind.as_str(), event.name.as_str()), (expected, name));
    };
    check("meeting.started", "session.in_call");
    check("meeting.completed", "session.done");
    check("meeting.failed", "session.done");
    check("transcription.available", "transcript.announced");
    check("transcription.updated", "transcript.announced");
    check("Bot.Completed", "session.done");
    for name in ["calendar.synced", "event.added", "event.updated", "event.deleted"] {
        let event =
            read(&json!({"event": name, "data": {"calendar_id": "c", "entries": [{"event_id": "e"}]}})).unwrap();
        assert_eq!(event.session.encoded(), "meetingbaas#calendar#c", "{name}");
        let EventKind::Calendar(change) = event.kind else { panic!("{name}: {:?}", event.kind) };
        assert_eq!(change.affected, ["e".to_owned()].into(), "{name}");
    }
}

#[test]
fn prose_and_schema_are_both_read() {
    let check = |name: &str, body: Value| {
        let event = read(&body).unwrap();
        assert_eq!(event.occurred_at.unwrap().as_sent(), "2026-08-20T09:31:04.221Z", "{name}");
        assert_eq!(event.custom_attributes.as_deref(), Some(r#"{"customer_id":"c-19"}"#), "{name}");
        let EventKind::Concluded(conclusion) = event.kind else { panic!("{name}") };
        assert_eq!(conclusion.artifacts, [(Artifact::Video, ArtifactStatus::Announced)].into(), "{name}");
    };
    let (sent, extra) = ("2026-08-20T09:31:04.221Z", json!({"customer_id": "c-19"}));
    let schema = json!({"bot_id": "b", "video": "https://x/v", "audio": null, "sent_at": sent});
    check("schema", json!({"event": "bot.completed", "data": schema, "extra": extra}));
    let prose = json!({"bot_id": "b", "mp4": "https://x/v", "audio": "", "extra": extra});
    check("prose", json!({"event": "bot.completed", "data": prose, "sent_at": sent}));
    let mut both = json!({"event": "bot.completed", "data": prose, "sent_at": sent, "extra": null});
    both["data"]["sent_at"] = json!(null);
    check("extra null on top", both);
}

#[test]
fn an_inline_transcript_is_seen_in_every_form() {
    let has = |transcript: Value| {
        let body = json!({"event": "complete", "data": {"bot_id": "b", "transcript": transcript}});
        conclusion_of(&body).artifacts.contains_key(&Artifact::Transcript)
    };
    assert!(has(json!([{"speaker": "P", "words": [{"start": 1.5, "end": 1.9, "word": "Good"}]}])));
    assert!(has(json!([{"speaker": "P", "words": [{"start_time": 1.5, "text": "Good"}]}])));
    for none in [json!([]), json!(null), json!("")] {
        assert!(!has(none.clone()), "{none}");
    }
}

#[test]
fn failures_are_told_apart_and_explained() {
    let check = |data: Value, outcome: Outcome, reason: &str| {
        let mut body = json!({"event": "bot.failed", "data": data});
        body["data"]["bot_id"] = json!("b");
        let event = read(&body).unwrap();
        assert_eq!(event.reason.as_deref(), Some(reason));
        assert_eq!(conclusion_of(&body).ended, Ended { outcome, certainty: Certainty::Final }, "{reason}");
    };
    check(json!({"error_code": "BOT_REMOVED", "error_message": "out"}), Outcome::Kicked, "BOT_REMOVED: out");
    check(json!({"error": "TimeoutWaitingToStart"}), Outcome::NotAdmitted, "TimeoutWaitingToStart");
    check(json!({"error": "access_denied", "message": "no"}), Outcome::Denied, "access_denied: no");
    check(json!({"error_code": "BRAND_NEW"}), Outcome::Failed, "BRAND_NEW");
    check(json!({}), Outcome::Failed, "bot.failed");
    let transcription = json!({"event": "bot.failed", "data": {"bot_id": "b", "error_code": "TRANSCRIPTION_FAILED"}});
    assert_eq!(conclusion_of(&transcription).artifacts, [(Artifact::Transcript, ArtifactStatus::Failed)].into());
}

#[test]
fn deletion_is_a_boolean_and_nothing_else() {
    let deleted = |flag: Value| {
        conclusion_of(&json!({"event": "bot.completed", "data": {"bot_id": "b", "data_deleted": flag}})).data_deleted
    };
    assert!(deleted(json!(true)));
    for not in [json!(false), json!(null), json!("false"), json!("true"), json!(1), json!([true])] {
        assert!(!deleted(not.clone()), "{not}");
    }
}

#[test]
fn warnings_and_new_codes_are_kept_and_do_not_act() {
    let error =
        read(&status("meeting_error", json!({"error_type": "ConnectionLost", "error_message": "Lost"}))).unwrap();
    assert_eq!((error.kind.acts(), error.reason.as_deref()), (false, Some("meeting_error (ConnectionLost): Lost")));
    let new = read(&status("levitating", json!({"attempt": 2}))).unwrap();
    assert_eq!((&new.kind, new.name.as_str()), (&EventKind::Unknown, "bot.status_change/levitating"));
    let long = read(&status(&"é".repeat(1000), json!({}))).unwrap();
    assert!(long.name.len() <= 256);
    let nameless = read(&json!({"event": "bot.status_change", "data": {"bot_id": "b"}})).unwrap();
    assert_eq!((&nameless.kind, nameless.name.as_str()), (&EventKind::Unknown, "bot.status_change"));
}

#[test]
fn odd_fields_never_make_a_body_unreadable() {
    let joining = |name: &str, change: fn(&mut Value)| {
        let mut body = status("joining_call", json!({}));
        change(&mut body);
        assert_eq!(read(&body).map(|event| event.kind), Ok(EventKind::Joining), "{name}");
    };
    joining("extra is text", |body| body["extra"] = json!("text"));
    joining("extra is a list in data", |body| body["data"]["extra"] = json!([1]));
    joining("odd times", |body| body["timestamp"] = json!([{}]));
    joining("an odd creation time", |body| body["data"]["status"]["created_at"] = json!(17));
    joining("odd facts", |body| body["data"]["transcript"] = json!({"a": [[[]]]}));
    joining("odd flags", |body| body["data"]["data_deleted"] = json!({"deep": [[[]]]}));
    joining("a number as id", |body| body["data"]["bot_id"] = json!(17));
    joining("the id on top", |body| {
        *body = json!({"event": "bot.status_change", "bot_id": "b", "data": {"status": {"code": "joining_call"}}})
    });
}

#[test]
fn a_calendar_is_known_by_its_time_and_its_entries_in_any_order() {
    let key = |time: &str, entries: &[&str], more: &str| {
        let data = json!({"calendar_id": "c", "last_updated_ts": time, "affected_event_uuids": entries, "more": more});
        let event = read(&json!({"event": "calendar.sync_events", "data": data})).unwrap();
        assert_eq!(event.occurred_at.unwrap().as_sent(), time);
        event.key
    };
    let first = key("2026-03-02T08:30:45Z", &["a", "b"], "");
    assert_eq!(first, key("2026-03-02T08:30:45Z", &["b", "a"], "else"));
    assert_ne!(first, key("2026-03-02T08:30:46Z", &["a", "b"], ""));
    assert_ne!(first, key("2026-03-02T08:30:45Z", &["a"], ""));
}

#[test]
fn what_cannot_be_understood_has_a_reason() {
    let refused = |body: &[u8]| provider::parse(&message(Endpoint::MeetingBaasV2, "a", body)).unwrap_err();
    assert_eq!(refused(b"hello"), ParseError::NotAnObject);
    assert_eq!(refused(b"[1]"), ParseError::NotAnObject);
    assert_eq!(refused(br#"{"event":"complete","data":[1]}"#), ParseError::NoBot);
    assert_eq!(refused(br#"{"event":"bot.completed","data":{"calendar_id":"c1"}}"#), ParseError::NoBot);
    assert_eq!(refused(br#"{"event":"complete","data":{"bot_id":"a","bot_id":"b"}}"#), ParseError::NotAnObject);
    assert_eq!(refused(br#"{"data":{"bot_id":"a"}}"#), ParseError::NoName);
    assert_eq!(refused(br#"{"event":"calendar.connection_error"}"#), ParseError::NoBot);
    assert_eq!(refused(br#"{"alert_rule_id":"x","alert_type":"webhook_delivery_exhausted"}"#), ParseError::NoName);
    let long = json!({"event": "complete", "data": {"bot_id": "b".repeat(600)}}).to_string();
    assert!(matches!(refused(long.as_bytes()), ParseError::BadBot(_)));
}

/// The key of a body that came through this endpoint, under this id if it carried one.
fn key(endpoint: Endpoint, id: Option<&str>, body: &Value) -> DeliveryKey {
    let sent = message(endpoint, "a", body.to_string().as_bytes());
    let sent = match id {
        Some(id) => identified(sent, id),
        None => sent,
    };
    let from_parse = provider::parse(&sent).unwrap().key;
    assert_eq!(peek_message(&sent).key.as_ref(), Some(&from_parse), "both ends of the queue agree");
    from_parse
}

#[test]
fn the_same_delivery_has_the_same_key() {
    let v2 = |id, body: Value| key(Endpoint::MeetingBaasV2, Some(id), &body);
    let completed = |sent: &str, query: &str| {
        let data = json!({"bot_id": "b", "video": format!("https://x/v.mp4?{query}"), "sent_at": sent});
        json!({"event": "bot.completed", "data": data})
    };
    assert_eq!(
        v2("msg_1", completed("1", "a")),
        v2("msg_1", completed("2", "b")),
        "Svix tries again under the same id"
    );
    assert_ne!(v2("msg_1", completed("1", "a")), v2("msg_2", completed("1", "a")));

    let callback = |body: Value| key(Endpoint::MeetingBaasCallback, None, &body);
    assert_eq!(callback(completed("1", "a")), callback(completed("1", "b")), "presigned URLs are made anew");
    assert_ne!(callback(completed("1", "a")), callback(completed("2", "a")), "told apart here, not in the session");

    let v1 = |body: Value| key(Endpoint::MeetingBaasV1, None, &body);
    assert_eq!(v1(status("joining_call", json!({}))), v1(status("joining_call", json!({"start_time": 1}))));
    assert_ne!(v1(status("joining_call", json!({}))), v1(status("in_call_recording", json!({}))));

    let chat =
        |id, text: &str| v2(id, json!({"event": "bot.chat_message", "data": {"bot_id": "b", "message_id": text}}));
    assert_eq!(chat("msg_1", "1"), chat("msg_2", "1"), "a message sent again is the same message");
    assert_ne!(chat("msg_1", "1"), chat("msg_1", "2"));
}

#[test]
fn every_transcription_complete_counts() {
    let body = br#"{"event":"transcription_complete","data":{"bot_id":"b"}}"#;
    let key = |accept_id| provider::parse(&message(Endpoint::MeetingBaasV1, accept_id, body)).unwrap().key;
    assert_eq!(key("1"), key("1"), "our own queue's redelivery");
    assert_ne!(key("1"), key("2"), "it may be a second run");
}

proptest! {
    #[test]
    fn parsing_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let message = message(Endpoint::MeetingBaasV2, "a", &body);
        let _ = (provider::parse(&message), peek_message(&message));
    }

    #[test]
    fn parsing_json_never_panics(
        name in ".*|bot\\.(status_change|completed|failed)|complete|failed|transcription_complete|calendar\\..*",
        id in ".{0,600}", code in ".*", time in ".*",
        odd in prop_oneof![Just(json!(null)), Just(json!([{}])), Just(json!({"a": 1e300})), Just(json!(true))],
    ) {
        let status = json!({"code": code, "created_at": time});
        let data = json!({"bot_id": id, "status": status, "error_code": code, "video": odd, "transcript": odd, "data_deleted": odd});
        let body = json!({"event": name, "data": data, "extra": odd}).to_string();
        let message = message(Endpoint::MeetingBaasV1, "a", body.as_bytes());
        let peek = peek_message(&message);
        prop_assert!(peek.key.is_some());
        if let Ok(event) = provider::parse(&message) {
            prop_assert_eq!(peek.key, Some(event.key));
            prop_assert_eq!(peek.session, Some(event.session));
        }
    }
}
