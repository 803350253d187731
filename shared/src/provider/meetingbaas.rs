//! The dialects of Meeting BaaS: v1, v2, the v2 callbacks, and the names of the vendor's web page.
//!
//! They differ in which names they use and not in what a name means, so one reading serves all four endpoints; the endpoint
//! decides only how a delivery is proved. Documentation and schema of v2 contradict each other about where `extra` and
//! `sent_at` are and whether the recording is `mp4` or `video`: every place is read.

mod codes;

use super::{
    ParseError, Provider, Sight,
    bounds::{attributes, bounded},
};
use crate::{
    canonical,
    event::{
        Artifact, ArtifactStatus, Certainty, Conclusion, DeliveryKey, Ended, Event, EventKind, Outcome, SessionId,
    },
    hash::FieldHash,
    lenient::{Object, Present, Text, object},
    message::QueueMessage,
    sender_id::SenderId,
    time::OccurredAt,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

const STATUS_CHANGE: &str = "bot.status_change";

/// The fields that say which delivery a body is. Read at both ends of the queue, so it borrows what it can.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    bot_id: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    sent_at: Text<'a>,
    #[serde(borrow)]
    data: Object<Data<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow)]
    bot_id: Text<'a>,
    #[serde(borrow)]
    calendar_id: Text<'a>,
    #[serde(borrow)]
    message_id: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    sent_at: Text<'a>,
    #[serde(borrow)]
    status: Object<Status<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    code: Text<'a>,
    #[serde(borrow)]
    created_at: Text<'a>,
    #[serde(borrow)]
    error_type: Text<'a>,
    #[serde(borrow)]
    error_message: Text<'a>,
}

/// The fields that say what a delivery means. Read only where it is judged; an inline transcript passes by unkept.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    data: Object<Facts<'a>>,
    extra: Object<Map<String, Value>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Facts<'a> {
    #[serde(borrow)]
    error_code: Text<'a>,
    #[serde(borrow)]
    error: Text<'a>,
    #[serde(borrow)]
    error_message: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow)]
    joined_at: Text<'a>,
    #[serde(borrow)]
    exited_at: Text<'a>,
    mp4: Present,
    video: Present,
    audio: Present,
    transcript: Present,
    transcription: Present,
    raw_transcription: Present,
    data_deleted: Value,
    extra: Object<Map<String, Value>>,
}

/// What the names mean, across the dialects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
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
    fn of(name: &str) -> Self {
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
    fn data(&self) -> Option<&Data<'_>> {
        self.data.0.as_ref()
    }

    fn status(&self) -> Option<&Status<'_>> {
        self.data()?.status.0.as_ref()
    }

    fn name(&self) -> Option<&str> {
        self.event.get().map(str::trim)
    }

    fn code(&self) -> Option<&str> {
        self.status()?.code.get().map(str::trim)
    }

    fn bot_id(&self) -> Option<&str> {
        self.bot_id.get().or_else(|| self.data()?.bot_id.get())
    }

    fn session(&self) -> Result<SessionId, ParseError> {
        let bot_id = SenderId::try_from(self.bot_id().ok_or(ParseError::NoBot)?)?;
        Ok(SessionId { provider: Provider::MeetingBaas, bot_id })
    }

    /// The calendar of a delivery that is about one and not about a bot.
    fn calendar(&self) -> Option<SenderId> {
        SenderId::try_from(self.data()?.calendar_id.get()?).ok()
    }

    fn is_about_a_calendar(&self) -> bool {
        self.bot_id().is_none() && (self.calendar().is_some() || self.name().map(Name::of) == Some(Name::Calendar))
    }

    fn occurred_at(&self) -> Option<OccurredAt> {
        let (data, status) = (self.data(), self.status());
        let places = [
            self.timestamp.get(),
            data.and_then(|data| data.timestamp.get()),
            status.and_then(|status| status.created_at.get()),
            data.and_then(|data| data.sent_at.get()),
            self.sent_at.get(),
        ];
        places.into_iter().flatten().find_map(|text| OccurredAt::parse(text).ok())
    }

    /// What makes two deliveries the same.
    ///
    /// A chat message by its own id; else the id that Svix gives a delivery. Where there is neither: a status by its code
    /// and time, a conclusion by its body but for the queries of its URLs, all else by its body. A `transcription_complete`
    /// has nothing to tell a repetition from a second run by, so every accepted one counts: fetching again is harmless, and
    /// missing a new transcript is not.
    fn key(&self, body: &[u8], message: Option<&QueueMessage>) -> DeliveryKey {
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
            (Name::Completed | Name::Failed, None) => {
                hash.field("conclusion").field(canonical::digest_without_queries(body))
            }
            (Name::Transcribed, None) if self.occurred_at().is_none() => {
                hash.field("accepted").optional(message.map(|message| message.accept_id().as_str()))
            }
            _ => hash.field("body").field(canonical::digest(body)),
        };
        DeliveryKey::from_digest(hash.hex())
    }
}

