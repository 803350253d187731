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

use crate::{
    api::{ApiError, Cause, ProviderApi},
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
    session::{Announcement, Copy, Errand, Mark, advance},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How often a session is read again when somebody else saved it in between.
const MAX_ATTEMPTS: u32 = 5;

/// When everything of a bot is erased once more, in seconds after the first time: longer than the longest invocation that
/// Lambda allows, so that whatever was on its way when the deletion came has arrived by then.
const ONCE_MORE_AFTER: i64 = 20 * 60;

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
    /// How long after its reason an errand is given up that depends on a provider.
    pub patience: Duration,
    /// The wait after the first try that came to nothing; it doubles with each further one. It ends with a sweep, and those
    /// are a minute apart.
    pub retry_base: Duration,
    /// The longest wait between two tries, unless the provider asks for a longer one.
    pub retry_max: Duration,
    /// Whether sound and picture are kept, beside transcripts.
    pub keeps_recordings: bool,
}

/// What came of an errand.
#[derive(Debug)]
enum End {
    /// A copy of an artifact, or the certainty that there will be none.
    Copied(Artifact, Copy),
    /// What the provider said, to be merged as any delivery.
    Told(Vec<Event>),
    /// It is done, and there is nothing more to say.
    Done,
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
            Self::Contended => "contended",
            Self::OutOfTime => "out_of_time",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether waiting longer than our patience may still help: what fails on our side is no reason to give anything up.
    fn is_ours(self) -> bool {
        !matches!(self, Self::Provider(_) | Self::Pending | Self::OutOfTime | Self::TooLarge)
    }

