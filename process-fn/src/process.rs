//! One message group of a batch, from its records to what became of each.
//!
//! A group is taken in steps. A step is one record, or a run of records of one bot that are here for the first time: those
//! share one load and one save. From its second receive on a record is a step of its own, so that one bad record cannot
//! hold back the others. After a failed step the rest of the group is left for later, untouched: order within a bot.

mod read;
mod set_aside;

use crate::{
    commands::{Commands, NotSent, send_errands},
    function::Invocation,
    log::{self, Told},
    publish::{PublishError, Publisher},
    record::Record,
    redelivery::{Redelivery, backoff},
    store::{Loaded, Recorded, SessionStore, StoreError, Version},
    vault::{Kept, Vault, VaultError},
};
use futures_util::FutureExt;
use read::{Read, Understood, decode};
use shared::{
    Event, ReceivedAt, Session, SessionId,
    message::{Carried, ClaimError},
    provider,
    session::{Disposition, Job, TimelineLine, advance},
};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How often a session is read again when somebody else saved it in between.
const MAX_ATTEMPTS: u32 = 5;

/// How failures are met.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// On this receive a record that fails again is parked. Below the queue's own limit, which is left for crashes.
    pub park_after_receives: u32,
    /// From this age on a record that fails again is parked, however often it was received. Below the queue's retention: whatever
    /// is behind a record that fails for hours fails for hours in its turn, and the queue forgets what is too old.
    pub park_after_age: Duration,
    /// The wait after a first failure; it doubles with each further one.
    pub retry_base: Duration,
    /// The longest wait.
    pub retry_max: Duration,
}

impl Policy {
    /// From this age in the queue on, a record that fails is parked at once. The queue forgets a message after 7 days. A record that is
    /// parked after 20 receives takes about 3 hours, and of the ten that were received with it each further one 15 minutes; so a bot
    /// whose every delivery fails gets rid of some 10 in 5 hours, which is about 330 in 7 days, and the queue would forget the rest. From
    /// the third day on a whole batch is parked in one invocation.
    pub const PARK_AFTER_AGE: Duration = Duration::from_secs(3 * 86_400);
}

/// Everything that processing needs from outside.
#[derive(Debug)]
pub struct Processor<S, V, P, R, C> {
    /// Where sessions live.
    pub store: S,
    /// Where bytes are kept that could not take effect.
    pub vault: V,
    /// Who is told.
    pub publisher: P,
    /// The queue, as far as it can be asked for patience.
    pub redelivery: R,
    /// Where the errands go that a delivery gives rise to.
    pub commands: C,
    /// How failures are met.
    pub policy: Policy,
}

/// Why a step is to be tried again. Nothing else is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
enum ProcessError {
    #[error("the record is not one of our messages")]
    Foreign,
    #[error("the record is a message of a version that this code does not know")]
    UnknownVersion,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Commands(#[from] NotSent),
    #[error("somebody else saved the session on every attempt")]
    Contended,
    #[error("the invocation's time is up")]
    OutOfTime,
    #[error("the code panicked")]
    Panicked,
}

impl ProcessError {
    fn code(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::UnknownVersion => "unknown_version",
            Self::Store(StoreError::Invalid) => "store_invalid",
            Self::Store(StoreError::Unreadable) => "session_unreadable",
            Self::Store(StoreError::Conflict | StoreError::Unavailable) => "store_unavailable",
            Self::Vault(_) => "vault_unavailable",
            Self::Publish(_) => "publish_failed",
            Self::Commands(_) => "commands_unavailable",
            Self::Contended => "contended",
            Self::OutOfTime => "out_of_time",
            Self::Panicked => "panicked",
        }
    }
}

/// What became of one record, and what its line says.
type Outcome = (Disposition, Told);

impl<S: SessionStore, V: Vault, P: Publisher, R: Redelivery, C: Commands> Processor<S, V, P, R, C> {
    /// Processes the records of one group in their order. Returns how many of them, from the first, have met their end; the
    /// rest are to be reported as failed.
    pub(crate) async fn process_group(&self, group: &[Record], invocation: Invocation<'_>) -> usize {
        let mut rest = group;
        let mut saved = None;
        let mut has_parked = false;
        while let Some(head) = rest.first() {
            let outcomes = match self.guarded_step(rest, &mut saved, invocation).await {
                Ok(outcomes) => outcomes,
                Err(error) if self.is_to_park(head, error, has_parked, invocation.now) => {
                    match self.park(head, error, invocation).await {
                        Ok(parked) => {
                            has_parked = true;
                            vec![parked]
                        }
                        Err(error) => return self.leave(group, rest, error, invocation).await,
                    }
                }
                Err(error) => return self.leave(group, rest, error, invocation).await,
            };
            let (done, left) = rest.split_at(outcomes.len().min(rest.len()));
            for (record, (disposition, told)) in done.iter().zip(outcomes) {
                log::outcome(invocation.request_id, record, Some(disposition), told);
            }
            rest = left;
        }
        group.len()
    }

