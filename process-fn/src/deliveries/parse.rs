//! From a record to an event: our own message, its body, and what its sender says in it.

use super::{ProcessError, Processor};
use crate::{
    log::RecordLog,
    ports::bucket::{Vault, VaultError},
    ports::publisher::Publisher,
    ports::queues::commands::CommandQueue,
    ports::queues::record::Record,
    ports::queues::redelivery::Redelivery,
    ports::sessions::SessionStore,
};
use shared::{
    Event, QueueMessage,
    message::{Carried, Claim, ClaimError, DecodeError},
    provider::{self, ParseError},
    session::Disposition,
};

/// What became of one record, and what its line says.
pub(super) type Settled = (Disposition, RecordLog);

/// A record, understood as far as it can be.
pub(super) enum Read {
    Event(Box<ParsedRecord>),
    Unreadable(QueueMessage, ParseError),
    Unredeemable(Claim, ClaimError),
}

/// A delivery that became an event.
pub(super) struct ParsedRecord {
    pub(super) event: Event,
    /// Its body, if that carries a transcript: the only copy that we may ever get.
    pub(super) carried: Option<Vec<u8>>,
    /// Whether bytes of it may be in the bucket: its body, because the queue's message was only a claim to it; or what an earlier
    /// try of it kept without hearing that it did.
    pub(super) may_be_kept: bool,
}

impl<S: SessionStore, V: Vault, P: Publisher, R: Redelivery, C: CommandQueue> Processor<S, V, P, R, C> {
    /// Reads a record as far as it can be understood, with its body from the bucket if the record is a claim.
    pub(super) async fn read(&self, record: &Record) -> Result<Read, ProcessError> {
        let carried = decode(record)?;
        let may_be_kept = matches!(carried, Carried::Claimed(_)) || record.receive_count > 1;
        let message = match self.open(carried).await? {
            Ok(message) => message,
            Err((claim, error)) => return Ok(Read::Unredeemable(claim, error)),
        };
        Ok(match provider::parse(&message) {
            Ok(event) => {
                let carried = provider::carries_transcript(&message).then(|| message.into_body());
                Read::Event(Box::new(ParsedRecord { event, carried, may_be_kept }))
            }
            Err(error) => Read::Unreadable(message, error),
        })
    }

    /// The message with its body; or the claim, where the body is not what was claimed and never will be.
    pub(super) async fn open(&self, carried: Carried) -> Result<Result<QueueMessage, (Claim, ClaimError)>, VaultError> {
        let claim = match carried {
            Carried::Whole(message) => return Ok(Ok(message)),
            Carried::Claimed(claim) => claim,
        };
        let found = self.vault.fetch(&claim.key()).await?;
        Ok(claim.redeem(found).map_err(|error| (claim, error)))
    }
}

/// A record's message, or the claim to it.
pub(super) fn decode(record: &Record) -> Result<Carried, ProcessError> {
    QueueMessage::decode(&record.body).map_err(|error| match error {
        DecodeError::Version(_) => ProcessError::UnknownVersion,
        DecodeError::Foreign(_) | DecodeError::NoBody | DecodeError::Base64 => ProcessError::Foreign,
    })
}

pub(super) fn told(event: &Event) -> RecordLog {
    RecordLog {
        reason: event.has_dropped_attributes.then_some("attributes_dropped"),
        bot: Some(event.session.encoded()),
        kind: Some(event.kind.as_str()),
        key: Some(event.key.clone()),
        accept_id: Some(event.accept_id.clone()),
        received_at: Some(event.received_at),
    }
}

/// What can be told of a record that did not become an event.
pub(super) fn told_of(record: &Record, reason: &'static str) -> RecordLog {
    let Ok(carried) = decode(record) else {
        return RecordLog { reason: Some(reason), ..RecordLog::default() };
    };
    let head = carried.head();
    let (accept_id, received_at) = (Some(head.accept_id.clone()), Some(head.received_at));
    let peek = if let Carried::Whole(message) = &carried { Some(provider::peek_message(message)) } else { None };
    let (session, key) = peek.map_or((None, None), |peek| (peek.session, peek.key));
    let bot = session.map(|session| session.encoded());
    RecordLog { reason: Some(reason), bot, kind: None, key, accept_id, received_at }
}
