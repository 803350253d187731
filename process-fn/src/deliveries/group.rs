//! One message group of a batch, from its records to what became of each.
//!
//! A group is taken in steps. A step is one record, or a run of records of one bot that are here for the first time: those
//! share one load and one save. From its second receive on a record is a step of its own, so that one bad record cannot
//! hold back the others. After a failed step the rest of the group is left for later, untouched: order within a bot.

use super::{
    ProcessError, Processor,
    parse::{ParsedRecord, Read, Settled, decode, told, told_of},
};
use crate::{
    invocation::Invocation,
    log,
    ports::bucket::{Kept, Vault, VaultError},
    ports::publisher::Publisher,
    ports::queues::commands::{CommandQueue, send_jobs},
    ports::queues::record::Record,
    ports::queues::redelivery::{Redelivery, backoff},
    ports::sessions::{Loaded, Recorded, SessionStore, StoreError, update_known},
};
use futures_util::FutureExt;
use shared::{
    ReceivedAt, Session, SessionId,
    message::ClaimError,
    session::{Disposition, Job, TimelineLine, advance},
};
use std::panic::AssertUnwindSafe;
use tokio::time::{Instant, timeout_at};

impl<S: SessionStore, V: Vault, P: Publisher, R: Redelivery, C: CommandQueue> Processor<S, V, P, R, C> {
    /// Processes the records of one group in their order. Returns how many of them, from the first, have met their end; the
    /// rest are to be reported as failed.
    pub(crate) async fn process_group(&self, group: &[Record], invocation: Invocation<'_>) -> usize {
        let mut rest = group;
        let mut saved = None;
        let mut parked_one = false;
        while let Some(head) = rest.first() {
            let outcomes = match self.guarded_step(rest, &mut saved, invocation).await {
                Ok(outcomes) => outcomes,
                Err(error) if self.is_to_park(head, error, parked_one, invocation.now) => {
                    match self.park(head, error, invocation).await {
                        Ok(parked) => {
                            parked_one = true;
                            vec![parked]
                        }
                        Err(error) => return self.leave(group, rest, error, invocation).await,
                    }
                }
                Err(error) => return self.leave(group, rest, error, invocation).await,
            };
            let (done, left) = rest.split_at(outcomes.len().min(rest.len()));
            for (record, (disposition, told)) in done.iter().zip(outcomes) {
                log::record(invocation.request_id, record.in_log(), Some(disposition), told);
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
    fn is_to_park(&self, record: &Record, error: ProcessError, parked_one: bool, now: i64) -> bool {
        let is_last_receive = !parked_one && record.receive_count >= self.policy.park_after_receives;
        let is_old = record.is_older_than(self.policy.park_after_age, now);
        (is_last_receive || is_old) && !matches!(error, ProcessError::OutOfTime | ProcessError::CommandQueue(_))
    }

    /// Leaves the rest of a group for later: all of it after the same wait, so that the order survives.
    async fn leave(&self, group: &[Record], rest: &[Record], error: ProcessError, invocation: Invocation<'_>) -> usize {
        for (at, record) in rest.iter().enumerate() {
            let reason = if at == 0 { error.code() } else { "behind_a_failure" };
            log::record(invocation.request_id, record.in_log(), None, told_of(record, reason));
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
        saved: &mut Option<Loaded>,
        invocation: Invocation<'_>,
    ) -> Result<Vec<Settled>, ProcessError> {
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

    async fn step(&self, rest: &[Record], saved: &mut Option<Loaded>, now: i64) -> Result<Vec<Settled>, ProcessError> {
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
        events: &[ParsedRecord],
        saved: &mut Option<Loaded>,
        now: i64,
    ) -> Result<Vec<Settled>, ProcessError> {
        let Some(first) = events.first() else { return Ok(vec![]) };
        let id = &first.event.session;
        let known = saved.take().filter(|known| known.session.as_ref().is_some_and(|session| session.id() == id));
        let ((settled, before), now_saved) =
            update_known(&self.store, id, now, known, async |found| self.advance(events, found, now).await).await?;
        if let Some(Loaded { session: Some(session), .. }) = &now_saved {
            send_jobs(&self.commands, id, session.newly_wanted(before.jobs(), now)).await;
            log::meeting(before.outcome(), session);
        }
        *saved = now_saved;
        Ok(settled)
    }

    /// What `events` make of the session that was found: what to save, if anything; what became of each delivery; and the session as
    /// it was before. Everything that must happen before the save is done.
    async fn advance(
        &self,
        events: &[ParsedRecord],
        found: Option<Session>,
        now: i64,
    ) -> Result<(Option<Session>, (Vec<Settled>, Session)), ProcessError> {
        let Some(first) = events.first() else { return Err(ProcessError::Foreign) };
        let before = found.unwrap_or_else(|| Session::new(first.event.session.clone(), began(events)));
        let mut session = before.clone();
        let mut is_changed = false;
        let (mut settled, mut published, mut records) = (Vec::with_capacity(events.len()), Vec::new(), Vec::new());
        for ParsedRecord { event, may_be_kept, .. } in events {
            let transition = advance(&session, event);
            if let Some(next) = transition.session {
                session = next;
                is_changed = true;
            }
            if *may_be_kept && session.is_erased() {
                session = session.with_bytes_kept(event.received_at);
                is_changed = true;
            }
            published.extend(transition.published);
            records.push(transition.records);
            settled.push((transition.disposition, told(event)));
        }
        for ((disposition, _), beside) in settled.iter_mut().zip(&records) {
            for line in beside {
                if self.record(session.id(), line, now).await? {
                    *disposition = Disposition::Duplicate;
                }
            }
        }
        self.keep_carried(events, &session).await?;
        if !published.is_empty() {
            self.publisher.publish(&published).await?;
        }
        Ok((is_changed.then_some(session), (settled, before)))
    }

    /// Keeps the transcripts that came with deliveries where the job will find them, as long as a fetch of the transcript is
    /// pending: that fetch takes all of them away again. Otherwise an earlier try of the delivery may have kept it for a job that
    /// has ended since, and nobody would come for it. Of an erased bot none is kept.
    async fn keep_carried(&self, events: &[ParsedRecord], session: &Session) -> Result<(), VaultError> {
        let is_pending = !session.is_erased() && session.pending(Job::FetchTranscript).is_some();
        for ParsedRecord { event, carried, .. } in events {
            let Some(body) = carried else { continue };
            let kept = Kept::carried(event, body);
            if is_pending {
                self.vault.keep(&kept).await?;
            } else {
                self.vault.remove(&kept.key).await?;
            }
        }
        Ok(())
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
fn began(events: &[ParsedRecord]) -> ReceivedAt {
    let events = || events.iter().map(|understood| &understood.event);
    let acting = events().filter(|event| event.kind.acts()).map(|event| event.received_at).min();
    acting.or_else(|| events().next().map(|event| event.received_at)).unwrap_or(ReceivedAt(0))
}
