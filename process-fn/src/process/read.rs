//! From a record to an event: our own message, its body, and what its sender says in it.

use super::ProcessError;
use crate::{
    commands::Commands,
    process::Processor,
    publish::Publisher,
    record::Record,
    redelivery::Redelivery,
    store::SessionStore,
    vault::{Vault, VaultError},
};
use shared::{
    Event, QueueMessage,
    message::{Carried, Claim, ClaimError, DecodeError},
    provider::{self, ParseError},
};

/// A record, understood as far as it can be.
pub(super) enum Read {
    Event(Box<Understood>),
    Unreadable(QueueMessage, ParseError),
    Unredeemable(Claim, ClaimError),
}

/// A delivery that became an event.
pub(super) struct Understood {
    pub(super) event: Event,
    /// Its body, if that carries a transcript: the only copy that we may ever get.
    pub(super) carried: Option<Vec<u8>>,
    /// Whether bytes of it may be in the bucket: its body, because the queue's message was only a claim to it; or what an earlier
    /// try of it kept without hearing that it did.
    pub(super) may_be_kept: bool,
}

impl<S: SessionStore, V: Vault, P: Publisher, R: Redelivery, C: Commands> Processor<S, V, P, R, C> {
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
                Read::Event(Box::new(Understood { event, carried, may_be_kept }))
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
