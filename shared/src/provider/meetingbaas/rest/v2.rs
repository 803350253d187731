//! Version 2: `GET /v2/bots/{id}` and `GET /v2/bots/{id}/status`.

use crate::{
    api::{Absence, BotDetail, Content, Located, Unreadable},
    event::{Artifact, ArtifactStatus, Certainty, Ended, EventKind, Fact, Outcome},
    lenient::{Object, Text, object, tolerantly},
    provider::{
        bounds::{Attributes, bounded},
        meetingbaas::codes,
    },
    sender_id::SenderId,
    time::OccurredAt,
    url::DownloadUrl,
};
use serde::Deserialize;
use serde_json::Value;

/// What the API knows of a bot.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bot {
    /// What it says of the bot.
    pub detail: BotDetail,
    video: Option<DownloadUrl>,
    audio: Option<DownloadUrl>,
    transcription: Option<DownloadUrl>,
    raw_transcription: Option<DownloadUrl>,
    run: Option<SenderId>,
}

/// How the transcription of a bot stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TranscriptionStatus {
    /// It is under way, or has a name that we do not know.
    UnderWay,
    /// It has been made.
    Made,
    /// It failed.
    Failed,
    /// None is to be made.
    NotWanted,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Outer<'a> {
    #[serde(borrow)]
    data: Object<Wire<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    transcription_status: Text<'a>,
    #[serde(borrow)]
    joined_at: Text<'a>,
    #[serde(borrow)]
    exited_at: Text<'a>,
    artifacts_deleted: Value,
    data_deleted: Value,
    #[serde(borrow)]
    video: Text<'a>,
    #[serde(borrow)]
    mp4: Text<'a>,
    #[serde(borrow)]
    audio: Text<'a>,
    #[serde(borrow)]
    transcription: Text<'a>,
    #[serde(borrow)]
    raw_transcription: Text<'a>,
    transcription_ids: Value,
    #[serde(borrow)]
    error_code: Text<'a>,
    #[serde(borrow)]
    error_message: Text<'a>,
    extra: Attributes,
}

fn wire(body: &[u8]) -> Option<Wire<'_>> {
    object::<Outer<'_>>(body)?.data.0
}

/// Reads what the API knows of a bot.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object with `data`.
pub fn bot(body: &[u8]) -> Result<Bot, Unreadable> {
    tolerantly(body, read_bot).ok_or(Unreadable)
}

fn read_bot(body: &[u8]) -> Option<Bot> {
    let wire = wire(body)?;
    let url = |text: &Text<'_>| text.get().and_then(|text| DownloadUrl::parse(text).ok());
    let newest = wire.transcription_ids.as_array().and_then(|ids| ids.last()).and_then(Value::as_str);
    Some(Bot {
        video: url(&wire.video).or_else(|| url(&wire.mp4)),
        audio: url(&wire.audio),
        transcription: url(&wire.transcription),
        raw_transcription: url(&wire.raw_transcription),
        run: newest.and_then(|id| SenderId::try_from(id).ok()),
        detail: BotDetail {
            status: wire.status.get().map(bounded),
            facts: facts(&wire),
            custom_attributes: wire.extra.kept(),
            join_at: None,
        },
    })
}

/// Reads how the transcription of a bot stands.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object with `data`.
pub fn transcription_status(body: &[u8]) -> Result<TranscriptionStatus, Unreadable> {
    tolerantly(body, read_transcription_status).ok_or(Unreadable)
}

fn read_transcription_status(body: &[u8]) -> Option<TranscriptionStatus> {
    let wire = wire(body)?;
    let status = wire.transcription_status.get().map(|status| status.trim().to_ascii_lowercase());
    Some(match status.as_deref() {
        Some("done") => TranscriptionStatus::Made,
        Some("error") => TranscriptionStatus::Failed,
        Some("not-applicable") => TranscriptionStatus::NotWanted,
        _ => TranscriptionStatus::UnderWay,
    })
}

