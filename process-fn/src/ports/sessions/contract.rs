//! What every store must do. Run against the one in memory here, and against the table in `e2e`.
#![expect(clippy::expect_used, clippy::panic, reason = "a test suite, compiled for tests only")]

use super::{Loaded, Recorded, SessionStore, StoreError, Version};
use shared::{
    DeliveryKey, Provider, QueueMessage, ReceivedAt, SenderId, Session, SessionId, Source,
    api::{CalendarEntry, EntryStatus},
    endpoint::Endpoint,
    ids::AcceptId,
    message::Head,
    provider,
    session::{Disposition, Due, Job, MissingDelivery, TimelineLine, advance},
};

/// Seconds in a day.
const DAY: i64 = 86_400;

/// Runs the whole suite, on sessions of bots whose ids begin with `prefix`. `now` is in seconds since the Unix epoch.
///
/// `tells_what_is_in_the_way` is whether a refused write comes with the item that is there, as "`PutItem`" documents it
/// (`ReturnValuesOnConditionCheckFailure`). Without it a redelivery looks like a repetition, which is applied as often: never.
///
/// # Panics
/// If the store breaks the contract.
pub async fn store_contract(store: &impl SessionStore, prefix: &str, now: i64, tells_what_is_in_the_way: bool) {
    let session = |name: &str| {
        let bot_id = SenderId::try_from(format!("{prefix}/{name}#🤖").as_str()).expect("a usable id");
        Session::new(SessionId::bot(Provider::MeetStream, bot_id), ReceivedAt(now * 1000))
    };
    a_session_is_read_as_it_was_saved(store, &session("saved"), now).await;
    of_two_saves_one_wins(store, &session("raced"), now).await;
    an_expired_session_counts_as_absent(store, &session("expired"), now).await;
    a_calendar_is_read_back_as_one(store, &session("calendar"), now).await;
    an_entry_keeps_its_place_for_a_week(store, session("recorded").id(), now, tells_what_is_in_the_way).await;
}

/// Runs the part of the suite that needs an index, queries and deletions. Nothing else may be due in the store.
///
/// # Panics
/// If the store breaks the contract.
pub async fn queries_contract(store: &impl SessionStore, prefix: &str, now: i64) {
    let session = |name: &str| {
        let bot_id = SenderId::try_from(format!("{prefix}/{name}#🤖").as_str()).expect("a usable id");
        Session::new(SessionId::bot(Provider::MeetStream, bot_id), ReceivedAt(now * 1000))
    };
    what_is_due_is_found_in_every_shard(store, prefix, now).await;
    a_mirrored_entry_is_kept_until_it_is_taken_away(store, session("mirrored").id(), now).await;
    what_is_forgotten_is_gone(store, &session("forgotten"), now).await;
}

async fn a_session_is_read_as_it_was_saved(store: &impl SessionStore, session: &Session, now: i64) {
    let absent = store.load(session.id(), now).await.expect("a load");
    assert_eq!((absent.session, absent.version), (None, Version::Absent));
    let version = store.save(session, Version::Absent, now).await.expect("a first save");
    let changed = session.with_missing(MissingDelivery {
        accept_id: AcceptId::new("1"),
        received_at: ReceivedAt(1),
        parked_as: "parked/\u{7f}\u{1F916}".to_owned(),
        reason: "\"quoted\"\n".to_owned(),
    });
    store.save(&changed, version, now).await.expect("a second save");
    let loaded = store.load(session.id(), now).await.expect("a load");
    assert_eq!((loaded.session, loaded.version), (Some(changed), Version::At(2)));
}

async fn of_two_saves_one_wins(store: &impl SessionStore, session: &Session, now: i64) {
    let first = store.save(session, Version::Absent, now).await.expect("a first save");
    assert_eq!(store.save(session, Version::Absent, now).await, Err(StoreError::Conflict), "it exists by now");
    store.save(session, first, now).await.expect("a second save");
    assert_eq!(store.save(session, first, now).await, Err(StoreError::Conflict), "it changed by now");
}

