//! What must be done for a session apart from any delivery: fetching, confirming, mirroring a calendar, erasing.
//!
//! The session stores what is to be done. A job runs between two reads of the session: the first says whether the job is still wanted,
//! and after the second the result is saved. A job that runs twice ends the same. The queue never tries a failed job again: the time
//! of the next try is saved with the session, where the sweep finds it.

mod calendar;
pub(crate) mod command;
mod conclude;
mod confirm;
mod delete;
mod erase;
mod error;
mod fetch;
mod refetch;
pub(crate) mod sweep;

use crate::{
    backoff::Backoff,
    log,
    ports::{Services, sessions::SessionStore},
};
use error::JobError;
use shared::{
    Event, ReceivedAt, Session, SessionId,
    event::Artifact,
    session::{Checked, Job, Mention, StoredCopy, Trigger},
};
use std::time::Duration;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// When everything of a bot is erased a second time, in seconds after the first time. This is longer than the longest invocation that
/// Lambda allows, so that everything that was on its way at the time of the deletion has arrived.
const ERASE_AGAIN_AFTER: i64 = 20 * 60;

/// A job that may still succeed is given up after this many tries at the earliest, however long they took.
const MIN_TRIES: u32 = 3;

/// For how long a provider must answer 404 or 410 before we believe it. A single one may come from a server that is behind.
const GONE_AFTER: Duration = Duration::from_secs(3600);

/// What carries jobs out.
#[derive(Debug)]
pub(crate) struct Jobs<S> {
    services: S,
    settings: JobSettings,
    transcripts: Semaphore,
}

/// How jobs behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JobSettings {
    /// How long after its first try a job is given up that depends on a provider.
    pub patience: Duration,
    /// The waits between two tries, unless the provider asks for a longer one. Each ends with a sweep, and sweeps are a minute apart.
    pub retry: Backoff,
    /// Whether audio and video are stored, beside transcripts.
    pub keeps_recordings: bool,
}

/// How many transcripts may be in memory at a time. Unlike recordings they are read whole, each up to
/// [`MAX_ANSWER_BYTES`](crate::MAX_ANSWER_BYTES). A transcript takes up to three times its size between two calls, and ten times while it
/// is parsed, which never happens to two at once. So two take at most 360 MB of the function's 512, beside the parts of recordings.
const TRANSCRIPTS_IN_MEMORY: usize = 2;

/// One try of a job.
#[derive(Clone, Copy, Debug)]
struct Attempt<'a> {
    id: &'a SessionId,
    job: Job,
    /// Why the job was wanted when the try began.
    trigger: Trigger,
    /// How many tries there were before.
    earlier: u32,
    /// Since the first try for the same reason.
    tried_for: Duration,
    /// Since the provider first answered 404 or 410.
    not_found_for: Duration,
    /// In seconds since the Unix epoch.
    now: i64,
}

/// How a job ended that did not fail.
#[derive(Debug)]
enum JobResult {
    /// We have a copy of an artifact, or know that we never will.
    Copied(Artifact, StoredCopy),
    /// What the provider said, to be merged as any delivery.
    Confirmed(Vec<Event>),
    /// Nothing remains to be done or said.
    Done,
    /// These entries of a calendar were looked at. If more remains to be done, the time for that.
    Synced(Vec<(String, Mention, Checked)>, Option<i64>),
    /// Everything was erased. The time of the second round, unless this was the second.
    Erased(Option<i64>),
}

impl<S: Services> Jobs<S> {
    pub(crate) fn new(services: S, settings: JobSettings) -> Self {
        Self { services, settings, transcripts: Semaphore::new(TRANSCRIPTS_IN_MEMORY) }
    }

    /// Runs a job until `deadline`, if it is still wanted and due. `now` is in seconds since the Unix epoch. Returns the jobs that it
    /// gives rise to.
    ///
    /// # Errors
    /// A [`JobError`]: the result could not be saved. The session is as it was, so the sweep sends the job again.
    pub(crate) async fn run(
        &self,
        id: &SessionId,
        job: Job,
        now: i64,
        deadline: Instant,
    ) -> Result<Vec<Job>, JobError> {
        let Some(session) = self.services.sessions().load(id, now).await?.session else { return Ok(vec![]) };
        let Some(attempt) = Attempt::begin(&session, job, now) else { return Ok(vec![]) };
        let ended = timeout_at(deadline, self.carry_out(&session, job, now, deadline)).await;
        let ended = ended.unwrap_or(Err(JobError::OutOfTime));
        if let Some(rest) = ended.as_ref().err().and_then(|error| error.rest()) {
            return self.rest(attempt, rest).await;
        }
        log::job(id, job, attempt.earlier, ended.as_ref().map(JobResult::code).map_err(|error| error.code()));
        match ended {
            Ok(result) => self.conclude(attempt, &result).await,
            Err(error) if self.is_given_up(attempt, error) => self.conclude(attempt, &given_up(job, error)).await,
            Err(error) => self.reschedule(attempt, error).await,
        }
    }

    async fn carry_out(&self, session: &Session, job: Job, now: i64, deadline: Instant) -> Result<JobResult, JobError> {
        match job {
            Job::FetchTranscript => self.fetch_transcript(session, now).await,
            Job::FetchAudio => self.fetch_recording(session, Artifact::Audio, now, deadline).await,
            Job::FetchVideo => self.fetch_recording(session, Artifact::Video, now, deadline).await,
            Job::Confirm => self.confirm(session, now).await,
            Job::ConfirmDeletion => self.confirm_deletion(session, now).await,
            Job::SyncCalendar => self.sync_calendar(session, now, deadline).await,
            Job::Erase => self.erase(session, Some(now.saturating_add(ERASE_AGAIN_AFTER))).await,
            Job::EraseAgain => self.erase(session, None).await,
        }
    }

    /// Whether a failed try was the last one. An erasure is never given up.
    fn is_given_up(&self, attempt: Attempt<'_>, error: JobError) -> bool {
        let is_over = if error.may_be_gone() {
            attempt.not_found_for >= self.gone_after()
        } else {
            !error.is_ours() && attempt.tried_for >= self.settings.patience
        };
        !attempt.job.erases() && (error.is_hopeless() || (is_over && attempt.earlier + 1 >= MIN_TRIES))
    }

    /// For how long a provider must answer 404 or 410 before we believe it.
    fn gone_after(&self) -> Duration {
        GONE_AFTER.min(self.settings.patience)
    }
}

impl<'a> Attempt<'a> {
    /// A try that begins `now`; `None` if the job is not wanted or not due.
    fn begin(session: &'a Session, job: Job, now: i64) -> Option<Self> {
        let progress = session.pending(job).filter(|progress| !progress.must_wait(now))?;
        let duration = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        Some(Self {
            id: session.id(),
            job,
            trigger: progress.wanted(),
            earlier: progress.attempts(),
            tried_for: duration(progress.tried_for(now)),
            not_found_for: duration(progress.not_found_for(now)),
            now,
        })
    }
}

/// The result of a job that failed for the last time.
fn given_up(job: Job, error: JobError) -> JobResult {
    match job.artifact() {
        Some(artifact) => JobResult::Copied(artifact, StoredCopy::Unavailable(error.code().to_owned())),
        None => JobResult::Done,
    }
}

impl JobResult {
    fn code(&self) -> &'static str {
        match self {
            Self::Copied(_, StoredCopy::Stored(_)) => "stored",
            Self::Copied(_, StoredCopy::Unavailable(_)) => "unavailable",
            Self::Confirmed(_) => "confirmed",
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
