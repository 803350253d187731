//! One record, with everything that was found in it so far. Nothing is decoded, fetched, parsed or peeked at twice.

use super::ProcessError;
use crate::{
    log::RecordLog,
    ports::{
        bucket::{Bucket, BucketError},
        queues::record::Record,
    },
};
use shared::{
    DeliveryKey, Event, QueueMessage, SessionId,
    message::{Carried, Claim, ClaimError, DecodeError, Head},
    provider::{self, ParseError, Peek},
};
use std::sync::OnceLock;

pub(super) struct ParsedRecord<'r> {
    pub(super) record: &'r Record,
    pub(super) content: Content,
    /// `None` until the record is read, and for a record without a message.
    pub(super) parsed: Option<Result<Event, ParseError>>,
    /// Whether bytes of the delivery may be in the bucket: its body, if the message is a claim check; or what an earlier try stored
    /// without hearing that it did.
    pub(super) may_be_stored: bool,
    peeked: OnceLock<Peek>,
}

/// What a record holds.
pub(super) enum Content {
    /// No message that this version reads.
    Foreign(ProcessError),
    /// A claim check whose body was not fetched yet.
    ClaimCheck(Claim),
    /// A claim check whose body is gone or altered.
    LostBody(Claim, ClaimError),
    /// A message with its body.
    Message(QueueMessage),
}

impl<'r> ParsedRecord<'r> {
    /// Decodes a record, and nothing more.
    pub(super) fn new(record: &'r Record) -> Self {
        let content = match QueueMessage::decode(&record.body) {
            Ok(Carried::Whole(message)) => Content::Message(message),
            Ok(Carried::Claimed(claim)) => Content::ClaimCheck(claim),
            Err(DecodeError::Version(_)) => Content::Foreign(ProcessError::UnknownVersion),
            Err(DecodeError::Foreign(_) | DecodeError::NoBody | DecodeError::Base64) => {
                Content::Foreign(ProcessError::Foreign)
            }
        };
        let may_be_stored = matches!(content, Content::ClaimCheck(_)) || record.receive_count > 1;
        Self { record, content, parsed: None, may_be_stored, peeked: OnceLock::new() }
    }

    /// Fetches the body of a claim check, and parses the message.
    pub(super) async fn read(&mut self, bucket: &impl Bucket) -> Result<(), ProcessError> {
        self.fetch_body(bucket).await?;
        match &self.content {
            Content::Foreign(error) => return Err(*error),
            Content::Message(message) if self.parsed.is_none() => self.parsed = Some(provider::parse(message)),
            _ => {}
        }
        Ok(())
    }

    /// Replaces a claim check by the message with its body, or by the reason why there is none.
    pub(super) async fn fetch_body(&mut self, bucket: &impl Bucket) -> Result<(), BucketError> {
        if let Content::ClaimCheck(claim) = &self.content {
            let body = bucket.get(&claim.key()).await?;
            self.content = match claim.redeem(body) {
                Ok(message) => Content::Message(message),
                Err(error) => Content::LostBody(claim.clone(), error),
            };
        }
        Ok(())
    }

    pub(super) fn is_first_receive(&self) -> bool {
        self.record.receive_count <= 1
    }

    pub(super) fn event(&self) -> Option<&Event> {
        self.parsed.as_ref()?.as_ref().ok()
    }

    pub(super) fn message(&self) -> Option<&QueueMessage> {
        if let Content::Message(message) = &self.content { Some(message) } else { None }
    }

    /// The body, if it carries a transcript. It is the only copy that we may ever get.
    pub(super) fn carried_transcript(&self) -> Option<&[u8]> {
        self.message().filter(|message| provider::carries_transcript(message)).map(QueueMessage::body)
    }

    /// The session that the message is about, even if the message cannot be parsed.
    pub(super) fn session(&self) -> Option<&SessionId> {
        self.event().map(|event| &event.session).or_else(|| self.peek()?.session.as_ref())
    }

    /// The delivery that the message holds, even if the message cannot be parsed.
    pub(super) fn key(&self) -> Option<&DeliveryKey> {
        self.event().map(|event| &event.key).or_else(|| self.peek()?.key.as_ref())
    }

    fn peek(&self) -> Option<&Peek> {
        self.message().map(|message| self.peeked.get_or_init(|| provider::peek_message(message)))
    }

    fn head(&self) -> Option<&Head> {
        match &self.content {
            Content::Foreign(_) => None,
            Content::ClaimCheck(claim) | Content::LostBody(claim, _) => Some(claim.head()),
            Content::Message(message) => Some(message.head()),
        }
    }

    /// What the log says of the record. The `reason` is why it did not take effect.
    pub(super) fn log(&self, reason: Option<&'static str>) -> RecordLog {
        let has_dropped_attributes = self.event().is_some_and(|event| event.has_dropped_attributes);
        RecordLog {
            message_id: self.record.message_id.clone(),
            receive_count: self.record.receive_count,
            reason: reason.or(has_dropped_attributes.then_some("attributes_dropped")),
            bot: self.session().map(SessionId::encoded),
            kind: self.event().map(|event| event.kind.as_str()),
            key: self.key().cloned(),
            accept_id: self.head().map(|head| head.accept_id.clone()),
            received_at: self.head().map(|head| head.received_at),
        }
    }
}