async fn an_expired_session_counts_as_absent(store: &impl SessionStore, session: &Session, now: i64) {
    let version = store.save(session, Version::Absent, now).await.expect("a first save");
    store.save(session, version, now).await.expect("a second save");
    let later = now + 91 * DAY;
    assert_eq!(store.load(session.id(), later).await.expect("a load").version, Version::Absent);
    let again = store.save(session, Version::Absent, later).await;
    assert_eq!(again, Ok(Version::At(1)), "it begins anew");
}

/// A calendar and a bot may have the same id at a provider.
async fn a_calendar_is_read_back_as_one(store: &impl SessionStore, bot: &Session, now: i64) {
    let calendar =
        Session::new(SessionId::calendar(Provider::MeetingBaas, bot.id().id.clone()), ReceivedAt(now * 1000));
    store.save(&calendar, Version::Absent, now).await.expect("a save of a calendar");
    let namesake = SessionId::bot(Provider::MeetingBaas, bot.id().id.clone());
    assert_eq!(store.load(&namesake, now).await.expect("a load").session, None, "no bot has the calendar's place");
    let loaded = store.load(calendar.id(), now).await.expect("a load").session.expect("a calendar");
    assert_eq!(loaded, calendar);
    assert_eq!(loaded.id(), calendar.id());
}

/// A session for which a transcript is to be fetched, by the word of `endpoint`.
fn waiting(bot_id: &str, endpoint: Endpoint, received_at: i64) -> Session {
    let head = Head {
        accept_id: AcceptId::new(bot_id),
        endpoint,
        delivery_id: None,
        received_at: ReceivedAt(received_at * 1000),
    };
    let body = serde_json::json!({"bot_id": bot_id, "event": "transcription.processed"}).to_string();
    let event = provider::parse(&QueueMessage::restored(head, body.into_bytes())).expect("a known event");
    advance(&Session::new(event.session.clone(), event.received_at), &event).session.expect("a change")
}

async fn what_is_due_is_found_in_every_shard(store: &impl SessionStore, prefix: &str, now: i64) {
    // Ids one after another fall into shards one after another.
    let verified: Vec<_> = (0..2 * Due::Work.shards().len())
        .map(|n| waiting(&format!("{prefix} {n}"), Endpoint::MeetStream, now))
        .collect();
    let unverified = waiting(&format!("{prefix} unsigned"), Endpoint::MeetStreamCallback, now);
    for session in verified.iter().chain([&unverified]) {
        store.save(session, Version::Absent, now).await.expect("a save");
    }
    let due_at = verified.iter().filter_map(Session::due_at).max().expect("something is due");
    let due = async |what, now| {
        let due = store.due(what, now).await.expect("a list");
        assert_eq!(due.unreadable, 0);
        due.sessions
    };
    assert_eq!(due(Due::Work, due_at - 1).await, [], "too early");
    let found = due(Due::Work, due_at).await;
    assert!(found.len() == verified.len() && verified.iter().all(|session| found.contains(session)), "{found:?}");
    assert_eq!(due(Due::Unverified(Provider::MeetStream), due_at).await, std::slice::from_ref(&unverified));
    assert_eq!(due(Due::Unverified(Provider::MeetingBaas), due_at).await, []);
    assert_eq!(due(Due::Erasure, due_at).await, []);
    assert_eq!(due(Due::Work, due_at + 91 * DAY).await, [], "expired");

    let all: Vec<_> = verified.into_iter().chain([unverified]).collect();
    for session in &all {
        let Loaded { session: Some(session), version } = store.load(session.id(), now).await.expect("a load") else {
            panic!("{} is gone", session.id().encoded());
        };
        let progress = session.pending(Job::FetchTranscript).expect("a fetch");
        let settled = session.with_settled(Job::FetchTranscript, progress.wanted());
        store.save(&settled, version, now).await.expect("a save");
    }
    for what in [Due::Work, Due::Unverified(Provider::MeetStream)] {
        assert_eq!(due(what, due_at).await, [], "nothing is left to do");
    }
}

fn calendar_entry(id: &str, title: &str) -> CalendarEntry {
    CalendarEntry {
        id: SenderId::try_from(id).expect("a usable id"),
        title: Some(title.to_owned()),
        starts_at: None,
        ends_at: None,
        status: EntryStatus::Confirmed,
        meeting_url: None,
        series_id: None,
        bot_scheduled: None,
        updated_at: None,
    }
}

