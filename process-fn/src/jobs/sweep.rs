//! The sweep sends what is overdue on its way. A schedule starts it every minute and has it look into the spool every fifth minute.
//!
//! It sends jobs again that are overdue, and brings spooled deliveries into the queue, removing each only when the queue has confirmed
//! it. Both go on beside each other, and neither asks a provider anything. It does no harm if a sweep ends midway, runs twice or runs
//! beside another one: a delivery that goes into the queue twice is recognised by its accept id. The order of spooled deliveries does
//! not matter either, because the session does not depend on it.

use crate::{
    log::Swept,
    ports::{
        Services,
        bucket::{Bucket, BucketError, Listed, Object},
        queues::{
            commands::CommandQueue,
            events::{EventsQueue, Message, QueueError},
        },
        sessions::{SessionStore, StoreError, update},
    },
};
use futures_util::{StreamExt, stream};
use shared::{
    Command, Provider, QueueMessage, Session,
    bucket::{Folder, group_of, name_of},
    group,
    session::Due,
    trust::Trust,
};
use std::{
    num::NonZeroU8,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// How many deliveries, reminders or erasures are on their way at a time.
pub(crate) const CONCURRENT: usize = 8;

#[derive(Debug)]
pub(crate) struct Sweep<S> {
    pub(crate) services: S,
}

/// The sweep could not list its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NotSwept {
    /// The spool could not be listed.
    #[error(transparent)]
    Spool(#[from] BucketError),
    /// The sessions that are due could not be listed.
    #[error(transparent)]
    Due(#[from] StoreError),
}

/// What became of one spooled delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Spooled {
    PutBack,
    Quarantined,
    /// Another sweep was faster.
    Gone,
    Left,
}

impl<S: Services> Sweep<S> {
    /// Does all of it, as far as the time until `deadline` allows. `now` is in seconds since the Unix epoch. The sweep looks into the
    /// spool in every minute that `spool_every_minutes` divides, and always without that number.
    ///
    /// # Errors
    /// [`NotSwept`] if the spool or the sessions that are due could not be listed.
    pub(crate) async fn run(
        &self,
        now: i64,
        spool_every_minutes: Option<NonZeroU8>,
        deadline: Instant,
    ) -> Result<Swept, NotSwept> {
        // The minute decides, so nothing must be remembered. If a sweep is missed in such a minute, the next such minute makes up for
        // it; so with 5 minutes a delivery waits for 10 at most.
        let is_turn_of_spool = spool_every_minutes.is_none_or(|every| now.div_euclid(60) % i64::from(every.get()) == 0);
        let drained =
            async { if is_turn_of_spool { self.drain_spool(now, deadline).await } else { Ok(Swept::default()) } };
        // A failure of one of the two must not stop the other.
        let (swept, reminded) = tokio::join!(drained, self.remind_all(now, deadline));
        let (reminded, unreadable) = reminded?;
        Ok(Swept { reminded, unreadable, ..swept? })
    }

    async fn drain_spool(&self, now: i64, deadline: Instant) -> Result<Swept, BucketError> {
        let mut swept = Swept { looked_into_spool: true, ..Swept::default() };
        loop {
            let page = self.services.bucket().list(&Folder::Spool.prefix()).await?;
            let oldest = page.iter().map(|object| now.saturating_sub(object.stored_at)).max().unwrap_or(0);
            swept.oldest = swept.oldest.max(Duration::from_secs(u64::try_from(oldest).unwrap_or(0)));
            for spooled in self.put_all_back(&page, deadline).await {
                match spooled {
                    Spooled::PutBack => swept.put_back += 1,
                    Spooled::Quarantined => swept.quarantined += 1,
                    Spooled::Gone => {}
                    Spooled::Left => swept.left += 1,
                }
            }
            // Once a delivery had to stay, the next page would fare no better.
            if page.is_empty() || swept.left > 0 {
                return Ok(swept);
            }
        }
    }

    async fn put_all_back(&self, page: &[Listed], deadline: Instant) -> Vec<Spooled> {
        let has_failed = &AtomicBool::new(false);
        let put_back = stream::iter(page).map(|object| async move {
            if has_failed.load(Ordering::Relaxed) || Instant::now() >= deadline {
                return Spooled::Left;
            }
            self.put_back(&object.key).await.unwrap_or_else(|_| {
                has_failed.store(true, Ordering::Relaxed);
                Spooled::Left
            })
        });
        put_back.buffer_unordered(CONCURRENT).collect().await
    }

    /// Brings one spooled delivery into the queue. An error means that the queue or the bucket does not answer.
    async fn put_back(&self, key: &str) -> Result<Spooled, BucketError> {
        let bucket = self.services.bucket();
        let Some(bytes) = bucket.get(key).await? else { return Ok(Spooled::Gone) };
        let (group, accept_id) = (group_of(key).unwrap_or_default(), name_of(key).unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes);
        let trust = QueueMessage::decode(&text).map_or(Trust::Verified, |carried| carried.head().endpoint.trust());
        let message = Message { text: &text, group: &group::in_queue(group, trust), dedup_id: accept_id };
        let spooled = match self.services.events().send(message).await {
            Ok(()) => Spooled::PutBack,
            Err(QueueError::Unavailable) => return Err(BucketError),
            // In the spool it would fail every sweep from now on.
            Err(QueueError::Refused) => {
                bucket.put(&refused_by_queue(group, accept_id, &text)).await?;
                Spooled::Quarantined
            }
        };
        bucket.remove(key).await?;
        Ok(spooled)
    }

    /// Sends the jobs that are due, first those for verified reasons. Of the jobs for unverified reasons a sweep sends at most
    /// [`DUE_PER_SHARD`](crate::DUE_PER_SHARD) for each provider, however many there are: they must not use up what the provider
    /// answers in a minute. Returns how many jobs it sent, and how many sessions it could not read.
    async fn remind_all(&self, now: i64, deadline: Instant) -> Result<(u32, u32), StoreError> {
        let (mut reminded, mut unreadable) = (0, 0);
        for kind in [Due::Work].into_iter().chain(Provider::ALL.map(Due::Unverified)) {
            let due = self.services.sessions().due(kind, now).await?;
            unreadable += due.unreadable;
            let sent = stream::iter(due.sessions).map(|session| async move {
                if Instant::now() < deadline { self.remind(&session, now).await } else { 0 }
            });
            reminded += sent.buffer_unordered(CONCURRENT).collect::<Vec<_>>().await.into_iter().sum::<u32>();
        }
        Ok((reminded, unreadable))
    }

    /// Sends what is overdue for one session, and returns how many jobs that were. The session notes each, so that the next sweep does
    /// not send it again while it may be waiting in the queue.
    async fn remind(&self, session: &Session, now: i64) -> u32 {
        let (id, mut reminded) = (session.id(), 0);
        for (job, _) in session.all_pending().filter(|(_, due_at)| *due_at <= now) {
            let command = Command::Job { session: id.clone(), job };
            if self.services.commands().send(&command, Duration::ZERO).await.is_err() {
                continue;
            }
            reminded += 1;
            // A job that was tried meanwhile has set the time of its next try itself. If the save fails, the job is sent once more,
            // which does no harm.
            let is_due = |found: &Session| found.all_pending().any(|(other, due_at)| other == job && due_at <= now);
            let remind = |found: Option<Session>| Some(found.filter(is_due)?.with_reminder(job, now));
            let _ = update::<StoreError>(self.services.sessions(), id, now, remind).await;
        }
        reminded
    }
}

/// A spooled message that the queue will never take, for the quarantine.
fn refused_by_queue(group: &str, accept_id: &str, text: &str) -> Object {
    let reason = "queue_refused";
    match QueueMessage::decode(text) {
        Ok(carried) => Object::claim(Folder::Quarantine, group, carried.head(), text, reason),
        Err(_) => Object::foreign(Folder::Quarantine, group, accept_id, text, reason),
    }
}

#[cfg(test)]
mod tests;
