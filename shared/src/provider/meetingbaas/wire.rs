//! What is read of a body, and what identifies it.

use super::calendar;
use crate::{
    canonical,
    endpoint::Provider,
    hash::FieldHash,
    ids::{DeliveryKey, SessionId},
    lenient::{Flag, Object, Present, Text},
    message::QueueMessage,
    provider::{bounds::Attributes, error::ParseError},
    sender_id::SenderId,
    time::OccurredAt,
};
use serde::Deserialize;

const STATUS_CHANGE: &str = "bot.status_change";

/// The fields that say which delivery a body is. Read at both ends of the queue, so it borrows what it can.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) event: Text<'a>,
    #[serde(borrow)]
    pub(super) bot_id: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow)]
    pub(super) sent_at: Text<'a>,
    #[serde(borrow)]
    pub(super) data: Object<Data<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Data<'a> {
    #[serde(borrow)]
    pub(super) bot_id: Text<'a>,
    #[serde(borrow)]
    pub(super) calendar_id: Text<'a>,
    #[serde(borrow)]
    pub(super) message_id: Text<'a>,
    #[serde(borrow)]
    pub(super) last_updated_ts: Text<'a>,
    #[serde(borrow)]
    pub(super) created_at: Text<'a>,
    #[serde(borrow)]
    pub(super) updated_at: Text<'a>,
    #[serde(borrow)]
    pub(super) deleted_at: Text<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow)]
    pub(super) sent_at: Text<'a>,
    #[serde(borrow)]
    pub(super) status: Object<Status<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub(super) code: Text<'a>,
    #[serde(borrow)]
    pub(super) created_at: Text<'a>,
    #[serde(borrow)]
    pub(super) error_type: Text<'a>,
    #[serde(borrow)]
    pub(super) error_message: Text<'a>,
}

/// The fields that say what a delivery means. Read only where it is judged; an inline transcript passes by unkept.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Details<'a> {
    #[serde(borrow)]
    pub(super) data: Object<Facts<'a>>,
    pub(super) extra: Attributes,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Facts<'a> {
    #[serde(borrow)]
    pub(super) error_code: Text<'a>,
    #[serde(borrow)]
    pub(super) error: Text<'a>,
    #[serde(borrow)]
    pub(super) error_message: Text<'a>,
    #[serde(borrow)]
    pub(super) message: Text<'a>,
    #[serde(borrow)]
    pub(super) joined_at: Text<'a>,
    #[serde(borrow)]
    pub(super) exited_at: Text<'a>,
    pub(super) mp4: Present,
    pub(super) video: Present,
    pub(super) audio: Present,
    pub(super) transcript: Present,
    pub(super) transcription: Present,
    pub(super) raw_transcription: Present,
    pub(super) data_deleted: Flag,
    pub(super) extra: Attributes,
}

/// What the names mean, across the dialects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    StatusChange,
    Completed,
    Failed,
    Transcribed,
    Started,
    Chat,
    Calendar,
    Unknown,
}

impl Name {
    pub(super) fn of(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            STATUS_CHANGE => Self::StatusChange,
            // v1, v2, and the web page.
            "complete" | "bot.completed" | "meeting.completed" => Self::Completed,
            "failed" | "bot.failed" | "meeting.failed" => Self::Failed,
            "transcription_complete" | "transcription.available" | "transcription.updated" => Self::Transcribed,
            "meeting.started" => Self::Started,
            "bot.chat_message" => Self::Chat,
            "event.added" | "event.updated" | "event.deleted" => Self::Calendar,
            name if name.starts_with("calendar.") => Self::Calendar,
            _ => Self::Unknown,
        }
    }
}

