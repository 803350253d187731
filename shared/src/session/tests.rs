use super::*;
use crate::{
    AcceptId,
    endpoint::Endpoint,
    message::tests::{identified, message},
    provider::parse,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One delivery as a test writes it: which accepted request, through which endpoint, saying what.
#[derive(Clone, Debug)]
struct Delivery(String, Endpoint, Value);

fn signed(accept_id: &str, body: Value) -> Delivery {
    Delivery(accept_id.to_owned(), Endpoint::MeetStream, body)
}

fn unverified(accept_id: &str, body: Value) -> Delivery {
    Delivery(accept_id.to_owned(), Endpoint::MeetStreamCallback, body)
}

impl Delivery {
    fn event(&self) -> Event {
        let message = message(self.1, &self.0, self.2.to_string().as_bytes());
        // Svix gives each message an id, and a new one to the same message sent again.
        let message = if self.1 == Endpoint::MeetingBaasV2 { identified(message, &self.0) } else { message };
        let mut event = parse(&message).unwrap();
        event.received_at = received_at(&self.0);
        event
    }
}

/// A session but for which of several deliveries of a fact has its line: the fields, and which facts have one.
fn settled(mut session: Session) -> (Session, BTreeSet<(String, Trust, Option<Timestamp>)>) {
    let recurs = |line: &TimelineLine| {
        let recurring = ["session.joining", "session.recording_paused", "session.recording_resumed"];
        recurring.contains(&line.kind.as_str()) || line.kind.starts_with("transcript.")
    };
    let told = session.timeline.drain(..).map(|line| {
        let moment = line.occurred_at.as_ref().map(OccurredAt::moment).filter(|_| recurs(&line));
        (line.kind.clone(), line.trust(), moment)
    });
    let told = told.collect();
    (session, told)
}

fn event(name: &str, time: &str) -> Value {
    json!({"bot_id": "b", "event": name, "bot_event": name, "timestamp": time, "custom_attributes": {"tenant": "acme"}})
}

fn stopped(name: &str, time: &str) -> Value {
    json!({"bot_id": "b", "event": "bot.stopped", "bot_event": name, "bot_status": "Stopped", "timestamp": time})
}

fn empty() -> Session {
    let id = signed("x", event("bot.joining", "2026-01-01T10:00:00Z")).event().session;
    Session::new(id, ReceivedAt(i64::MAX))
}

/// A moment of receipt of its own for each delivery, in an order that has nothing to do with theirs.
fn received_at(accept_id: &str) -> ReceivedAt {
    let spread: i64 = accept_id.bytes().map(|byte| i64::from(byte) * 7 % 101).sum();
    ReceivedAt(1_791_212_102_000 + spread)
}

fn after(deliveries: &[Delivery]) -> Session {
    let moved = |session: Session, delivery: &Delivery| match advance(&session, &delivery.event()).session {
        Some(next) => read_back(&next),
        None => session,
    };
    deliveries.iter().fold(empty(), moved)
}

/// A session after it was written and read: the same.
fn read_back(session: &Session) -> Session {
    let document = Document::of_session(session).unwrap();
    let read = document.session(&session.id().encoded()).unwrap();
    assert_eq!(&read, session, "{document:?}");
    read
}

/// How many bytes a session has in the table.
fn stored_bytes(session: &Session) -> usize {
    let document = Document::of_session(&read_back(session)).unwrap();
    document.text.len() + document.ids.len()
}

fn dispositions(deliveries: &[Delivery]) -> Vec<Disposition> {
    let mut session = empty();
    let each = deliveries.iter().map(|delivery| {
        let transition = advance(&session, &delivery.event());
        session = transition.session.unwrap_or_else(|| session.clone());
        transition.disposition
    });
    each.collect()
}

/// A whole meeting, joining twice, with its artifacts, its end and its deletion.
fn meeting() -> Vec<Delivery> {
    vec![
        signed("1", event("bot.joining", "2026-01-01T10:00:00Z")),
        signed("2", event("bot.joining", "2026-01-01T10:00:20Z")),
        signed("3", event("bot.inmeeting", "2026-01-01T10:01:00Z")),
        signed("4", event("bot.recording", "2026-01-01T10:01:01Z")),
        signed("5", stopped("bot.kicked", "2026-01-01T10:30:00Z")),
        signed("6", event("transcription.processed", "2026-01-01T10:40:00Z")),
        signed("7", event("bot.done", "2026-01-01T10:41:00Z")),
        signed("8", event("data_deletion", "2026-02-01T00:00:00Z")),
    ]
}

fn webhook(accept_id: &str, body: Value) -> Delivery {
    Delivery(accept_id.to_owned(), Endpoint::MeetingBaasV2, body)
}

fn callback(accept_id: &str, body: Value) -> Delivery {
    Delivery(accept_id.to_owned(), Endpoint::MeetingBaasCallback, body)
}

fn status(code: &str, time: &str) -> Value {
    json!({"event": "bot.status_change", "data": {"bot_id": "b", "status": {"code": code, "created_at": time}}})
}

fn completed(sent_at: &str, transcription: Option<&str>) -> Value {
    let (joined, exited) = ("2026-08-20T09:00:30Z", "2026-08-20T09:27:30Z");
    let data = json!({
        "bot_id": "b", "joined_at": joined, "exited_at": exited, "sent_at": sent_at, "data_deleted": false,
        "video": "https://x/v.mp4?a", "audio": null, "transcription": transcription,
    });
    json!({"event": "bot.completed", "data": data, "extra": {"customer_id": "c-19"}})
}

/// A whole meeting of Meeting BaaS through both channels, sent again, with hints and what does not act.
fn baas_meeting() -> Vec<Delivery> {
    let end = "2026-08-20T09:31:04Z";
    vec![
        webhook("1", status("queued", "2026-08-20T08:59:00Z")),
        webhook("2", status("joining_call", "2026-08-20T09:00:00Z")),
        webhook("3", status("retrying", "2026-08-20T09:00:10Z")),
        webhook("4", status("in_call_not_recording", "2026-08-20T09:00:30Z")),
        webhook("5", status("in_call_recording", "2026-08-20T09:00:40Z")),
        webhook("6", status("recording_paused", "2026-08-20T09:10:00Z")),
        webhook("7", status("recording_resumed", "2026-08-20T09:11:00Z")),
        webhook("8", status("bot_removed", "2026-08-20T09:27:30Z")),
        webhook("9", status("call_ended", "2026-08-20T09:27:31Z")),
        webhook("10", status("transcribing", "2026-08-20T09:28:00Z")),
        webhook("11", status("completed", "2026-08-20T09:31:00Z")),
        webhook("12", completed(end, None)),
        webhook("13", completed("2026-08-21T10:00:00Z", Some("https://x/t.json?b"))),
        callback("14", completed("2026-08-20T09:31:05Z", None)),
        webhook("15", status("in_call_recording", "2026-08-20T09:00:40Z")),
    ]
}

#[track_caller]
fn check(name: &str, deliveries: &[Delivery], state: State, outcome: Option<Outcome>) {
    let session = after(deliveries);
    assert_eq!((session.state(), session.outcome()), (state, outcome), "{name}");
}

#[test]
fn a_meeting_moves_forward() {
    let meeting = meeting();
    check("nothing", &[], State::Unknown, None);
    check("on its way", &meeting[..2], State::Joining, None);
    check("in the call", &meeting[..3], State::InCall, None);
    check("recording", &meeting[..4], State::Recording, None);
    check("out", &meeting[..5], State::Ended, Some(Outcome::Kicked));
    check("transcribed", &meeting[..6], State::Ended, Some(Outcome::Kicked));
    check("done", &meeting[..7], State::Done, Some(Outcome::Kicked));
    check("deleted", &meeting, State::Deleted, Some(Outcome::Kicked));
    let done = after(&meeting[..7]);
    assert_eq!(done.custom_attributes(), Some(r#"{"tenant":"acme"}"#));
    assert!(done.ending().unwrap().reason.as_ref().unwrap().contains("bot.kicked"));
    let session = after(&meeting);
    assert_eq!(session.joined_at().unwrap().as_sent(), "2026-01-01T10:01:00Z");
    assert_eq!(session.ended_at().unwrap().as_sent(), "2026-01-01T10:30:00Z");
    assert_eq!(session.artifacts()[&Artifact::Transcript].status, ArtifactStatus::Announced);
    assert_eq!(session.custom_attributes(), None, "what people entered is gone");
    assert_eq!(session.ending().unwrap().reason, None);
    assert!(session.timeline().iter().all(|entry| entry.reason.is_none()));
}

#[test]
fn what_comes_late_moves_nothing_back() {
    let late = [
        signed("1", event("bot.recording", "2026-01-01T10:01:01Z")),
        signed("2", event("bot.joining", "2026-01-01T10:00:00Z")),
    ];
    check("a late joining", &late, State::Recording, None);
    assert_eq!(dispositions(&late), [Disposition::Applied, Disposition::Applied], "it is on record");
    check("done alone", &[signed("1", event("bot.done", "2026-01-01T10:00:00Z"))], State::Done, Some(Outcome::Unknown));
    check("a deletion alone", &[signed("1", event("data_deletion", "2026-01-01T10:00:00Z"))], State::Deleted, None);
    check("an artifact alone", &[signed("1", event("audio.processed", "2026-01-01T10:00:00Z"))], State::Unknown, None);
    let warned = [
        signed("1", event("bot.inmeeting", "2026-01-01T10:00:00Z")),
        signed("2", event("bot.error", "2026-01-01T10:00:01Z")),
    ];
    check("an error that ends nothing", &warned, State::InCall, None);
    assert_eq!(dispositions(&warned), [Disposition::Applied, Disposition::Ignored]);
}

#[test]
fn the_same_delivery_counts_once() {
    let joining = event("bot.joining", "2026-01-01T10:00:00Z");
    let again = [signed("1", joining.clone()), signed("2", joining.clone()), unverified("3", joining.clone())];
    assert_eq!(dispositions(&again), [Disposition::Applied, Disposition::Duplicate, Disposition::Duplicate]);
    assert_eq!(after(&again).timeline().len(), 1);

    let session = after(&again[..1]);
    let redelivered = advance(&session, &again[0].event());
    assert_eq!(
        (redelivered.disposition, redelivered.records),
        (Disposition::Duplicate, vec![]),
        "our own queue's redelivery"
    );
    let repeated = advance(&session, &again[1].event());
    assert_eq!(repeated.records.len(), 1, "the sender's repetition is on record");
}

#[test]
fn a_kick_and_a_clean_end_are_told_apart_in_either_order() {
    let generic = signed("1", json!({"bot_id": "b", "event": "bot.stopped", "bot_status": "Stopped"}));
    let specific = signed("2", stopped("bot.kicked", "2026-01-01T10:30:00Z"));
    check("generic first", &[generic.clone(), specific.clone()], State::Ended, Some(Outcome::Kicked));
    check("specific first", &[specific, generic], State::Ended, Some(Outcome::Kicked));
}

#[test]
fn a_forged_end_never_replaces_the_genuine_one() {
    let genuine = signed("genuine", stopped("bot.stopped", "2026-01-01T10:30:00Z"));
    let same_key = unverified("forged", stopped("bot.stopped", "2026-01-01T10:30:00Z"));
    let other = unverified("forged", stopped("bot.failed", "2026-01-01T09:00:00Z"));
    for forged in [same_key, other] {
        for order in [[forged.clone(), genuine.clone()], [genuine.clone(), forged.clone()]] {
            let session = after(&order);
            assert_eq!(session.outcome(), Some(Outcome::Completed));
            assert_eq!(session.ending().unwrap().trust, Trust::Verified);
            assert_eq!(session.ended_at().unwrap().as_sent(), "2026-01-01T10:30:00Z");
            assert!(session.timeline().iter().any(|entry| entry.accept_id.as_str() == "genuine"));
        }
        assert_eq!(
            dispositions(&[forged, genuine.clone()])[1],
            Disposition::Applied,
            "the genuine one is no duplicate"
        );
    }
}

#[test]
fn what_only_claims_say_is_not_confirmed() {
    let joined = signed("1", event("bot.inmeeting", "2026-01-01T10:00:00Z"));
    let unverified_end = unverified("2", stopped("bot.kicked", "2026-01-01T10:30:00Z"));
    let unverified_done = unverified("3", event("bot.done", "2026-01-01T10:31:00Z"));
    let end = signed("4", stopped("bot.kicked", "2026-01-01T10:30:00Z"));
    let done = signed("5", event("bot.done", "2026-01-01T10:31:00Z"));
    let confirmed = |deliveries: &[&Delivery]| {
        after(&deliveries.iter().map(|delivery| (*delivery).clone()).collect::<Vec<_>>()).is_confirmed()
    };
    assert!(confirmed(&[&joined]));
    assert!(!confirmed(&[&joined, &unverified_end]));
    assert!(confirmed(&[&joined, &unverified_end, &end]));
    assert!(!confirmed(&[&end, &unverified_done]));
    assert!(confirmed(&[&unverified_done, &end, &done]));
}

#[test]
fn a_displaced_claim_stays_on_record() {
    let body = stopped("bot.stopped", "2026-01-01T10:30:00Z");
    let session = after(&[unverified("1", body.clone())]);
    let transition = advance(&session, &signed("2", body).event());
    let records: Vec<_> = transition.records.iter().map(|r| (r.accept_id.as_str(), r.disposition)).collect();
    assert_eq!(records, [("1", Disposition::Duplicate)]);
    assert_eq!(transition.session.unwrap().timeline().len(), 1);
}

#[test]
fn an_unverified_deletion_hides_nothing() {
    let done = signed("1", event("bot.done", "2026-01-01T10:00:00Z"));
    let deletion = event("data_deletion", "2026-02-01T00:00:00Z");
    check("unverified", &[done.clone(), unverified("2", deletion.clone())], State::Done, Some(Outcome::Unknown));
    check(
        "then verified",
        &[done, unverified("2", deletion.clone()), signed("3", deletion)],
        State::Deleted,
        Some(Outcome::Unknown),
    );
}

/// Bytes that are kept while an erasure runs, it may have missed; and the delivery that they are of may be older than the deletion.
#[test]
fn no_erasure_settles_what_was_kept_while_it_ran() {
    let deleted = after(&[signed("1", event("data_deletion", "2026-02-01T00:00:00Z"))]);
    let running = deleted.pending(Job::Erase).unwrap().wanted();
    let once = deleted.with_erased(Job::Erase, running, Some(0));
    for received_at in [ReceivedAt(0), running.received_at(), ReceivedAt(running.received_at().0 + 1)] {
        let kept = deleted.with_bytes_set_aside(received_at);
        assert!(kept.with_erased(Job::Erase, running, Some(0)).pending(Job::Erase).is_some(), "{received_at:?}");
        let again = once.with_bytes_set_aside(received_at).with_bytes_set_aside(received_at);
        let first = once.with_bytes_set_aside(received_at).pending(Job::Erase).unwrap().wanted();
        assert!(again.with_erased(Job::Erase, first, Some(0)).pending(Job::Erase).is_some(), "{received_at:?}");
    }
}

#[test]
fn a_transcript_can_be_made_again() {
    let failed = signed("1", event("transcription.failed", "2026-01-01T10:40:00Z"));
    let first = signed("2", event("transcription.processed", "2026-01-01T11:00:00Z"));
    let second = signed("3", event("transcription.processed", "2026-01-05T09:00:00Z"));
    let session = after(&[failed, first.clone(), second.clone()]);
    let transcript = &session.artifacts()[&Artifact::Transcript];
    assert_eq!(transcript.status, ArtifactStatus::Announced);
    assert_eq!(transcript.occurred_at.as_ref().unwrap().as_sent(), "2026-01-05T09:00:00Z");
    let wanted = |deliveries: &[Delivery]| after(deliveries).pending(Job::FetchTranscript).unwrap().wanted();
    assert_ne!(wanted(std::slice::from_ref(&first)), wanted(&[first.clone(), second]), "each run is a reason to fetch");
}

#[test]
fn an_unsigned_time_withholds_no_signed_artifact() {
    let forged = unverified("forged", event("transcription.processed", "9999-12-30T00:00:00Z"));
    let genuine = signed("genuine", event("transcription.processed", "2026-01-05T09:00:00Z"));
    let wanted = |session: &Session| session.jobs()[&Job::FetchTranscript].wanted();
    let alone = wanted(&after(std::slice::from_ref(&genuine)));
    for order in [[forged.clone(), genuine.clone()], [genuine.clone(), forged.clone()]] {
        assert_eq!(wanted(&after(&order)), alone);
    }
    let fetched = after(&[forged]);
    let fetched = fetched.with_settled(Job::FetchTranscript, wanted(&fetched));
    let told = advance(&fetched, &genuine.event()).session.unwrap();
    assert!(
        told.pending(Job::FetchTranscript).is_some(),
        "what is proved is fetched, whatever an unverified delivery said before"
    );
}

#[test]
fn a_fast_clock_withholds_no_later_artifact() {
    let ahead = signed("1", event("transcription.processed", "2999-01-01T00:00:00Z")).event();
    let session = advance(&empty(), &ahead).session.unwrap();
    let fetched = session.with_settled(Job::FetchTranscript, session.jobs()[&Job::FetchTranscript].wanted());
    let later = signed("2", event("transcription.processed", "2998-01-01T00:00:00Z")).event();
    let later = Event { received_at: ReceivedAt(ahead.received_at.0 + 60_000), ..later };
    assert!(advance(&fetched, &later).session.unwrap().pending(Job::FetchTranscript).is_some());
}

#[test]
fn the_same_fact_through_two_channels_counts_once() {
    use Disposition::{Applied, Duplicate};
    let check = |name: &str, deliveries: &[Delivery], expected: &[Disposition]| {
        assert_eq!(dispositions(deliveries), expected, "{name}");
    };
    let (sent, resent) = ("2026-08-20T09:31:04Z", "2026-08-20T10:00:00Z");
    let first = webhook("1", completed(sent, None));
    check("webhook, then callback", &[first.clone(), callback("2", completed(resent, None))], &[Applied, Duplicate]);
    check("callback, then webhook", &[callback("2", completed(resent, None)), first.clone()], &[Applied, Duplicate]);
    check("sent again by hand", &[first.clone(), webhook("2", completed(resent, None))], &[Applied, Duplicate]);
    let transcribed = webhook("2", completed(resent, Some("https://x/t.json")));
    check("sent again with more in it", &[first.clone(), transcribed.clone()], &[Applied, Applied]);
    check("with less in it", &[transcribed, first.clone()], &[Applied, Duplicate]);
    let code = webhook("2", status("completed", "2026-08-20T09:31:00Z"));
    check("the status after the event", &[first.clone(), code.clone()], &[Applied, Duplicate]);
    check("the status before the event", &[code, first.clone()], &[Applied, Applied]);
    let joining = |id: &str, time: &str| webhook(id, status("joining_call", time));
    check("joining again", &[joining("1", sent), joining("2", resent)], &[Applied, Applied]);
    check("joining, told twice", &[joining("1", sent), joining("2", sent)], &[Applied, Duplicate]);

    let session = after(std::slice::from_ref(&first));
    let twin = callback("2", completed(resent, None));
    let repeated = advance(&session, &twin.event());
    let records: Vec<_> = repeated.records.iter().map(|r| (r.accept_id.as_str(), r.disposition)).collect();
    assert_eq!((records, repeated.published), (vec![("2", Duplicate)], vec![]), "on record, and not told again");
    let ids = |delivery: &Delivery| {
        advance(&empty(), &delivery.event()).published.into_iter().map(|told| told.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ids(&twin), "and if it were, it would be under the same ids");
}

#[test]
fn a_conclusion_is_several_facts_at_once() {
    let session = after(&[callback("1", completed("2026-08-20T09:31:04Z", Some("https://x/t.json")))]);
    assert_eq!((session.state(), session.outcome()), (State::Done, Some(Outcome::Completed)));
    assert_eq!(session.joined_at().unwrap().as_sent(), "2026-08-20T09:00:30Z");
    assert_eq!(session.ended_at().unwrap().as_sent(), "2026-08-20T09:27:30Z", "not when it was sent");
    let ready: Vec<_> = session.artifacts().iter().map(|(which, fact)| (*which, fact.status)).collect();
    assert_eq!(
        ready,
        [(Artifact::Video, ArtifactStatus::Announced), (Artifact::Transcript, ArtifactStatus::Announced)]
    );
    assert_eq!(session.custom_attributes(), Some(r#"{"customer_id":"c-19"}"#));

    let told = advance(&empty(), &webhook("1", completed("2026-08-20T09:31:04Z", None)).event()).published;
    let told: Vec<_> = told.iter().map(|told| told.name).collect();
    assert_eq!(told, ["meeting.joined", "meeting.ended", "meeting.done"]);

    let mut deleted = completed("2026-08-20T09:31:04Z", None);
    deleted["data"]["data_deleted"] = json!(true);
    check("already erased", &[webhook("1", deleted)], State::Deleted, Some(Outcome::Completed));
}

#[test]
fn hints_of_an_end_give_way_to_the_final_word() {
    let failed = |code: &str| {
        let data = json!({"bot_id": "b", "error_code": code, "sent_at": "2026-08-20T09:12:00Z"});
        webhook("final", json!({"event": "bot.failed", "data": data}))
    };
    let hint = |code: &str| webhook(code, status(code, "2026-08-20T09:11:59Z"));
    let ended = |outcome| (State::Ended, Some(outcome));
    for (code, (state, outcome)) in [
        ("bot_removed", ended(Outcome::Kicked)),
        ("bot_rejected", ended(Outcome::Denied)),
        ("waiting_room_timeout", ended(Outcome::NotAdmitted)),
        ("api_request_stop", ended(Outcome::Completed)),
        ("failed", (State::Done, Some(Outcome::Failed))),
        ("call_ended", (State::Leaving, None)),
        ("recording_failed", (State::Unknown, None)),
    ] {
        check(code, &[hint(code)], state, outcome);
        let last = failed("TIMEOUT_WAITING_TO_START");
        check(code, &[hint(code), last.clone()], State::Done, Some(Outcome::NotAdmitted));
        check(code, &[last, hint(code)], State::Done, Some(Outcome::NotAdmitted));
    }
    let retried = [hint("recording_failed"), webhook("2", status("retrying", "2026-08-20T09:13:00Z"))];
    check("a failed recording that is tried again", &retried, State::Joining, None);
}

#[test]
fn a_recording_that_pauses_still_records() {
    let paused = [
        webhook("1", status("in_call_recording", "2026-08-20T09:00:00Z")),
        webhook("2", status("recording_paused", "2026-08-20T09:10:00Z")),
        webhook("3", status("recording_resumed", "2026-08-20T09:11:00Z")),
        webhook("4", status("recording_paused", "2026-08-20T09:12:00Z")),
    ];
    check("paused twice", &paused, State::Recording, None);
    assert_eq!(dispositions(&paused), [Disposition::Applied; 4]);
}

#[test]
fn every_run_of_a_v1_transcription_counts() {
    let run = |id: &str| {
        let body = json!({"event": "transcription_complete", "data": {"bot_id": "b"}});
        Delivery(id.to_owned(), Endpoint::MeetingBaasV1, body)
    };
    assert_eq!(
        dispositions(&[run("1"), run("2"), run("1")]),
        [Disposition::Applied, Disposition::Applied, Disposition::Duplicate]
    );
}

#[test]
fn a_published_event_is_about_the_fact_and_not_the_delivery() {
    let id = |delivery: Delivery| advance(&empty(), &delivery.event()).published[0].id.clone();
    let body = stopped("bot.kicked", "2026-01-01T10:30:00Z");
    let other_time = stopped("bot.kicked", "2026-01-01T10:30:01Z");
    assert_eq!(id(signed("1", body.clone())), id(signed("2", other_time)));
    assert_ne!(id(signed("1", body.clone())), id(unverified("2", body)), "a claim and its proof are two things to say");
}

/// What consumers are told of the end by these deliveries, in this order: revision, outcome, confirmation and id.
fn ends_told(deliveries: &[Delivery]) -> Vec<(u64, String, bool, String)> {
    let mut session = empty();
    let mut told = Vec::new();
    for delivery in deliveries {
        let transition = advance(&session, &delivery.event());
        session = transition.session.unwrap_or(session);
        for event in transition.published.iter().filter(|told| told.name == "meeting.ended") {
            let detail = serde_json::to_value(event).unwrap();
            let text = |name: &str| detail[name].as_str().unwrap().to_owned();
            let confirmed = detail["confirmed"].as_bool().unwrap();
            told.push((detail["revision"].as_u64().unwrap(), text("outcome"), confirmed, text("id")));
        }
    }
    told
}

#[test]
fn a_corrected_end_is_told_under_an_id_of_its_own() {
    let hint = signed("1", json!({"bot_id": "b", "event": "bot.stopped", "bot_status": "Stopped"}));
    let kicked = signed("2", stopped("bot.kicked", "2026-01-01T10:30:00Z"));
    let outcomes = |deliveries: &[Delivery]| {
        ends_told(deliveries).into_iter().map(|(_, outcome, confirmed, _)| (outcome, confirmed)).collect::<Vec<_>>()
    };
    let end = |outcome: &str, confirmed| (outcome.to_owned(), confirmed);
    assert_eq!(outcomes(&[hint.clone(), kicked.clone()]), [end("completed", true), end("kicked", true)]);
    assert_eq!(outcomes(&[kicked.clone(), hint]), [end("kicked", true)], "a worse witness is not told");
    let claim = unverified("3", stopped("bot.failed", "2026-01-01T10:29:00Z"));
    assert_eq!(outcomes(&[claim, kicked]), [end("failed", false), end("kicked", true)]);

    // The key of a dated end does not depend on the status, so the second of these is a duplicate, and says more.
    let mut same_key =
        json!({"bot_id": "b", "event": "bot.stopped", "bot_status": "Stopped", "timestamp": "2026-01-01T10:30:00Z"});
    let first = signed("4", same_key.clone());
    same_key["bot_status"] = json!("Denied");
    let second = signed("5", same_key);
    assert_eq!(dispositions(&[first.clone(), second.clone()]), [Disposition::Applied, Disposition::Duplicate]);
    assert_eq!(outcomes(&[first, second]), [end("completed", true), end("denied", true)]);
}

#[test]
fn a_hole_is_marked_once_and_filled_by_its_delivery() {
    let missing = |id: &str| MissingDelivery {
        accept_id: AcceptId::new(id),
        received_at: ReceivedAt(0),
        parked_as: "parked/g/1".to_owned(),
        reason: "store_unavailable".to_owned(),
    };
    let session = empty().with_missing(missing("1")).with_missing(missing("1")).with_missing(missing("2"));
    assert_eq!(session.missing().len(), 2);
    let joining = advance(&session, &signed("1", event("bot.joining", "2026-01-01T10:00:00Z")).event());
    let session = joining.session.unwrap();
    assert_eq!(session.missing(), [missing("2")]);
    let ignored = advance(&session, &signed("2", event("bot.error", "2026-01-01T10:00:00Z")).event());
    assert_eq!(
        ignored.session.unwrap().missing(),
        [],
        "a delivery that changes nothing else is missing no more all the same"
    );
}

#[test]
fn a_full_timeline_gives_up_detail_and_keeps_the_end() {
    let mut deliveries = meeting();
    for n in 0..200 {
        deliveries.push(unverified(
            &format!("flood {n}"),
            event(["bot.joining", "audio.processed"][n % 2], &format!("2026-01-02T10:{:02}:{:02}Z", n / 60, n % 60)),
        ));
    }
    let mut session = empty();
    let mut spilled = 0;
    for delivery in &deliveries {
        let transition = advance(&session, &delivery.event());
        spilled += transition.records.len();
        session = transition.session.unwrap();
    }
    assert_eq!(session.timeline().len() + spilled, deliveries.len(), "every delivery is somewhere");
    assert_eq!(session.timeline().len(), 64);
    assert_eq!(session.state(), State::Deleted);
    let verified = session.timeline().iter().filter(|entry| entry.trust() == Trust::Verified).count();
    assert_eq!(verified, 8, "a flood of claims pushes out no verified entry");
    assert!(stored_bytes(&session) < 16_384);
}

#[test]
fn from_a_full_timeline_claims_move_out_first_and_ends_last_and_of_each_the_oldest() {
    let line = |n: usize, endpoint, kind: &str| TimelineLine {
        kind: kind.to_owned(),
        accept_id: AcceptId::new(n.to_string()),
        received_at: ReceivedAt(n.cast_signed() as i64),
        source: crate::source::Source::Delivered(endpoint),
        ..TimelineLine::of(&signed("x", event("bot.joining", "2026-01-01T10:00:00Z")).event(), Disposition::Applied)
    };
    let (proved, said) = (Endpoint::MeetStream, Endpoint::MeetStreamCallback);
    // In order of receipt; only the first of them are few, so that the next one that comes shows what moves out.
    let first = [
        (proved, "session.ended"),
        (proved, "session.joining"),
        (said, "session.done"),
        (said, "session.joining"),
        (said, "data.deleted"),
        (said, "session.waiting"),
        (proved, "session.waiting"),
    ];
    let mut timeline = Vec::new();
    for (n, (endpoint, kind)) in first.into_iter().enumerate() {
        assert_eq!(timeline::insert(&mut timeline, line(n, endpoint, kind)), None);
    }
    let mut moved_out = Vec::new();
    for n in first.len()..64 + first.len() {
        let spilled = timeline::insert(&mut timeline, line(n, proved, "session.ended"));
        moved_out.extend(spilled.map(|line| line.accept_id.to_string()));
    }
    assert_eq!(moved_out, ["3", "5", "2", "4", "1", "6", "0"]);
}

#[test]
fn no_sender_can_make_a_document_too_large_to_store() {
    let mut session = empty();
    for n in 0..200 {
        let delivery = unverified(
            &format!("{n}"),
            json!({
                "bot_id": "\u{1}".repeat(512),
                "event": "transcription.failed",
                "bot_event": format!("{n}{}", "\u{1}".repeat(9999)),
                "bot_status": "\u{1}".repeat(9999),
                "message": "\u{1}".repeat(9999),
                "timestamp": format!("2026-01-01T10:00:00.{n:0>9}Z"),
                "custom_attributes": {"x": "\"".repeat(999)},
            }),
        );
        session = advance(&session, &delivery.event()).session.unwrap();
    }
    assert_eq!(session.timeline().len(), 64);
    let stored = stored_bytes(&session);
    assert!(stored < 300_000, "DynamoDB takes 400 KB, this has {stored} bytes");
}

/// A meeting with everything that makes order matter: repetitions by the sender with the same and with other words, both
/// channels, forgeries, contradictions.
fn tangled() -> Vec<Delivery> {
    let mut deliveries = meeting();
    for Delivery(id, _, body) in meeting() {
        deliveries.push(signed(&format!("again {id}"), body.clone()));
        let mut other_words = body.clone();
        other_words["message"] = json!(format!("in other words {id}"));
        deliveries.push(signed(&format!("reworded {id}"), other_words));
        let mut callback = body.clone();
        callback["custom_attributes"] = json!({"tenant": "acme", "only": "in the callback"});
        deliveries.push(unverified(&format!("callback {id}"), callback));
    }
    let mut contradiction = stopped("bot.stopped", "2026-01-01T10:30:00Z");
    for (id, status) in [("c1", "Stopped"), ("c2", "Denied"), ("c3", "ERROR")] {
        contradiction["bot_status"] = json!(status);
        contradiction.as_object_mut().unwrap().remove("bot_event");
        deliveries.push(signed(id, contradiction.clone()));
    }
    deliveries.push(signed("9", json!({"bot_id": "b", "event": "bot.stopped", "bot_status": "Stopped"})));
    deliveries.push(signed("10", event("transcription.failed", "2026-01-01T10:35:00Z")));
    deliveries.push(signed("11", event("bot.transcriptionready", "2026-01-01T10:40:01Z")));
    deliveries.push(unverified("12", stopped("bot.failed", "2026-01-01T10:00:30Z")));
    deliveries.push(unverified("13", event("data_deletion", "2026-01-03T00:00:00Z")));
    deliveries.push(unverified("14", event("bot.inmeeting", "2026-01-01T09:00:00Z")));
    deliveries.push(signed("15", event("bot.scheduled", "2025-12-24T00:00:00Z")));
    deliveries.push(signed("16", event("bot.error", "2026-01-01T10:02:00Z")));
    deliveries.push(unverified("17", event("transcription.processed", "9999-12-30T00:00:00Z")));
    deliveries.push(signed("18", event("transcription.processed", "2999-01-01T00:00:00Z")));
    deliveries
}

proptest! {
    #[test]
    fn consumers_who_keep_ids_end_up_with_the_end_of_the_session(
        order in Just(tangled()).prop_shuffle(), redelivered in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let mut all = order.clone();
        all.extend(redelivered.iter().map(|at| order[at.index(order.len())].clone()));
        let told = ends_told(&all);
        prop_assert!(told.is_sorted_by(|one, next| one.0 < next.0), "each corrects those before it: {:?}", told);
        let ids: BTreeSet<_> = told.iter().map(|told| &told.3).collect();
        prop_assert_eq!(ids.len(), told.len(), "so no id hides a correction");
        let session = after(&all);
        let (ending, last) = (session.ending().unwrap(), told.last().unwrap());
        let expected = (u64::from(ending.revision()), ending.outcome.as_str(), ending.trust == Trust::Verified);
        prop_assert_eq!((last.0, last.1.as_str(), last.2), expected);
        let others: Vec<_> = ends_told(&tangled()).into_iter().filter(|other| told.iter().any(|told| told.0 == other.0)).collect();
        prop_assert!(others.iter().all(|other| told.contains(other)), "and a revision is one thing whatever the order");
    }

    #[test]
    fn every_order_with_repetitions_ends_the_same(
        order in Just(tangled()).prop_shuffle(), redelivered in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let mut all = order.clone();
        all.extend(redelivered.iter().map(|at| order[at.index(order.len())].clone()));
        prop_assert_eq!(settled(after(&all)), settled(after(&tangled())));
    }

    #[test]
    fn a_deletion_in_any_order_leaves_no_word(
        order in Just(tangled()).prop_shuffle(), at in any::<proptest::sample::Index>(), is_an_operators: bool,
    ) {
        let mut session = empty();
        let deletion = signed("deletion", event("data_deletion", "2026-01-03T00:00:00Z")).event();
        let operator = Event::deletion_asked(session.id(), ReceivedAt(1_791_212_102_000));
        let deletion = if is_an_operators { operator } else { deletion };
        let mut events: Vec<_> = order.iter().map(Delivery::event).collect();
        let at = at.index(events.len());
        events.insert(at, deletion);
        for (n, event) in events.iter().enumerate() {
            let transition = advance(&session, event);
            session = transition.session.unwrap_or(session);
            let told = serde_json::to_string(&(&session, &transition.records, &transition.published)).unwrap();
            let is_deleted = session.is_erased();
            prop_assert!(is_deleted || n < at);
            for word in ["acme", "in other words", "in the callback", "(Stopped)"] {
                prop_assert!(!is_deleted || !told.contains(word), "{}: {}", word, told);
            }
        }
        prop_assert!(session.jobs().keys().all(|job| matches!(job, Job::Erase | Job::EraseAgain)));
        prop_assert_eq!(session.state(), State::Deleted);
    }

    #[test]
    fn two_channels_in_any_order_end_the_same(
        order in Just((0..16usize).collect::<Vec<_>>()).prop_shuffle(), callback_is_signed: bool,
        extra in proptest::collection::vec(0..16usize, 0..12),
    ) {
        // The second channel has its own wording and, but for what may recur, its own times.
        let other = meeting().into_iter().map(|Delivery(id, _, mut body)| {
            let recurs = ["bot.joining", "transcription.processed"].map(|name| json!(name)).contains(&body["event"]);
            if !recurs {
                body["timestamp"] = json!(body["timestamp"].as_str().unwrap().replace("00Z", "02Z"));
            }
            body["message"] = json!("through the callback");
            let id = format!("callback {id}");
            if callback_is_signed { signed(&id, body) } else { unverified(&id, body) }
        });
        let both: Vec<_> = meeting().into_iter().chain(other).collect();
        let expected = settled(after(&both));
        prop_assert_eq!(expected.1.len(), meeting().len(), "each fact once");
        let shuffled: Vec<_> = order.iter().chain(&extra).map(|at| both[*at].clone()).collect();
        prop_assert_eq!(settled(after(&shuffled)), expected.clone());
        let session = after(&shuffled);
        prop_assert_eq!(session.timeline().len(), meeting().len(), "and each on one line");
    }

    #[test]
    fn a_webhook_and_a_callback_in_any_order_end_the_same(
        order in Just((0..15usize).collect::<Vec<_>>()).prop_shuffle(), extra in proptest::collection::vec(0..15usize, 0..12),
    ) {
        let deliveries = baas_meeting();
        let expected = settled(after(&deliveries));
        let shuffled: Vec<_> = order.iter().chain(&extra).map(|at| deliveries[*at].clone()).collect();
        let session = after(&shuffled);
        prop_assert_eq!(session.outcome(), Some(Outcome::Completed));
        prop_assert_eq!(settled(session), expected);
    }

    #[test]
    fn each_delivery_is_on_record_once(order in Just(tangled()).prop_shuffle()) {
        let mut session = empty();
        let mut beside = Vec::new();
        for delivery in &order {
            let transition = advance(&session, &delivery.event());
            beside.extend(transition.records);
            session = transition.session.unwrap_or(session);
        }
        let mut on_record: Vec<_> = session.timeline().iter().chain(&beside).map(|entry| entry.accept_id.to_string()).collect();
        let mut sent: Vec<_> = order.iter().map(|delivery| delivery.0.clone()).collect();
        on_record.sort();
        sent.sort();
        prop_assert_eq!(on_record, sent);
    }

    #[test]
    fn a_session_never_moves_backwards(picks in proptest::collection::vec(0..8usize, 1..30)) {
        let meeting = meeting();
        let mut session = empty();
        for pick in picks {
            let before = session.state();
            session = advance(&session, &meeting[pick].event()).session.unwrap_or(session);
            prop_assert!(session.state() >= before);
        }
    }
}
