use super::*;
use crate::{
    composer,
    ports::{
        bucket::Uploaded,
        memory::{Memory, Mode},
        providers::{ApiError, Cause, Refusal, memory::File},
        sessions::{Loaded, StoreError},
    },
};
use serde_json::{Value, json};
use shared::{
    AcceptId, Endpoint, OccurredAt, SenderId, Trust,
    api::{Absence, BotDetail, CalendarEntries, CalendarEntry, Content, EntryStatus, Located},
    artifacts,
    bucket::{Folder, key},
    event::{Certainty, Ended, EventKind, Fact, Outcome},
    hash::sha256_hex,
    session::{About, State, advance},
    url::DownloadUrl,
};

const NOW: i64 = 1_791_212_102;
const DAY: i64 = 86_400;

type World = Jobs<Memory>;

fn world() -> World {
    Jobs::new(Memory::default(), composer::JOBS)
}

fn event(accept_id: &str, endpoint: Endpoint, body: &Value) -> Event {
    composer::event(endpoint, accept_id, NOW * 1000, body.to_string())
}

fn said(name: &str) -> Value {
    json!({"bot_id": "b", "event": name, "timestamp": "2026-10-05T10:00:00Z", "custom_attributes": {"who": "Priya"}})
}

fn bot() -> SessionId {
    event("1", Endpoint::MeetStream, &said("bot.done")).session
}

impl World {
    async fn hear(&self, endpoint: Endpoint, names: &[&str]) {
        for (n, name) in names.iter().enumerate() {
            self.take(&event(&format!("{endpoint:?} {n}"), endpoint, &said(name))).await;
        }
    }

    async fn take(&self, event: &Event) {
        let Loaded { session, version } = self.services.sessions.load(&event.session, NOW).await.unwrap();
        let session = session.unwrap_or_else(|| Session::new(event.session.clone(), event.received_at));
        let transition = advance(&session, event);
        for entry in &transition.records {
            self.services.sessions.record(session.id(), entry, NOW).await.unwrap();
        }
        if let Some(next) = transition.session {
            self.services.sessions.save(&next, version, NOW).await.unwrap();
        }
    }

    async fn do_it(&self, job: Job, now: i64) -> Result<(), JobError> {
        self.follow(job, now).await.map(drop)
    }

    /// The same, with what is to be done next.
    async fn follow(&self, job: Job, now: i64) -> Result<Vec<Job>, JobError> {
        self.run(&bot(), job, now, Instant::now() + Duration::from_secs(5)).await
    }

    fn session(&self) -> Session {
        self.services.sessions.session(&bot()).unwrap()
    }

    fn told(&self) -> Vec<&'static str> {
        self.services.publisher.names()
    }

    fn unavailable(&self, artifact: Artifact) -> Option<String> {
        match self.session().copies().get(&artifact) {
            Some(StoredCopy::Unavailable(reason)) => Some(reason.clone()),
            _ => None,
        }
    }

    fn stored(&self, artifact: Artifact) -> Option<shared::session::Stored> {
        match self.session().copies().get(&artifact) {
            Some(StoredCopy::Stored(stored)) => Some(stored.clone()),
            _ => None,
        }
    }
}

/// The first try of a fetch of the transcript.
fn attempt(id: &SessionId, trigger: Trigger) -> Attempt<'_> {
    let (tried_for, not_found_for) = (Duration::ZERO, Duration::ZERO);
    Attempt { id, job: Job::FetchTranscript, trigger, earlier: 0, tried_for, not_found_for, now: NOW }
}

fn transcript() -> Vec<u8> {
    json!([{"speaker": "Priya", "transcript": "Hello.", "start_time": 0.5, "end_time": 1.0}]).to_string().into_bytes()
}

fn found(content: Content) -> Result<Located, ApiError> {
    Ok(Located::Found { content, run: Some(SenderId::try_from("run-1").unwrap()) })
}

fn url(text: &str) -> DownloadUrl {
    DownloadUrl::parse(text).unwrap()
}

#[tokio::test]
async fn a_transcript_is_kept_as_it_was_written_and_in_our_shape() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();

    let stored = world.stored(Artifact::Transcript).unwrap();
    assert_eq!((stored.sha256.as_str(), stored.stored_at), (sha256_hex(&transcript()).as_str(), NOW));
    let kept = world.services.bucket.objects();
    assert_eq!(kept[&stored.key].bytes, transcript());
    let normalised: Value =
        serde_json::from_slice(&kept["meetstream/b/transcript/run-1/normalised.json"].bytes).unwrap();
    assert_eq!(normalised["segments"][0]["text"], "Hello.");
    let told = world.services.publisher.published();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(told.name, "transcript.ready");
    assert!(matches!(&told.about, About::Stored { key, .. } if *key == stored.key), "{told:?}");
    assert_eq!(world.session().due_at(), None, "nothing is left to do");

    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    assert_eq!(world.services.providers.asked().len(), 1, "a command that comes twice asks nobody twice");
}

#[tokio::test]
async fn a_transcript_that_was_made_anew_is_another_and_the_old_one_stays() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    for (run, text) in [("run-1", "old"), ("run-2", "new")] {
        let content = Content::Inline(json!([{ "transcript": text }]).to_string().into_bytes());
        let run = Some(SenderId::try_from(run).unwrap());
        world.services.providers.locate(&bot(), Artifact::Transcript, Ok(Located::Found { content, run }));
    }
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    let mut anew = said("transcription.processed");
    anew["timestamp"] = json!("2026-10-05T12:00:00Z");
    let mut anew = event("anew", Endpoint::MeetStream, &anew);
    anew.received_at = ReceivedAt((NOW + 7200) * 1000);
    world.take(&anew).await;
    world.do_it(Job::FetchTranscript, NOW + 7200).await.unwrap();
    assert!(world.stored(Artifact::Transcript).unwrap().key.contains("run-2"));
    let keys: Vec<_> = world.services.bucket.objects().into_keys().filter(|key| key.ends_with("raw.json")).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(world.services.publisher.ids().len(), 2, "and both were published");
}

