//! One message group of a batch, from its records to what became of each.
//!
//! A group is taken in steps. A step is one record, or a run of records about one session that are here for the first time: those
//! share one load and one save. From its second receive on a record is a step of its own, so that one bad record cannot hold back
//! the others. After a failed step the rest of the group is left for later, untouched, so that the order within a session stays.

use super::{Deliveries, ProcessError, parse::ParsedRecord, set_aside::Settled};
use crate::{
    invocation::Invocation,
    log,
    ports::{
        Services,
        bucket::{Bucket, BucketError, Object},
        publisher::Publisher,
        queues::{commands::send_jobs, events::EventsQueue, record::Record},
        sessions::{Loaded, Recorded, SessionStore, StoreError, update_known},
    },
};
use futures_util::FutureExt;
use shared::{
    ReceivedAt, Session, SessionId,
    session::{Disposition, Job, TimelineLine, advance},
};
use std::panic::AssertUnwindSafe;
use tokio::time::{Instant, timeout_at};

/// A message group, how far it is processed.
struct Group<'r> {
    all: &'r [Record],
    /// The same records, as far as they were read.
    records: Vec<ParsedRecord<'r>>,
    /// How many records, from the first, are settled.
    settled: usize,
    /// The session as the last step saved it, so that the next step need not load it.
    saved: Option<Loaded>,
    parked_one: bool,
}

impl<S: Services> Deliveries<S> {
    /// Processes the records of one group in their order. Returns how many of them, from the first, are settled; the rest is to be
    /// reported as failed.
    pub(crate) async fn process_group(&self, records: &[Record], invocation: Invocation<'_>) -> usize {
        let parsed = records.iter().map(ParsedRecord::new).collect();
        let mut group = Group { all: records, records: parsed, settled: 0, saved: None, parked_one: false };
        while !group.rest().is_empty() {
            let step = match self.take_step(&mut group, invocation).await {
                Err(error) if self.must_park(&group, error, invocation.now) => {
                    self.park_first(&mut group, error, invocation).await
                }
                step => step,
            };
            match step {
                Ok(dispositions) => group.settle(dispositions, invocation.request_id),
                Err(error) => {
                    self.leave(&group, error, invocation).await;
                    break;
                }
            }
        }
        group.settled
    }

