//! Transcripts in one shape, whoever wrote them.

mod reading;
mod rendering;

pub use rendering::{srt, text, vtt};

use crate::{event::SessionId, provider::Provider};
use serde::{Deserialize, Serialize};

/// The version of the shape. Fields may be added to it; another meaning gets another number.
pub const VERSION: u32 = 1;

/// What was said in a meeting. What the provider did not say is `null`: no time and no speaker is made up.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Transcript {
    /// [`VERSION`].
    pub version: u32,
    /// Whose bot it was.
    pub provider: Provider,
    /// The bot, as the provider calls it.
    pub bot_id: String,
    /// The language, as the provider calls it; of several, the first.
    pub language: Option<String>,
    /// What was said, in the provider's order.
    pub segments: Vec<Segment>,
}

/// What one person said without a break.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Segment {
    /// Who spoke: a name, or a number that some providers give instead.
    pub speaker: Option<String>,
    /// What was said.
    pub text: String,
    /// When it began, in seconds since the recording began.
    pub start_seconds: Option<f64>,
    /// When it ended, in seconds since the recording began; never before it began.
    pub end_seconds: Option<f64>,
    /// The same word for word, where the provider has it.
    pub words: Vec<Word>,
}

/// One word.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Word {
    /// The word, with its punctuation where the provider has it.
    pub text: String,
    /// When it began, in seconds since the recording began.
    pub start: Option<f64>,
    /// When it ended, in seconds since the recording began.
    pub end: Option<f64>,
    /// How sure the transcriber was, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// The body is no transcript in any form that we know. What it is stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the body is no transcript that can be read")]
pub struct UnreadableTranscript;

impl Transcript {
    /// Reads a transcript in any form that a provider is known to write: `MeetStream`'s `get_transcript`, Meeting BaaS's v1
    /// `complete` event (whole, or its `transcript` alone), its v1 `meeting_data` (whole, or its `transcripts` alone), its v2
    /// artifact, and what transcribers write themselves, as far as it resembles these.
    ///
    /// Fields of the wrong type count as absent, numbers may be texts, negative times are 0. No words are left out: what has
    /// a text or words becomes a segment, whatever else is missing. One without either is dropped.
    ///
    /// # Errors
    /// [`UnreadableTranscript`] for what is not JSON, and for JSON that has no place for segments. An empty list of segments
    /// is a transcript of a silent meeting.
    pub fn read(bot: &SessionId, body: &[u8]) -> Result<Self, UnreadableTranscript> {
        let value = serde_json::from_slice(body).map_err(|_| UnreadableTranscript)?;
        let segments = reading::segments(&value).ok_or(UnreadableTranscript)?;
        Ok(Self {
            version: VERSION,
            provider: bot.provider,
            bot_id: bot.id.as_sent().to_owned(),
            language: reading::language(&value),
            segments,
        })
    }
}

#[cfg(test)]
mod tests;