    /// Whether trying again is no use.
    fn is_hopeless(self) -> bool {
        let hopeless = |error| matches!(error, ApiError::Later { cause: Cause::NoKey, .. } | ApiError::Never(_));
        match self {
            Self::Provider(error) => hopeless(error),
            Self::TooLarge => true,
            _ => false,
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
        errand: Errand,
        now: i64,
        deadline: Instant,
    ) -> Result<Vec<Errand>, Setback> {
        let Some(session) = self.store.load(id, now).await?.session else { return Ok(vec![]) };
        let Some(progress) = session.pending(errand).filter(|progress| !progress.must_wait(now)) else {
            return Ok(vec![]);
        };
        let (mark, attempts) = (progress.wanted(), progress.attempts());
        let end = timeout_at(deadline, self.carry_out(&session, errand, now, deadline))
            .await
            .unwrap_or(Err(Setback::OutOfTime));
        log::errand(id, errand, attempts, end.as_ref().map(End::code).map_err(|setback| *setback));
        match end {
            Ok(end) => self.conclude(id, errand, mark, &end, now).await,
            Err(setback) => self.put_off(id, errand, (mark, attempts), setback, now).await,
        }
    }

    async fn carry_out(&self, session: &Session, errand: Errand, now: i64, deadline: Instant) -> Result<End, Setback> {
        match errand {
            Errand::FetchTranscript => self.fetch(session, Artifact::Transcript, now, deadline).await,
            Errand::FetchAudio => self.fetch(session, Artifact::Audio, now, deadline).await,
            Errand::FetchVideo => self.fetch(session, Artifact::Video, now, deadline).await,
            Errand::Confirm => self.confirm(session, now).await,
            Errand::SyncCalendar => self.sync_calendar(session, now).await,
            Errand::Erase => self.erase(session, Some(now.saturating_add(ONCE_MORE_AFTER))).await,
            Errand::EraseAgain => self.erase(session, None).await,
        }
    }

    /// Saves what came of an errand, after telling it. Nothing is saved that was not told.
    async fn conclude(
        &self,
        id: &SessionId,
        errand: Errand,
        mark: Mark,
        end: &End,
        now: i64,
    ) -> Result<Vec<Errand>, Setback> {
        for _ in 0..MAX_ATTEMPTS {
            let Loaded { session: Some(session), version } = self.store.load(id, now).await? else { return Ok(vec![]) };
            if let (End::Copied(..), true) = (end, session.is_erased()) {
                // Deleted while it was fetched: what was stored meanwhile goes the way of the rest.
                self.remove_artifacts(id).await?;
                return Ok(vec![]);
            }
            let (next, announcements) = self.concluded(&session, errand, mark, end, now).await?;
            self.publisher.publish(&announcements).await?;
            if self.save(&next, version, now).await? {
                return Ok(next.newly_wanted(session.errands(), now));
            }
        }
        Err(Setback::Contended)
    }

    /// The session with what came of an errand, and what is to be told of it.
    async fn concluded(
        &self,
        session: &Session,
        errand: Errand,
        mark: Mark,
        end: &End,
        now: i64,
    ) -> Result<(Session, Vec<Announcement>), StoreError> {
        let settled = session.with_settled(errand, mark);
        let is_settled_beyond =
            || session.errands().get(&errand).is_some_and(|progress| progress.is_settled_beyond(mark));
        Ok(match end {
            // Somebody was faster with a later reason, and what they brought is at least as new.
            End::Copied(..) if is_settled_beyond() => (settled, vec![]),
            End::Copied(artifact, copy) => {
                let announcement = Announcement::of_copy(session.id(), *artifact, copy, mark);
                (settled.with_copy(*artifact, copy.clone()), vec![announcement])
            }
            End::Told(events) => {
                let mut next = settled;
                let mut announcements = Vec::new();
                for event in events {
                    let transition = advance(&next, event);
                    for entry in &transition.records {
                        self.store.record(session.id(), entry, now).await?;
                    }
                    announcements.extend(transition.announcements);
                    next = transition.session.unwrap_or(next);
                }
                (next, announcements)
            }
            End::Done => (settled, vec![]),
            End::Erased(again_at) => {
                let told = again_at.is_none().then(|| Announcement::of_erasure(session.id()));
                (session.with_erased(errand, mark, *again_at), told.into_iter().collect())
            }
        })
    }

    /// Saves when to try again; or, when our patience is at its end, that the errand is given up.
    async fn put_off(
        &self,
        id: &SessionId,
        errand: Errand,
        (mark, attempts): (Mark, u32),
        setback: Setback,
        now: i64,
    ) -> Result<Vec<Errand>, Setback> {
        let waited = now.saturating_sub(mark.received_at().0 / 1000);
        let is_over = !setback.is_ours() && u64::try_from(waited).is_ok_and(|waited| waited >= self.patience.as_secs());
        let is_hopeless = setback.is_hopeless();
        if (is_over || is_hopeless) && !matches!(errand, Errand::Erase | Errand::EraseAgain) {
            let end = match errand.artifact() {
                Some(artifact) => End::Copied(artifact, Copy::Unavailable(setback.code().to_owned())),
                None => End::Done,
            };
            return self.conclude(id, errand, mark, &end, now).await;
        }
        let wait = setback.wait().unwrap_or_default().max(backoff(attempts + 1, self.retry_base, self.retry_max));
        let retry_at = now.saturating_add(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        for _ in 0..MAX_ATTEMPTS {
            let Loaded { session: Some(session), version } = self.store.load(id, now).await? else { return Ok(vec![]) };
            if session.pending(errand).is_none_or(|progress| progress.wanted() != mark) {
                return Ok(vec![]);
            }
            if self.save(&session.with_postponed(errand, retry_at), version, now).await? {
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
            Self::Copied(_, Copy::Stored(_)) => "stored",
            Self::Copied(_, Copy::Unavailable(_)) => "unavailable",
            Self::Told(_) => "told",
            Self::Done => "done",
            Self::Erased(Some(_)) => "erased_once",
            Self::Erased(None) => "erased",
        }
    }
}

fn asked_at(now: i64) -> ReceivedAt {
    ReceivedAt(now.saturating_mul(1000))
}

#[cfg(test)]
mod tests;
