use super::*;
use crate::bodies::{self, Body};
use fastrand::Rng;
use shared::{
    OccurredAt, SessionId,
    bucket::{Folder, beside_a_delivery, key},
    session::{Disposition, MissingDelivery, advance},
};
use std::collections::BTreeSet;

/// A whole meeting of one bot, each delivery accepted and answered 200.
struct Honest {
    sent: Vec<Sent>,
    stored: Stored,
}

fn honest() -> Honest {
    let mut sent = Vec::new();
    let mut stored = Stored::default();
    // A deletion takes along what shows that the others were processed.
    let course = bodies::course(&mut Rng::with_seed(7), Endpoint::MeetStream, false, "b", "word").into_iter();
    for (n, body) in course.filter(|body| !bodies::deletes(&body.name)).enumerate() {
        let delivery = Delivery::of(body);
        sent.push(Sent::new(&delivery, format!("accepted-{n}"), Some(1_791_212_102_000 + n as i64), Some(200)));
    }
    let unreadable =
        Delivery::of(Body { name: "unreadable".to_owned(), bytes: b"not json".to_vec(), is_genuine: false });
    sent.push(Sent::new(&unreadable, "accepted-unreadable".to_owned(), Some(1), Some(200)));
    for one in &sent {
        let message = one.message.as_ref().unwrap();
        match &one.event {
            Some(event) => {
                let id = &event.session;
                let before = stored.sessions.pop().unwrap_or_else(|| Session::new(id.clone(), event.received_at));
                let transition = advance(&before, event);
                stored.entries.extend(transition.records.into_iter().map(|entry| (id.encoded(), entry)));
                stored.sessions.push(transition.session.unwrap_or(before));
            }
            None => keep(&mut stored, Folder::Quarantine, message),
        }
    }
    Honest { sent, stored }
}

fn keep(stored: &mut Stored, folder: Folder, message: &QueueMessage) {
    let metadata = beside_a_delivery(message.head()).into_iter().map(|(name, value)| (name.to_owned(), value));
    let object = Object { bytes: message.body().to_vec(), metadata: metadata.collect() };
    stored.objects.insert(key(folder, &peek_message(message).group, message.accept_id().as_str()), object);
}

impl Honest {
    fn wrong(&self, is_final: bool) -> Vec<String> {
        audit(&Evidence { sent: &self.sent, told: &[], stored: self.stored.clone(), is_final })
    }

    /// The delivery of this name.
    fn named(&mut self, name: &str) -> &mut Sent {
        self.sent.iter_mut().find(|one| one.name.contains(name)).unwrap()
    }

    fn change_session(&mut self, change: impl FnOnce(&mut serde_json::Value)) {
        let mut value = serde_json::to_value(&self.stored.sessions[0]).unwrap();
        change(&mut value);
        self.stored.sessions = vec![serde_json::from_value(value).unwrap()];
    }

    fn message(&mut self, name: &str) -> QueueMessage {
        self.named(name).message.clone().unwrap()
    }
}

#[track_caller]
fn check(name: &str, spoil: impl FnOnce(&mut Honest), expected: &str) {
    let mut run = honest();
    assert_eq!(run.wrong(true), [""; 0], "before anything is spoilt");
    spoil(&mut run);
    let wrong = run.wrong(true);
    assert!(wrong.iter().any(|what| what.contains(expected)), "{name}: {wrong:#?}");
}

#[test]
fn a_delivery_that_was_acknowledged_and_is_nowhere_is_lost() {
    let unreadable = |run: &mut Honest| run.stored.objects.clear();
    check("an unreadable one", unreadable, "was answered 200 and is lost");
    check("an ignored one", |run| run.stored.entries.clear(), "was answered 200 and is lost");
    let line = |run: &mut Honest| run.change_session(|session| drop(session["timeline"].as_array_mut().unwrap().pop()));
    check("one that takes effect", line, "was answered 200 and is lost");
}

#[test]
fn a_delivery_on_record_without_its_effect_is_seen() {
    check(
        "an artifact",
        |run| run.change_session(|session| session["artifacts"] = serde_json::json!({})),
        "and should be",
    );
    let state = |run: &mut Honest| run.change_session(|session| session["progress"] = serde_json::json!("in_call"));
    check("the state", state, "and should be");
    let swap = |run: &mut Honest| {
        let message = run.message("bot.recording");
        let entry = TimelineLine::of(&parse(&message).unwrap(), Disposition::Duplicate);
        run.change_session(|session| {
            let lines = session["timeline"].as_array_mut().unwrap();
            lines.retain(|line| line["a"] != message.accept_id().as_str());
        });
        let id = SessionId::bot(shared::Provider::MeetStream, "b".try_into().unwrap());
        run.stored.entries.push((id.encoded(), entry));
    };
    check("called a duplicate of nothing", swap, "has lines for");
    let note = |run: &mut Honest| run.stored.entries.retain(|(_, entry)| entry.kind != "live.transcript");
    check("not kept beside", note, "is lost");
}

#[test]
fn what_never_got_in_leaves_no_trace() {
    check("forged", |run| run.named("bot.recording").message = None, "never got in");
    check("never sent", |run| drop(run.sent.remove(0)), "never got in");
    check("answered 200", |run| run.named("bot.done").message = None, "was answered Some(200)");
    check("bounced", |run| run.named("bot.done").answer = Some(401), "was answered Some(401)");
}

