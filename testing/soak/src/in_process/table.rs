//! The table: behind the store in memory, or behind the real adapter with an answer for each of its requests.

mod wire;

use futures_util::FutureExt as _;
use process_fn::{DueSessions, DynamoStore, Loaded, MemoryStore, Recorded, SessionStore, StoreError, Version};
use shared::{
    Provider, SenderId, Session, SessionId,
    api::CalendarEntry,
    session::{Due, TimelineLine},
};
use std::{sync::Arc, time::Duration};
pub(super) use wire::Items;

/// Where sessions live in this process.
#[derive(Clone)]
pub(super) enum Table {
    /// The double that all tests of processing use.
    Memory(Arc<MemoryStore>),
    /// The adapter for the real table, over items in memory.
    Dynamo(DynamoStore, Items),
}

/// How long sessions are kept, as in the template.
const SESSION_RETENTION: Duration = Duration::from_secs(90 * 86_400);

impl Table {
    /// An empty table.
    #[must_use]
    pub(super) fn new(is_dynamo: bool) -> Self {
        if is_dynamo {
            let items = Items::default();
            let store = DynamoStore::new(&items.connection(), "table".to_owned(), SESSION_RETENTION);
            Self::Dynamo(store, items)
        } else {
            Self::Memory(Arc::default())
        }
    }

    /// Every session that has not expired by `now`, in seconds since the Unix epoch.
    #[must_use]
    pub(super) fn sessions(&self, now: i64) -> Vec<Session> {
        match self {
            Self::Memory(store) => store.sessions(now),
            Self::Dynamo(_, items) => items.sessions(now),
        }
    }

    /// Whether something is due for a session by `now`.
    #[must_use]
    pub(super) fn is_due(&self, now: i64) -> bool {
        match self {
            Self::Memory(store) => {
                let unverified = Provider::ALL.into_iter().map(Due::Unverified);
                let mut all = [Due::Work, Due::Erasure].into_iter().chain(unverified);
                all.any(|what| matches!(store.due(what, now).now_or_never(), Some(Ok(due)) if !due.sessions.is_empty()))
            }
            Self::Dynamo(_, items) => items.is_due(now),
        }
    }

    /// Every entry beside a session that has not expired by `now`, with its partition key.
    #[must_use]
    pub(super) fn entries(&self, now: i64) -> Vec<(String, TimelineLine)> {
        match self {
            Self::Memory(store) => store.all_entries(now),
            Self::Dynamo(_, items) => items.entries(now),
        }
    }

    /// Deletes what has expired by `now`, as the real table does some day.
    pub(super) fn delete_expired(&self, now: i64) {
        match self {
            Self::Memory(store) => store.delete_expired(now),
            Self::Dynamo(_, items) => items.delete_expired(now),
        }
    }
}

impl SessionStore for Table {
    async fn load(&self, id: &SessionId, now: i64) -> Result<Loaded, StoreError> {
        match self {
            Self::Memory(store) => store.load(id, now).await,
            Self::Dynamo(store, _) => store.load(id, now).await,
        }
    }

    async fn save(&self, session: &Session, expected: Version, now: i64) -> Result<Version, StoreError> {
        match self {
            Self::Memory(store) => store.save(session, expected, now).await,
            Self::Dynamo(store, _) => store.save(session, expected, now).await,
        }
    }

    async fn record(&self, id: &SessionId, entry: &TimelineLine, now: i64) -> Result<Recorded, StoreError> {
        match self {
            Self::Memory(store) => store.record(id, entry, now).await,
            Self::Dynamo(store, _) => store.record(id, entry, now).await,
        }
    }

    async fn due(&self, what: Due, now: i64) -> Result<DueSessions, StoreError> {
        match self {
            Self::Memory(store) => store.due(what, now).await,
            Self::Dynamo(store, _) => store.due(what, now).await,
        }
    }

    async fn calendar_entry(
        &self,
        id: &SessionId,
        entry: &SenderId,
        now: i64,
    ) -> Result<Option<CalendarEntry>, StoreError> {
        match self {
            Self::Memory(store) => store.calendar_entry(id, entry, now).await,
            Self::Dynamo(store, _) => store.calendar_entry(id, entry, now).await,
        }
    }

    async fn mirror(&self, id: &SessionId, entry: &CalendarEntry, now: i64) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.mirror(id, entry, now).await,
            Self::Dynamo(store, _) => store.mirror(id, entry, now).await,
        }
    }

    async fn unmirror(&self, id: &SessionId, entry: &SenderId) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.unmirror(id, entry).await,
            Self::Dynamo(store, _) => store.unmirror(id, entry).await,
        }
    }

    async fn forget_entries(&self, id: &SessionId) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.forget_entries(id).await,
            Self::Dynamo(store, _) => store.forget_entries(id).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_fn::contract::store_contract;

    #[tokio::test(start_paused = true)]
    async fn the_table_behind_the_real_adapter_keeps_the_contract() {
        store_contract(&Table::new(true), "contract", 1_791_212_102, true).await;
    }
}