/// Two fetches may run beside each other: the one that a first trigger began, and the one that a second trigger began meanwhile.
#[tokio::test]
async fn a_slow_fetch_does_not_replace_what_a_later_one_has_brought() {
    let world = world();
    let triggers = ["10", "11"].map(|minute| {
        let at = OccurredAt::parse(&format!("2026-10-05T10:{minute}:00Z")).unwrap();
        Trigger::new(Trust::Verified, Some(&at), ReceivedAt(NOW * 1000))
    });
    for (n, minute) in ["10", "11"].iter().enumerate() {
        let ready = json!({"bot_id": "b", "event": "transcription.processed", "timestamp": format!("2026-10-05T10:{minute}:00Z")});
        world.take(&event(&n.to_string(), Endpoint::MeetStream, &ready)).await;
    }
    let copy = |key: &str| {
        let uploaded = Uploaded { key: key.to_owned(), content_type: None, size_bytes: 1, sha256: String::new() };
        JobResult::Copied(Artifact::Transcript, StoredCopy::Stored(fetch::stored(uploaded, NOW)))
    };
    let id = bot();
    for (trigger, key) in [(triggers[1], "new"), (triggers[0], "old")] {
        world.conclude(attempt(&id, trigger), &copy(key)).await.unwrap();
    }
    assert_eq!(world.stored(Artifact::Transcript).unwrap().key, "new");
    assert_eq!(world.told(), ["transcript.ready"], "and what is older is not told afterwards");
}

#[tokio::test]
async fn a_transcript_that_came_with_its_delivery_asks_nobody() {
    let world = world();
    let body = json!({"event": "complete", "data": {"bot_id": "b", "transcript": [
        {"speaker": "Priya", "words": [{"start": 0.1, "end": 0.4, "word": "Hello"}]}]}});
    let event = self::event("1", Endpoint::MeetingBaasV1, &body);
    world.take(&event).await;
    world
        .services
        .bucket
        .plant(&artifacts::carried(&event.session, &event.accept_id, event.received_at), body.to_string().as_bytes());
    world.run(&event.session, Job::FetchTranscript, NOW, Instant::now() + Duration::from_secs(5)).await.unwrap();
    assert!(world.services.providers.asked().is_empty());
    let keys: Vec<_> = world.services.bucket.keys();
    assert_eq!(keys.len(), 2, "it has its place: {keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("meetingbaas/b/transcript/")), "{keys:?}");
}

#[tokio::test]
async fn a_transcript_that_came_with_an_old_delivery_replaces_no_newer_one() {
    let world = world();
    let body = |word: &str| {
        json!({"event": "complete", "data": {"bot_id": "b", "transcript": [
        {"speaker": "Priya", "words": [{"start": 0.1, "end": 0.4, "word": word}]}]}})
    };
    let at = |accept_id: &str, word: &str, seconds: i64| {
        let mut event = self::event(accept_id, Endpoint::MeetingBaasV1, &body(word));
        event.received_at = ReceivedAt((NOW + seconds) * 1000);
        event
    };
    let (first, stale) = (at("1", "first", 0), at("0", "stale", -100));
    let id = first.session.clone();
    let plant = |event: &Event, word: &str| {
        let key = artifacts::carried(&event.session, &event.accept_id, event.received_at);
        world.services.bucket.plant(&key, body(word).to_string().as_bytes());
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    world.take(&first).await;
    plant(&first, "first");
    world.run(&id, Job::FetchTranscript, NOW, deadline).await.unwrap();
    let ours = world.services.sessions.session(&id).unwrap().copies()[&Artifact::Transcript].clone();

    plant(&stale, "stale");
    let mut anew = json!({"event": "transcription_complete", "data": {"bot_id": "b"}});
    anew["event"] = json!("transcription_complete");
    let mut anew = self::event("2", Endpoint::MeetingBaasV1, &anew);
    anew.received_at = ReceivedAt((NOW + 1000) * 1000);
    world.take(&anew).await;
    let is_wanted = world.services.sessions.session(&id).unwrap().pending(Job::FetchTranscript).is_some();
    assert!(is_wanted, "{:?}", anew.kind);
    world.services.providers.locate(&id, Artifact::Transcript, found(Content::Inline(transcript())));
    world.run(&id, Job::FetchTranscript, NOW + 1000, deadline).await.unwrap();
    let copy = world.services.sessions.session(&id).unwrap().copies()[&Artifact::Transcript].clone();
    let StoredCopy::Stored(stored) = copy else { panic!("{copy:?}") };
    assert_eq!(
        (world.services.providers.asked().len(), stored.sha256.as_str()),
        (1, sha256_hex(&transcript()).as_str()),
        "{ours:?}"
    );
    assert!(!world.services.bucket.objects().keys().any(|key| key.contains("/carried/")), "and none is left behind");
}

#[tokio::test]
async fn a_transcript_that_comes_again_while_the_bus_takes_nothing_is_not_left_behind() {
    let world = world();
    let body = json!({"event": "complete", "data": {"bot_id": "b", "transcript": [
        {"speaker": "Priya", "words": [{"start": 0.1, "end": 0.4, "word": "Hello"}]}]}});
    let event = self::event("1", Endpoint::MeetingBaasV1, &body);
    let plant = |accept_id: &str| {
        let key = artifacts::carried(&event.session, &AcceptId::new(accept_id), event.received_at);
        world.services.bucket.plant(&key, body.to_string().as_bytes());
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    world.take(&event).await;
    plant("1");
    world.services.publisher.switch.set(Mode::Refuses);
    world.run(&event.session, Job::FetchTranscript, NOW, deadline).await.unwrap();
    plant("2");
    world.services.publisher.switch.set(Mode::Works);
    world.run(&event.session, Job::FetchTranscript, NOW + 60, deadline).await.unwrap();
    assert_eq!(world.told(), ["transcript.ready"]);
    assert!(world.services.providers.asked().is_empty());
    assert!(
        !world.services.bucket.keys().iter().any(|key| key.contains("/carried/")),
        "{:?}",
        world.services.bucket.keys()
    );
}

#[tokio::test]
async fn a_recording_is_downloaded_from_where_it_is_now() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["video.processed"]).await;
    let (old, fresh) = (url("https://files.example.invalid/old"), url("https://files.example.invalid/fresh"));
    world.services.providers.locate(&bot(), Artifact::Video, found(Content::At(old.clone())));
    world.services.providers.locate(&bot(), Artifact::Video, found(Content::At(fresh.clone())));
    world.services.providers.serve(&old, Err(ApiError::later(Cause::UrlRefused)));
    world.services.providers.serve(&fresh, Ok(File::of("video/mp4", b"moving pictures")));
    world.do_it(Job::FetchVideo, NOW).await.unwrap();
    assert_eq!(world.stored(Artifact::Video), None, "the URL had expired");
    let retry_at = world.session().due_at().unwrap();
    assert_eq!(retry_at, NOW + 2);
    world.do_it(Job::FetchVideo, retry_at - 1).await.unwrap();
    assert_eq!(world.services.providers.asked().len(), 2, "not before its time");
    world.do_it(Job::FetchVideo, retry_at).await.unwrap();
    let stored = world.stored(Artifact::Video).unwrap();
    assert_eq!((stored.key.as_str(), stored.size_bytes), ("meetstream/b/video/recording.mp4", 15));
    assert_eq!(world.told(), ["recording.ready"]);
}

#[tokio::test]
async fn recordings_are_left_where_they_are_if_nobody_wants_them() {
    let mut world = world();
    world.settings.keeps_recordings = false;
    world.hear(Endpoint::MeetStream, &["video.processed"]).await;
    world.do_it(Job::FetchVideo, NOW).await.unwrap();
    assert!(world.services.providers.asked().is_empty() && world.told().is_empty());
    assert_eq!(world.session().due_at(), None);
}

#[tokio::test]
async fn a_truncated_body_is_never_taken_for_all_of_it() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["audio.processed"]).await;
    let place = url("https://files.example.invalid/a");
    world.services.providers.locate(&bot(), Artifact::Audio, found(Content::At(place.clone())));
    world.services.providers.serve(&place, Ok(File { length: Some(100), ..File::of("audio/wav", b"half") }));
    world.do_it(Job::FetchAudio, NOW).await.unwrap();
    assert!(world.services.bucket.objects().is_empty() && world.session().copies().is_empty());
    assert!(world.session().pending(Job::FetchAudio).is_some());
}