async fn a_mirrored_entry_is_kept_until_it_is_taken_away(store: &impl SessionStore, id: &SessionId, now: i64) {
    let (first, changed) = (calendar_entry("e/1#🤖", "Standup"), calendar_entry("e/1#🤖", "Retro \"1\"\n"));
    let find = async |now| store.calendar_entry(id, &first.id, now).await;
    assert_eq!(find(now).await, Ok(None));
    for entry in [&first, &changed] {
        store.mirror(id, entry, now).await.expect("a mirror");
        assert_eq!(find(now).await, Ok(Some(entry.clone())));
    }
    let other = SenderId::try_from("e").expect("a usable id");
    assert_eq!(store.calendar_entry(id, &other, now).await, Ok(None), "a neighbour");
    assert_eq!(find(now + 91 * DAY).await, Ok(None), "expired");
    for _ in 0..2 {
        store.unmirror(id, &first.id).await.expect("a removal, and one of nothing");
        assert_eq!(find(now).await, Ok(None));
    }
}

async fn what_is_forgotten_is_gone(store: &impl SessionStore, session: &Session, now: i64) {
    let id = session.id();
    let longer = SenderId::try_from(format!("{}x", id.id.as_sent()).as_str()).expect("a usable id");
    let neighbour = SessionId::bot(id.provider, longer);
    let version = store.save(session, Version::Absent, now).await.expect("a save");
    let entry = calendar_entry("e", "Standup");
    for id in [id, &neighbour] {
        assert_eq!(store.record(id, &line("1", Disposition::Ignored, now), now).await, Ok(Recorded::New));
        store.mirror(id, &entry, now).await.expect("a mirror");
    }
    for _ in 0..2 {
        store.forget_entries(id).await.expect("everything beside the session goes, and then nothing");
    }
    assert_eq!(store.calendar_entry(id, &entry.id, now).await, Ok(None));
    assert_eq!(
        store.record(id, &line("2", Disposition::Ignored, now), now).await,
        Ok(Recorded::New),
        "its place is free"
    );
    assert_eq!(store.load(id, now).await.expect("a load").version, version, "the session itself stays");
    assert_eq!(store.calendar_entry(&neighbour, &entry.id, now).await, Ok(Some(entry)));
    let taken = store.record(&neighbour, &line("2", Disposition::Ignored, now), now).await;
    assert_eq!(taken, Ok(Recorded::Taken), "a neighbour keeps everything");
}

async fn an_entry_keeps_its_place_for_a_week(store: &impl SessionStore, id: &SessionId, now: i64, tells: bool) {
    let redelivered = if tells { Recorded::Again } else { Recorded::Taken };
    let ignored = |accept_id| line(accept_id, Disposition::Ignored, now);
    assert_eq!(store.record(id, &ignored("1"), now).await, Ok(Recorded::New));
    assert_eq!(store.record(id, &ignored("1"), now).await, Ok(redelivered), "our queue's redelivery");
    assert_eq!(store.record(id, &ignored("2"), now).await, Ok(Recorded::Taken), "the sender's repetition");
    let duplicate = line("2", Disposition::Duplicate, now);
    assert_eq!(store.record(id, &duplicate, now).await, Ok(Recorded::New), "a duplicate has a place of its own");
    assert_eq!(store.record(id, &duplicate, now).await, Ok(redelivered));
    assert_eq!(store.record(id, &ignored("3"), now + 8 * DAY).await, Ok(Recorded::New), "the first has expired");
}

fn line(accept_id: &str, disposition: Disposition, now: i64) -> TimelineLine {
    TimelineLine {
        key: key(),
        accept_id: AcceptId::new(accept_id),
        kind: "unknown".to_owned(),
        name: "bot.🤖".to_owned(),
        occurred_at: None,
        received_at: ReceivedAt(now * 1000),
        source: Source::Delivered(Endpoint::MeetStream),
        disposition,
        reason: None,
    }
}

fn key() -> DeliveryKey {
    match serde_json::from_str(r#""0123456789abcdef0123456789abcdef""#) {
        Ok(key) => key,
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_store_in_memory_keeps_the_contract() {
        super::store_contract(&crate::MemoryStore::default(), "b", 1_791_212_102, true).await;
        super::queries_contract(&crate::MemoryStore::default(), "b", 1_791_212_102).await;
    }
}
