use super::*;
use crate::{
    SenderId,
    endpoint::{Endpoint, Provider},
    event::Event,
    ids::AcceptId,
    message::{Head, QueueMessage},
    provider::parse,
    session::{Disposition, Stored, Trigger, advance},
    time::OccurredAt,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

const BOT: &str = "7c1e4a92-5d0b-4f6e-9a37-2b8f0c6d1e54";

/// The webhooks of a whole meeting as they were recorded, each with how many milliseconds later it was taken.
const LIFE: [(&str, i64); 12] = [
    ("bot.joining", 412),
    ("bot.in_waiting_room", 655),
    ("bot.inmeeting", 380),
    ("bot.recording_permission_allowed.zoom", 1920),
    ("bot.recording", 4021),
    ("bot.leaving", 503),
    ("bot.stopped.clean", 447),
    ("manifest.completed", 620),
    ("audio.processed", 380),
    ("transcription.processed", 2212),
    ("video.processed", 731),
    ("bot.done", 540),
];

fn delivered(n: usize, name: &str, milliseconds_later: i64) -> Event {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../events/provider/meetstream/current-2026-09/{name}.json"));
    let mut body: Value = serde_json::from_str(&std::fs::read_to_string(recording).unwrap()).unwrap();
    body["bot_id"] = json!(BOT);
    let at: Timestamp = body["timestamp"].as_str().unwrap().parse().unwrap();
    let head = Head {
        accept_id: AcceptId::new(format!("{n:08x}-36f3-44e5-9ee8-00dfa7d4f1b{n:x}")),
        endpoint: Endpoint::MeetStream,
        delivery_id: None,
        received_at: ReceivedAt(at.as_millisecond() + milliseconds_later),
    };
    parse(&QueueMessage::restored(head, body.to_string().into_bytes())).unwrap()
}

fn bot() -> SessionId {
    SessionId::bot(Provider::MeetStream, SenderId::try_from(BOT).unwrap())
}

fn life() -> Session {
    let mut session = Session::new(bot(), ReceivedAt(i64::MAX));
    for (n, (name, later)) in LIFE.into_iter().enumerate() {
        session = advance(&session, &delivered(n, name, later)).session.unwrap();
    }
    session
}

fn written(session: &Session) -> Document {
    Document::of_session(session).unwrap()
}

#[test]
fn the_stored_form_is_what_it_was() {
    let life = life();
    let document = written(&life);
    assert_eq!(document.session(&bot().encoded()).unwrap(), life);
    // Whoever accepts another text here counts `FORM` up.
    insta::assert_snapshot!(document.text.replace(",\"", ",\n\""), @r#"
    {"form":1,
    "outcome":"completed",
    "attributes":{"job_id":"job-2291",
    "streaming_only":"false",
    "tenant":"acme"},
    "lines":["2026-10-05T13:59:01.402911 +412 joining@meetstream bot.joining",
    "13:59:44.907712 +655 waiting bot.in_waiting_room",
    "14:00:22.650017 +380 in_call bot.inmeeting",
    "14:00:25.000000 +1920 permission_allowed bot.recording_permission_allowed",
    "14:00:23.118840 +4021 recording bot.recording",
    "14:47:10.001020 +503 leaving bot.leaving",["14:47:12.771503 +447 ended bot.stopped",
    "bot.stopped (Stopped): Bot left the meeting"],
    "14:47:20.410551 +620 manifest.announced manifest.completed",
    "14:48:02.018672 +380 audio.announced audio.processed",
    "14:50:40.552810 +2212 transcript.announced transcription.processed",
    "14:55:00.552810 +731 video.announced video.processed",
    "14:55:02.248022 +540 done bot.done"],
    "jobs":{"fetch_transcript":{"wanted":{"moment":1791211840552,
    "received_at":1791211842764}},
    "fetch_audio":{"wanted":{"moment":1791211682018,
    "received_at":1791211682398}},
    "fetch_video":{"wanted":{"moment":1791212100552,
    "received_at":1791212101283}}}}
    "#);
    let ids = life.timeline()[0].key.to_string() + &life.timeline()[0].accept_id.as_str().replace('-', "");
    assert_eq!(hex::encode(&document.ids[..32]), ids);
    assert_eq!(document.ids.len(), 12 * 32);
    let entry = TimelineLine { disposition: Disposition::Duplicate, ..life.timeline()[6].clone() };
    let document = Document::of_line(&entry).unwrap();
    assert_eq!(document.line().unwrap(), entry);
    insta::assert_snapshot!(document.text, @r#"{"form":1,"line":["2026-10-05T14:47:12.771503 +447 ended@meetstream!duplicate bot.stopped","bot.stopped (Stopped): Bot left the meeting"]}"#);
}

/// A session with everything that a session can have.
fn full() -> Session {
    let stored = StoredCopy::Stored(Stored {
        key: "meetstream/b/audio/recording.wav".to_owned(),
        sha256: "0".repeat(64),
        size_bytes: 1,
        content_type: Some("audio/wav".to_owned()),
        stored_at: 1,
        is_unpublished: false,
    });
    let trigger = Trigger::new(Trust::Verified, None, ReceivedAt(1_791_212_102_000));
    let unverified = Deletion { trust: Trust::Unverified };
    Session {
        ending: Some(Ending {
            trust: Trust::Unverified,
            certainty: Certainty::Hint,
            outcome: Outcome::Denied,
            reason: None,
        }),
        joined_at: None,
        proven: State::Joining,
        deleted: Some(unverified),
        first_received_at: ReceivedAt(5),
        custom_attributes: Some((Trust::Unverified, "no JSON".to_owned())),
        calendar: Some(CalendarFacts::default()),
        ..life()
    }
    .with_copy(Artifact::Audio, stored)
    .with_settled(Job::FetchAudio, trigger)
    .with_reminder(Job::FetchAudio, 7)
    .with_missing(MissingDelivery {
        accept_id: AcceptId::new("1"),
        received_at: ReceivedAt(1),
        parked_as: "parked/\u{7f}\u{1F916}".to_owned(),
        reason: "\"quoted\"\n".to_owned(),
    })
}

#[test]
fn what_the_lines_do_not_say_is_written_out() {
    let full = full();
    assert_eq!(written(&full).session(&bot().encoded()).unwrap(), full);
    let nothing_said = Session { artifacts: BTreeMap::new(), timeline: Vec::new(), ..full };
    assert_eq!(written(&nothing_said).session(&bot().encoded()).unwrap(), nothing_said);
}

/// Read back as a bot, it would be another session than the one that was saved.
#[test]
fn a_calendar_stays_one() {
    for id in ["c".to_owned(), "c#/".to_owned(), "c/".repeat(200)] {
        let id = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from(id.as_str()).unwrap());
        let session = Session::new(id.clone(), ReceivedAt(1));
        let read = written(&session).session(&id.encoded()).unwrap();
        assert_eq!(read.id(), &id);
        assert_eq!(read, session);
    }
}

#[test]
fn an_id_too_long_for_the_key_is_in_the_document() {
    let id = SessionId::bot(Provider::MeetingBaas, SenderId::try_from("\u{1F916}".repeat(100).as_str()).unwrap());
    let session = Session::new(id.clone(), ReceivedAt(1));
    assert_eq!(written(&session).session(&id.encoded()).unwrap(), session);
    assert!(!written(&life()).text.contains(BOT));
}

/// The document with another text.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Session, Unreadable> {
    let document = written(&full());
    let mut text = serde_json::from_str(&document.text).unwrap();
    change(&mut text);
    Document { text: text.to_string(), ..document }.session(&bot().encoded())
}

#[test]
fn what_another_version_wrote_is_not_read() {
    assert!(changed(|_| ()).is_ok());
    let newer = changed(|text| text["form"] = json!(FORM + 1));
    assert!(matches!(newer, Err(Unreadable::Form(form)) if form == FORM + 1), "the same fields");
    let newer = changed(|text| *text = json!({"form": FORM + 1, "rows": [1]}));
    assert!(matches!(newer, Err(Unreadable::Form(form)) if form == FORM + 1), "other fields");
    let none = changed(|text| drop(text.as_object_mut().unwrap().remove("form")));
    assert!(matches!(none, Err(Unreadable::Damaged(_))));
    let entry = Document::of_line(&life().timeline()[0]).unwrap();
    let newer = Document { text: entry.text.replace("\"form\":1", "\"form\":2"), ..entry };
    assert!(matches!(newer.line(), Err(Unreadable::Form(2))));
}

/// A field that is dropped in silence would be missing from the next write.
#[test]
fn no_field_that_this_version_does_not_know_is_dropped() {
    fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.push(path.to_owned());
                fields.iter().for_each(|(name, value)| objects(value, &format!("{path}/{name}"), found));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, value)| objects(value, &format!("{path}/{at}"), found));
            }
            _ => {}
        }
    }
    let mut paths = Vec::new();
    objects(&serde_json::from_str(&written(&full()).text).unwrap(), "", &mut paths);
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        let read = changed(|text| text.pointer_mut(&path).unwrap()["new"] = json!(1));
        assert!(matches!(read, Err(Unreadable::Damaged(_))), "{path:?}: {read:?}");
    }
}