#[tokio::test]
async fn what_never_comes_is_given_up_for_the_right_reason() {
    let later = |cause| Err(ApiError::later(cause));
    const HOUR: i64 = 3600;
    for (answer, after, reason) in [
        (Ok(Located::Pending), DAY, "not_in_time"),
        (later(Cause::Failing), DAY, "failing"),
        (later(Cause::KeyRefused), DAY, "key_refused"),
        (later(Cause::NoKey), 0, "no_key"),
        (Err(Refusal::Gone.into()), HOUR, "gone"),
        (Err(Refusal::NotFound.into()), HOUR, "not_found"),
        (Err(Refusal::Refused.into()), DAY, "refused"),
        (Err(Refusal::UnusableId.into()), 0, "unusable_id"),
        (Ok(Located::Unavailable(Absence::NeverMade)), DAY, "missing"),
        (Ok(Located::Unavailable(Absence::Skipped)), 0, "skipped"),
        (Ok(Located::Unavailable(Absence::Failed)), 0, "failed"),
    ] {
        let world = world();
        world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
        world.services.providers.locate(&bot(), Artifact::Transcript, answer);
        // However long ago the delivery came: it may have been parked for days.
        let begun = NOW + 30 * DAY;
        let (mut now, mut tries) = (begun, 0);
        while world.session().pending(Job::FetchTranscript).is_some() {
            world.do_it(Job::FetchTranscript, now).await.unwrap();
            now = world.session().due_at().unwrap_or(now);
            tries += 1;
            assert!(tries < 200, "{reason}: for ever");
        }
        assert_eq!(world.unavailable(Artifact::Transcript).as_deref(), Some(reason));
        assert_eq!(tries == 1, after == 0, "{reason}: {tries} tries");
        assert!((begun + after..=begun + after + 1000).contains(&now), "{reason}: after {} s", now - begun);
        assert_eq!(world.told(), ["artifact.unavailable"], "{reason}");
    }
}

/// A provider that fails says nothing about the artifact, so its first 404 is the first word about it.
#[tokio::test]
async fn an_hour_of_failures_is_no_part_of_the_hour_that_a_404_must_last() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    world.services.providers.locate(&bot(), Artifact::Transcript, Err(ApiError::later(Cause::Failing)));
    let mut now = NOW;
    while now < NOW + 2 * 3600 {
        world.do_it(Job::FetchTranscript, now).await.unwrap();
        now = world.session().due_at().unwrap();
    }
    world.services.providers.locate(&bot(), Artifact::Transcript, Err(Refusal::NotFound.into()));
    world.do_it(Job::FetchTranscript, now).await.unwrap();
    let first_404_at = world.session().due_at().unwrap();
    world.do_it(Job::FetchTranscript, first_404_at).await.unwrap();
    now = first_404_at;
    while world.session().pending(Job::FetchTranscript).is_some() {
        now = world.session().due_at().unwrap();
        world.do_it(Job::FetchTranscript, now).await.unwrap();
    }
    assert_eq!(world.unavailable(Artifact::Transcript).as_deref(), Some("not_found"));
    assert!((first_404_at + 3600..=first_404_at + 4500).contains(&now), "after {} s", now - first_404_at);
}

#[tokio::test]
async fn a_provider_that_asks_for_time_gets_it() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    let busy = ApiError::Later { cause: Cause::Busy, wait: Some(Duration::from_secs(1000)) };
    world.services.providers.locate(&bot(), Artifact::Transcript, Err(busy));
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    assert_eq!(world.session().due_at(), Some(NOW + 1000));
}

#[tokio::test]
async fn what_is_ours_to_mend_gives_up_nothing() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
    world.services.bucket.switch.set(Mode::Refuses);
    world.do_it(Job::FetchTranscript, NOW + 30 * DAY).await.unwrap();
    assert!(world.session().pending(Job::FetchTranscript).is_some());
    world.services.bucket.switch.set(Mode::Works);
    world.services.publisher.switch.set(Mode::Refuses);
    let due_at = world.session().due_at().unwrap();
    world.do_it(Job::FetchTranscript, due_at).await.unwrap();
    assert!(world.session().pending(Job::FetchTranscript).is_some(), "what was not told is not done");
    world.services.publisher.switch.set(Mode::Works);
    let due_at = world.session().due_at().unwrap();
    world.do_it(Job::FetchTranscript, due_at).await.unwrap();
    assert_eq!(world.told(), ["transcript.ready"]);
    assert!(world.session().pending(Job::FetchTranscript).is_none());
}

#[tokio::test]
async fn a_bus_that_takes_nothing_makes_nobody_download_again() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["video.processed"]).await;
    let place = url("https://files.example.invalid/v");
    world.services.providers.locate(&bot(), Artifact::Video, found(Content::At(place.clone())));
    world.services.providers.serve(&place, Ok(File::of("video/mp4", b"moving pictures")));
    world.services.publisher.switch.set(Mode::Refuses);
    let (mut now, mut waits) = (NOW, vec![]);
    for _ in 0..12 {
        world.do_it(Job::FetchVideo, now).await.unwrap();
        let due_at = world.session().due_at().unwrap();
        waits.push(due_at - now);
        now = due_at;
    }
    assert_eq!(
        world.services.providers.asked().len(),
        2,
        "where it is, and the download: {:?}",
        world.services.providers.asked()
    );
    assert_eq!(waits[..4], [2, 4, 8, 16], "and each further try waits longer");
    assert!(world.stored(Artifact::Video).unwrap().is_unpublished);
    world.services.publisher.switch.set(Mode::Works);
    world.do_it(Job::FetchVideo, now).await.unwrap();
    assert_eq!((world.told(), world.session().due_at()), (vec!["recording.ready"], None));
    assert!(!world.stored(Artifact::Video).unwrap().is_unpublished);
    assert_eq!(world.services.providers.asked().len(), 2);
}

