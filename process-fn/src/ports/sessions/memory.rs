//! A store in memory that obeys the table's rules.

use super::{DUE_PER_SHARD, DueSessions, ENTRY_RETENTION_SECONDS, Loaded, Recorded, SessionStore, StoreError, Version};
use shared::{
    SenderId, Session, SessionId,
    api::CalendarEntry,
    session::{Due, TimelineLine},
    table::{due_shard, entry_sort_key, line_sort_key, partition_key},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A store in memory. Its fault is called at the start of each call with the call's name (`load`, `save`, `record`) and may
/// answer in its place, or panic.
/// Its clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    fault: Arc<Mutex<Option<Fault>>>,
}

type Fault = Box<dyn FnMut(&str, &SessionId) -> Result<(), StoreError> + Send>;

#[derive(Default)]
struct Tables {
    sessions: BTreeMap<String, (Session, u64, i64)>,
    entries: BTreeMap<(String, String), (TimelineLine, i64)>,
    mirrored: BTreeMap<(String, String), (CalendarEntry, i64)>,
    calls: Vec<String>,
}

/// How long the store keeps sessions, in seconds.
const SESSION_RETENTION_SECONDS: i64 = 90 * 86_400;

impl MemoryStore {
    /// Lets `fault` answer calls from now on.
    pub fn set_fault(&self, fault: impl FnMut(&str, &SessionId) -> Result<(), StoreError> + Send + 'static) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(fault));
    }

    /// Every call is answered by the store again.
    pub fn clear_fault(&self) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The session with this id, expired or not.
    #[must_use]
    pub fn session(&self, id: &SessionId) -> Option<Session> {
        self.tables().sessions.get(&partition_key(id)).map(|(session, ..)| session.clone())
    }

    /// The entries kept beside this session, in order of their keys.
    #[must_use]
    pub fn entries(&self, id: &SessionId) -> Vec<TimelineLine> {
        let pk = partition_key(id);
        self.tables().entries.iter().filter(|((of, _), _)| *of == pk).map(|(_, (entry, _))| entry.clone()).collect()
    }

    /// All sessions that have not expired by `now`, in seconds since the Unix epoch.
    #[must_use]
    pub fn sessions(&self, now: i64) -> Vec<Session> {
        let tables = self.tables();
        let live = tables.sessions.values().filter(|(.., expires_at)| *expires_at > now);
        live.map(|(session, ..)| session.clone()).collect()
    }

    /// All entries beside sessions that have not expired by `now`, each with its partition key.
    #[must_use]
    pub fn all_entries(&self, now: i64) -> Vec<(String, TimelineLine)> {
        let tables = self.tables();
        let live = tables.entries.iter().filter(|(_, (_, expires_at))| *expires_at > now);
        live.map(|((pk, _), (entry, _))| (pk.clone(), entry.clone())).collect()
    }

    /// Deletes what has expired by `now`, as a table does some day.
    pub fn delete_expired(&self, now: i64) {
        let mut tables = self.tables();
        tables.sessions.retain(|_, (.., expires_at)| *expires_at > now);
        tables.entries.retain(|_, (_, expires_at)| *expires_at > now);
    }

    /// The names of all calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.tables().calls.clone()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, call: &str, id: &SessionId) -> Result<(), StoreError> {
        self.tables().calls.push(call.to_owned());
        match self.fault.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(fault) => fault(call, id),
            None => Ok(()),
        }
    }
}

impl SessionStore for MemoryStore {
    async fn load(&self, id: &SessionId, now: i64) -> Result<Loaded, StoreError> {
        self.begin("load", id)?;
        Ok(match self.tables().sessions.get(&partition_key(id)) {
            Some((session, version, expires_at)) if *expires_at > now => {
                Loaded { session: Some(session.clone()), version: Version::At(*version) }
            }
            _ => Loaded { session: None, version: Version::Absent },
        })
    }

    async fn save(&self, session: &Session, expected: Version, now: i64) -> Result<Version, StoreError> {
        self.begin("save", session.id())?;
        let mut tables = self.tables();
        let pk = partition_key(session.id());
        let found = tables.sessions.get(&pk);
        let holds = match expected {
            Version::Absent => found.is_none_or(|(_, _, expires_at)| *expires_at <= now),
            Version::At(version) => found.is_some_and(|(_, found, _)| *found == version),
        };
        if !holds {
            return Err(StoreError::Conflict);
        }
        let next = if let Version::At(version) = expected { version + 1 } else { 1 };
        tables.sessions.insert(pk, (session.clone(), next, now + SESSION_RETENTION_SECONDS));
        Ok(Version::At(next))
    }

    async fn due(&self, what: Due, now: i64) -> Result<DueSessions, StoreError> {
        let tables = self.tables();
        let live = tables.sessions.values().filter(|(_, _, expires_at)| *expires_at > now).map(|(session, ..)| session);
        let is_due = |session: &&Session| session.due() == what && session.due_at().is_some_and(|due_at| due_at <= now);
        let mut due: Vec<_> = live.filter(is_due).collect();
        due.sort_by_cached_key(|session| session.due_at());
        let mut taken = BTreeMap::<_, usize>::new();
        due.retain(|session| {
            let taken = taken.entry(due_shard(session)).or_default();
            *taken += 1;
            *taken <= DUE_PER_SHARD
        });
        Ok(DueSessions { sessions: due.into_iter().cloned().collect(), unreadable: 0 })
    }

    async fn calendar_entry(
        &self,
        id: &SessionId,
        entry: &SenderId,
        now: i64,
    ) -> Result<Option<CalendarEntry>, StoreError> {
        let tables = self.tables();
        let found = tables.mirrored.get(&(partition_key(id), entry_sort_key(entry)));
        Ok(found.filter(|(_, expires_at)| *expires_at > now).map(|(entry, _)| entry.clone()))
    }

    async fn mirror(&self, id: &SessionId, entry: &CalendarEntry, now: i64) -> Result<(), StoreError> {
        self.begin("mirror", id)?;
        let key = (partition_key(id), entry_sort_key(&entry.id));
        self.tables().mirrored.insert(key, (entry.clone(), now + SESSION_RETENTION_SECONDS));
        Ok(())
    }

    async fn unmirror(&self, id: &SessionId, entry: &SenderId) -> Result<(), StoreError> {
        self.begin("unmirror", id)?;
        self.tables().mirrored.remove(&(partition_key(id), entry_sort_key(entry)));
        Ok(())
    }

    async fn forget_entries(&self, id: &SessionId) -> Result<(), StoreError> {
        self.begin("forget", id)?;
        let pk = partition_key(id);
        let mut tables = self.tables();
        tables.entries.retain(|(of, _), _| *of != pk);
        tables.mirrored.retain(|(of, _), _| *of != pk);
        Ok(())
    }

    async fn record(&self, id: &SessionId, entry: &TimelineLine, now: i64) -> Result<Recorded, StoreError> {
        self.begin("record", id)?;
        let mut tables = self.tables();
        let key = (partition_key(id), line_sort_key(entry));
        match tables.entries.get(&key) {
            Some((other, expires_at)) if *expires_at > now => {
                Ok(if other.accept_id == entry.accept_id { Recorded::Again } else { Recorded::Taken })
            }
            _ => {
                tables.entries.insert(key, (entry.clone(), now + ENTRY_RETENTION_SECONDS));
                Ok(Recorded::New)
            }
        }
    }
}
