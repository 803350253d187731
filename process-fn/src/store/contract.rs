//! What every store must do. Run against the one in memory here, and against the table in `e2e`.
#![expect(clippy::expect_used, clippy::panic, reason = "a test suite, compiled for tests only")]

use super::{Recorded, SessionStore, StoreError, Version};
use shared::{
    DeliveryKey, Provider, ReceivedAt, SenderId, Session, SessionId, Source,
    endpoint::Endpoint,
    ids::AcceptId,
    session::{Disposition, MissingDelivery, TimelineLine},
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
    an_entry_keeps_its_place_for_a_week(store, session("recorded").id(), now, tells_what_is_in_the_way).await;
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

async fn an_entry_keeps_its_place_for_a_week(store: &impl SessionStore, id: &SessionId, now: i64, tells: bool) {
    let redelivered = if tells { Recorded::Again } else { Recorded::Taken };
    let entry = |accept_id: &str, disposition| TimelineLine {
        key: key(),
        accept_id: AcceptId::new(accept_id),
        kind: "unknown".to_owned(),
        name: "bot.🤖".to_owned(),
        occurred_at: None,
        received_at: ReceivedAt(now * 1000),
        source: Source::Delivered(Endpoint::MeetStream),
        disposition,
        reason: None,
    };
    let ignored = |accept_id| entry(accept_id, Disposition::Ignored);
    assert_eq!(store.record(id, &ignored("1"), now).await, Ok(Recorded::New));
    assert_eq!(store.record(id, &ignored("1"), now).await, Ok(redelivered), "our queue's redelivery");
    assert_eq!(store.record(id, &ignored("2"), now).await, Ok(Recorded::Taken), "the sender's repetition");
    let duplicate = entry("2", Disposition::Duplicate);
    assert_eq!(store.record(id, &duplicate, now).await, Ok(Recorded::New), "a duplicate has a place of its own");
    assert_eq!(store.record(id, &duplicate, now).await, Ok(redelivered));
    assert_eq!(store.record(id, &ignored("3"), now + 8 * DAY).await, Ok(Recorded::New), "the first has expired");
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
    }
}