pub(super) fn peek(body: &[u8], message: Option<&QueueMessage>) -> Sight {
    let Some(envelope) = object::<Envelope<'_>>(body) else {
        return Sight { session: None, calendar: None, key: None };
    };
    Sight {
        session: envelope.session().ok(),
        calendar: envelope.calendar().filter(|_| envelope.is_about_a_calendar()),
        key: Some(envelope.key(body, message)),
    }
}

pub(super) fn parse(message: &QueueMessage) -> Result<Event, ParseError> {
    let body = message.body();
    let envelope: Envelope<'_> = object(body).ok_or(ParseError::NotAnObject)?;
    if envelope.is_about_a_calendar() {
        return Err(ParseError::Calendar);
    }
    let name = envelope.name().ok_or(ParseError::NoName)?;
    let Details { data, extra } = object(body).ok_or(ParseError::NotAnObject)?;
    let facts = data.0.unwrap_or_default();
    let kind = kind(name, &envelope, &facts);
    Ok(Event {
        session: envelope.session()?,
        reason: reason(&kind, name, &envelope, &facts),
        kind,
        name: bounded(&full_name(name, &envelope)),
        occurred_at: envelope.occurred_at(),
        received_at: message.received_at(),
        source: message.endpoint(),
        trust: message.trust(),
        key: envelope.key(body, Some(message)),
        accept_id: message.accept_id().clone(),
        custom_attributes: attributes(extra.0).or_else(|| attributes(facts.extra.0)),
    })
}

fn kind(name: &str, envelope: &Envelope<'_>, facts: &Facts<'_>) -> EventKind {
    match Name::of(name) {
        Name::StatusChange => envelope.code().map_or(EventKind::Unknown, codes::status),
        Name::Completed => {
            let ended = Ended { outcome: Outcome::Completed, certainty: Certainty::Final };
            EventKind::Concluded(conclusion(ended, facts))
        }
        Name::Failed => EventKind::Concluded(failure(facts)),
        Name::Transcribed => EventKind::Artifact(Artifact::Transcript, ArtifactStatus::Ready),
        Name::Started => EventKind::InCall,
        Name::Chat => EventKind::Chat,
        Name::Calendar | Name::Unknown => EventKind::Unknown,
    }
}

/// An artifact is ready if the sender has something to show for it. Without, nothing is said of it: v1 transcribes later,
/// and in v2 a field is null for many reasons.
fn conclusion(ended: Ended, facts: &Facts<'_>) -> Conclusion {
    let Present(transcript) = facts.transcript;
    let ready = [
        (Artifact::Audio, facts.audio.0),
        (Artifact::Video, facts.mp4.0 || facts.video.0),
        (Artifact::Transcript, transcript || facts.transcription.0 || facts.raw_transcription.0),
    ];
    let time = |text: &Text<'_>| text.get().and_then(|text| OccurredAt::parse(text).ok());
    Conclusion {
        ended,
        joined_at: time(&facts.joined_at),
        exited_at: time(&facts.exited_at),
        artifacts: ready.into_iter().filter(|(_, is)| *is).map(|(which, _)| (which, ArtifactStatus::Ready)).collect(),
        data_deleted: facts.data_deleted == Value::Bool(true),
    }
}

fn failure(facts: &Facts<'_>) -> Conclusion {
    let code = facts.error_code.get().or(facts.error.get());
    let ended = Ended { outcome: code.map_or(Outcome::Failed, codes::outcome), certainty: Certainty::Final };
    let mut conclusion = conclusion(ended, facts);
    if code.is_some_and(codes::is_of_the_transcription) {
        conclusion.artifacts.insert(Artifact::Transcript, ArtifactStatus::Failed);
    }
    conclusion
}

/// The event's name; of a status change, the code with it, since that is what happened.
fn full_name<'a>(name: &'a str, envelope: &Envelope<'_>) -> Cow<'a, str> {
    match envelope.code() {
        Some(code) if Name::of(name) == Name::StatusChange => Cow::Owned(format!("{name}/{code}")),
        _ => Cow::Borrowed(name),
    }
}

/// The sender's own code and words for an end or a failure.
fn reason(kind: &EventKind, name: &str, envelope: &Envelope<'_>, facts: &Facts<'_>) -> Option<String> {
    let explains = match kind {
        EventKind::Ended(_) | EventKind::Concluded(_) | EventKind::Warning => true,
        EventKind::Artifact(_, status) => *status != ArtifactStatus::Ready,
        _ => false,
    };
    if !explains {
        return None;
    }
    let status = envelope.status();
    let code = facts.error_code.get().or(facts.error.get()).or(envelope.code()).unwrap_or(name).trim();
    let mut reason = code.to_owned();
    if let Some(error_type) = status.and_then(|status| status.error_type.get()) {
        reason = format!("{reason} ({})", error_type.trim());
    }
    let in_status = status.and_then(|status| status.error_message.get());
    if let Some(message) = facts.error_message.get().or(facts.message.get()).or(in_status) {
        reason = format!("{reason}: {}", message.trim());
    }
    Some(bounded(&reason))
}

#[cfg(test)]
mod tests;
