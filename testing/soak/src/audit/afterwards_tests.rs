//! What is spoilt after an honest meeting with a transcript, or after a deletion, is seen.

use super::*;
use crate::{
    account::{Holding, Supply, Truth},
    bodies::{self, Body},
};
use fastrand::Rng;
use serde_json::json;
use shared::{
    Provider, SenderId, SessionId, artifacts,
    session::{Job, PublishedEvent, Stored as StoredObject, StoredCopy, advance},
};

const WORD: &str = "planted";
const TRANSCRIPT: &[u8] = br#"[{"speaker": "planted", "transcript": "planted"}]"#;

/// Everything that an auditor sees of one bot.
struct Meeting {
    sent: Vec<Sent>,
    stored: Stored,
    account: Account,
    published: Vec<Published>,
    asked: Vec<Asked>,
}

/// A meeting of which these deliveries were sent, and whose jobs were done.
fn meeting(names: &[&str]) -> Meeting {
    let id = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
    let truth = Truth::Served {
        bytes: TRANSCRIPT.to_vec(),
        content_type: "application/json".to_owned(),
        is_inline: true,
        downloads: vec![],
    };
    let holding = Holding {
        word: WORD.to_owned(),
        artifacts: [(Artifact::Transcript, Supply { moods: vec![], truth })].into(),
        facts: vec![],
        detail_moods: vec![],
        is_gone: false,
        entries: BTreeMap::new(),
    };
    let account = Account { has_key: true, holdings: [(id.clone(), holding)].into() };
    let mut meeting = Meeting { sent: vec![], stored: Stored::default(), account, published: vec![], asked: vec![] };
    let mut session = Session::new(id.clone(), ReceivedAt(1));
    let course = |seed| bodies::course(&mut Rng::with_seed(seed), Endpoint::MeetStream, false, "b", WORD);
    let has_all = |course: &Vec<Body>| names.iter().all(|name| course.iter().any(|body| body.name.contains(name)));
    let course = (0..100).map(course).find(has_all).unwrap();
    for (n, body) in course.into_iter().filter(|body| names.iter().any(|name| body.name.contains(name))).enumerate() {
        let received_at = 1_791_212_102_000 + n as i64;
        let one = Sent::new(&Delivery::of(body), format!("accepted-{n}"), Some(received_at), Some(200));
        let transition = advance(&session, one.event.as_ref().unwrap());
        session = transition.session.unwrap_or(session);
        transition.published.iter().for_each(|event| meeting.hear(event));
        meeting.sent.push(one);
    }
    if let Some(wanted) = session.pending(Job::FetchTranscript).map(|progress| progress.wanted()) {
        let run = artifacts::Run::of_content(TRANSCRIPT);
        let key = artifacts::raw_transcript(&id, &run);
        let copy = StoredCopy::Stored(StoredObject {
            key: key.clone(),
            sha256: sha256(TRANSCRIPT),
            size_bytes: TRANSCRIPT.len() as u64,
            content_type: None,
            stored_at: 1,
            is_unpublished: false,
        });
        session = session.with_settled(Job::FetchTranscript, wanted).with_copy(Artifact::Transcript, copy.clone());
        meeting.stored.objects.insert(key, Object { bytes: TRANSCRIPT.to_vec(), metadata: BTreeMap::new() });
        meeting.asked.push(Asked { session: id.clone(), question: Question::Locate(Artifact::Transcript), mood: None });
        meeting.hear(&PublishedEvent::of_copy(&id, Artifact::Transcript, &copy, wanted));
    }
    if let Some(wanted) = session.pending(Job::Erase).map(|progress| progress.wanted()) {
        session = session.with_erased(Job::Erase, wanted, None);
        meeting.stored.objects.clear();
        meeting.hear(&PublishedEvent::of_erasure(&id));
    }
    meeting.stored.sessions = vec![session];
    meeting
}

impl Meeting {
    fn hear(&mut self, event: &PublishedEvent) {
        let detail = serde_json::to_value(event).unwrap();
        let object = detail.get("key").map(|_| Some(TRANSCRIPT.to_vec()));
        self.published.push(Published { id: event.id.clone(), name: event.name.to_owned(), detail, object });
    }

    fn wrong(&self) -> Vec<String> {
        let around = Around {
            account: &self.account,
            keeps_recordings: true,
            published: self.published.clone(),
            asked: self.asked.clone(),
            mirrored: BTreeMap::new(),
            commands: vec![],
            deletions: vec![],
            refetches: 0,
            faults: 0,
            lives: 1,
        };
        afterwards(&Evidence { sent: &self.sent, told: &[], stored: self.stored.clone(), is_final: true }, &around)
    }

