//! One message group of a batch, from its records to what became of each.
//!
//! A group is taken in steps. A step is one record, or a run of records of one bot that are here for the first time: those
//! share one load and one save. From its second receive on a record is a step of its own, so that one bad record cannot
//! hold back the others. After a failed step the rest of the group is left for later, untouched: order within a bot.

use crate::{
    log::{self, Told},
    publish::{PublishError, Publisher},
    record::Record,
    redelivery::{Redelivery, backoff},
    store::{Loaded, Recorded, SessionStore, StoreError, Version},
    vault::{Kept, Vault, VaultError},
};
use futures_util::FutureExt;
use shared::{
    Event, QueueMessage, ReceivedAt, Session, SessionId,
    message::DecodeError,
    provider::{self, ParseError},
    session::{Disposition, Entry, Hole, advance},
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
    /// The wait after a first failure; it doubles with each further one.
    pub retry_base: Duration,
    /// The longest wait.
    pub retry_max: Duration,
}

/// Everything that processing needs from outside.
#[derive(Debug)]
pub struct Processor<S, V, P, R> {
    /// Where sessions live.
    pub store: S,
    /// Where bytes are kept that could not take effect.
    pub vault: V,
    /// Who is told.
    pub publisher: P,
    /// The queue, as far as it can be asked for patience.
    pub redelivery: R,
    /// How failures are met.
    pub policy: Policy,
}

/// The invocation that a group is processed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invocation<'a> {
    /// Its request id.
    pub(crate) request_id: &'a str,
    /// When to stop working, well before Lambda would end it.
    pub(crate) deadline: Instant,
    /// When to stop handing back what is not done.
    pub(crate) last_call: Instant,
    /// Its start, in seconds since the Unix epoch.
    pub(crate) now: i64,
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
            Self::Store(StoreError::Conflict | StoreError::Unavailable) => "store_unavailable",
            Self::Vault(_) => "vault_unavailable",
            Self::Publish(_) => "publish_failed",
            Self::Contended => "contended",
            Self::OutOfTime => "out_of_time",
            Self::Panicked => "panicked",
        }
    }
}

/// A record, understood as far as it can be.
enum Read {
    Event(Box<Event>),
    Unreadable(QueueMessage, ParseError),
}

/// What became of one record, and what its line says.
type Outcome = (Disposition, Told);

