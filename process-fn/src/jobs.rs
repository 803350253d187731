//! What is to be done for a session apart from any delivery: fetching, confirming, mirroring, erasing.
//!
//! The session holds the intent. A job is carried out between two reads of it: the first says whether it is still wanted,
//! the second is saved with what came of it. Carried out twice, it ends the same. A failed one is not the queue's to try again:
//! the time of the next try is saved with the intent, and the sweep finds it.

mod calendar;
pub(crate) mod command;
mod confirm;
mod delete;
mod erase;
mod fetch;
mod refetch;
pub(crate) mod sweep;

use crate::{
    log,
    ports::bucket::uploads::{Archive, ArchiveError},
    ports::bucket::{Vault, VaultError},
    ports::providers::{ApiError, Cause, ProviderApi, Refusal},
    ports::publisher::{PublishError, Publisher},
    ports::queues::redelivery::backoff,
    ports::sessions::{SessionStore, StoreError, update, update_known},
};
use shared::{
    Event, ReceivedAt, Session, SessionId,
    event::Artifact,
    session::{Heard, Job, Progress, PublishedEvent, Seen, Stored, StoredCopy, Trigger, advance},
};
use std::time::Duration;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// When everything of a bot is erased once more, in seconds after the first time: longer than the longest invocation that
/// Lambda allows, so that whatever was on its way when the deletion came has arrived by then.
const ONCE_MORE_AFTER: i64 = 20 * 60;

/// The fewest tries before anything is given up that may come right by itself, however long they took.
const MIN_TRIES: u32 = 3;

/// For how long a provider must know nothing of something before that counts: a 404 may be a moment's, or of a server that is
/// behind.
const GONE_AFTER: Duration = Duration::from_secs(3600);

/// Everything that jobs need from outside.
#[derive(Debug)]
pub struct JobRunner<S, V, A, R, P> {
    /// Where sessions live.
    pub store: S,
    /// The bucket, for what is to be erased.
    pub vault: V,
    /// The bucket, for what is to be kept.
    pub archive: A,
    /// The providers.
    pub api: R,
    /// Who is told.
    pub publisher: P,
    /// How long after its first try a job is given up that depends on a provider.
    pub patience: Duration,
    /// The wait after the first try that came to nothing; it doubles with each further one. It ends with a sweep, and those
    /// are a minute apart.
    pub retry_base: Duration,
    /// The longest wait between two tries, unless the provider asks for a longer one.
    pub retry_max: Duration,
    /// Whether sound and picture are kept, beside transcripts.
    pub keeps_recordings: bool,
    /// Who may have a transcript in memory.
    pub transcripts: TranscriptPlaces,
}

/// Places for transcripts in memory. Unlike recordings they are read whole, each up to [`MAX_ANSWER_BYTES`](crate::MAX_ANSWER_BYTES),
/// and each takes up to three times its size between two calls, and ten times while its form is read, which no two are at once. So two
/// take at most 360 MB of the function's 512, beside the parts of recordings.
#[derive(Debug)]
pub struct TranscriptPlaces(Semaphore);

impl Default for TranscriptPlaces {
    fn default() -> Self {
        Self(Semaphore::new(2))
    }
}

/// What came of a job.
#[derive(Debug)]
enum JobResult {
    /// A copy of an artifact, or the certainty that there will be none.
    Copied(Artifact, StoredCopy),
    /// What the provider said, to be merged as any delivery.
    Told(Vec<Event>),
    /// It is done, and there is nothing more to say.
    Done,
    /// These entries of a calendar were looked at; if there is more to do, at this time.
    Synced(Vec<(String, Heard, Seen)>, Option<i64>),
    /// Everything was erased; unless that was the second round, it is done again at this time.
    Erased(Option<i64>),
}