#[test]
fn what_no_version_writes_is_not_read() {
    let ids_missing = Document { ids: vec![0; 32], ..written(&life()) };
    assert!(matches!(ids_missing.session(&bot().encoded()), Err(Unreadable::Damaged(_))));
    assert!(matches!(written(&life()).session("meetstream#~2f"), Err(Unreadable::Damaged(_))), "of nobody");
    let long = SessionId::bot(Provider::MeetStream, SenderId::try_from("?".repeat(300).as_str()).unwrap());
    let elsewhere = written(&Session::new(long, ReceivedAt(1))).session(&bot().encoded());
    assert!(matches!(elsewhere, Err(Unreadable::Damaged(_))), "of another bot");
    for line in
        ["", "-", "- 12:00:00Z joining", "x +1 joining@meetstream", "- @1 joining@zoom", "- @1 joining@meetstream!lost"]
    {
        let read = changed(|text| text["lines"][0] = json!(line));
        assert!(matches!(read, Err(Unreadable::Damaged(_))), "{line:?}");
    }
}

/// Times in every form that is read, with some that only just are.
fn times() -> impl Strategy<Value = String> {
    let day = prop_oneof![
        Just("2026-10-05".to_owned()),
        Just("2026-10-06".to_owned()),
        "20[0-9]{2}-0[1-9]-1[0-9]",
        Just("20261005".to_owned()),
        Just("-009999-01-02".to_owned())
    ];
    let zone = prop_oneof![
        Just("Z"),
        Just("z"),
        Just("+00:00"),
        Just("-00:00"),
        Just("+02:00"),
        Just("-0730"),
        Just("+05"),
        Just("")
    ];
    (day, "[Tt ]", "[01][0-9]:[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?", zone)
        .prop_map(|(day, t, time, zone)| format!("{day}{t}{time}{zone}"))
}

