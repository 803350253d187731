//! Deliveries that take no effect: their bytes go to the bucket, and the session says what it misses.

use super::{
    ProcessError, Processor,
    parse::{Settled, decode, told_of},
};
use crate::{
    invocation::Invocation,
    ports::bucket::{Kept, Vault, VaultError},
    ports::publisher::Publisher,
    ports::queues::commands::{CommandQueue, NotSent},
    ports::queues::record::Record,
    ports::queues::redelivery::Redelivery,
    ports::sessions::{SessionStore, StoreError, update},
};
use futures_util::FutureExt;
use shared::{
    Command, QueueMessage, Session, SessionId,
    bucket::Folder,
    message::{Claim, ClaimError},
    provider,
    session::{Disposition, MissingDelivery, TimelineLine},
};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::time::timeout_at;

impl<S: SessionStore, V: Vault, P: Publisher, R: Redelivery, C: CommandQueue> Processor<S, V, P, R, C> {
    /// Keeps the bytes of an authentic delivery that can take no effect, and says so beside its session if it names one.
    pub(super) async fn quarantine(
        &self,
        record: &Record,
        message: &QueueMessage,
        reason: &'static str,
        now: i64,
    ) -> Result<Settled, ProcessError> {
        self.vault.keep(&Kept::delivery(Folder::Quarantine, &record.group_hash(), message, reason)).await?;
        let peek = provider::peek_message(message);
        if let (Some(session), Some(key)) = (&peek.session, &peek.key) {
            let entry = TimelineLine::unread(message, key.clone(), Disposition::Quarantined, reason);
            let noted = AssertUnwindSafe(self.note(session, &entry, now)).catch_unwind().await;
            match noted.unwrap_or(Err(StoreError::Unavailable)) {
                // The bytes are safe, so a note that cannot be made does not park them a second time.
                Err(error) if record.receive_count >= self.policy.park_after_receives => {
                    tracing::error!(%error, accept_id = message.accept_id().as_str(), "quarantined without a note beside its session");
                    self.tell_later(message).await?;
                }
                noted => noted?,
            }
        }
        Ok((Disposition::Quarantined, told_of(record, reason)))
    }

    /// Keeps a claim whose body is lost. Nobody knows which bot it was about; its group's folder does.
    pub(super) async fn quarantine_claim(
        &self,
        record: &Record,
        claim: &Claim,
        error: ClaimError,
    ) -> Result<Settled, ProcessError> {
        let reason = error.code();
        let kept = Kept::claim(Folder::Quarantine, &record.group_hash(), claim.head(), &record.body, reason);
        self.vault.keep(&kept).await?;
        Ok((Disposition::Quarantined, told_of(record, reason)))
    }

    /// Keeps the bytes of a record that failed on every try, and marks it as missing in its session.
    pub(super) async fn park(
        &self,
        record: &Record,
        error: ProcessError,
        invocation: Invocation<'_>,
    ) -> Result<Settled, ProcessError> {
        let reason = error.code();
        let keeping = self.keep_parked(record, reason);
        let (key, message) = timeout_at(invocation.deadline, keeping).await.map_err(|_| ProcessError::OutOfTime)??;
        if let Some(message) = &message {
            let missing = MissingDelivery {
                accept_id: message.accept_id().clone(),
                received_at: message.received_at(),
                parked_as: key,
                reason: reason.to_owned(),
            };
            let marked = AssertUnwindSafe(self.mark_missing(message, missing, invocation.now)).catch_unwind();
            // The bytes are safe and listed by their key. If the table refuses the mark in the session, a command tells the session
            // later, and the group goes on. Only if that command cannot be sent either, the record comes again.
            if !matches!(timeout_at(invocation.deadline, marked).await, Ok(Ok(Ok(())))) {
                tracing::error!(accept_id = message.accept_id().as_str(), "parked without a mark in its session");
                timeout_at(invocation.last_call, self.tell_later(message))
                    .await
                    .map_err(|_| ProcessError::OutOfTime)??;
            }
        }
        Ok((Disposition::Parked, told_of(record, reason)))
    }

    /// Has a command tell the session of bytes that were kept, because it cannot be told now: if its bot's data was deleted,
    /// nobody else would ever erase them.
    async fn tell_later(&self, message: &QueueMessage) -> Result<(), NotSent> {
        let Some(session) = provider::peek_message(message).session else { return Ok(()) };
        let note = Command::NoteSetAside { session, received_at: message.received_at() };
        self.commands.send(&note, Duration::ZERO).await
    }

    /// Keeps the bytes, those of a claim too: claims expire, and what is parked must not.
    async fn keep_parked(
        &self,
        record: &Record,
        reason: &'static str,
    ) -> Result<(String, Option<QueueMessage>), VaultError> {
        let group = record.group_hash();
        let (kept, message) = match decode(record) {
            Err(_) => (Kept::foreign(Folder::Parked, &group, &record.message_id, &record.body, reason), None),
            Ok(carried) => match self.open(carried).await? {
                Ok(message) => (Kept::delivery(Folder::Parked, &group, &message, reason), Some(message)),
                Err((claim, _)) => (Kept::claim(Folder::Parked, &group, claim.head(), &record.body, reason), None),
            },
        };
        self.vault.keep(&kept).await?;
        Ok((kept.key, message))
    }

    /// Notes an unreadable delivery beside its session, and takes away the mark that it left there if it was parked before. What
    /// is kept of a bot whose data was deleted is erased again.
    async fn note(&self, id: &SessionId, entry: &TimelineLine, now: i64) -> Result<(), StoreError> {
        self.store.record(id, entry, now).await?;
        update(&self.store, id, now, |found| found?.with_set_aside(entry)).await
    }

    async fn mark_missing(&self, message: &QueueMessage, missing: MissingDelivery, now: i64) -> Result<(), StoreError> {
        let Some(id) = provider::peek_message(message).session else { return Ok(()) };
        let mark = |found: Option<Session>| {
            let session = found.unwrap_or_else(|| Session::new(id.clone(), message.received_at()));
            Some(session.with_missing(missing.clone()))
        };
        update(&self.store, &id, now, mark).await
    }
}
