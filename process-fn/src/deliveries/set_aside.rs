//! Deliveries that take no effect: their bytes go to the bucket, and the session says which delivery is missing.

use super::{
    Deliveries, ProcessError,
    parse::{Content, ParsedRecord},
};
use crate::{
    invocation::Invocation,
    ports::{
        Services,
        bucket::{Bucket, BucketError, Object},
        queues::{
            commands::{CommandQueue, NotSent},
            record::Record,
        },
        sessions::{SessionStore, StoreError, update},
    },
};
use futures_util::FutureExt;
use shared::{
    Command, QueueMessage, Session, SessionId,
    bucket::Folder,
    message::{Claim, ClaimError},
    session::{Disposition, MissingDelivery, TimelineLine},
};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::time::timeout_at;

/// What became of a record, and why if that needs saying.
pub(super) type Settled = (Disposition, Option<&'static str>);

impl<S: Services> Deliveries<S> {
    /// Settles a record that was read and is no event.
    pub(super) async fn settle_without_event(
        &self,
        record: &ParsedRecord<'_>,
        now: i64,
    ) -> Result<Settled, ProcessError> {
        match (&record.content, &record.parsed) {
            // The erasure removed the body while the claim check was on its way.
            (Content::LostBody(claim, ClaimError::Missing), _) if self.is_erased(claim.session(), now).await? => {
                Ok((Disposition::Ignored, Some("erased")))
            }
            (Content::LostBody(claim, error), _) => self.quarantine_claim(record, claim, *error).await,
            (_, Some(Err(error))) => self.quarantine(record, error.code(), now).await,
            _ => Err(ProcessError::Foreign),
        }
    }

    async fn is_erased(&self, id: Option<&SessionId>, now: i64) -> Result<bool, StoreError> {
        let Some(id) = id else { return Ok(false) };
        Ok(self.services.sessions().load(id, now).await?.session.is_some_and(|session| session.is_erased()))
    }

    /// Stores a claim check whose body is lost. It need not say which bot it is about; the group's folder does.
    async fn quarantine_claim(
        &self,
        record: &ParsedRecord<'_>,
        claim: &Claim,
        error: ClaimError,
    ) -> Result<Settled, ProcessError> {
        let (group, reason) = (record.record.group_hash(), error.code());
        let object = Object::claim(Folder::Quarantine, &group, claim.head(), &record.record.body, reason);
        self.services.bucket().put(&object).await?;
        Ok((Disposition::Quarantined, Some(reason)))
    }

    /// Stores the bytes of an authentic delivery that can take no effect, and says so beside its session if it names one.
    pub(super) async fn quarantine(
        &self,
        record: &ParsedRecord<'_>,
        reason: &'static str,
        now: i64,
    ) -> Result<Settled, ProcessError> {
        let Some(message) = record.message() else { return Err(ProcessError::Foreign) };
        let object = Object::delivery(Folder::Quarantine, &record.record.group_hash(), message, reason);
        self.services.bucket().put(&object).await?;
        if let (Some(session), Some(key)) = (record.session(), record.key()) {
            let line = TimelineLine::unread(message, key.clone(), Disposition::Quarantined, reason);
            let noted = AssertUnwindSafe(self.note(session, &line, now)).catch_unwind().await;
            match noted.unwrap_or(Err(StoreError::Unavailable)) {
                // The bytes are safe, so a failing note must not park them as well.
                Err(error) if record.record.receive_count >= self.policy.park_after_receives => {
                    tracing::error!(%error, accept_id = message.accept_id().as_str(), "quarantined without a note beside its session");
                    self.note_later(session, message).await?;
                }
                noted => noted?,
            }
        }
        Ok((Disposition::Quarantined, Some(reason)))
    }

    /// Notes an unreadable delivery beside its session, and removes the mark that it left there if it was parked before. If the
    /// bot's data was deleted, the bytes are erased again.
    async fn note(&self, id: &SessionId, line: &TimelineLine, now: i64) -> Result<(), StoreError> {
        let store = self.services.sessions();
        store.record(id, line, now).await?;
        update(store, id, now, |found| found?.with_set_aside(line)).await
    }

    /// Stores the bytes of a record that failed on every try, and marks it as missing in its session.
    pub(super) async fn park(
        &self,
        record: &mut ParsedRecord<'_>,
        error: ProcessError,
        invocation: Invocation<'_>,
    ) -> Result<Settled, ProcessError> {
        let reason = error.code();
        let storing = self.store_parked(record, reason);
        let key = timeout_at(invocation.deadline, storing).await.map_err(|_| ProcessError::OutOfTime)??;
        if let (Some(message), Some(session)) = (record.message(), record.session()) {
            let missing = MissingDelivery {
                accept_id: message.accept_id().clone(),
                received_at: message.received_at(),
                parked_as: key,
                reason: reason.to_owned(),
            };
            let marked = AssertUnwindSafe(self.mark_missing(session, missing, invocation.now)).catch_unwind();
            // The bytes are safe and listed by their key. If the table refuses the mark, a command tells the session later, and the
            // group goes on. Only if that command cannot be sent either, the record comes again.
            if !matches!(timeout_at(invocation.deadline, marked).await, Ok(Ok(Ok(())))) {
                tracing::error!(accept_id = message.accept_id().as_str(), "parked without a mark in its session");
                let noted = timeout_at(invocation.last_call, self.note_later(session, message)).await;
                noted.map_err(|_| ProcessError::OutOfTime)??;
            }
        }
        Ok((Disposition::Parked, Some(reason)))
    }

    /// Stores the bytes, also those behind a claim check: bodies under `claims/` expire, and a parked delivery must not. Returns the
    /// key.
    async fn store_parked(&self, record: &mut ParsedRecord<'_>, reason: &'static str) -> Result<String, BucketError> {
        record.fetch_body(self.services.bucket()).await?;
        let Record { message_id, body, .. } = record.record;
        let group = record.record.group_hash();
        let object = match &record.content {
            Content::Message(message) => Object::delivery(Folder::Parked, &group, message, reason),
            Content::ClaimCheck(claim) | Content::LostBody(claim, _) => {
                Object::claim(Folder::Parked, &group, claim.head(), body, reason)
            }
            Content::Foreign(_) => Object::foreign(Folder::Parked, &group, message_id, body, reason),
        };
        self.services.bucket().put(&object).await?;
        Ok(object.key)
    }

    async fn mark_missing(&self, id: &SessionId, missing: MissingDelivery, now: i64) -> Result<(), StoreError> {
        let mark = |found: Option<Session>| {
            let session = found.unwrap_or_else(|| Session::new(id.clone(), missing.received_at));
            Some(session.with_missing(missing.clone()))
        };
        update(self.services.sessions(), id, now, mark).await
    }

    /// Has a command tell the session of the bytes, because the table refuses the note now. If the bot's data was deleted, nothing
    /// else would ever erase these bytes.
    async fn note_later(&self, session: &SessionId, message: &QueueMessage) -> Result<(), NotSent> {
        let note = Command::NoteSetAside { session: session.clone(), received_at: message.received_at() };
        self.services.commands().send(&note, Duration::ZERO).await
    }
}