fn entries() -> impl Strategy<Value = TimelineLine> {
    let kinds = [
        "session.joining",
        "session.ended",
        "manifest.announced",
        "transcript.failed",
        "data.deleted",
        "calendar.event_created",
        "unknown",
        "chat.message",
    ];
    let sources = ["meetstream", "meetstream-callback", "meetingbaas-api", "operator"];
    let dispositions = [
        Disposition::Applied,
        Disposition::Duplicate,
        Disposition::Ignored,
        Disposition::Quarantined,
        Disposition::Parked,
    ];
    let ids = prop_oneof![
        Just("8f5d1c6e-36f3-44e5-9ee8-00dfa7d4f1b0".to_owned()),
        Just("00000000-0000-0000-0000-000000000000".to_owned()),
        Just("8F5D1C6E-36F3-44E5-9EE8-00DFA7D4F1B0".to_owned()),
        "(?s).{0,40}"
    ];
    let received = prop_oneof![Just(1_791_212_102_000), any::<i64>(), 1_791_200_000_000..1_791_300_000_000_i64];
    (
        any::<[u8; 16]>(),
        ids,
        proptest::sample::select(kinds.to_vec()),
        "(?s).{0,20}",
        proptest::option::of(times()),
        received,
        proptest::sample::select(sources.to_vec()),
        proptest::sample::select(dispositions.to_vec()),
        proptest::option::of("(?s).{0,20}"),
    )
        .prop_map(|(key, accept_id, kind, name, time, received, source, disposition, reason)| TimelineLine {
            key: crate::DeliveryKey::from_bytes(key),
            accept_id: AcceptId::new(accept_id),
            kind: kind.to_owned(),
            name,
            occurred_at: time.and_then(|time| OccurredAt::parse(&time).ok()),
            received_at: ReceivedAt(received),
            source: source.to_owned().try_into().unwrap(),
            disposition,
            reason,
        })
}

proptest! {
    #[test]
    fn every_line_is_read_as_it_was_written(entries in proptest::collection::vec(entries(), 0..8)) {
        let session = Session { timeline: entries.clone(), ..full() };
        let document = written(&session);
        prop_assert_eq!(document.session(&bot().encoded()).unwrap(), session, "{}", document.text);
        for entry in entries {
            let document = Document::of_line(&entry).unwrap();
            prop_assert_eq!(document.line().unwrap(), entry, "{}", document.text);
        }
    }

    #[test]
    fn attributes_are_kept_to_the_letter(json in r#"[\[\]{}",:0-9eE.\\ud8a ]{0,12}|\PC{0,9}"#, depth in 0..400_usize) {
        for text in [json.clone(), format!("{}{json}{}", "[".repeat(depth), "]".repeat(depth)), format!("{{\"x\":{json}}}")] {
            let session = Session { custom_attributes: Some((Trust::Verified, text)), ..life() };
            prop_assert_eq!(written(&session).session(&bot().encoded()).unwrap(), session);
        }
    }

    #[test]
    fn reading_never_panics(text in "(?s).{0,60}", line in "(?s).{0,60}", ids in proptest::collection::vec(any::<u8>(), 0..70)) {
        let of_line = json!({"form": 1, "lines": [line]}).to_string();
        for text in [text, of_line, json!({"form": 1, "line": line}).to_string()] {
            let document = Document { text, ids: ids.clone() };
            let _ = (document.session("meetstream#b"), document.line());
        }
    }
}