impl Envelope<'_> {
    pub(super) fn data(&self) -> Option<&Data<'_>> {
        self.data.0.as_ref()
    }

    pub(super) fn status(&self) -> Option<&Status<'_>> {
        self.data()?.status.0.as_ref()
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.event.get().map(str::trim)
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.status()?.code.get().map(str::trim)
    }

    pub(super) fn bot_id(&self) -> Option<&str> {
        self.bot_id.get().or_else(|| self.data()?.bot_id.get())
    }

    pub(super) fn session(&self) -> Result<SessionId, ParseError> {
        let is_of_a_calendar = self.name().map(Name::of) == Some(Name::Calendar);
        if let Some(bot_id) = self.bot_id().filter(|_| !is_of_a_calendar) {
            return Ok(SessionId::bot(Provider::MeetingBaas, SenderId::try_from(bot_id)?));
        }
        // An unknown name may be a calendar's. All other known names are a bot's.
        if !matches!(self.name().map(Name::of), None | Some(Name::Calendar | Name::Unknown)) {
            return Err(ParseError::NoBot);
        }
        let calendar_id = self.data().and_then(|data| data.calendar_id.get()).ok_or(ParseError::NoBot)?;
        Ok(SessionId::calendar(Provider::MeetingBaas, SenderId::try_from(calendar_id)?))
    }

    pub(super) fn occurred_at(&self) -> Option<OccurredAt> {
        let (data, status) = (self.data(), self.status());
        let places = [
            self.timestamp.get(),
            data.and_then(|data| data.timestamp.get()),
            status.and_then(|status| status.created_at.get()),
            data.and_then(|data| data.sent_at.get()),
            self.sent_at.get(),
            // Of a calendar: the latest of what it has.
            data.and_then(|data| data.last_updated_ts.get()),
            data.and_then(|data| data.deleted_at.get()),
            data.and_then(|data| data.updated_at.get()),
            data.and_then(|data| data.created_at.get()),
        ];
        places.into_iter().flatten().find_map(|text| OccurredAt::parse(text).ok())
    }

    /// What makes two deliveries the same.
    ///
    /// A chat message by its own id; else the id that Svix gives a delivery. Where there is neither: a status by its code
    /// and time, a conclusion by its body but for the queries of its URLs, all else by its body. A `transcription_complete`
    /// has nothing to tell a repetition from a second run by, so every accepted one counts: fetching again is harmless, and
    /// missing a new transcript is not.
    pub(super) fn key(&self, body: &[u8], message: Option<&QueueMessage>) -> DeliveryKey {
        let name = self.name().unwrap_or_default();
        let hash = FieldHash::default().field(Provider::MeetingBaas.as_str()).optional(self.bot_id()).field(name);
        let data = self.data();
        let delivery_id = message.and_then(|message| Some((message.endpoint(), message.delivery_id()?)));
        let created_at = self.status().and_then(|status| status.created_at.get());
        let hash = match (Name::of(name), delivery_id) {
            (Name::Chat, _) if data.is_some_and(|data| data.message_id.get().is_some()) => {
                hash.field("message").optional(data.and_then(|data| data.message_id.get()))
            }
            (_, Some((endpoint, id))) => {
                // The id alone: it stays the same whatever else a sender changes on the next try.
                FieldHash::default().field(Provider::MeetingBaas.as_str()).field(endpoint.as_str()).field(id.as_str())
            }
            (Name::StatusChange, None) if self.code().is_some() && created_at.is_some() => {
                hash.field("status").optional(self.code()).optional(created_at)
            }
            // What the documentation of v1 calendars names: calendar, time, and the entries in whatever order.
            (Name::Calendar, None) if data.is_some_and(|data| data.last_updated_ts.get().is_some()) => {
                let hash = hash
                    .field("calendar")
                    .optional(data.and_then(|data| data.calendar_id.get()))
                    .optional(data.and_then(|data| data.last_updated_ts.get()));
                calendar::affected(body).into_iter().fold(hash, FieldHash::field)
            }
            (Name::Completed | Name::Failed, None) => {
                hash.field("conclusion").field(canonical::digest_without_queries(body))
            }
            (Name::Transcribed, None) if self.occurred_at().is_none() => {
                hash.field("accepted").optional(message.map(|message| message.accept_id().as_str()))
            }
            _ => hash.field("body").field(canonical::digest(body)),
        };
        DeliveryKey::from_digest(hash.digest())
    }
}
