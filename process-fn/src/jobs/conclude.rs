//! Saving what became of a job: its result, or the time of its next try.

use super::{Attempt, JobError, JobResult, Jobs, MIN_TRIES, later};
use crate::ports::{
    Services,
    publisher::Publisher,
    sessions::{SessionStore, StoreError, update, update_known},
};
use shared::{
    Session,
    session::{Job, Progress, PublishedEvent, Stored, StoredCopy, advance},
};
use std::time::Duration;

impl<S: Services> Jobs<S> {
    /// Publishes a result and then saves it, so that no result is saved that was not published. Returns the jobs that it gives rise
    /// to.
    pub(super) async fn conclude(&self, attempt: Attempt<'_>, result: &JobResult) -> Result<Vec<Job>, JobError> {
        let Attempt { id, now, .. } = attempt;
        let change = async |found: Option<Session>| {
            let Some(session) = found else { return Ok((None, Some(vec![]))) };
            if let (JobResult::Copied(..), true) = (result, session.is_erased()) {
                // The bot was deleted while its artifact was fetched, so what was stored meanwhile is removed as well.
                self.remove_artifacts(id).await?;
                return Ok((None, Some(vec![])));
            }
            let (next, events) = self.concluded(&session, attempt, result).await?;
            if self.services.publisher().publish(&events).await.is_err() {
                return Ok((None, None));
            }
            let wanted = next.newly_wanted(session.jobs(), now);
            Ok::<_, JobError>((Some(next), Some(wanted)))
        };
        match update_known(self.services.sessions(), id, now, None, change).await? {
            (Some(wanted), _) => Ok(wanted),
            (None, _) => self.reschedule_unpublished(attempt, result).await,
        }
    }

    /// The session with the result of a job, and the events to publish.
    async fn concluded(
        &self,
        session: &Session,
        Attempt { id, job, trigger, now, .. }: Attempt<'_>,
        result: &JobResult,
    ) -> Result<(Session, Vec<PublishedEvent>), StoreError> {
        let settled = session.with_settled(job, trigger);
        let is_settled_beyond = || session.jobs().get(&job).is_some_and(|progress| progress.is_settled_beyond(trigger));
        Ok(match result {
            // Another try for a later reason was faster, and its copy is at least as new.
            JobResult::Copied(..) if is_settled_beyond() => (settled, vec![]),
            JobResult::Copied(artifact, copy) => {
                let event = PublishedEvent::of_copy(id, *artifact, copy, trigger);
                (settled.with_copy(*artifact, copy.clone()), vec![event])
            }
            JobResult::Confirmed(events) => {
                let (mut next, mut published) = (settled, Vec::new());
                for event in events {
                    let transition = advance(&next, event);
                    for line in &transition.records {
                        self.services.sessions().record(id, line, now).await?;
                    }
                    published.extend(transition.published);
                    next = transition.session.unwrap_or(next);
                }
                (next, published)
            }
            JobResult::Done => (settled, vec![]),
            JobResult::Synced(checked, None) => (settled.with_checked(checked), vec![]),
            JobResult::Synced(checked, Some(again_at)) => {
                (session.with_checked(checked).with_rest(job, *again_at), vec![])
            }
            JobResult::Erased(again_at) => {
                let event = again_at.is_none().then(|| PublishedEvent::of_erasure(id));
                (session.with_erased(job, trigger, *again_at), event.into_iter().collect())
            }
        })
    }

    /// Saves a result that could not be published, and the time of the next try to publish it. What was fetched is not fetched
    /// again.
    async fn reschedule_unpublished(&self, attempt: Attempt<'_>, result: &JobResult) -> Result<Vec<Job>, JobError> {
        let Attempt { job, now, .. } = attempt;
        let postpone = |session: &Session| {
            let tries = session.pending(job).map_or(0, Progress::attempts) + 1;
            let retry_at = later(now, self.settings.retry.after(tries));
            let next = match result {
                JobResult::Copied(artifact, StoredCopy::Stored(stored)) => {
                    let stored = Stored { is_unpublished: true, ..stored.clone() };
                    session.with_copy(*artifact, StoredCopy::Stored(stored))
                }
                _ => session.clone(),
            };
            next.with_postponed(job, now, retry_at)
        };
        self.save_if_wanted(attempt, postpone).await
    }

    /// Saves the time of the next try after one that failed.
    pub(super) async fn reschedule(&self, attempt: Attempt<'_>, error: JobError) -> Result<Vec<Job>, JobError> {
        let Attempt { job, now, .. } = attempt;
        let mut wait = error.wait().max(self.settings.retry.after(attempt.earlier + 1));
        if matches!(job, Job::Confirm | Job::ConfirmDeletion) && error.may_be_gone() {
            // Strangers can name any number of bots that never existed. Each is asked about a few times only.
            wait = wait.max(self.gone_after() / MIN_TRIES);
        }
        let postpone = |session: &Session| {
            let postponed = session.with_postponed(job, now, later(now, wait));
            if error.may_be_gone() { postponed.with_not_found(job, now) } else { postponed }
        };
        self.save_if_wanted(attempt, postpone).await
    }

    /// Saves when a job goes on that asked nobody. That does not count as a try.
    pub(super) async fn rest(&self, attempt: Attempt<'_>, rest: Duration) -> Result<Vec<Job>, JobError> {
        let until = later(attempt.now, rest);
        self.save_if_wanted(attempt, |session| session.with_rest(attempt.job, until)).await
    }

    /// Saves a change, unless the job was settled meanwhile or is wanted for another reason now.
    async fn save_if_wanted(
        &self,
        Attempt { id, job, trigger, now, .. }: Attempt<'_>,
        change: impl Fn(&Session) -> Session,
    ) -> Result<Vec<Job>, JobError> {
        let change = |found: Option<Session>| {
            let session = found?;
            session.pending(job).filter(|progress| progress.wanted() == trigger)?;
            Some(change(&session))
        };
        update::<JobError>(self.services.sessions(), id, now, change).await.map(|()| vec![])
    }
}