impl<S: SessionStore, V: Vault, P: Publisher, R: Redelivery> Processor<S, V, P, R> {
    /// Processes the records of one group in their order. Returns how many of them, from the first, have met their end; the
    /// rest are to be reported as failed.
    pub(crate) async fn process_group(&self, group: &[Record], invocation: Invocation<'_>) -> usize {
        let mut rest = group;
        let mut saved = None;
        let mut has_parked = false;
        while let Some(head) = rest.first() {
            let outcomes = match self.guarded_step(rest, &mut saved, invocation).await {
                Ok(outcomes) => outcomes,
                // What waited behind a parked record has used up as many receives, without ever having been tried.
                Err(error) if !has_parked && self.is_last_receive(head, error) => {
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

    /// Time running out says nothing about a record, so it parks none.
    fn is_last_receive(&self, record: &Record, error: ProcessError) -> bool {
        record.receive_count >= self.policy.park_after_receives && error != ProcessError::OutOfTime
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
        let event = match read(head)? {
            Read::Unreadable(message, error) => {
                return Ok(vec![self.quarantine(head, &message, error.code(), now).await?]);
            }
            Read::Event(event) => event,
        };
        let mut events = vec![*event];
        if head.receive_count <= 1 {
            for follower in followers.iter().take_while(|record| record.receive_count <= 1) {
                match read(follower) {
                    Ok(Read::Event(event)) if events.iter().all(|first| first.session == event.session) => {
                        events.push(*event);
                    }
                    _ => break,
                }
            }
        }
        match self.apply(&events, saved, now).await {
            // The document is at fault, not the store: trying again is no use. With others beside it, which one it is shows
            // on the next receive, when each is saved alone.
            Err(ProcessError::Store(StoreError::Invalid)) if events.len() == 1 => {
                let message = QueueMessage::decode(&head.body).map_err(|_| ProcessError::Foreign)?;
                Ok(vec![self.quarantine(head, &message, "store_invalid", now).await?])
            }
            applied => applied,
        }
    }

    /// Moves one session through `events` and saves it once. What the last step saved is not read again.
    async fn apply(
        &self,
        events: &[Event],
        saved: &mut Option<(Session, Version)>,
        now: i64,
    ) -> Result<Vec<Outcome>, ProcessError> {
        let Some(first) = events.first() else { return Ok(vec![]) };
        for _ in 0..MAX_ATTEMPTS {
            let (mut session, version) = match saved.take() {
                Some((session, version)) if *session.id() == first.session => (session, version),
                _ => self.load_or_new(&first.session, began(events), now).await?,
            };
            let mut changed = false;
            let mut outcomes = Vec::with_capacity(events.len());
            let mut announcements = Vec::new();
            let mut records = Vec::new();
            for event in events {
                let transition = advance(&session, event);
                if let Some(next) = transition.session {
                    session = next;
                    changed = true;
                }
                announcements.extend(transition.announcements);
                records.push(transition.records);
                outcomes.push((transition.disposition, told(event)));
            }
            for ((disposition, _), beside) in outcomes.iter_mut().zip(&records) {
                for entry in beside {
                    if self.record(&first.session, entry, now).await? {
                        *disposition = Disposition::Duplicate;
                    }
                }
            }
            if !announcements.is_empty() {
                self.publisher.publish(&announcements).await?;
            }
            if !changed {
                return Ok(outcomes);
            }
            match self.store.save(&session, version, now).await {
                Ok(version) => {
                    *saved = Some((session, version));
                    return Ok(outcomes);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ProcessError::Contended)
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
    async fn record(&self, id: &SessionId, entry: &Entry, now: i64) -> Result<bool, ProcessError> {
        match self.store.record(id, entry, now).await? {
            Recorded::New | Recorded::Again => Ok(false),
            Recorded::Taken => {
                let duplicate = Entry { disposition: Disposition::Duplicate, ..entry.clone() };
                self.store.record(id, &duplicate, now).await?;
                Ok(entry.disposition == Disposition::Ignored)
            }
        }
    }

    /// Keeps the bytes of an authentic delivery that can take no effect, and says so beside its session if it names one.
    async fn quarantine(
        &self,
        record: &Record,
        message: &QueueMessage,
        reason: &'static str,
        now: i64,
    ) -> Result<Outcome, ProcessError> {
        self.vault.keep(&Kept::quarantined(&record.group_hash(), message, reason)).await?;
        let peek = provider::peek_message(message);
        if let (Some(session), Some(key)) = (&peek.session, &peek.key) {
            let entry = Entry::unread(message, key.clone(), Disposition::Quarantined, reason);
            match self.store.record(session, &entry, now).await {
                // The bytes are safe, so a note that cannot be made does not park them a second time.
                Err(error) if record.receive_count >= self.policy.park_after_receives => {
                    tracing::error!(%error, accept_id = message.accept_id().as_str(), "quarantined without a note beside its session");
                }
                noted => drop(noted?),
            }
        }
        Ok((Disposition::Quarantined, told_of(record, reason)))
    }

    /// Keeps the bytes of a record that failed on every try, and marks the hole in its session.
    async fn park(
        &self,
        record: &Record,
        error: ProcessError,
        invocation: Invocation<'_>,
    ) -> Result<Outcome, ProcessError> {
        let (group, reason) = (record.group_hash(), error.code());
        let message = QueueMessage::decode(&record.body).ok();
        let kept = match &message {
            Some(message) => Kept::parked(&group, message, reason),
            None => Kept::parked_foreign(&group, &record.message_id, &record.body, reason),
        };
        timeout_at(invocation.deadline, self.vault.keep(&kept)).await.map_err(|_| ProcessError::OutOfTime)??;
        if let Some(message) = &message {
            let hole = Hole {
                accept_id: message.accept_id().clone(),
                received_at: message.received_at(),
                parked_as: kept.key,
                reason: reason.to_owned(),
            };
            let marked = AssertUnwindSafe(self.mark_hole(message, hole, invocation.now)).catch_unwind();
            // The bytes are safe and listed by their key; the mark in the session only makes them easier to find. It must not
            // cost the group its progress when the store is what failed all along.
            if !matches!(timeout_at(invocation.deadline, marked).await, Ok(Ok(Ok(())))) {
                tracing::error!(accept_id = message.accept_id().as_str(), "parked without a mark in its session");
            }
        }
        Ok((Disposition::Parked, told_of(record, reason)))
    }

    async fn mark_hole(&self, message: &QueueMessage, hole: Hole, now: i64) -> Result<(), StoreError> {
        let Some(id) = provider::peek_message(message).session else { return Ok(()) };
        for _ in 0..MAX_ATTEMPTS {
            let (session, version) = self.load_or_new(&id, message.received_at(), now).await?;
            match self.store.save(&session.with_hole(hole.clone()), version, now).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict)
    }
}

/// When the first of the events that a session acts on was received.
fn began(events: &[Event]) -> ReceivedAt {
    let acting = events.iter().filter(|event| event.kind.acts()).map(|event| event.received_at).min();
    acting.or_else(|| events.first().map(|event| event.received_at)).unwrap_or(ReceivedAt(0))
}

fn read(record: &Record) -> Result<Read, ProcessError> {
    let message = QueueMessage::decode(&record.body).map_err(|error| match error {
        DecodeError::Version(_) => ProcessError::UnknownVersion,
        DecodeError::Foreign(_) | DecodeError::Base64 => ProcessError::Foreign,
    })?;
    Ok(match provider::parse(&message) {
        Ok(event) => Read::Event(Box::new(event)),
        Err(error) => Read::Unreadable(message, error),
    })
}

fn told(event: &Event) -> Told {
    Told {
        reason: None,
        bot: Some(event.session.encoded()),
        kind: Some(event.kind.as_str()),
        key: Some(event.key.clone()),
        accept_id: Some(event.accept_id.clone()),
        received_at: Some(event.received_at),
    }
}

/// What can be told of a record that did not become an event.
fn told_of(record: &Record, reason: &'static str) -> Told {
    let Ok(message) = QueueMessage::decode(&record.body) else {
        return Told { reason: Some(reason), ..Told::default() };
    };
    let peek = provider::peek_message(&message);
    Told {
        reason: Some(reason),
        bot: peek.session.map(|session| session.encoded()),
        kind: None,
        key: peek.key,
        accept_id: Some(message.accept_id().clone()),
        received_at: Some(message.received_at()),
    }
}