#[test]
fn bytes_are_exact() {
    let spoil = |run: &mut Honest| run.stored.objects.values_mut().for_each(|object| object.bytes.push(b' '));
    check("a byte more", spoil, "does not hold the bytes that were sent");
    let metadata = |run: &mut Honest| run.stored.objects.values_mut().for_each(|object| object.metadata.clear());
    check("nothing beside", metadata, "cannot be restored");
    let other = |run: &mut Honest| {
        let objects = std::mem::take(&mut run.stored.objects).into_values();
        let moved = objects.map(|object| ("quarantine/another/accepted-unreadable".to_owned(), object));
        run.stored.objects = moved.collect();
    };
    check("in another folder", other, "is in another bot's folder");
}

#[test]
fn nothing_waits_once_all_has_been_put_back() {
    let parked = |run: &mut Honest| {
        let message = run.message("bot.done");
        keep(&mut run.stored, Folder::Parked, &message);
    };
    check("parked", parked, "is still Parked");
    let quarantined = |run: &mut Honest| {
        let message = run.message("bot.done");
        keep(&mut run.stored, Folder::Quarantine, &message);
    };
    check("quarantined although it can be read", quarantined, "is still Quarantined");
    let dead = |run: &mut Honest| {
        let text = run.message("bot.done").encode();
        run.stored.dead.push(text);
    };
    check("dead", dead, "is still Dead");
    let missing = |run: &mut Honest| {
        let missing = MissingDelivery {
            accept_id: AcceptId::new("accepted-0"),
            received_at: ReceivedAt(1),
            parked_as: "parked/g/accepted-0".to_owned(),
            reason: "x".to_owned(),
        };
        run.change_session(|session| session["missing"] = serde_json::json!([missing]));
    };
    check("a missing delivery", missing, "is still Missing");
    check("a missing delivery that leads nowhere", missing, "leads to parked/g/accepted-0, and there is nothing");
}

#[test]
fn before_that_they_may_wait() {
    let mut run = honest();
    let message = run.message("bot.done");
    keep(&mut run.stored, Folder::Parked, &message);
    run.change_session(|session| {
        session["progress"] = serde_json::json!("ended");
        session["proven"] = serde_json::json!("ended");
        session["timeline"].as_array_mut().unwrap().retain(|line| line["a"] != message.accept_id().as_str());
    });
    assert_eq!(run.wrong(false), [""; 0]);
    assert!(!run.wrong(true).is_empty());
}

#[test]
fn a_body_that_was_tampered_with_takes_no_effect() {
    check("tampered", |run| run.named("bot.done").tampering = Some(Tampering::Altered), "was tampered with");
}

#[test]
fn what_has_expired_stays_gone() {
    let mut run = honest();
    let stored = run.stored.clone();
    forget(&mut run.sent, &stored, true);
    assert!(run.wrong(true).iter().any(|what| what.contains("has expired and is back")));
    run.stored.sessions.clear();
    run.stored.entries.clear();
    assert_eq!(run.wrong(true), [""; 0]);
}

#[test]
fn an_unanswered_delivery_may_be_stored_or_not_but_not_by_halves() {
    let mut run = honest();
    run.named("unreadable").answer = None;
    assert_eq!(run.wrong(true), [""; 0]);
    run.stored.objects.clear();
    assert_eq!(run.wrong(true), [""; 0]);
    run.named("bot.done").answer = Some(503);
    assert_eq!(run.wrong(true), [""; 0]);
    run.change_session(|session| session["progress"] = serde_json::json!("ended"));
    assert!(!run.wrong(true).is_empty());
}

#[test]
fn published_events_are_those_of_a_run_without_faults() {
    let run = honest();
    let ids = announced(&Evidence { sent: &run.sent, told: &[], stored: run.stored.clone(), is_final: true });
    let kinds: BTreeSet<_> = run.stored.sessions[0]
        .timeline()
        .iter()
        // Of artifacts and deletions outsiders hear when they are here and when they are done, from the jobs.
        .filter(|line| {
            !line.kind.ends_with(".announced") && !line.kind.starts_with("manifest.") && line.kind != "data.deleted"
        })
        .map(|line| (line.kind.clone(), line.occurred_at.as_ref().map(OccurredAt::moment)))
        .collect();
    assert_eq!(ids.due.len(), kinds.len());
    assert!(ids.possible.is_superset(&ids.due));
}

#[test]
fn what_is_published_is_what_was_heard_of_and_what_errands_tell() {
    let announced = Announced { due: ["a".to_owned()].into(), possible: ["a".to_owned(), "c".to_owned()].into() };
    let wrong = |heard: &[(&str, &str)]| {
        let heard = heard.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect();
        published(&announced, &heard).len()
    };
    assert_eq!(wrong(&[("a", "meeting.joined")]), 0);
    assert_eq!(wrong(&[("a", "meeting.joined"), ("b", "artifact.unavailable")]), 0);
    assert_eq!(wrong(&[("a", "meeting.joined"), ("c", "meeting.ended")]), 0, "corrected later");
    assert_eq!(wrong(&[]), 1, "lost");
    assert_eq!(wrong(&[("a", "meeting.joined"), ("b", "meeting.ended")]), 1, "invented");
}
