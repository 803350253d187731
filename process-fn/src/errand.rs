//! What is to be done for a session apart from any delivery: fetching, confirming, mirroring, erasing.
//!
//! The session holds the intent. An errand is carried out between two reads of it: the first says whether it is still wanted,
//! the second is saved with what came of it. Carried out twice, it ends the same. A failed one is not the queue's to try again:
//! the time of the next try is saved with the intent, and the sweep finds it.

mod calendar;
mod confirm;
mod delete;
mod erase;
mod fetch;
mod refetch;

use crate::{
    api::{ApiError, Cause, ProviderApi, Refusal},
    archive::{Archive, ArchiveError},
    log,
    publish::{PublishError, Publisher},
    redelivery::backoff,
    store::{Loaded, SessionStore, StoreError, Version},
    vault::{Vault, VaultError},
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

/// How often a session is read again when somebody else saved it in between.
const MAX_ATTEMPTS: u32 = 5;

/// When everything of a bot is erased once more, in seconds after the first time: longer than the longest invocation that
/// Lambda allows, so that whatever was on its way when the deletion came has arrived by then.
const ONCE_MORE_AFTER: i64 = 20 * 60;

/// The fewest tries before anything is given up that may come right by itself, however long they took.
const MIN_TRIES: u32 = 3;

/// For how long a provider must know nothing of something before that counts: a 404 may be a moment's, or of a server that is
/// behind.
const GONE_AFTER: Duration = Duration::from_secs(3600);

/// Everything that errands need from outside.
#[derive(Debug)]
pub struct Errands<S, V, A, R, P> {
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
    /// How long after its first try an errand is given up that depends on a provider.
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

/// What came of an errand.
#[derive(Debug)]
enum End {
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

/// Why an errand came to nothing this time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Setback {
    #[error(transparent)]
    Store(#[from] StoreError),
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

impl From<ArchiveError> for Setback {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Download(error) => Self::Provider(error),
            ArchiveError::OutOfTime => Self::OutOfTime,
            ArchiveError::TooLarge => Self::TooLarge,
            ArchiveError::Unavailable => Self::Archive(error),
        }
    }
}

impl Setback {
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

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> Errands<S, V, A, R, P> {
    /// Carries an errand out, if it is still wanted and due, until `deadline`. `now` is in seconds since the Unix epoch. What is
    /// to be done next because of it is returned.
    ///
    /// # Errors
    /// A [`Setback`] that could not even be saved. The intent is as it was, so the sweep sends the errand again.
    pub(crate) async fn run(
        &self,
        id: &SessionId,
        errand: Job,
        now: i64,
        deadline: Instant,
    ) -> Result<Vec<Job>, Setback> {
        let Some(session) = self.store.load(id, now).await?.session else { return Ok(vec![]) };
        let Some(progress) = session.pending(errand).filter(|progress| !progress.must_wait(now)) else {
            return Ok(vec![]);
        };
        let (mark, attempts) = (progress.wanted(), progress.attempts());
        let tried_for = Duration::from_secs(u64::try_from(progress.tried_for(now)).unwrap_or(0));
        let end = timeout_at(deadline, self.carry_out(&session, errand, now, deadline))
            .await
            .unwrap_or(Err(Setback::OutOfTime));
        if let Some(rest) = end.as_ref().err().and_then(|setback| setback.rest()) {
            let until = later(now, rest);
            return self.save_later(id, errand, mark, |session| session.with_rest(errand, until), now).await;
        }
        log::errand(id, errand, attempts, end.as_ref().map(End::code).map_err(|setback| *setback));
        match end {
            Ok(end) => self.conclude(id, errand, mark, &end, now).await,
            Err(setback) => self.put_off(id, errand, mark, (attempts + 1, tried_for), setback, now).await,
        }
    }

    async fn carry_out(&self, session: &Session, errand: Job, now: i64, deadline: Instant) -> Result<End, Setback> {
        match errand {
            Job::FetchTranscript => self.fetch(session, Artifact::Transcript, now, deadline).await,
            Job::FetchAudio => self.fetch(session, Artifact::Audio, now, deadline).await,
            Job::FetchVideo => self.fetch(session, Artifact::Video, now, deadline).await,
            Job::Confirm => self.confirm(session, now).await,
            Job::SyncCalendar => self.sync_calendar(session, now, deadline).await,
            Job::Erase => self.erase(session, Some(now.saturating_add(ONCE_MORE_AFTER))).await,
            Job::EraseAgain => self.erase(session, None).await,
        }
    }

    /// Saves what came of an errand, after telling it. Nothing is saved that was not told.
    async fn conclude(
        &self,
        id: &SessionId,
        errand: Job,
        mark: Trigger,
        end: &End,
        now: i64,
    ) -> Result<Vec<Job>, Setback> {
        for _ in 0..MAX_ATTEMPTS {
            let Loaded { session: Some(session), version } = self.store.load(id, now).await? else { return Ok(vec![]) };
            if let (End::Copied(..), true) = (end, session.is_erased()) {
                // Deleted while it was fetched: what was stored meanwhile goes the way of the rest.
                self.remove_artifacts(id).await?;
                return Ok(vec![]);
            }
            let (next, published) = self.concluded(&session, errand, mark, end, now).await?;
            if self.publisher.publish(&published).await.is_err() {
                return self.put_off_untold(id, errand, mark, end, now).await;
            }
            if self.save(&next, version, now).await? {
                return Ok(next.newly_wanted(session.jobs(), now));
            }
        }
        Err(Setback::Contended)
    }

    /// The session with what came of an errand, and what is to be told of it.
    async fn concluded(
        &self,
        session: &Session,
        errand: Job,
        mark: Trigger,
        end: &End,
        now: i64,
    ) -> Result<(Session, Vec<PublishedEvent>), StoreError> {
        let settled = session.with_settled(errand, mark);
        let is_settled_beyond = || session.jobs().get(&errand).is_some_and(|progress| progress.is_settled_beyond(mark));
        Ok(match end {
            // Somebody was faster with a later reason, and what they brought is at least as new.
            End::Copied(..) if is_settled_beyond() => (settled, vec![]),
            End::Synced(seen, None) => (settled.with_seen(seen), vec![]),
            End::Synced(seen, Some(again_at)) => (session.with_seen(seen).with_rest(errand, *again_at), vec![]),
            End::Copied(artifact, copy) => {
                let event = PublishedEvent::of_copy(session.id(), *artifact, copy, mark);
                (settled.with_copy(*artifact, copy.clone()), vec![event])
            }
            End::Told(events) => {
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
            End::Done => (settled, vec![]),
            End::Erased(again_at) => {
                let told = again_at.is_none().then(|| PublishedEvent::of_erasure(session.id()));
                (session.with_erased(errand, mark, *again_at), told.into_iter().collect())
            }
        })
    }

    /// Saves what could not be told, and when to try that again: what was fetched is not fetched once more for it.
    async fn put_off_untold(
        &self,
        id: &SessionId,
        errand: Job,
        mark: Trigger,
        end: &End,
        now: i64,
    ) -> Result<Vec<Job>, Setback> {
        let fetched = match end {
            End::Copied(artifact, StoredCopy::Stored(stored)) => {
                Some((*artifact, Stored { is_untold: true, ..stored.clone() }))
            }
            _ => None,
        };
        let put_off = |session: &Session| {
            let tries = session.pending(errand).map_or(0, Progress::attempts) + 1;
            let next =
                fetched.clone().map(|(artifact, stored)| session.with_copy(artifact, StoredCopy::Stored(stored)));
            let retry_at = later(now, backoff(tries, self.retry_base, self.retry_max));
            next.unwrap_or_else(|| session.clone()).with_postponed(errand, now, retry_at)
        };
        self.save_later(id, errand, mark, put_off, now).await
    }

    /// Saves when to try again; or, when our patience is at its end, that the errand is given up. So many tries were made so
    /// far, for so long.
    async fn put_off(
        &self,
        id: &SessionId,
        errand: Job,
        mark: Trigger,
        (tries, tried_for): (u32, Duration),
        setback: Setback,
        now: i64,
    ) -> Result<Vec<Job>, Setback> {
        let gone_after = GONE_AFTER.min(self.patience);
        let patience = if setback.may_be_gone() { gone_after } else { self.patience };
        let is_over = !setback.is_ours() && tries >= MIN_TRIES && tried_for >= patience;
        let is_hopeless = setback.is_hopeless();
        if (is_over || is_hopeless) && !matches!(errand, Job::Erase | Job::EraseAgain) {
            let end = match errand.artifact() {
                Some(artifact) => End::Copied(artifact, StoredCopy::Unavailable(setback.code().to_owned())),
                None => End::Done,
            };
            return self.conclude(id, errand, mark, &end, now).await;
        }
        let mut wait = setback.wait().unwrap_or_default().max(backoff(tries, self.retry_base, self.retry_max));
        if errand == Job::Confirm && setback.may_be_gone() {
            // Strangers can name any number of bots that never were; each is looked for a few times and no more.
            wait = wait.max(gone_after / MIN_TRIES);
        }
        let retry_at = later(now, wait);
        self.save_later(id, errand, mark, |session| session.with_postponed(errand, now, retry_at), now).await
    }

    /// Saves when an errand goes on, unless it was settled meanwhile or wanted for another reason.
    async fn save_later(
        &self,
        id: &SessionId,
        errand: Job,
        mark: Trigger,
        put_off: impl Fn(&Session) -> Session,
        now: i64,
    ) -> Result<Vec<Job>, Setback> {
        for _ in 0..MAX_ATTEMPTS {
            let Loaded { session: Some(session), version } = self.store.load(id, now).await? else { return Ok(vec![]) };
            if session.pending(errand).is_none_or(|progress| progress.wanted() != mark) {
                return Ok(vec![]);
            }
            if self.save(&put_off(&session), version, now).await? {
                return Ok(vec![]);
            }
        }
        Err(Setback::Contended)
    }

    /// `false` if somebody else was faster.
    async fn save(&self, session: &Session, version: Version, now: i64) -> Result<bool, StoreError> {
        match self.store.save(session, version, now).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl End {
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