#[tokio::test]
async fn a_recording_is_fetched_once_however_often_it_is_announced() {
    let world = world();
    world.hear(Endpoint::MeetStreamCallback, &["video.processed"]).await;
    let place = url("https://files.example.invalid/v");
    world.services.providers.locate(&bot(), Artifact::Video, found(Content::At(place.clone())));
    world.services.providers.serve(&place, Ok(File::of("video/mp4", b"moving pictures")));
    world.do_it(Job::FetchVideo, NOW).await.unwrap();
    world.hear(Endpoint::MeetStream, &["video.processed"]).await;
    for n in 0..20 {
        let mut again = said("video.processed");
        again["timestamp"] = json!(format!("2026-10-05T10:00:{n:02}Z"));
        let mut again = event(&format!("again {n}"), Endpoint::MeetStreamCallback, &again);
        again.received_at = ReceivedAt((NOW + 60 + n) * 1000);
        world.take(&again).await;
        world.do_it(Job::FetchVideo, NOW + 7200 * (n + 1)).await.unwrap();
    }
    assert_eq!(world.services.providers.asked().len(), 2, "{:?}", world.services.providers.asked());
    assert_eq!(world.told(), ["recording.ready"]);
}

#[tokio::test]
async fn a_transcript_is_fetched_anew_after_a_while_only() {
    let world = world();
    world.hear(Endpoint::MeetStreamCallback, &["transcription.processed"]).await;
    world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    for n in 0..60 {
        let mut again = said("transcription.processed");
        again["timestamp"] = json!(format!("2026-10-05T10:01:{n:02}Z"));
        let mut again = event(&format!("again {n}"), Endpoint::MeetStreamCallback, &again);
        again.received_at = ReceivedAt((NOW + n) * 1000);
        world.take(&again).await;
        world.do_it(Job::FetchTranscript, NOW + n).await.unwrap();
    }
    assert_eq!(world.services.providers.asked().len(), 1, "one request after another asks the provider nothing");
    let due_at = world.session().due_at().unwrap();
    assert_eq!(due_at, NOW + 900);
    world.do_it(Job::FetchTranscript, due_at).await.unwrap();
    assert_eq!((world.services.providers.asked().len(), world.session().due_at()), (2, None));
}

#[tokio::test]
async fn what_was_given_up_is_asked_for_again_when_somebody_says_so() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed", "audio.processed"]).await;
    world.services.providers.set_configured(false);
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    assert_eq!(world.unavailable(Artifact::Transcript).as_deref(), Some("no_key"));
    world.services.providers.set_configured(true);
    assert_eq!(world.refetch(&bot(), Some(Artifact::Video), NOW).await, Ok(vec![]), "that was not given up");
    assert_eq!(world.refetch(&bot(), None, NOW + 2 * DAY).await, Ok(vec![Job::FetchTranscript]));
    world.services.providers.locate(&bot(), Artifact::Transcript, Ok(Located::Pending));
    world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
    world.do_it(Job::FetchTranscript, NOW + 2 * DAY).await.unwrap();
    world.do_it(Job::FetchTranscript, NOW + 2 * DAY).await.unwrap();
    let due_at = world.session().pending(Job::FetchTranscript).unwrap().due_at();
    world.do_it(Job::FetchTranscript, due_at).await.unwrap();
    assert!(world.stored(Artifact::Transcript).is_some());
    assert_eq!(world.refetch(&bot(), None, NOW + 3 * DAY).await, Ok(vec![]), "what is there is not asked for again");
    let again = world.refetch(&bot(), Some(Artifact::Transcript), NOW + 3 * DAY).await;
    assert_eq!(again, Ok(vec![Job::FetchTranscript]), "unless it is named: a newer one may have been given up");
    let pending = world.refetch(&bot(), Some(Artifact::Transcript), NOW + 4 * DAY).await;
    assert_eq!(
        pending,
        Ok(vec![]),
        "a pending job brings what is newer, and must not call stale what a webhook left for it"
    );
    world.hear(Endpoint::MeetStream, &["data_deletion"]).await;
    assert_eq!(world.refetch(&bot(), None, NOW + 3 * DAY).await, Ok(vec![]));
}

#[tokio::test]
async fn a_provider_that_rests_uses_up_no_tries_and_no_patience() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    let resting = ApiError::Later { cause: Cause::Resting, wait: Some(Duration::from_secs(60)) };
    world.services.providers.locate(&bot(), Artifact::Transcript, Err(resting));
    for n in 0..3000 {
        world.do_it(Job::FetchTranscript, NOW + 60 * n).await.unwrap();
        assert_eq!(world.session().due_at(), Some(NOW + 60 * (n + 1)));
    }
    assert_eq!(world.session().pending(Job::FetchTranscript).unwrap().attempts(), 0);
}

#[tokio::test]
async fn a_repeated_claim_asks_the_provider_once() {
    let world = world();
    let fact = |kind| Fact { kind, occurred_at: None, reason: None };
    world
        .services
        .providers
        .describe(&bot(), Ok(BotDetail { facts: vec![fact(EventKind::Done)], ..BotDetail::default() }));
    for n in 0..50 {
        for name in ["bot.stopped", "bot.done"] {
            let mut claim = said(name);
            claim["timestamp"] = json!(format!("2026-10-05T10:00:{n:02}Z"));
            let mut claim = event(&format!("{name} {n}"), Endpoint::MeetStreamCallback, &claim);
            claim.received_at = ReceivedAt((NOW + n) * 1000);
            world.take(&claim).await;
            world.do_it(Job::Confirm, NOW + n).await.unwrap();
        }
    }
    assert!(
        (1..=2).contains(&world.services.providers.asked().len()),
        "an end and a conclusion: {}",
        world.services.providers.asked().len()
    );
}

#[tokio::test]
async fn a_bot_that_never_was_is_looked_for_a_few_times() {
    let world = world();
    world.hear(Endpoint::MeetStreamCallback, &["bot.done"]).await;
    let mut now = NOW;
    while world.session().pending(Job::Confirm).is_some() {
        world.do_it(Job::Confirm, now).await.unwrap();
        now = world.session().due_at().unwrap_or(now);
    }
    assert_eq!(world.services.providers.asked().len(), 4);
    assert_eq!(now, NOW + 3600);
}