/// Why a job came to nothing this time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Archive(ArchiveError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the provider: {0}")]
    Provider(ApiError),
    #[error("the provider is not through with it")]
    Pending,
    #[error("it was fetched a moment ago")]
    Recent(Duration),
    #[error("somebody else saved the session on every attempt")]
    Contended,
    #[error("the invocation's time is up")]
    OutOfTime,
    #[error("it is larger than an object can be")]
    TooLarge,
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        if error == StoreError::Conflict { Self::Contended } else { Self::Store(error) }
    }
}

impl From<ArchiveError> for JobError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Download(error) => Self::Provider(error),
            ArchiveError::OutOfTime => Self::OutOfTime,
            ArchiveError::TooLarge => Self::TooLarge,
            ArchiveError::Unavailable => Self::Archive(error),
        }
    }
}

impl JobError {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Store(_) => "store_unavailable",
            Self::Vault(_) | Self::Archive(_) => "vault_unavailable",
            Self::Publish(_) => "publish_failed",
            Self::Provider(error) => error.code(),
            Self::Pending => "not_in_time",
            Self::Recent(_) => "recent",
            Self::Contended => "contended",
            Self::OutOfTime => "out_of_time",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether waiting longer than our patience may still help: what fails on our side is no reason to give anything up.
    fn is_ours(self) -> bool {
        !matches!(self, Self::Provider(_) | Self::Pending | Self::OutOfTime | Self::TooLarge)
    }

    /// Whether trying again is no use. An answer of the provider's never says that for certain.
    fn is_hopeless(self) -> bool {
        use Refusal::{NotOffered, UnsafeUrl, UnusableId};
        match self {
            Self::Provider(ApiError::Later { cause, .. }) => cause == Cause::NoKey,
            Self::Provider(ApiError::Never(refusal)) => matches!(refusal, UnusableId | UnsafeUrl | NotOffered),
            Self::TooLarge => true,
            _ => false,
        }
    }

    /// Whether there may be no such thing, or not any more.
    fn may_be_gone(self) -> bool {
        matches!(self, Self::Provider(ApiError::Never(Refusal::NotFound | Refusal::Gone)))
    }

    /// How long to wait before it is really tried: nobody was asked.
    fn rest(self) -> Option<Duration> {
        match self {
            Self::Provider(ApiError::Later { cause: Cause::Resting, wait }) => Some(wait.unwrap_or_default()),
            Self::Recent(wait) => Some(wait),
            _ => None,
        }
    }

