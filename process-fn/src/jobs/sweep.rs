//! The sweep: what is overdue goes on its way. Every minute, started by a schedule, which has it look into the spool every fifth
//! minute only.
//!
//! It erases what is to be erased, sends jobs again that are overdue, and brings spooled deliveries into the queue and
//! removes each only when the queue has confirmed it. The three go on beside each other, and none asks a provider anything, so
//! none waits for one. Ending midway, running twice, or beside another sweep does no harm: a delivery that goes in twice is
//! recognised by its accept id. Order does not matter either, because the session does not depend on it.

use crate::{
    log::Swept,
    ports::bucket::{Kept, Listed, Vault, VaultError},
    ports::queues::commands::CommandQueue,
    ports::queues::requeue::{Requeue, RequeueError, Returned},
    ports::sessions::{SessionStore, StoreError, update},
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

/// What a sweep needs from outside.
#[derive(Debug)]
pub struct Sweep<S, V, Q, C> {
    /// Where the sessions are that something is due for.
    pub store: S,
    /// Where commands go.
    pub commands: C,
    /// Where the spool is.
    pub vault: V,
    /// Where it goes.
    pub queue: Q,
}

/// Nobody knows what there was to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSwept {
    /// The bucket did not say what is in the spool.
    #[error(transparent)]
    Spool(#[from] VaultError),
    /// The table did not say what is due.
    #[error(transparent)]
    Due(#[from] StoreError),
}

/// What became of one spooled delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    PutBack,
    Quarantined,
    /// Somebody else was faster.
    Gone,
    Left,
}

impl<S: SessionStore, V: Vault, Q: Requeue, C: CommandQueue> Sweep<S, V, Q, C> {
    /// Does all of it, as far as the time until `deadline` allows. `now` is in seconds since the Unix epoch. The spool has its
    /// turn in every minute that `spool_every_minutes` divides, and without that number always.
    ///
    /// # Errors
    /// [`NotSwept`] if nobody knows what is in the spool, or what is due.
    pub async fn run(
        &self,
        now: i64,
        spool_every_minutes: Option<NonZeroU8>,
        deadline: Instant,
    ) -> Result<Swept, NotSwept> {
        // The minute decides, so nothing is remembered. A sweep that is missed in such a minute is made up for by the next one of
        // them, so with 5 minutes a delivery waits for 10 at most.
        let is_turn_of_spool = spool_every_minutes.is_none_or(|every| now.div_euclid(60) % i64::from(every.get()) == 0);
        let drained =
            async { if is_turn_of_spool { self.drain_spool(now, deadline).await } else { Ok(Swept::default()) } };
        // Neither of the two is to suffer from what is wrong with the other.
        let (swept, reminded) = tokio::join!(drained, self.remind_all(now, deadline));
        let (reminded, unreadable) = reminded?;
        Ok(Swept { reminded, unreadable, ..swept? })
    }

    async fn drain_spool(&self, now: i64, deadline: Instant) -> Result<Swept, VaultError> {
        let mut swept = Swept { looked_into_spool: true, ..Swept::default() };
        loop {
            let page = self.vault.list(&Folder::Spool.prefix()).await?;
            let oldest = page.iter().map(|object| now.saturating_sub(object.stored_at)).max().unwrap_or(0);
            swept.oldest = swept.oldest.max(Duration::from_secs(u64::try_from(oldest).unwrap_or(0)));
            swept.left = 0;
            let fates = self.put_all_back(&page, deadline).await;
            for fate in &fates {
                match fate {
                    Fate::PutBack => swept.put_back += 1,
                    Fate::Quarantined => swept.quarantined += 1,
                    Fate::Gone => {}
                    Fate::Left => swept.left += 1,
                }
            }
            // Once something has to stay, the next page would fare no better.
            if page.is_empty() || swept.left > 0 {
                return Ok(swept);
            }
        }
    }

    /// Sends the jobs that are due, those for verified reasons first. Of those for unverified reasons a sweep sends at most
    /// [`DUE_PER_SHARD`](crate::DUE_PER_SHARD) for each provider, however many there are: they must not use up what the provider
    /// answers in a minute. Returns how many it sent, and how many sessions cannot be read.
    async fn remind_all(&self, now: i64, deadline: Instant) -> Result<(u32, u32), StoreError> {
        let (mut reminded, mut unreadable) = (0, 0);
        for what in [Due::Work].into_iter().chain(Provider::ALL.map(Due::Unverified)) {
            let due = self.store.due(what, now).await?;
            unreadable += due.unreadable;
            let sent = stream::iter(due.sessions).map(|session| async move {
                if Instant::now() < deadline { self.remind(&session, now).await } else { Ok(0) }
            });
            let sent: Vec<_> = sent.buffer_unordered(CONCURRENT).collect().await;
            for sent in sent {
                reminded += sent?;
            }
        }
        Ok((reminded, unreadable))
    }

    /// Sends what is overdue for one session. The intent says that it was sent, so that the next sweep does not: it may be waiting
    /// in the queue all the while.
    async fn remind(&self, session: &Session, now: i64) -> Result<u32, StoreError> {
        let (id, mut reminded) = (session.id(), 0);
        for (job, _) in session.all_pending().filter(|(_, due_at)| *due_at <= now) {
            if self.commands.send(&Command::Job { session: id.clone(), job }, Duration::ZERO).await.is_err() {
                continue;
            }
            reminded += 1;
            // A job that was tried meanwhile has said itself when its next try is. Should the save fail, the job is sent once more,
            // which does no harm.
            let is_due = |found: &Session| found.all_pending().any(|(other, due_at)| other == job && due_at <= now);
            let remind = |found: Option<Session>| Some(found.filter(is_due)?.with_reminder(job, now));
            let _ = update::<StoreError>(&self.store, id, now, remind).await;
        }
        Ok(reminded)
    }

    async fn put_all_back(&self, page: &[Listed], deadline: Instant) -> Vec<Fate> {
        let has_failed = AtomicBool::new(false);
        let has_failed = &has_failed;
        let fates = stream::iter(page).map(|object| async move {
            if has_failed.load(Ordering::Relaxed) || Instant::now() >= deadline {
                return Fate::Left;
            }
            self.put_back(&object.key).await.unwrap_or_else(|_| {
                has_failed.store(true, Ordering::Relaxed);
                Fate::Left
            })
        });
        fates.buffer_unordered(CONCURRENT).collect().await
    }

    async fn put_back(&self, key: &str) -> Result<Fate, VaultError> {
        let Some(bytes) = self.vault.fetch(key).await? else { return Ok(Fate::Gone) };
        let (group, accept_id) = (group_of(key).unwrap_or_default(), name_of(key).unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes);
        let trust = QueueMessage::decode(&text).map_or(Trust::Verified, |carried| carried.head().endpoint.trust());
        let returned = Returned { text: &text, group: &group::in_queue(group, trust), dedup_id: accept_id };
        let fate = match self.queue.put_back(returned).await {
            Ok(()) => Fate::PutBack,
            Err(RequeueError::Unavailable) => return Err(VaultError),
            // Left where it is, it would fail every sweep from now on.
            Err(RequeueError::Refused) => {
                self.vault.keep(&quarantined(group, accept_id, &text)).await?;
                Fate::Quarantined
            }
        };
        self.vault.remove(key).await?;
        Ok(fate)
    }
}

fn quarantined(group: &str, accept_id: &str, text: &str) -> Kept {
    let reason = "queue_refused";
    match QueueMessage::decode(text) {
        Ok(carried) => Kept::claim(Folder::Quarantine, group, carried.head(), text, reason),
        Err(_) => Kept::foreign(Folder::Quarantine, group, accept_id, text, reason),
    }
}

#[cfg(test)]
mod tests;