    fn keep(&mut self, key: &str, bytes: &[u8]) {
        self.stored.objects.insert(key.to_owned(), Object { bytes: bytes.to_vec(), metadata: BTreeMap::new() });
    }
}

const TALK: [&str; 3] = ["bot.inmeeting", "bot.stopped", "transcription.processed"];

#[track_caller]
fn check(names: &[&str], name: &str, spoil: impl FnOnce(&mut Meeting), expected: &str) {
    let mut meeting = meeting(names);
    assert_eq!(meeting.wrong(), [""; 0], "before anything is spoilt");
    spoil(&mut meeting);
    let wrong = meeting.wrong();
    assert!(wrong.iter().any(|what| what.contains(expected)), "{name}: {wrong:#?}");
}

#[test]
fn an_announced_artifact_is_stored_as_it_was_served() {
    let other = |meeting: &mut Meeting| meeting.stored.objects.values_mut().for_each(|object| object.bytes.push(b' '));
    check(&TALK, "a byte more", other, "is stored with other bytes");
    check(&TALK, "of nobody's", other, "holds nothing that was ever served");
    check(&TALK, "gone", |meeting| meeting.stored.objects.clear(), "is said to be stored and is not");
    let forgotten = |meeting: &mut Meeting| {
        let session = &meeting.stored.sessions[0];
        let mut value = serde_json::to_value(session).unwrap();
        value.as_object_mut().unwrap().remove("copies");
        meeting.stored.sessions = vec![serde_json::from_value(value).unwrap()];
    };
    check(&TALK, "forgotten", forgotten, "and nothing became of it");
    let given_up = |meeting: &mut Meeting| {
        let copies = json!({"transcript": {"unavailable": "not_found"}});
        let mut value = serde_json::to_value(&meeting.stored.sessions[0]).unwrap();
        value["copies"] = copies;
        meeting.stored.sessions = vec![serde_json::from_value(value).unwrap()];
    };
    check(&TALK, "given up", given_up, "and the provider has it");
}

#[test]
fn what_is_published_is_true_and_has_one_meaning() {
    let early = |meeting: &mut Meeting| meeting.published.iter_mut().for_each(|told| told.object = Some(None));
    check(&TALK, "early", early, "before its object was stored");
    let untold = |meeting: &mut Meeting| meeting.published.retain(|told| told.name != "transcript.ready");
    check(&TALK, "untold", untold, "nobody was told");
    let twice = |meeting: &mut Meeting| {
        let id = meeting.published[0].id.clone();
        meeting.published.iter_mut().for_each(|told| told.id.clone_from(&id));
    };
    check(&TALK, "one id for all", twice, "has two meanings");
    let stale = |meeting: &mut Meeting| {
        for told in meeting.published.iter_mut().filter(|told| told.name == "meeting.ended") {
            told.detail["outcome"] = json!("cancelled");
        }
    };
    check(&TALK, "never corrected", stale, "what was told of it last");
}

#[test]
fn the_provider_is_asked_for_a_reason() {
    let again = |meeting: &mut Meeting| meeting.asked.extend(meeting.asked.clone());
    check(&TALK, "again", again, "was asked 2 times");
}

#[test]
fn deleted_means_deleted_and_nothing_else_is() {
    let erased = ["bot.inmeeting", "data_deletion"];
    let kept = |meeting: &mut Meeting| meeting.keep("parked/g/x", b"they said planted");
    check(&erased, "a parked body", kept, "its word is in parked/g/x");
    check(
        &erased,
        "a dead letter",
        |meeting| meeting.stored.dead.push("planted".to_owned()),
        "its word is in the message",
    );
    check(&erased, "untold", |meeting| meeting.published.clear(), "data.deleted was never published");
    let afterwards = |meeting: &mut Meeting| {
        let mut told = meeting.published[0].clone();
        told.detail["reason"] = json!(WORD);
        meeting.published.push(told);
    };
    check(&erased, "told afterwards", afterwards, "published afterwards");
    let not_erased = |meeting: &mut Meeting| meeting.stored.sessions.clear();
    check(&erased, "not erased", not_erased, "and it is not erased");
    let unproved = |meeting: &mut Meeting| {
        for one in &mut meeting.sent {
            one.endpoint = Endpoint::MeetStreamCallback;
        }
    };
    check(&erased, "unproved", unproved, "nobody proved that it was to be");
}

#[test]
fn no_job_waits_in_the_end() {
    let waiting = |meeting: &mut Meeting| {
        let mut value = serde_json::to_value(&meeting.stored.sessions[0]).unwrap();
        for progress in value["jobs"].as_object_mut().unwrap().values_mut() {
            progress.as_object_mut().unwrap().remove("settled");
        }
        meeting.stored.sessions = vec![serde_json::from_value(value).unwrap()];
    };
    check(&TALK, "waiting", waiting, "a job still waits");
}