    fn wait(self) -> Option<Duration> {
        if let Self::Provider(error) = self { error.wait() } else { None }
    }
}

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> JobRunner<S, V, A, R, P> {
    /// Carries a job out, if it is still wanted and due, until `deadline`. `now` is in seconds since the Unix epoch. What is
    /// to be done next because of it is returned.
    ///
    /// # Errors
    /// A [`JobError`] that could not even be saved. The intent is as it was, so the sweep sends the job again.
    pub(crate) async fn run(
        &self,
        id: &SessionId,
        job: Job,
        now: i64,
        deadline: Instant,
    ) -> Result<Vec<Job>, JobError> {
        let Some(session) = self.store.load(id, now).await?.session else { return Ok(vec![]) };
        let Some(progress) = session.pending(job).filter(|progress| !progress.must_wait(now)) else {
            return Ok(vec![]);
        };
        let (trigger, attempts) = (progress.wanted(), progress.attempts());
        let seconds = |time: i64| Duration::from_secs(u64::try_from(time).unwrap_or(0));
        let tried_for = seconds(progress.tried_for(now));
        let not_found_for = seconds(progress.not_found_for(now));
        let end = timeout_at(deadline, self.carry_out(&session, job, now, deadline))
            .await
            .unwrap_or(Err(JobError::OutOfTime));
        if let Some(rest) = end.as_ref().err().and_then(|error| error.rest()) {
            let until = later(now, rest);
            return self.save_later(id, job, trigger, |session| session.with_rest(job, until), now).await;
        }
        log::job(id, job, attempts, end.as_ref().map(JobResult::code).map_err(|error| error.code()));
        match end {
            Ok(end) => self.conclude(id, job, trigger, &end, now).await,
            Err(error) => {
                let tried_for = if error.may_be_gone() { not_found_for } else { tried_for };
                self.reschedule(id, job, trigger, (attempts + 1, tried_for), error, now).await
            }
        }
    }

    async fn carry_out(&self, session: &Session, job: Job, now: i64, deadline: Instant) -> Result<JobResult, JobError> {
        match job {
            Job::FetchTranscript => self.fetch(session, Artifact::Transcript, now, deadline).await,
            Job::FetchAudio => self.fetch(session, Artifact::Audio, now, deadline).await,
            Job::FetchVideo => self.fetch(session, Artifact::Video, now, deadline).await,
            Job::Confirm => self.confirm(session, now).await,
            Job::SyncCalendar => self.sync_calendar(session, now, deadline).await,
            Job::Erase => self.erase(session, Some(now.saturating_add(ONCE_MORE_AFTER))).await,
            Job::EraseAgain => self.erase(session, None).await,
        }
    }

    /// Saves what came of a job, after telling it. Nothing is saved that was not told.
    async fn conclude(
        &self,
        id: &SessionId,
        job: Job,
        trigger: Trigger,
        end: &JobResult,
        now: i64,
    ) -> Result<Vec<Job>, JobError> {
        let concluded = async |found| {
            let Some(session): Option<Session> = found else { return Ok((None, Some(vec![]))) };
            if let (JobResult::Copied(..), true) = (end, session.is_erased()) {
                // Deleted while it was fetched: what was stored meanwhile goes the way of the rest.
                self.remove_artifacts(id).await?;
                return Ok((None, Some(vec![])));
            }
            let (next, published) = self.concluded(&session, job, trigger, end, now).await?;
            if self.publisher.publish(&published).await.is_err() {
                return Ok((None, None));
            }
            let wanted = next.newly_wanted(session.jobs(), now);
            Ok::<_, JobError>((Some(next), Some(wanted)))
        };
        match update_known(&self.store, id, now, None, concluded).await? {
            (Some(wanted), _) => Ok(wanted),
            (None, _) => self.reschedule_untold(id, job, trigger, end, now).await,
        }
    }

    /// The session with what came of a job, and what is to be told of it.
    async fn concluded(
        &self,
        session: &Session,
        job: Job,
        trigger: Trigger,
        end: &JobResult,
        now: i64,
    ) -> Result<(Session, Vec<PublishedEvent>), StoreError> {
        let settled = session.with_settled(job, trigger);
        let is_settled_beyond = || session.jobs().get(&job).is_some_and(|progress| progress.is_settled_beyond(trigger));
        Ok(match end {
            // Somebody was faster with a later reason, and what they brought is at least as new.
            JobResult::Copied(..) if is_settled_beyond() => (settled, vec![]),
            JobResult::Synced(seen, None) => (settled.with_seen(seen), vec![]),
            JobResult::Synced(seen, Some(again_at)) => (session.with_seen(seen).with_rest(job, *again_at), vec![]),
            JobResult::Copied(artifact, copy) => {
                let event = PublishedEvent::of_copy(session.id(), *artifact, copy, trigger);
                (settled.with_copy(*artifact, copy.clone()), vec![event])
            }
            JobResult::Told(events) => {
                let mut next = settled;
                let mut published = Vec::new();
                for event in events {
                    let transition = advance(&next, event);
                    for entry in &transition.records {
                        self.store.record(session.id(), entry, now).await?;
                    }
                    published.extend(transition.published);
                    next = transition.session.unwrap_or(next);
                }
                (next, published)
            }
            JobResult::Done => (settled, vec![]),
            JobResult::Erased(again_at) => {
                let told = again_at.is_none().then(|| PublishedEvent::of_erasure(session.id()));
                (session.with_erased(job, trigger, *again_at), told.into_iter().collect())
            }
        })
    }

    /// Saves what could not be told, and when to try that again: what was fetched is not fetched once more for it.
    async fn reschedule_untold(
        &self,
        id: &SessionId,
        job: Job,
        trigger: Trigger,
        end: &JobResult,
        now: i64,
    ) -> Result<Vec<Job>, JobError> {
        let fetched = match end {
            JobResult::Copied(artifact, StoredCopy::Stored(stored)) => {
                Some((*artifact, Stored { is_untold: true, ..stored.clone() }))
            }
            _ => None,
        };
        let reschedule = |session: &Session| {
            let tries = session.pending(job).map_or(0, Progress::attempts) + 1;
            let next =
                fetched.clone().map(|(artifact, stored)| session.with_copy(artifact, StoredCopy::Stored(stored)));
            let retry_at = later(now, backoff(tries, self.retry_base, self.retry_max));
            next.unwrap_or_else(|| session.clone()).with_postponed(job, now, retry_at)
        };
        self.save_later(id, job, trigger, reschedule, now).await
    }

    /// Saves when to try again; or, when our patience is at its end, that the job is given up. So many tries were made so
    /// far, for so long; if the provider knows no such thing, for so long since it first said so.
    async fn reschedule(
        &self,
        id: &SessionId,
        job: Job,
        trigger: Trigger,
        (tries, tried_for): (u32, Duration),
        error: JobError,
        now: i64,
    ) -> Result<Vec<Job>, JobError> {
        let gone_after = GONE_AFTER.min(self.patience);
        let patience = if error.may_be_gone() { gone_after } else { self.patience };
        let is_over = !error.is_ours() && tries >= MIN_TRIES && tried_for >= patience;
        let is_hopeless = error.is_hopeless();
        if (is_over || is_hopeless) && !matches!(job, Job::Erase | Job::EraseAgain) {
            let end = match job.artifact() {
                Some(artifact) => JobResult::Copied(artifact, StoredCopy::Unavailable(error.code().to_owned())),
                None => JobResult::Done,
            };
            return self.conclude(id, job, trigger, &end, now).await;
        }
        let mut wait = error.wait().unwrap_or_default().max(backoff(tries, self.retry_base, self.retry_max));
        if job == Job::Confirm && error.may_be_gone() {
            // Strangers can name any number of bots that never were; each is looked for a few times and no more.
            wait = wait.max(gone_after / MIN_TRIES);
        }
        let retry_at = later(now, wait);
        let postpone = |session: &Session| {
            let postponed = session.with_postponed(job, now, retry_at);
            if error.may_be_gone() { postponed.with_not_found(job, now) } else { postponed }
        };
        self.save_later(id, job, trigger, postpone, now).await
    }

    /// Saves when a job goes on, unless it was settled meanwhile or wanted for another reason.
    async fn save_later(
        &self,
        id: &SessionId,
        job: Job,
        trigger: Trigger,
        reschedule: impl Fn(&Session) -> Session,
        now: i64,
    ) -> Result<Vec<Job>, JobError> {
        let change = |found: Option<Session>| {
            let session = found?;
            session.pending(job).filter(|progress| progress.wanted() == trigger)?;
            Some(reschedule(&session))
        };
        update::<JobError>(&self.store, id, now, change).await.map(|()| vec![])
    }
}

impl JobResult {
    fn code(&self) -> &'static str {
        match self {
            Self::Copied(_, StoredCopy::Stored(_)) => "stored",
            Self::Copied(_, StoredCopy::Unavailable(_)) => "unavailable",
            Self::Told(_) => "told",
            Self::Done => "done",
            Self::Synced(_, None) => "synced",
            Self::Synced(_, Some(_)) => "synced_in_part",
            Self::Erased(Some(_)) => "erased_once",
            Self::Erased(None) => "erased",
        }
    }
}

fn later(now: i64, wait: Duration) -> i64 {
    now.saturating_add(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX))
}

fn asked_at(now: i64) -> ReceivedAt {
    ReceivedAt(now.saturating_mul(1000))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod throughput;