#[tokio::test]
async fn nothing_but_a_word_about_the_deletion_proves_an_unverified_one() {
    let fact = || Fact { kind: EventKind::Deleted, occurred_at: None, reason: None };
    let erased = BotDetail { facts: vec![fact()], ..BotDetail::default() };
    for (answer, proves) in [
        (Err(Refusal::NotFound.into()), false),
        (Err(Refusal::Refused.into()), false),
        (Err(Refusal::Gone.into()), true),
        (Ok(erased), true),
    ] {
        let world = world();
        world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
        world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
        world.do_it(Job::FetchTranscript, NOW).await.unwrap();
        world.hear(Endpoint::MeetStreamCallback, &["data_deletion"]).await;
        world.services.providers.describe(&bot(), answer.clone());
        let (mut now, mut tries) = (NOW, 0);
        while world.session().pending(Job::ConfirmDeletion).is_some() && tries < 200 {
            world.do_it(Job::ConfirmDeletion, now).await.unwrap();
            now = world.session().due_at().unwrap_or(now);
            tries += 1;
        }
        assert_eq!(world.session().is_erased(), proves, "{answer:?}");
        assert!(!world.services.bucket.objects().is_empty(), "the sweep erases, and only what was proved");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_hangs_is_tried_again_later() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    world.services.bucket.switch.set(Mode::Hangs);
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    assert_eq!(world.session().due_at(), Some(NOW + 2));
}

#[tokio::test]
async fn after_a_deletion_nothing_is_left_and_only_then_it_is_told() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["bot.inmeeting", "bot.done", "transcription.processed", "bot.error"]).await;
    world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    let neighbour = key(Folder::Parked, "another-group", "1");
    world.services.bucket.plant(&neighbour, b"a neighbour's");
    for folder in Folder::ALL {
        world.services.bucket.plant(&key(folder, &bot().group(), "1"), b"Priya");
    }
    world.hear(Endpoint::MeetStream, &["data_deletion"]).await;
    assert!(world.session().custom_attributes().is_none() && world.session().copies().is_empty());
    world.do_it(Job::Erase, NOW).await.unwrap();
    assert_eq!(world.services.bucket.keys(), [neighbour]);
    assert!(world.services.sessions.entries(&bot()).is_empty(), "what was kept beside it too");
    assert!(!world.told().contains(&"data.deleted"), "somebody may still be storing something");

    let again_at = world.session().due_at().unwrap();
    assert_eq!(again_at, NOW + 1200);
    world.services.bucket.plant(&artifacts::carried(&bot(), &AcceptId::new("late"), ReceivedAt(0)), b"Priya");
    world.do_it(Job::EraseAgain, NOW).await.unwrap();
    assert_eq!(world.services.bucket.objects().len(), 2, "not before its time");
    world.do_it(Job::EraseAgain, again_at).await.unwrap();
    assert_eq!(world.services.bucket.objects().len(), 1);
    assert_eq!(world.told().last(), Some(&"data.deleted"));
    assert_eq!((world.session().state(), world.session().due_at()), (State::Deleted, None));
    let document = serde_json::to_string(&world.session()).unwrap();
    assert!(!document.contains("Priya"), "{document}");
}

#[tokio::test]
async fn a_fetch_that_was_under_way_leaves_nothing_behind() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    let session = world.session();
    let (id, trigger) = (bot(), session.pending(Job::FetchTranscript).unwrap().wanted());
    let end = {
        world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
        world.fetch_transcript(&session, NOW).await.unwrap()
    };
    assert_eq!(world.services.bucket.objects().len(), 2, "stored, and not saved yet");
    world.hear(Endpoint::MeetStream, &["data_deletion"]).await;
    world.conclude(attempt(&id, trigger), &end).await.unwrap();
    assert!(world.services.bucket.objects().is_empty() && world.session().copies().is_empty());
    assert!(world.told().is_empty());
}

/// Whoever set the bytes aside could not tell the session; a command does it as soon as it can be told.
#[tokio::test]
async fn a_session_is_told_later_of_bytes_that_were_set_aside() {
    let world = world();
    world.note_set_aside(&bot(), ReceivedAt(0), NOW).await.unwrap();
    assert_eq!(world.services.sessions.session(&bot()), None, "there is nothing to be told");
    world.hear(Endpoint::MeetStream, &["bot.done"]).await;
    world.note_set_aside(&bot(), ReceivedAt(0), NOW).await.unwrap();
    assert_eq!(world.session().pending(Job::Erase), None, "of a bot whose data is not deleted they are to stay");
    world.hear(Endpoint::MeetStream, &["data_deletion"]).await;
    world.do_it(Job::Erase, NOW).await.unwrap();
    assert_eq!(world.session().pending(Job::Erase), None);
    world.services.sessions.set_fault(|_, _| Err(StoreError::Unavailable));
    assert!(world.note_set_aside(&bot(), ReceivedAt(0), NOW).await.is_err());
    world.services.sessions.clear_fault();
    world.note_set_aside(&bot(), ReceivedAt(0), NOW).await.unwrap();
    assert!(world.session().pending(Job::Erase).is_some());
}

#[tokio::test]
async fn an_operators_deletion_goes_the_way_of_the_providers() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["bot.inmeeting", "bot.done", "transcription.processed", "bot.error"]).await;
    world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    let told = world.told().len();
    // Somebody else saves the session in between, once.
    let mut is_first = true;
    world.services.sessions.set_fault(move |call, _| {
        let conflicts = call == "save" && std::mem::take(&mut is_first);
        if conflicts { Err(StoreError::Conflict) } else { Ok(()) }
    });
    world.delete(&bot(), NOW).await.unwrap();
    let session = world.session();
    assert!(session.is_erased() && session.is_confirmed() && session.pending(Job::Erase).is_some());
    assert!(session.custom_attributes().is_none() && session.copies().is_empty());
    assert!(session.timeline().iter().any(|entry| entry.source.as_str() == "operator"));
    assert_eq!(world.told().len(), told, "nothing is erased yet");
    assert!(!world.services.bucket.objects().is_empty());

    world.do_it(Job::Erase, NOW).await.unwrap();
    let again_at = world.session().due_at().unwrap();
    world.do_it(Job::EraseAgain, again_at).await.unwrap();
    assert!(world.services.bucket.objects().is_empty() && world.services.sessions.entries(&bot()).is_empty());
    assert_eq!(world.told().last(), Some(&"data.deleted"));
    assert_eq!((world.session().state(), world.session().due_at()), (State::Deleted, None));

    world.services.bucket.plant("meetstream/b/audio/recording.wav", b"put there by hand");
    world.delete(&bot(), again_at).await.unwrap();
    world.do_it(Job::Erase, again_at).await.unwrap();
    assert!(world.services.bucket.objects().is_empty(), "asked for again, it erases again");
    assert_eq!(world.session().timeline().iter().filter(|entry| entry.kind == "data.deleted").count(), 1);
}

