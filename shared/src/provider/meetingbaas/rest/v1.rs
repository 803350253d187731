//! Version 1: `GET /bots/meeting_data`.

use crate::{
    api::{Absence, BotDetail, Content, Located, Unreadable},
    event::{Artifact, ArtifactStatus, Certainty, Ended, EventKind, Fact, Outcome},
    lenient::{Object, Text, object, tolerantly},
    provider::{
        bounds::{Attributes, bounded},
        meetingbaas::codes,
    },
    time::OccurredAt,
    url::DownloadUrl,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the API knows of a bot.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Meeting {
    /// What it says of the bot.
    pub detail: BotDetail,
    video: Option<DownloadUrl>,
    audio: Option<DownloadUrl>,
    transcript: Option<Content>,
    has_ended: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow)]
    mp4: Text<'a>,
    #[serde(borrow)]
    audio: Text<'a>,
    #[serde(borrow)]
    bot_data: Object<BotData<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BotData<'a> {
    #[serde(borrow)]
    bot: Object<Bot<'a>>,
    #[serde(borrow)]
    transcripts: Option<&'a RawValue>,
}

/// The few fields that we need. Some of the others are credentials of the account, which must not be kept.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Bot<'a> {
    #[serde(borrow)]
    ended_at: Text<'a>,
    #[serde(borrow)]
    bot_joined_at: Text<'a>,
    #[serde(borrow)]
    bot_exited_at: Text<'a>,
    #[serde(borrow)]
    errors: Text<'a>,
    extra: Attributes,
}

/// Reads what the API knows of a bot.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object with `bot_data`.
pub fn meeting(body: &[u8]) -> Result<Meeting, Unreadable> {
    tolerantly(body, read_meeting).ok_or(Unreadable)
}

fn read_meeting(body: &[u8]) -> Option<Meeting> {
    let wire: Wire<'_> = object(body)?;
    let data = wire.bot_data.0?;
    let bot = data.bot.0.unwrap_or_default();
    // A file that is not there is an empty text.
    let url = |text: &Text<'_>| text.get().and_then(|text| DownloadUrl::parse(text).ok());
    let (video, audio) = (url(&wire.mp4), url(&wire.audio));
    // Only the transcript itself: the rest of the answer holds URLs and keys that are credentials.
    let is_spoken = |list: &str| list.strip_prefix('[').is_some_and(|rest| !rest.trim_start().starts_with(']'));
    let transcript = data.transcripts.map(RawValue::get).filter(|list| is_spoken(list));
    let words = transcript.is_some();
    let transcript = transcript.map(|list| Content::Inline(list.as_bytes().to_vec()));
    let mut facts = facts(&bot);
    let there = [(Artifact::Video, video.is_some()), (Artifact::Audio, audio.is_some()), (Artifact::Transcript, words)];
    facts.extend(there.into_iter().filter(|(_, is_there)| *is_there).map(|(artifact, _)| Fact {
        kind: EventKind::Artifact(artifact, ArtifactStatus::Announced),
        occurred_at: None,
        reason: None,
    }));
    Some(Meeting {
        has_ended: bot.ended_at.get().is_some(),
        detail: BotDetail { status: None, facts, custom_attributes: bot.extra.kept(), join_at: None },
        video,
        audio,
        transcript,
    })
}

/// Version 1 has no status: that a bot joined, ended or failed follows from the fields with the times and the reason.
fn facts(bot: &Bot<'_>) -> Vec<Fact> {
    let moment = |text: &Text<'_>| text.get().and_then(|text| OccurredAt::parse(text).ok());
    let mut facts = Vec::new();
    if bot.bot_joined_at.get().is_some() {
        facts.push(Fact { kind: EventKind::InCall, occurred_at: moment(&bot.bot_joined_at), reason: None });
    }
    let error = bot.errors.get();
    if bot.ended_at.get().is_some() || bot.bot_exited_at.get().is_some() || error.is_some() {
        let outcome = error.map_or(Outcome::Completed, codes::outcome);
        let certainty = if error.is_some() { Certainty::Final } else { Certainty::Hint };
        let occurred_at = moment(&bot.bot_exited_at).or_else(|| moment(&bot.ended_at));
        let reason = error.map(|error| bounded(error.trim()));
        facts.push(Fact { kind: EventKind::Ended(Ended { outcome, certainty }), occurred_at, reason });
    }
    facts
}

impl Meeting {
    /// Where an artifact is. This version never says that one will not come, so what is missing is pending; but for a bot that
    /// ended in an error and left nothing at all.
    #[must_use]
    pub fn located(&self, artifact: Artifact) -> Located {
        let at = |url: &DownloadUrl| Content::At(url.clone());
        let content = match artifact {
            Artifact::Video => self.video.as_ref().map(at),
            Artifact::Audio => self.audio.as_ref().map(at),
            Artifact::Transcript => self.transcript.clone(),
            Artifact::Manifest => return Located::Unavailable(Absence::NotOffered),
        };
        match content {
            Some(content) => Located::Found { content, run: None },
            None if self.came_to_nothing() => Located::Unavailable(Absence::NeverMade),
            None => Located::Pending,
        }
    }

    fn came_to_nothing(&self) -> bool {
        let said = |test: fn(&EventKind) -> bool| self.detail.facts.iter().any(|fact| test(&fact.kind));
        let failed = said(|kind| matches!(kind, EventKind::Ended(ended) if ended.certainty == Certainty::Final));
        failed && self.has_ended && !said(|kind| matches!(kind, EventKind::Artifact(..)))
    }
}

#[cfg(test)]
mod tests;