    /// Takes one step, which can neither outlive the invocation nor take other groups down with it.
    async fn take_step(&self, group: &mut Group<'_>, invocation: Invocation<'_>) -> Result<Vec<Settled>, ProcessError> {
        if Instant::now() >= invocation.deadline {
            return Err(ProcessError::OutOfTime);
        }
        let step = AssertUnwindSafe(self.step(group, invocation.now)).catch_unwind();
        match timeout_at(invocation.deadline, step).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(_)) => Err(ProcessError::Panicked),
            Err(_) => Err(ProcessError::OutOfTime),
        }
    }

    async fn step(&self, group: &mut Group<'_>, now: i64) -> Result<Vec<Settled>, ProcessError> {
        let length = self.read_run(group.rest_mut()).await?;
        let Some(run) = group.records.get(group.settled..group.settled + length) else { return Ok(vec![]) };
        let Some(head) = run.first() else { return Ok(vec![]) };
        if head.event().is_none() {
            return Ok(vec![self.settle_without_event(head, now).await?]);
        }
        match self.apply(run, &mut group.saved, now).await {
            // The document is at fault and not the store, so trying again cannot help. In a run of several records nobody knows which
            // one is at fault; on their next receive each is saved alone.
            Err(ProcessError::Store(StoreError::Invalid)) if length == 1 => {
                Ok(vec![self.quarantine(head, "store_invalid", now).await?])
            }
            applied => applied,
        }
    }

    /// Reads the records that the next step takes, and returns how many these are.
    async fn read_run(&self, rest: &mut [ParsedRecord<'_>]) -> Result<usize, ProcessError> {
        let Some((head, followers)) = rest.split_first_mut() else { return Ok(0) };
        head.read(self.services.bucket()).await?;
        let mut length = 1;
        if let Some(event) = head.event().filter(|_| head.is_first_receive()) {
            for follower in followers.iter_mut().take_while(|record| record.is_first_receive()) {
                let read = follower.read(self.services.bucket()).await;
                if read.is_err() || follower.event().is_none_or(|next| next.session != event.session) {
                    break;
                }
                length += 1;
            }
        }
        Ok(length)
    }

    /// Moves one session through the events of `run` and saves it once.
    async fn apply(
        &self,
        run: &[ParsedRecord<'_>],
        saved: &mut Option<Loaded>,
        now: i64,
    ) -> Result<Vec<Settled>, ProcessError> {
        let Some(id) = run.first().and_then(ParsedRecord::event).map(|event| &event.session) else { return Ok(vec![]) };
        let known = saved.take().filter(|known| known.session.as_ref().is_some_and(|session| session.id() == id));
        let store = self.services.sessions();
        let ((settled, before), now_saved) =
            update_known(store, id, now, known, async |found| self.advance(run, found, now).await).await?;
        if let Some(Loaded { session: Some(session), .. }) = &now_saved {
            send_jobs(self.services.commands(), id, session.newly_wanted(before.jobs(), now)).await;
            log::meeting(before.outcome(), session);
        }
        *saved = now_saved;
        Ok(settled)
    }

    /// Returns what the events make of the session that was found: the session to save, if it changed; what became of each delivery;
    /// and the session as it was before. Everything that must happen before the save is done.
    async fn advance(
        &self,
        run: &[ParsedRecord<'_>],
        found: Option<Session>,
        now: i64,
    ) -> Result<(Option<Session>, (Vec<Settled>, Session)), ProcessError> {
        let Some(first) = run.first().and_then(ParsedRecord::event) else { return Err(ProcessError::Foreign) };
        let before = found.unwrap_or_else(|| Session::new(first.session.clone(), began(run)));
        let (mut session, mut is_changed) = (before.clone(), false);
        let (mut settled, mut published, mut lines) = (Vec::with_capacity(run.len()), Vec::new(), Vec::new());
        for record in run {
            let Some(event) = record.event() else { continue };
            let transition = advance(&session, event);
            is_changed |= transition.session.is_some();
            session = transition.session.unwrap_or(session);
            if record.may_be_stored && session.is_erased() {
                session = session.with_bytes_set_aside(event.received_at);
                is_changed = true;
            }
            published.extend(transition.published);
            lines.push(transition.records);
            settled.push((transition.disposition, None));
        }
        for ((disposition, _), lines) in settled.iter_mut().zip(&lines) {
            for line in lines {
                if self.record(session.id(), line, now).await? {
                    *disposition = Disposition::Duplicate;
                }
            }
        }
        self.store_carried_transcripts(run, &session).await?;
        if !published.is_empty() {
            self.services.publisher().publish(&published).await?;
        }
        Ok((is_changed.then_some(session), (settled, before)))
    }

    /// Stores a line of the timeline beside its session. Returns whether another delivery had its place, so that this one is a
    /// duplicate.
    async fn record(&self, id: &SessionId, line: &TimelineLine, now: i64) -> Result<bool, ProcessError> {
        let store = self.services.sessions();
        match store.record(id, line, now).await? {
            Recorded::New | Recorded::Again => Ok(false),
            Recorded::Taken => {
                let duplicate = TimelineLine { disposition: Disposition::Duplicate, ..line.clone() };
                store.record(id, &duplicate, now).await?;
                Ok(line.disposition == Disposition::Ignored)
            }
        }
    }

    /// Stores the transcripts that came inside of deliveries where the job will find them, while a fetch of the transcript is pending:
    /// that fetch removes all of them. Otherwise removes them, because an earlier try of the delivery may have stored one for a job that
    /// has ended since; what a failing bucket leaves the next fetch or the erasure removes. Of an erased bot none is stored.
    async fn store_carried_transcripts(&self, run: &[ParsedRecord<'_>], session: &Session) -> Result<(), BucketError> {
        let is_pending = !session.is_erased() && session.pending(Job::FetchTranscript).is_some();
        for record in run {
            let (Some(event), Some(body)) = (record.event(), record.carried_transcript()) else { continue };
            let object = Object::carried(event, body);
            if is_pending {
                self.services.bucket().put(&object).await?;
            } else {
                // No delivery waits for this: a bucket that fails must hold up no duplicate. The adapter logs the failure.
                let _ = self.services.bucket().remove(&object.key).await;
            }
        }
        Ok(())
    }

    /// Whether the record at which the group failed must be parked. Running out of time says nothing about a record; and if a note of
    /// parked bytes could not be sent, the bytes are parked already.
    ///
    /// A record that waited behind a parked one was received as often without a single try, so it gets another try; unless it is so old
    /// that the queue might forget it before its turn comes.
    fn must_park(&self, group: &Group<'_>, error: ProcessError, now: i64) -> bool {
        let Some(ParsedRecord { record, .. }) = group.rest().first() else { return false };
        let is_last_receive = !group.parked_one && record.receive_count >= self.policy.park_after_receives;
        let is_old = record.is_older_than(self.policy.park_after_age, now);
        (is_last_receive || is_old) && !matches!(error, ProcessError::OutOfTime | ProcessError::CommandQueue(_))
    }

    async fn park_first(
        &self,
        group: &mut Group<'_>,
        error: ProcessError,
        invocation: Invocation<'_>,
    ) -> Result<Vec<Settled>, ProcessError> {
        let Some(head) = group.rest_mut().first_mut() else { return Ok(vec![]) };
        let settled = self.park(head, error, invocation).await?;
        group.parked_one = true;
        Ok(vec![settled])
    }

    /// Leaves the rest of a group for later: all of it after the same wait, so that the order survives.
    async fn leave(&self, group: &Group<'_>, error: ProcessError, invocation: Invocation<'_>) {
        for (at, record) in group.rest().iter().enumerate() {
            let reason = if at == 0 { error.code() } else { "behind_a_failure" };
            log::record(invocation.request_id, None, record.log(Some(reason)));
        }
        let rest = group.all.get(group.settled..).unwrap_or_default();
        let delay = self.policy.retry.after(rest.first().map_or(1, |head| head.receive_count));
        // The answer must come in time, with or without the wait: without an answer even settled records would come again.
        let _ = timeout_at(invocation.last_call, self.services.events().change_visibility(rest, delay)).await;
    }
}

impl<'r> Group<'r> {
    /// The records that are not settled yet.
    fn rest(&self) -> &[ParsedRecord<'r>] {
        self.records.get(self.settled..).unwrap_or_default()
    }

    fn rest_mut(&mut self) -> &mut [ParsedRecord<'r>] {
        self.records.get_mut(self.settled..).unwrap_or_default()
    }

    /// Logs what became of the next records, one for each of `dispositions`.
    fn settle(&mut self, dispositions: Vec<Settled>, request_id: &str) {
        for (record, (disposition, reason)) in self.rest().iter().zip(&dispositions) {
            log::record(request_id, Some(*disposition), record.log(*reason));
        }
        self.settled += dispositions.len();
    }
}

/// When the first of the events that a session acts on was received.
fn began(run: &[ParsedRecord<'_>]) -> ReceivedAt {
    let events = || run.iter().filter_map(ParsedRecord::event);
    let acting = events().filter(|event| event.kind.acts()).map(|event| event.received_at).min();
    acting.or_else(|| events().next().map(|event| event.received_at)).unwrap_or(ReceivedAt(0))
}