#[tokio::test]
async fn a_bot_can_be_deleted_before_anything_of_it_took_effect() {
    let world = world();
    world.services.bucket.plant(&key(Folder::Parked, &bot().group(), "1"), b"Priya");
    world.delete(&bot(), NOW).await.unwrap();
    world.do_it(Job::Erase, NOW).await.unwrap();
    assert!(world.services.bucket.objects().is_empty());
    world.hear(Endpoint::MeetStream, &["bot.inmeeting", "bot.error", "transcription.processed", "data_deletion"]).await;
    let session = world.session();
    assert_eq!((session.state(), session.pending(Job::FetchTranscript)), (State::Deleted, None));
    let document = serde_json::to_string(&session).unwrap()
        + &serde_json::to_string(&world.services.sessions.entries(&bot())).unwrap();
    assert!(!document.contains("Priya"), "{document}");
}

#[tokio::test]
async fn a_deletion_that_is_not_saved_comes_again() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["bot.done"]).await;
    world.services.sessions.set_fault(|call, _| if call == "save" { Err(StoreError::Conflict) } else { Ok(()) });
    assert_eq!(world.delete(&bot(), NOW).await, Err(JobError::Contended));
    assert!(!world.session().is_erased());
}

#[tokio::test]
async fn an_unverified_deletion_erases_nothing_until_the_provider_says_so() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["transcription.processed"]).await;
    world.services.providers.locate(&bot(), Artifact::Transcript, found(Content::Inline(transcript())));
    world.do_it(Job::FetchTranscript, NOW).await.unwrap();
    world.hear(Endpoint::MeetStreamCallback, &["data_deletion"]).await;
    assert!(world.session().pending(Job::Erase).is_none() && world.stored(Artifact::Transcript).is_some());

    world.services.providers.describe(&bot(), Ok(BotDetail::default()));
    world.services.providers.describe(&bot(), Err(Refusal::Gone.into()));
    world.do_it(Job::ConfirmDeletion, NOW).await.unwrap();
    assert!(!world.session().is_erased(), "the provider still has it");
    let retry_at = world.session().due_at().unwrap();
    let next = world.follow(Job::ConfirmDeletion, retry_at).await.unwrap();
    assert!(world.session().is_erased() && world.session().pending(Job::Erase).is_some());
    assert_eq!(next, [], "no command is sent for it");
    assert_eq!(world.session().due_at(), Some(retry_at), "and the next sweep finds it");
    assert_eq!(world.follow(Job::Erase, retry_at).await.unwrap(), [], "the second round has its time");
}

/// One request of a stranger who knows the callback's token must not cost the meeting its proof.
#[tokio::test]
async fn a_forged_deletion_keeps_no_end_from_being_confirmed() {
    let world = world();
    let ended = EventKind::Ended(Ended { outcome: Outcome::Kicked, certainty: Certainty::Final });
    let fact = Fact { kind: ended, occurred_at: None, reason: None };
    world.services.providers.describe(&bot(), Ok(BotDetail::default()));
    world.services.providers.describe(&bot(), Ok(BotDetail { facts: vec![fact], ..BotDetail::default() }));
    world.hear(Endpoint::MeetStreamCallback, &["data_deletion"]).await;
    world.do_it(Job::ConfirmDeletion, NOW).await.unwrap();
    world.hear(Endpoint::MeetStreamCallback, &["bot.stopped"]).await;
    world.do_it(Job::Confirm, NOW).await.unwrap();
    assert_eq!((world.session().outcome(), world.session().is_confirmed()), (Some(Outcome::Kicked), true));
    assert!(world.session().pending(Job::ConfirmDeletion).is_some() && !world.session().is_erased());
}

#[tokio::test]
async fn an_unverified_end_is_confirmed_by_the_provider() {
    let world = world();
    world.hear(Endpoint::MeetStreamCallback, &["bot.stopped", "bot.done"]).await;
    assert!(!world.session().is_confirmed());
    let fact = |kind| Fact { kind, occurred_at: None, reason: None };
    let ended = EventKind::Ended(Ended { outcome: Outcome::Kicked, certainty: Certainty::Final });
    let detail =
        BotDetail { facts: vec![fact(EventKind::InCall), fact(ended), fact(EventKind::Done)], ..BotDetail::default() };
    world.services.providers.describe(&bot(), Ok(detail));
    world.do_it(Job::Confirm, NOW).await.unwrap();
    let session = world.session();
    assert!(session.is_confirmed());
    assert_eq!(session.outcome(), Some(Outcome::Kicked), "what the provider says beats an unverified delivery");
    let trusts: Vec<_> = session.timeline().iter().map(|entry| (entry.source.as_str(), entry.trust())).collect();
    assert!(trusts.contains(&("meetstream-api", Trust::Verified)), "{trusts:?}");
    assert_eq!(session.due_at(), None);
    let before = session.clone();
    world.do_it(Job::Confirm, NOW).await.unwrap();
    assert_eq!(world.session(), before);
}

#[tokio::test]
async fn a_claim_that_is_not_borne_out_stays_a_claim() {
    for answer in [Ok(BotDetail::default()), Err(ApiError::later(Cause::NoKey)), Err(Refusal::NotFound.into())] {
        let world = world();
        world.hear(Endpoint::MeetStreamCallback, &["bot.done"]).await;
        world.services.providers.describe(&bot(), answer);
        let (mut now, mut tries) = (NOW, 0);
        while world.session().pending(Job::Confirm).is_some() && tries < 200 {
            world.do_it(Job::Confirm, now).await.unwrap();
            now = world.session().due_at().unwrap_or(now);
            tries += 1;
        }
        assert!(tries < 200 && !world.session().is_confirmed());
        assert_eq!(world.session().state(), State::Done);
    }
}

