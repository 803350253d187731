use super::*;
use crate::table::{
    Known,
    tests::{entry, session},
};
use serde_json::{Value, json};
use shared::{Provider, SenderId, Session, SessionId};

fn report(session: Option<Value>, entries: Vec<Value>) -> Report {
    let id = SessionId::bot(Provider::MeetStream, SenderId::try_from("b\u{1b}[2J").unwrap());
    let session = session.map(|session| (serde_json::from_value::<Session>(session).unwrap(), 3));
    let entries = entries.into_iter().map(|entry| serde_json::from_value(entry).unwrap()).collect();
    Report::of(&id, &Known { session, entries, ..Known::default() })
}

/// A bot that was kicked, one of whose deliveries is parked.
fn kicked() -> Report {
    let mut ended = entry("k2", "a2", 1_791_212_102_123, "bot.kicked");
    ended["e"] = "session.ended".into();
    ended["w"] = "bot.kicked (Stopped): out!".into();
    let mut warning = entry("k3", "a3", 1_791_212_103_000, "bot.error");
    warning["e"] = "session.warning".into();
    warning["d"] = "ignored".into();
    warning["w"] = "bot.error (InMeeting): red \u{1b}[31m".into();
    warning["s"] = "meetstream-callback".into();
    warning.as_object_mut().unwrap().remove("o");
    let mut session = session("b", &[]);
    session["progress"] = "ended".into();
    session["proven"] = "ended".into();
    session["joined_at"] = json!({ "trust": "verified", "at": "2026-10-05T14:00:00.5+00:00" });
    session["ended_at"] = json!({ "trust": "verified", "at": "2026-10-05T16:55:00+02:00" });
    session["ending"] = json!({ "trust": "verified", "certainty": "final", "outcome": "kicked", "reason": "bot.kicked (Stopped): out!" });
    session["artifacts"] = json!({
        "audio": { "trust": "verified", "status": "announced", "occurred_at": "2026-10-05T14:56:00Z", "reason": null },
        "transcript": { "trust": "unverified", "status": "failed", "occurred_at": null, "reason": "no credit" },
    });
    session["custom_attributes"] = json!(["verified", r#"{"tenant":"acme"}"#]);
    session["missing"] = json!([
        { "accept_id": "a9", "received_at": 1_791_212_104_000_i64, "parked_as": "parked/x/a9", "reason": "unavailable" },
    ]);
    report(Some(session), vec![ended, warning])
}

#[test]
fn people_see_the_session_and_then_its_deliveries() {
    let expected = r#"meetstream b\u{1b}[2J
  state      ended, confirmed
  outcome    kicked
  reason     bot.kicked (Stopped): out!
  joined     2026-10-05 14:00:00
  ended      2026-10-05 14:55:00, after 54 min 59 s
  attributes {"tenant":"acme"}
  artifacts  audio      announced, not_kept
             transcript failed (unverified)  no credit
  missing    parked/x/a9, received 2026-10-05 14:55:04: unavailable

14:55:00|14:55:02.123|session.ended|bot.kicked|meetstream|verified|applied
–|14:55:03.000|session.warning|bot.error (InMeeting): red \u{1b}[31m|meetstream-callback|unverified|ignored
all on 2026-10-05, in UTC"#;
    assert_eq!(render(&kicked(), Style::PLAIN).replace('\t', "|"), expected);
}

#[test]
fn what_became_of_an_artifact_is_said_of_both_sides() {
    let mut session = session("b", &[]);
    session["artifacts"] = json!({ "transcript": { "trust": "verified", "status": "announced" } });
    let line = |session: &Value| {
        let text = render(&report(Some(session.clone()), vec![]), Style::PLAIN);
        text.lines().find(|line| line.contains("transcript")).map(|line| line.trim_start().to_owned()).unwrap()
    };
    session["jobs"] = json!({ "fetch_transcript": { "wanted": { "moment": 0, "received_at": 0 } } });
    assert_eq!(line(&session), "artifacts  transcript announced, pending");
    session["copies"] = json!({ "transcript": { "unavailable": "no_key" } });
    session["jobs"] = json!({});
    assert_eq!(line(&session), "artifacts  transcript announced, unavailable");
    session["deleted"] = json!({ "trust": "verified" });
    assert_eq!(line(&session), "artifacts  transcript announced, erased");
}

#[test]
fn dates_are_shown_where_days_differ() {
    let mut report = kicked();
    report.events.push(EventReport { occurred_at: "2026-10-06T00:00:01Z".parse().ok(), ..report.events[0].clone() });
    let text = render(&report, Style::PLAIN);
    assert!(text.contains("\n2026-10-06 00:00:01\t10-05 14:55:02.123\t"), "{text}");
    assert!(text.ends_with("\ntimes are in UTC"), "{text}");
}

#[test]
fn programs_see_the_same() {
    let json: Value = serde_json::from_str(&escape::json(&kicked()).unwrap()).unwrap();
    let expected = json!({
        "provider": "meetstream",
        "subject": "bot",
        "bot_id": "b\u{1b}[2J",
        "state": "ended",
        "outcome": "kicked",
        "reason": "bot.kicked (Stopped): out!",
        "confirmed": true,
        "joined_at": "2026-10-05T14:00:00.5Z",
        "ended_at": "2026-10-05T14:55:00Z",
        "custom_attributes": { "tenant": "acme" },
        "artifacts": {
            "audio": {
                "status": "announced", "copy": "not_kept", "trust": "verified", "occurred_at": "2026-10-05T14:56:00Z",
                "reason": null,
            },
            "transcript": {
                "status": "failed", "copy": null, "trust": "unverified", "occurred_at": null, "reason": "no credit",
            },
        },
        "calendar": null,
        "missing": [{
            "accept_id": "a9", "received_at": "2026-10-05T14:55:04.000Z", "parked_as": "parked/x/a9",
            "reason": "unavailable",
        }],
        "version": 3,
        "events": [
            {
                "kind": "session.ended", "name": "bot.kicked", "occurred_at": "2026-10-05T14:55:00Z",
                "received_at": "2026-10-05T14:55:02.123Z", "source": "meetstream", "trust": "verified",
                "disposition": "applied", "reason": "bot.kicked (Stopped): out!", "delivery_key": "00000000000000000000000000006b32", "accept_id": "a2",
            },
            {
                "kind": "session.warning", "name": "bot.error", "occurred_at": null,
                "received_at": "2026-10-05T14:55:03.000Z", "source": "meetstream-callback", "trust": "unverified",
                "disposition": "ignored", "reason": "bot.error (InMeeting): red \u{1b}[31m", "delivery_key": "00000000000000000000000000006b33",
                "accept_id": "a3",
            },
        ],
    });
    assert_eq!(json, expected);
}

#[track_caller]
fn check(name: &str, fields: Value, outcome: Option<&str>, confirmed: Option<bool>) {
    let mut session = session("b", &[]);
    session.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let report = report(Some(session), vec![]);
    assert_eq!((report.outcome, report.confirmed), (outcome, confirmed), "{name}");
}

#[test]
fn only_a_signature_confirms_an_end() {
    let ending = |trust: &str| json!({ "trust": trust, "certainty": "hint", "outcome": "completed", "reason": null });
    let ended = |proven: &str, trust: &str| json!({ "progress": "ended", "proven": proven, "ending": ending(trust) });
    check("signed", ended("ended", "verified"), Some("completed"), Some(true));
    check("unsigned", ended("unknown", "unverified"), Some("completed"), Some(false));
    check("signed up to the call", ended("in_call", "unverified"), Some("completed"), Some(false));
    check(
        "done, and nobody said how it ended",
        json!({ "progress": "done", "proven": "done" }),
        Some("unknown"),
        Some(true),
    );
    check("the same, unsigned", json!({ "progress": "done" }), Some("unknown"), Some(false));
    check("running, unsigned", json!({ "progress": "recording" }), None, Some(false));
}

/// A calendar with this many entries, after so many deliveries.
fn calendar(entries: usize) -> Report {
    let id = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from("c-1").unwrap());
    let mut session = session("c-1", &[]);
    session["id"] = json!(id);
    let affected: serde_json::Map<String, Value> = (0..entries)
        .map(|n| {
            let heard = json!({ "occurred_at": format!("2026-10-05T14:0{n}:00Z"), "received_at": 0 });
            (format!("e{n}\u{1b}"), heard)
        })
        .collect();
    session["calendar"] = json!({
        "last_updated": "2026-10-05T14:55:00Z",
        "connection": {
            "trust": "verified", "what": "connection_error",
            "heard": { "occurred_at": "2026-10-05T14:50:00Z", "received_at": 0 },
        },
        "affected": affected,
    });
    let mut synced = entry("k1", "a1", 1_791_212_102_123, "calendar.sync_events");
    synced["e"] = "calendar.events_synced".into();
    synced["s"] = "meetingbaas-v1".into();
    let session = Some((serde_json::from_value(session).unwrap(), 1));
    Report::of(&id, &Known { session, entries: vec![serde_json::from_value(synced).unwrap()], ..Known::default() })
}

#[test]
fn a_calendar_has_a_connection_and_entries() {
    let expected = r#"meetingbaas calendar c-1
  connection error, 2026-10-05 14:50:00
  updated    2026-10-05 14:55:00
  entries    5: e4\u{1b}, e3\u{1b}, e2\u{1b}, …

14:55:00|14:55:02.123|calendar.events_synced|calendar.sync_events|meetingbaas-v1|verified|applied
all on 2026-10-05, in UTC"#;
    assert_eq!(render(&calendar(5), Style::PLAIN).replace('\t', "|"), expected);
    assert!(render(&calendar(1), Style::PLAIN).contains("\n  entries    1: e0\\u{1b}\n"));
    assert!(render(&calendar(0), Style::PLAIN).contains("\n  entries    0\n"));
}

#[test]
fn programs_see_a_calendar_too() {
    let report: Value = serde_json::from_str(&escape::json(&calendar(1)).unwrap()).unwrap();
    assert_eq!((&report["subject"], &report["bot_id"]), (&json!("calendar"), &json!("c-1")));
    let expected = json!({
        "connection": {
            "what": "calendar.connection_error", "trust": "verified", "occurred_at": "2026-10-05T14:50:00Z",
        },
        "last_updated": "2026-10-05T14:55:00Z",
        "affected": { "e0\u{1b}": "2026-10-05T14:00:00Z" },
    });
    assert_eq!(report["calendar"], expected);
    let id = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from("c-1").unwrap());
    let unheard = Report::of(&id, &Known::default());
    assert_eq!(unheard.calendar, Some(CalendarReport::default()));
    assert!(render(&unheard, Style::PLAIN).contains("connection nothing heard of it"));
}

#[test]
fn a_bot_without_a_session_has_no_state_yet() {
    let report = report(None, vec![entry("k", "a", 1_791_212_102_000, "bot.error")]);
    assert_eq!((report.state, report.outcome, report.version), ("unknown", None, None));
    assert_eq!(report.events.len(), 1);
}

#[test]
fn lengths_of_stay_are_readable() {
    for (seconds, text) in [
        (-5, None),
        (0, None),
        (59, Some(", after 59 s")),
        (3599, Some(", after 59 min 59 s")),
        (7260, Some(", after 2 h 1 min")),
    ] {
        assert_eq!(after(SignedDuration::from_secs(seconds)).as_deref(), text);
    }
}
