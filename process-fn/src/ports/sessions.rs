//! Sessions, and the lines and entries beside them.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod dynamo;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod memory;

pub use dynamo::DynamoStore;

use shared::{
    SenderId, Session, SessionId,
    api::CalendarEntry,
    session::{Due, TimelineLine},
};
use std::future::Future;

/// The version of a session that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// There was no session, or an expired one.
    Absent,
    /// The write with this number.
    At(u64),
}

/// A session as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// The session; `None` if there is none.
    pub session: Option<Session>,
    /// The version that the next save must still find.
    pub version: Version,
}

/// Sessions that are due.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DueSessions {
    pub sessions: Vec<Session>,
    /// How many more sessions are due that this version of the code cannot read. They stay as they are, and hold up no other.
    pub unreadable: u32,
}

/// What the table answered when a line of the timeline was stored beside its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// The line is stored now.
    New,
    /// The line was stored before, for the same accepted request.
    Again,
    /// Another accepted request has the place of this line.
    Taken,
}

/// Why a call to the store failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another invocation saved the session since it was read.
    #[error("the session changed since it was read")]
    Conflict,
    /// The document itself cannot be stored.
    #[error("the store calls the document invalid")]
    Invalid,
    /// Another version of this code wrote the document, or it is damaged. Nothing may be written over it.
    #[error("the stored session cannot be read")]
    Unreadable,
    /// The store refused or did not answer.
    #[error("the store is unavailable")]
    Unavailable,
}

/// Versioned documents with conditional writes. `now` is in seconds since the Unix epoch; an item that has expired by then
/// counts as absent, whether it has been deleted or not.
pub trait SessionStore {
    /// Reads a session, as of the last completed save. [`StoreError::Unreadable`] means that there is one, and that this version
    /// must not write it.
    fn load(&self, id: &SessionId, now: i64) -> impl Future<Output = Result<Loaded, StoreError>> + Send;

    /// Writes a session if `expected` is still what is there. [`StoreError::Conflict`] means that nothing was written.
    fn save(
        &self,
        session: &Session,
        expected: Version,
        now: i64,
    ) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// The sessions for which something of this kind is due by `now`, the longest due first: at most [`DUE_PER_SHARD`] of each
    /// shard, from an eventually consistent index.
    fn due(&self, what: Due, now: i64) -> impl Future<Output = Result<DueSessions, StoreError>> + Send;

    /// An entry of a calendar, as it was last mirrored.
    fn calendar_entry(
        &self,
        id: &SessionId,
        entry: &SenderId,
        now: i64,
    ) -> impl Future<Output = Result<Option<CalendarEntry>, StoreError>> + Send;

    /// Mirrors an entry of a calendar, whatever was mirrored before.
    fn mirror(
        &self,
        id: &SessionId,
        entry: &CalendarEntry,
        now: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the mirror of an entry.
    fn unmirror(&self, id: &SessionId, entry: &SenderId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes everything beside a session: lines of the timeline, and mirrored entries of a calendar.
    fn forget_entries(&self, id: &SessionId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores a line of the timeline beside its session for 7 days, unless another delivery has its place.
    fn record(
        &self,
        id: &SessionId,
        entry: &TimelineLine,
        now: i64,
    ) -> impl Future<Output = Result<Recorded, StoreError>> + Send;
}

/// How often a session is read again because another invocation saved it in between.
const MAX_ATTEMPTS: u32 = 5;

/// Reads a session, changes it, and saves it if it is still the one that was read; otherwise does all of that again, a few times. Nothing
/// else writes sessions.
///
/// `change` gets what is stored under `id`, and gives what to save, if anything, and what to answer with. `known` replaces
/// the first read, if the caller has just saved the session. Returns the answer, and the session as it is stored now if it was saved.
///
/// # Errors
/// Those of the store and of `change`; [`StoreError::Conflict`] if another invocation was faster each time.
pub(crate) async fn update_known<T, E: From<StoreError>>(
    store: &impl SessionStore,
    id: &SessionId,
    now: i64,
    mut known: Option<Loaded>,
    mut change: impl AsyncFnMut(Option<Session>) -> Result<(Option<Session>, T), E>,
) -> Result<(T, Option<Loaded>), E> {
    for _ in 0..MAX_ATTEMPTS {
        let Loaded { session, version } = match known.take() {
            Some(known) => known,
            None => store.load(id, now).await?,
        };
        let (next, answer) = change(session).await?;
        let Some(session) = next else { return Ok((answer, None)) };
        match store.save(&session, version, now).await {
            Ok(version) => return Ok((answer, Some(Loaded { session: Some(session), version }))),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// As [`update_known`], for changes that need nothing but the session.
pub(crate) async fn update<E: From<StoreError>>(
    store: &impl SessionStore,
    id: &SessionId,
    now: i64,
    change: impl Fn(Option<Session>) -> Option<Session>,
) -> Result<(), E> {
    update_known(store, id, now, None, async |session| Ok((change(session), ()))).await.map(|((), _)| ())
}

/// How many due sessions of one shard of the index a sweep takes. The longest due come first, the others next time. This also limits for
/// how many bots a minute a provider is asked because of unverified deliveries.
pub const DUE_PER_SHARD: usize = 100;

/// How long a line beside its session is kept. The providers repeat a delivery within this time.
pub(crate) const ENTRY_RETENTION_SECONDS: i64 = 7 * 86_400;