/// A provider may know a bot, and not yet that it is through.
#[tokio::test]
async fn an_empty_first_answer_settles_no_confirmation() {
    let world = world();
    world.hear(Endpoint::MeetStreamCallback, &["bot.done"]).await;
    let done = Fact { kind: EventKind::Done, occurred_at: None, reason: None };
    world.services.providers.describe(&bot(), Ok(BotDetail::default()));
    world.services.providers.describe(&bot(), Ok(BotDetail { facts: vec![done], ..BotDetail::default() }));
    world.do_it(Job::Confirm, NOW).await.unwrap();
    let retry_at = world.session().pending(Job::Confirm).expect("it is still to be confirmed").due_at();
    assert!(!world.session().is_confirmed() && retry_at > NOW);
    world.do_it(Job::Confirm, retry_at).await.unwrap();
    assert!(world.session().is_confirmed() && world.session().pending(Job::Confirm).is_none());
}

/// Consumers keep ids: the same entry as before must have the same one, and a changed entry another one.
#[tokio::test]
async fn a_calendars_events_have_the_calendars_time_and_an_id_for_each_form_of_an_entry() {
    let world = world();
    let deadline = Instant::now() + Duration::from_secs(5);
    let calendar = touched(&world, [1], 0).await;
    let form = |title: &str| {
        let mut entries = entries([1]);
        entries.entries.values_mut().for_each(|entry| entry.title = Some(title.to_owned()));
        entries
    };
    for title in ["Standup", "Retro", "Standup"] {
        world.services.providers.fill(&calendar, Ok(form(title)));
    }
    world
        .services
        .providers
        .fill(&calendar, Ok(CalendarEntries { gone: vec![SenderId::try_from("e1").unwrap()], ..Default::default() }));
    for round in 0..3 {
        touched(&world, [1], 10 * round).await;
        world.run(&calendar, Job::SyncCalendar, NOW + 10 * round + 1, deadline).await.unwrap();
    }
    let told = world.services.publisher.published();
    let ids: Vec<_> = told.iter().map(|told| told.id.as_str()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[0] == ids[2] && ids[0] != ids[1] && ids.iter().all(|id| id.len() == 64), "{ids:?}");
    for told in &told {
        assert_eq!((told.name, told.confirmed, told.occurred_at.as_ref()), ("calendar.event_changed", true, None));
        assert_eq!((told.calendar_id.as_deref(), told.bot_id.as_deref()), (Some("c"), None));
        assert!(matches!(&told.about, About::Entry { entry_id, entry: Some(_) } if entry_id == "e1"), "{told:?}");
    }
    let body = json!({"event": "calendar.sync_events", "data": {"calendar_id": "c",
        "last_updated_ts": "2026-10-05T10:00:00Z", "affected_event_uuids": ["e1"]}});
    let changed = |accept_id: &str, body: &Value| {
        let event = event(accept_id, Endpoint::MeetingBaasV1, body);
        let fresh = Session::new(event.session.clone(), event.received_at);
        advance(&fresh, &event).published.remove(0)
    };
    let (first, again) = (changed("1", &body), changed("2", &body));
    assert_eq!((first.name, first.confirmed, &first.id), ("calendar.changed", true, &again.id));
    assert_eq!(first.occurred_at, Some(OccurredAt::parse("2026-10-05T10:00:00Z").unwrap()));
    let mut other = body;
    other["data"]["affected_event_uuids"] = json!(["e2"]);
    assert_ne!(changed("3", &other).id, first.id);
}

#[tokio::test]
async fn a_calendars_entries_are_mirrored_and_their_changes_told() {
    let world = world();
    let body = json!({"event": "calendar.sync_events",
        "data": {"calendar_id": "c", "last_updated_ts": "2026-10-05T10:00:00Z", "affected_event_uuids": ["e1", "e2"]}});
    let first = event("1", Endpoint::MeetingBaasV1, &body);
    let calendar = first.session.clone();
    world.take(&first).await;
    let id = |id: &str| SenderId::try_from(id).unwrap();
    let entry = |name: &str, title: &str, status| CalendarEntry {
        id: id(name),
        title: Some(title.to_owned()),
        starts_at: None,
        ends_at: None,
        status,
        meeting_url: None,
        series_id: None,
        bot_scheduled: None,
        updated_at: None,
    };
    let filled = |entries: Vec<CalendarEntry>, gone| CalendarEntries {
        entries: entries.into_iter().map(|entry| (entry.id.clone(), entry)).collect(),
        gone,
    };
    let (e1, e2) = (entry("e1", "Standup", EntryStatus::Confirmed), entry("e2", "Retro", EntryStatus::Confirmed));
    world.services.providers.fill(&calendar, Ok(filled(vec![e1.clone(), e2], vec![])));
    let cancelled = entry("e1", "Standup", EntryStatus::Cancelled);
    world.services.providers.fill(&calendar, Ok(filled(vec![cancelled.clone()], vec![id("e2")])));

    let deadline = Instant::now() + Duration::from_secs(5);
    world.run(&calendar, Job::SyncCalendar, NOW, deadline).await.unwrap();
    assert_eq!(world.told(), ["calendar.event_changed"; 2]);
    assert_eq!(world.services.sessions.calendar_entry(&calendar, &id("e1"), NOW).await.unwrap(), Some(e1));

    let mut again = body;
    again["data"]["last_updated_ts"] = json!("2026-10-05T11:00:00Z");
    let mut later = event("2", Endpoint::MeetingBaasV1, &again);
    later.received_at = ReceivedAt(NOW * 1000 + 1);
    world.take(&later).await;
    world.run(&calendar, Job::SyncCalendar, NOW, deadline).await.unwrap();
    assert_eq!(world.told().len(), 3, "a cancellation; what was not found once may be there the next time");
    let again_at = world.services.sessions.session(&calendar).unwrap().due_at().unwrap();
    assert_eq!(again_at, NOW + 3600);
    world.run(&calendar, Job::SyncCalendar, again_at, deadline).await.unwrap();
    assert_eq!(world.told().len(), 4, "and one that is gone");
    assert_eq!(world.services.sessions.session(&calendar).unwrap().due_at(), None);
    assert_eq!(world.services.sessions.calendar_entry(&calendar, &id("e1"), NOW).await.unwrap(), Some(cancelled));
    assert_eq!(world.services.sessions.calendar_entry(&calendar, &id("e2"), NOW).await.unwrap(), None);
}

/// A calendar that was told to have these entries touched, one delivery each, so many seconds after the beginning.
async fn touched(world: &World, ids: impl IntoIterator<Item = u32>, after: i64) -> SessionId {
    let mut calendar = None;
    for n in ids {
        let body = json!({"event": "calendar.sync_events", "data": {"calendar_id": "c",
            "last_updated_ts": "2026-10-05T10:00:00Z", "affected_event_uuids": [format!("e{n}")]}});
        let mut event = event(&format!("{n} after {after}"), Endpoint::MeetingBaasV1, &body);
        event.received_at = ReceivedAt((NOW + after) * 1000 + i64::from(n));
        world.take(&event).await;
        calendar = Some(event.session);
    }
    calendar.unwrap()
}

