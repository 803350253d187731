//! The dialects of Meeting BaaS: v1, v2, the v2 callbacks, and the names of the vendor's web page.
//!
//! They differ in which names they use and not in what a name means, so one reading serves all four endpoints; the endpoint
//! decides only how a delivery is proved. Documentation and schema of v2 contradict each other about where `extra` and
//! `sent_at` are and whether the recording is `mp4` or `video`: every place is read.

mod calendar;
mod codes;
pub mod rest;
mod wire;

use super::{
    bounds::{Attributes, bounded},
    error::ParseError,
};
use crate::{
    event::{Artifact, ArtifactStatus, Certainty, Conclusion, Ended, Event, EventKind, Outcome},
    ids::{DeliveryKey, SessionId},
    lenient::{Text, object, tolerantly},
    message::QueueMessage,
    source::Source,
    time::OccurredAt,
};
use serde::{Deserialize, de::IgnoredAny};
use std::borrow::Cow;
use wire::{Details, Envelope, Facts, Name};

/// Whether the body is a v1 `complete` with its transcript inside: it is there when `speech_to_text` was asked for.
pub(super) fn carries_transcript(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Body {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        transcript: Vec<IgnoredAny>,
    }
    tolerantly(body, |body| serde_json::from_slice::<Body>(body).ok())
        .is_some_and(|body| !body.data.transcript.is_empty())
}

/// The bot or calendar and the key of a body that was `sent`, from its `readable` form.
pub(super) fn peek(
    sent: &[u8],
    readable: &[u8],
    message: Option<&QueueMessage>,
) -> Option<(Option<SessionId>, DeliveryKey)> {
    let envelope: Envelope<'_> = object(readable)?;
    Some((envelope.session().ok(), envelope.key(sent, message)))
}

/// The event in a message whose body has this readable form.
pub(super) fn parse(message: &QueueMessage, body: &[u8]) -> Result<Event, ParseError> {
    let envelope: Envelope<'_> = object(body).ok_or(ParseError::NotAnObject)?;
    let name = envelope.name().ok_or(ParseError::NoName)?;
    let Details { data, extra } = object(body).ok_or(ParseError::NotAnObject)?;
    let facts = data.0.unwrap_or_default();
    let kind = kind(name, &envelope, &facts, body);
    Ok(Event {
        session: envelope.session()?,
        reason: reason(&kind, name, &envelope, &facts),
        kind,
        name: bounded(&full_name(name, &envelope)),
        occurred_at: envelope.occurred_at(),
        received_at: message.received_at(),
        source: Source::Delivered(message.endpoint()),
        trust: message.trust(),
        key: envelope.key(message.body(), Some(message)),
        accept_id: message.accept_id().clone(),
        has_dropped_attributes: extra == Attributes::Dropped || facts.extra == Attributes::Dropped,
        custom_attributes: extra.kept().or_else(|| facts.extra.kept()),
    })
}

fn kind(name: &str, envelope: &Envelope<'_>, facts: &Facts<'_>, body: &[u8]) -> EventKind {
    match Name::of(name) {
        Name::StatusChange => envelope.code().map_or(EventKind::Unknown, codes::status),
        Name::Completed => {
            let ended = Ended { outcome: Outcome::Completed, certainty: Certainty::Final };
            EventKind::Concluded(conclusion(ended, facts))
        }
        Name::Failed => EventKind::Concluded(failure(facts)),
        Name::Transcribed => EventKind::Artifact(Artifact::Transcript, ArtifactStatus::Announced),
        Name::Started => EventKind::InCall,
        Name::Chat => EventKind::Chat,
        Name::Calendar => calendar::change(name, body).map_or(EventKind::Unknown, EventKind::Calendar),
        Name::Unknown => EventKind::Unknown,
    }
}

/// An artifact is ready if the sender has something to show for it. Without, nothing is said of it: v1 transcribes later,
/// and in v2 a field is null for many reasons.
fn conclusion(ended: Ended, facts: &Facts<'_>) -> Conclusion {
    let ready = [
        (Artifact::Audio, facts.audio.0),
        (Artifact::Video, facts.mp4.0 || facts.video.0),
        (Artifact::Transcript, facts.transcript.0 || facts.transcription.0 || facts.raw_transcription.0),
    ];
    let time = |text: &Text<'_>| text.get().and_then(|text| OccurredAt::parse(text).ok());
    Conclusion {
        ended,
        joined_at: time(&facts.joined_at),
        exited_at: time(&facts.exited_at),
        artifacts: ready
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(which, _)| (which, ArtifactStatus::Announced))
            .collect(),
        data_deleted: facts.data_deleted.0,
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
        EventKind::Artifact(_, status) => *status != ArtifactStatus::Announced,
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
