//! Mirroring a calendar's entries as the provider has them.

use super::{JobError, JobResult, Jobs, later};
use crate::ports::{
    Services,
    providers::{Entries, ProviderApi},
    publisher::Publisher,
    sessions::SessionStore,
};
use shared::{
    SenderId, Session, SessionId,
    api::{CalendarEntries, CalendarEntry},
    session::{Checked, Mention, PublishedEvent},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How many entries one job checks. The rest is left to the next one.
const MOST_ENTRIES: usize = 100;

/// How many entries are asked for and mirrored together.
const AT_A_TIME: usize = 8;

/// How much of a job's time is left for saving what was done.
const FOR_SAVING: Duration = Duration::from_secs(5);

/// When the rest is checked, if the provider failed midway.
const AFTER_A_FAILURE: Duration = Duration::from_secs(60);

/// What was done about entries: the id of each, the mention of it, and the result.
type Results = Vec<(String, Mention, Checked)>;

impl<S: Services> Jobs<S> {
    /// Mirrors the entries that were mentioned since they were last mirrored, each beside the session. What was done before a failure
    /// counts. If no mention names an entry, the entries are mirrored that changed since the calendar was last mentioned.
    pub(super) async fn sync_calendar(
        &self,
        session: &Session,
        now: i64,
        deadline: Instant,
    ) -> Result<JobResult, JobError> {
        let facts = session.calendar().cloned().unwrap_or_default();
        let to_mirror = facts.to_mirror();
        if to_mirror.is_empty() {
            let changed = Entries::ChangedSince(facts.last_updated.clone());
            let found = self.services.providers().calendar_entries(session.id(), &changed).await?;
            for entry in found.entries.values() {
                self.mirror(session.id(), entry, now).await?;
            }
            return Ok(JobResult::Done);
        }
        let due = to_mirror.iter().filter(|(_, mention)| self.next_check(mention.checked).is_none_or(|at| at <= now));
        let due: Vec<_> = due.take(MOST_ENTRIES).copied().collect();
        let (results, rest_at) = self.check_all(session.id(), &due, now, deadline).await?;
        let again_at = |(id, mention): &(&str, &Mention)| match results.iter().find(|(checked, ..)| checked == id) {
            Some((.., checked)) => self.next_check(Some(*checked)),
            None => Some(self.next_check(mention.checked).unwrap_or(rest_at)),
        };
        let again_at = to_mirror.iter().filter_map(again_at).min();
        Ok(JobResult::Synced(results, again_at))
    }

    /// When an entry is checked again that was not found; `None` for any other.
    fn next_check(&self, checked: Option<Checked>) -> Option<i64> {
        match checked {
            Some(Checked::Missing(since)) => Some(later(since, self.gone_after())),
            _ => None,
        }
    }

    /// Checks entries, a few at a time. Returns the results, and when to go on with the rest. An error means that nothing was done.
    async fn check_all(
        &self,
        id: &SessionId,
        due: &[(&str, &Mention)],
        now: i64,
        deadline: Instant,
    ) -> Result<(Results, i64), JobError> {
        let until = deadline.checked_sub(FOR_SAVING).unwrap_or(deadline);
        let mut results = Results::new();
        for some in due.chunks(AT_A_TIME) {
            match timeout_at(until, self.check(id, some, now)).await.unwrap_or(Err(JobError::OutOfTime)) {
                Ok(checked) => results.extend(checked),
                Err(error) if results.is_empty() => return Err(error),
                Err(error) => return Ok((results, later(now, error.wait().max(AFTER_A_FAILURE)))),
            }
        }
        Ok((results, now))
    }

    /// Checks some entries. One that is not found, or is refused, is checked once more an hour later. Only an entry that is not found
    /// then either is gone.
    async fn check(&self, id: &SessionId, some: &[(&str, &Mention)], now: i64) -> Result<Results, JobError> {
        let ids = some.iter().filter_map(|(id, _)| SenderId::try_from(*id).ok()).collect();
        let found = self.services.providers().calendar_entries(id, &Entries::Named(ids)).await?;
        let CalendarEntries { entries, gone } = found;
        let mut results = Results::new();
        for (name, mention) in some {
            let entry_id = SenderId::try_from(*name).ok();
            let entry = entry_id.as_ref().and_then(|id| entries.get(id));
            let checked = match (&entry_id, entry, mention.checked) {
                // No provider has such an id.
                (None, ..) => Checked::Mirrored,
                (_, Some(entry), _) => {
                    self.mirror(id, entry, now).await?;
                    Checked::Mirrored
                }
                (Some(entry_id), None, Some(Checked::Missing(_))) => {
                    if gone.contains(entry_id) {
                        self.unmirror(id, entry_id, now).await?;
                    }
                    Checked::Mirrored
                }
                (_, None, _) => Checked::Missing(now),
            };
            results.push(((*name).to_owned(), (*mention).clone(), checked));
        }
        Ok(results)
    }

    /// Publishes an entry that changed and then mirrors it, so that no change is mirrored that was not published.
    async fn mirror(&self, id: &SessionId, entry: &CalendarEntry, now: i64) -> Result<(), JobError> {
        let store = self.services.sessions();
        if store.calendar_entry(id, &entry.id, now).await?.as_ref() != Some(entry) {
            self.services.publisher().publish(&[PublishedEvent::of_entry(id, entry)]).await?;
            store.mirror(id, entry, now).await?;
        }
        Ok(())
    }

    async fn unmirror(&self, id: &SessionId, entry: &SenderId, now: i64) -> Result<(), JobError> {
        let store = self.services.sessions();
        if store.calendar_entry(id, entry, now).await?.is_some() {
            self.services.publisher().publish(&[PublishedEvent::of_gone_entry(id, entry)]).await?;
            store.unmirror(id, entry).await?;
        }
        Ok(())
    }
}