fn entries(ids: impl IntoIterator<Item = u32>) -> CalendarEntries {
    let entry = |n: u32| CalendarEntry {
        id: SenderId::try_from(format!("e{n}").as_str()).unwrap(),
        title: Some("Standup with Priya".to_owned()),
        starts_at: None,
        ends_at: None,
        status: EntryStatus::Confirmed,
        meeting_url: None,
        series_id: None,
        bot_scheduled: None,
        updated_at: None,
    };
    let entries = ids.into_iter().map(entry).map(|entry| (entry.id.clone(), entry)).collect();
    CalendarEntries { entries, gone: vec![] }
}

#[tokio::test]
async fn only_what_was_touched_since_is_asked_for() {
    let world = world();
    let deadline = Instant::now() + Duration::from_secs(60);
    let calendar = touched(&world, 0..30, 0).await;
    world.services.providers.fill(&calendar, Ok(entries(0..250)));
    world.run(&calendar, Job::SyncCalendar, NOW + 1, deadline).await.unwrap();
    assert_eq!(world.told().len(), 30, "of what was asked for");
    let asked = world.services.providers.asked_for_entries();
    for n in 30..50 {
        touched(&world, [n], i64::from(n)).await;
        world.run(&calendar, Job::SyncCalendar, NOW + i64::from(n) + 1, deadline).await.unwrap();
    }
    assert_eq!((asked, world.services.providers.asked_for_entries()), (30, 50), "each entry once");
    assert_eq!(world.told().len(), 50);
    touched(&world, [3], 100).await;
    world.run(&calendar, Job::SyncCalendar, NOW + 101, deadline).await.unwrap();
    assert_eq!(
        (world.services.providers.asked_for_entries(), world.told().len()),
        (51, 50),
        "touched again, and the same as before"
    );
}

#[tokio::test]
async fn what_a_failing_provider_gave_is_kept_and_the_next_job_goes_on() {
    let world = world();
    let deadline = Instant::now() + Duration::from_secs(60);
    let calendar = touched(&world, 0..150, 0).await;
    world.services.providers.fill(&calendar, Ok(entries(0..250)));
    world.services.providers.fill(&calendar, Err(ApiError::later(Cause::Failing)));
    world.services.providers.fill(&calendar, Ok(entries(0..250)));
    world.run(&calendar, Job::SyncCalendar, NOW + 1, deadline).await.unwrap();
    assert_eq!(world.told().len(), 8);
    let mut due_at = world.services.sessions.session(&calendar).unwrap().due_at().unwrap();
    assert_eq!(due_at, NOW + 61);
    world.run(&calendar, Job::SyncCalendar, due_at, deadline).await.unwrap();
    assert_eq!(world.told().len(), 108, "no more than so many at a time");
    due_at = world.services.sessions.session(&calendar).unwrap().due_at().unwrap();
    world.run(&calendar, Job::SyncCalendar, due_at, deadline).await.unwrap();
    assert_eq!((world.told().len(), world.services.sessions.session(&calendar).unwrap().due_at()), (150, None));
    assert_eq!(world.services.providers.asked_for_entries(), 8 + 8 + 142);
}

#[tokio::test]
async fn an_entry_that_the_provider_refuses_is_not_announced_as_gone() {
    let world = world();
    let deadline = Instant::now() + Duration::from_secs(60);
    let calendar = touched(&world, [1], 0).await;
    world.services.providers.fill(&calendar, Ok(entries([1])));
    world.services.providers.fill(&calendar, Ok(CalendarEntries::default()));
    world.run(&calendar, Job::SyncCalendar, NOW + 1, deadline).await.unwrap();
    touched(&world, [1], 10).await;
    for now in [NOW + 11, NOW + 5000, NOW + 10_000] {
        world.run(&calendar, Job::SyncCalendar, now, deadline).await.unwrap();
    }
    assert_eq!(world.told(), ["calendar.event_changed"]);
    let id = SenderId::try_from("e1").unwrap();
    assert!(world.services.sessions.calendar_entry(&calendar, &id, NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn a_deleted_calendar_keeps_no_title_and_is_never_mirrored_again() {
    let world = world();
    let deadline = Instant::now() + Duration::from_secs(60);
    let calendar = touched(&world, 0..3, 0).await;
    world.services.providers.fill(&calendar, Ok(entries(0..3)));
    world.run(&calendar, Job::SyncCalendar, NOW + 1, deadline).await.unwrap();
    world.delete(&calendar, NOW + 2).await.unwrap();
    world.run(&calendar, Job::Erase, NOW + 2, deadline).await.unwrap();
    touched(&world, 0..3, 10).await;
    world.run(&calendar, Job::SyncCalendar, NOW + 11, deadline).await.unwrap();
    let again_at = world.services.sessions.session(&calendar).unwrap().due_at().unwrap();
    world.run(&calendar, Job::EraseAgain, again_at, deadline).await.unwrap();
    for n in 0..3 {
        let id = SenderId::try_from(format!("e{n}").as_str()).unwrap();
        assert_eq!(world.services.sessions.calendar_entry(&calendar, &id, NOW).await.unwrap(), None);
    }
    let session = world.services.sessions.session(&calendar).unwrap();
    let document = serde_json::to_string(&session).unwrap();
    assert!(session.calendar().is_none() && !document.contains("e1\""), "{document}");
    assert_eq!((world.told().last(), session.due_at()), (Some(&"data.deleted"), None));
}

#[tokio::test]
async fn what_keeps_coming_does_not_reschedule_the_word_of_the_deletion() {
    let world = world();
    world.hear(Endpoint::MeetStream, &["data_deletion"]).await;
    world.do_it(Job::Erase, NOW).await.unwrap();
    let again_at = world.session().due_at().unwrap();
    for n in 1..100 {
        let (session, version) = (world.session(), world.services.sessions.load(&bot(), NOW).await.unwrap().version);
        let kept = session.with_bytes_set_aside(ReceivedAt((NOW + 10 * n) * 1000));
        world.services.sessions.save(&kept, version, NOW).await.unwrap();
        world.do_it(Job::Erase, NOW + 10 * n).await.unwrap();
    }
    assert_eq!(world.session().pending(Job::EraseAgain).unwrap().due_at(), again_at);
    world.do_it(Job::EraseAgain, again_at).await.unwrap();
    assert_eq!(world.told(), ["data.deleted"]);
}
