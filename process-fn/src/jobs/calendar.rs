//! Keeping a calendar's entries as the provider has them.

use super::{Archive, GONE_AFTER, JobError, JobResult, JobRunner, later};
use crate::{
    ports::bucket::Vault,
    ports::providers::{Entries, ProviderApi},
    ports::publisher::Publisher,
    ports::sessions::SessionStore,
};
use shared::{
    SenderId, Session, SessionId,
    api::{CalendarEntries, CalendarEntry},
    session::{Heard, PublishedEvent, Seen},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How many entries one job looks at; what is left is the next one's.
const MOST_ENTRIES: usize = 100;

/// How many are asked for and noted together.
const AT_A_TIME: usize = 8;

/// How much of a job's time is left for noting what was done.
const FOR_NOTING: Duration = Duration::from_secs(5);

/// When the rest is looked at, if the provider failed in the midst of it.
const AFTER_A_SETBACK: Duration = Duration::from_secs(60);

/// What was done about entries, each as it was touched.
type Looked = Vec<(String, Heard, Seen)>;

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> JobRunner<S, V, A, R, P> {
    /// Fetches the entries that were touched since they were last mirrored, and mirrors each beside the session. Those that
    /// changed are told before they are mirrored, so that none changes untold. What is done is done, whatever becomes of the
    /// rest. Where nothing says which were touched, those are asked for that changed since the calendar was last heard of.
    pub(super) async fn sync_calendar(
        &self,
        session: &Session,
        now: i64,
        deadline: Instant,
    ) -> Result<JobResult, JobError> {
        let id = session.id();
        let facts = session.calendar().cloned().unwrap_or_default();
        let touched = facts.to_mirror();
        if touched.is_empty() {
            let changed = Entries::ChangedSince(facts.last_updated.clone());
            let found = self.api.calendar_entries(id, &changed).await.map_err(JobError::Provider)?;
            for entry in found.entries.values() {
                self.mirror(id, entry, now).await?;
            }
            return Ok(JobResult::Done);
        }
        let (mut looked, mut rest_at) = (Looked::new(), now);
        let due = touched.iter().filter(|(_, heard)| self.next_look(heard).is_none_or(|at| at <= now));
        let due: Vec<_> = due.take(MOST_ENTRIES).copied().collect();
        for some in due.chunks(AT_A_TIME) {
            let until = deadline.checked_sub(FOR_NOTING).unwrap_or(deadline);
            let done = match timeout_at(until, self.look(id, some, now)).await {
                Ok(done) => done,
                Err(_) => Err(JobError::OutOfTime),
            };
            match done {
                Ok(done) => looked.extend(done),
                Err(error) if looked.is_empty() => return Err(error),
                Err(error) => {
                    rest_at = later(now, error.wait().unwrap_or_default().max(AFTER_A_SETBACK));
                    break;
                }
            }
        }
        let next_look = |(id, heard): &(&str, &Heard)| match looked.iter().find(|(looked, ..)| looked == id) {
            Some((.., Seen::Mirrored)) => None,
            Some((.., seen)) => self.after(Some(*seen)),
            None => Some(self.next_look(heard).unwrap_or(rest_at)),
        };
        let again_at = touched.iter().filter_map(next_look).min();
        Ok(JobResult::Synced(looked, again_at))
    }

    /// When an entry is looked at again that was not found; `None` for one that was not looked at since it was touched.
    fn next_look(&self, heard: &Heard) -> Option<i64> {
        self.after(heard.seen)
    }

    fn after(&self, seen: Option<Seen>) -> Option<i64> {
        match seen {
            Some(Seen::Missing(since)) => Some(later(since, GONE_AFTER.min(self.patience))),
            _ => None,
        }
    }

    /// Looks at some entries. One that is not found, or is refused, is looked at once more an hour later, and only what is not
    /// found then either is gone.
    async fn look(&self, id: &SessionId, some: &[(&str, &Heard)], now: i64) -> Result<Looked, JobError> {
        let ids = some.iter().filter_map(|(id, _)| SenderId::try_from(*id).ok()).collect();
        let found = self.api.calendar_entries(id, &Entries::Named(ids)).await.map_err(JobError::Provider)?;
        let CalendarEntries { entries, gone } = found;
        let mut looked = Looked::new();
        for (name, heard) in some {
            let Ok(entry_id) = SenderId::try_from(*name) else {
                looked.push(((*name).to_owned(), (*heard).clone(), Seen::Mirrored));
                continue;
            };
            let seen = match (entries.get(&entry_id), heard.seen) {
                (Some(entry), _) => {
                    self.mirror(id, entry, now).await?;
                    Seen::Mirrored
                }
                (None, Some(Seen::Missing(_))) => {
                    if gone.contains(&entry_id) {
                        self.take_away(id, &entry_id, now).await?;
                    }
                    Seen::Mirrored
                }
                (None, _) => Seen::Missing(now),
            };
            looked.push(((*name).to_owned(), (*heard).clone(), seen));
        }
        Ok(looked)
    }

    async fn mirror(&self, id: &SessionId, entry: &CalendarEntry, now: i64) -> Result<(), JobError> {
        if self.store.calendar_entry(id, &entry.id, now).await?.as_ref() != Some(entry) {
            self.publisher.publish(&[PublishedEvent::of_entry(id, entry)]).await?;
            self.store.mirror(id, entry, now).await?;
        }
        Ok(())
    }

    async fn take_away(&self, id: &SessionId, entry: &SenderId, now: i64) -> Result<(), JobError> {
        if self.store.calendar_entry(id, entry, now).await?.is_some() {
            self.publisher.publish(&[PublishedEvent::of_gone_entry(id, entry)]).await?;
            self.store.unmirror(id, entry).await?;
        }
        Ok(())
    }
}