    /// Whether a record that failed is to be parked. Time running out says nothing about a record, so it parks none;
    /// and what nobody could be told of is kept already.
    ///
    /// What waited behind a parked record has used up as many receives without ever having been tried, so it gets another try. But
    /// not when it is so old that the queue might forget it before its turn comes.
    fn is_to_park(&self, record: &Record, error: ProcessError, has_parked: bool, now: i64) -> bool {
        let is_last_receive = !has_parked && record.receive_count >= self.policy.park_after_receives;
        let is_old = record.is_older_than(self.policy.park_after_age, now);
        (is_last_receive || is_old) && !matches!(error, ProcessError::OutOfTime | ProcessError::Commands(_))
    }

    /// Leaves the rest of a group for later: all of it after the same wait, so that the order survives.
    async fn leave(&self, group: &[Record], rest: &[Record], error: ProcessError, invocation: Invocation<'_>) -> usize {
        for (at, record) in rest.iter().enumerate() {
            let reason = if at == 0 { error.code() } else { "behind_a_failure" };
            log::outcome(invocation.request_id, record, None, told_of(record, reason));
        }
        let receive_count = rest.first().map_or(1, |head| head.receive_count);
        let delay = backoff(receive_count, self.policy.retry_base, self.policy.retry_max);
        // Answering in time matters more than the wait: without an answer even what is done would come again.
        let _ = timeout_at(invocation.last_call, self.redelivery.postpone(rest, delay)).await;
        group.len() - rest.len()
    }