fn facts(wire: &Wire<'_>) -> Vec<Fact> {
    let moment = |text: &Text<'_>| text.get().and_then(|text| OccurredAt::parse(text).ok());
    let fact = |kind, occurred_at| Fact { kind, occurred_at, reason: None };
    let mut facts = Vec::new();
    if wire.joined_at.get().is_some() {
        facts.push(fact(EventKind::InCall, moment(&wire.joined_at)));
    }
    let exited_at = moment(&wire.exited_at);
    match wire.status.get().map(codes::status) {
        Some(EventKind::Concluded(conclusion)) => {
            let (outcome, reason) = match wire.error_code.get() {
                Some(code) => (codes::outcome(code), Some(bounded(&explained(code, wire.error_message.get())))),
                None => (conclusion.ended.outcome, None),
            };
            let ended = EventKind::Ended(Ended { outcome, certainty: Certainty::Final });
            facts.push(Fact { kind: ended, occurred_at: exited_at, reason });
            facts.push(fact(EventKind::Done, None));
        }
        Some(kind) if exited_at.is_some() && !matches!(kind, EventKind::Ended(_)) => {
            let ended = Ended { outcome: Outcome::Completed, certainty: Certainty::Hint };
            facts.push(fact(EventKind::Ended(ended), exited_at));
        }
        Some(EventKind::Unknown) | None => {}
        Some(kind) => facts.push(fact(kind, exited_at)),
    }
    let ready = |artifact| fact(EventKind::Artifact(artifact, ArtifactStatus::Announced), None);
    let there = [
        (Artifact::Video, wire.video.get().or(wire.mp4.get())),
        (Artifact::Audio, wire.audio.get()),
        (Artifact::Transcript, wire.transcription.get()),
    ];
    facts.extend(there.into_iter().filter(|(_, url)| url.is_some()).map(|(artifact, _)| ready(artifact)));
    if wire.error_code.get().is_some_and(codes::is_of_the_transcription) {
        facts.push(fact(EventKind::Artifact(Artifact::Transcript, ArtifactStatus::Failed), None));
    }
    if [&wire.artifacts_deleted, &wire.data_deleted].contains(&&Value::Bool(true)) {
        facts.push(fact(EventKind::Deleted, None));
    }
    facts
}

fn explained(code: &str, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{}: {}", code.trim(), message.trim()),
        None => code.trim().to_owned(),
    }
}

impl Bot {
    /// Where an artifact is; `None` for a transcript of which only [`transcription_status`] can say more.
    #[must_use]
    pub fn located(&self, artifact: Artifact) -> Option<Located> {
        let url = match artifact {
            Artifact::Video => &self.video,
            Artifact::Audio => &self.audio,
            Artifact::Transcript => &self.transcription,
            Artifact::Manifest => return Some(Located::Unavailable(Absence::NotOffered)),
        };
        match url {
            Some(url) => Some(self.found(artifact, url)),
            None if artifact == Artifact::Transcript && !self.detail.is_erased() => None,
            None => Some(self.detail.missing(artifact)),
        }
    }

    /// Where the transcript is that [`Bot::located`] does not know of.
    #[must_use]
    pub fn transcript(&self, status: TranscriptionStatus) -> Located {
        match (status, &self.raw_transcription) {
            // Better the words as the transcriber gave them than none.
            (TranscriptionStatus::Made, Some(url)) => self.found(Artifact::Transcript, url),
            (TranscriptionStatus::Made | TranscriptionStatus::UnderWay, _) => Located::Pending,
            (TranscriptionStatus::Failed, _) => Located::Unavailable(Absence::Failed),
            (TranscriptionStatus::NotWanted, _) => Located::Unavailable(Absence::Skipped),
        }
    }

    fn found(&self, artifact: Artifact, url: &DownloadUrl) -> Located {
        let run = self.run.clone().filter(|_| artifact == Artifact::Transcript);
        Located::Found { content: Content::At(url.clone()), run }
    }
}

#[cfg(test)]
mod tests;