    /// A step that neither outlives the invocation nor takes others down with it.
    async fn guarded_step(
        &self,
        rest: &[Record],
        saved: &mut Option<(Session, Version)>,
        invocation: Invocation<'_>,
    ) -> Result<Vec<Outcome>, ProcessError> {
        if Instant::now() >= invocation.deadline {
            return Err(ProcessError::OutOfTime);
        }
        let step = AssertUnwindSafe(self.step(rest, saved, invocation.now)).catch_unwind();
        match timeout_at(invocation.deadline, step).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(_)) => Err(ProcessError::Panicked),
            Err(_) => Err(ProcessError::OutOfTime),
        }
    }

    async fn step(
        &self,
        rest: &[Record],
        saved: &mut Option<(Session, Version)>,
        now: i64,
    ) -> Result<Vec<Outcome>, ProcessError> {
        let Some((head, followers)) = rest.split_first() else { return Ok(vec![]) };
        let event = match self.read(head).await? {
            Read::Event(understood) => understood,
            Read::Unreadable(message, error) => {
                return Ok(vec![self.quarantine(head, &message, error.code(), now).await?]);
            }
            Read::Unredeemable(claim, ClaimError::Missing) if self.is_erased(claim.session(), now).await? => {
                // The erasure took the body along while the claim was on its way.
                return Ok(vec![(Disposition::Ignored, told_of(head, "erased"))]);
            }
            Read::Unredeemable(claim, error) => return Ok(vec![self.quarantine_claim(head, &claim, error).await?]),
        };
        let mut events = vec![*event];
        if head.receive_count <= 1 {
            for follower in followers.iter().take_while(|record| record.receive_count <= 1) {
                match self.read(follower).await {
                    Ok(Read::Event(next)) if events.iter().all(|first| first.event.session == next.event.session) => {
                        events.push(*next);
                    }
                    _ => break,
                }
            }
        }
        match self.apply(&events, saved, now).await {
            // The document is at fault, not the store: trying again is no use. With others beside it, which one it is shows
            // on the next receive, when each is saved alone.
            Err(ProcessError::Store(StoreError::Invalid)) if events.len() == 1 => {
                let Ok(message) = self.open(decode(head)?).await? else { return Err(ProcessError::Foreign) };
                Ok(vec![self.quarantine(head, &message, "store_invalid", now).await?])
            }
            applied => applied,
        }
    }

    async fn is_erased(&self, id: Option<&SessionId>, now: i64) -> Result<bool, StoreError> {
        let Some(id) = id else { return Ok(false) };
        Ok(self.store.load(id, now).await?.session.is_some_and(|session| session.is_erased()))
    }

    /// Moves one session through `events` and saves it once. What the last step saved is not read again.
    async fn apply(
        &self,
        events: &[Understood],
        saved: &mut Option<(Session, Version)>,
        now: i64,
    ) -> Result<Vec<Outcome>, ProcessError> {
        let Some(first) = events.first() else { return Ok(vec![]) };
        for _ in 0..MAX_ATTEMPTS {
            let (mut session, version) = match saved.take() {
                Some((session, version)) if *session.id() == first.event.session => (session, version),
                _ => self.load_or_new(&first.event.session, began(events), now).await?,
            };
            let (errands, outcome) = (session.jobs().clone(), session.outcome());
            let mut changed = false;
            let mut outcomes = Vec::with_capacity(events.len());
            let mut published = Vec::new();
            let mut records = Vec::new();
            for Understood { event, may_be_kept, .. } in events {
                let transition = advance(&session, event);
                if let Some(next) = transition.session {
                    session = next;
                    changed = true;
                }
                if *may_be_kept && session.is_erased() {
                    session = session.with_bytes_kept(event.received_at);
                    changed = true;
                }
                published.extend(transition.published);
                records.push(transition.records);
                outcomes.push((transition.disposition, told(event)));
            }
            for ((disposition, _), beside) in outcomes.iter_mut().zip(&records) {
                for entry in beside {
                    if self.record(session.id(), entry, now).await? {
                        *disposition = Disposition::Duplicate;
                    }
                }
            }
            self.keep_carried(events, &session).await?;
            if !published.is_empty() {
                self.publisher.publish(&published).await?;
            }
            if !changed {
                return Ok(outcomes);
            }
            match self.store.save(&session, version, now).await {
                Ok(version) => {
                    send_errands(&self.commands, session.id(), session.newly_wanted(&errands, now)).await;
                    log::meeting(outcome, &session);
                    *saved = Some((session, version));
                    return Ok(outcomes);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ProcessError::Contended)
    }

    /// Keeps the transcripts that came with deliveries where the errand will find them, as long as a fetch of the transcript is
    /// pending: that fetch takes all of them away again. Of an erased bot none is kept.
    async fn keep_carried(&self, events: &[Understood], session: &Session) -> Result<(), VaultError> {
        if session.is_erased() || session.pending(Job::FetchTranscript).is_none() {
            return Ok(());
        }
        for Understood { event, carried, .. } in events {
            if let Some(body) = carried {
                self.vault.keep(&Kept::carried(event, body)).await?;
            }
        }
        Ok(())
    }

    async fn load_or_new(
        &self,
        id: &SessionId,
        received_at: ReceivedAt,
        now: i64,
    ) -> Result<(Session, Version), StoreError> {
        let Loaded { session, version } = self.store.load(id, now).await?;
        Ok((session.unwrap_or_else(|| Session::new(id.clone(), received_at)), version))
    }

    /// Keeps an entry beside its session. `true` if another delivery had its place, so that it is a duplicate.
    async fn record(&self, id: &SessionId, entry: &TimelineLine, now: i64) -> Result<bool, ProcessError> {
        match self.store.record(id, entry, now).await? {
            Recorded::New | Recorded::Again => Ok(false),
            Recorded::Taken => {
                let duplicate = TimelineLine { disposition: Disposition::Duplicate, ..entry.clone() };
                self.store.record(id, &duplicate, now).await?;
                Ok(entry.disposition == Disposition::Ignored)
            }
        }
    }
}

/// When the first of the events that a session acts on was received.
fn began(events: &[Understood]) -> ReceivedAt {
    let events = || events.iter().map(|understood| &understood.event);
    let acting = events().filter(|event| event.kind.acts()).map(|event| event.received_at).min();
    acting.or_else(|| events().next().map(|event| event.received_at)).unwrap_or(ReceivedAt(0))
}

fn told(event: &Event) -> Told {
    Told {
        reason: event.has_dropped_attributes.then_some("attributes_dropped"),
        bot: Some(event.session.encoded()),
        kind: Some(event.kind.as_str()),
        key: Some(event.key.clone()),
        accept_id: Some(event.accept_id.clone()),
        received_at: Some(event.received_at),
    }
}

/// What can be told of a record that did not become an event.
fn told_of(record: &Record, reason: &'static str) -> Told {
    let Ok(carried) = decode(record) else {
        return Told { reason: Some(reason), ..Told::default() };
    };
    let head = carried.head();
    let (accept_id, received_at) = (Some(head.accept_id.clone()), Some(head.received_at));
    let peek = if let Carried::Whole(message) = &carried { Some(provider::peek_message(message)) } else { None };
    let (session, key) = peek.map_or((None, None), |peek| (peek.session, peek.key));
    let bot = session.map(|session| session.encoded());
    Told { reason: Some(reason), bot, kind: None, key, accept_id, received_at }
}
