//! Transcripts in one shape, whoever wrote them.

mod reading;
mod rendering;
mod shape;

pub use rendering::{srt, text, vtt};
pub use shape::{Segment, Transcript, VERSION, Word};

use crate::{ids::SessionId, lenient::mended};
use reading::Reader;
use serde_json::value::RawValue;
use std::io;

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
    /// [`UnreadableTranscript`] for what is not JSON, for JSON that has no place for segments, and for a transcript that would
    /// take more than three times the memory of the body, which no provider writes. An empty list of segments is a transcript of
    /// a silent meeting.
    pub fn read(bot: &SessionId, body: &[u8]) -> Result<Self, UnreadableTranscript> {
        let mended = mended(body);
        let body = mended.as_deref().unwrap_or(body);
        let document: &RawValue = serde_json::from_slice(body).map_err(|_| UnreadableTranscript)?;
        let read = Reader::new(body.len()).segments(document).ok().flatten();
        Ok(Self {
            version: VERSION,
            provider: bot.provider,
            bot_id: bot.id.as_sent().to_owned(),
            language: reading::language(document),
            segments: read.ok_or(UnreadableTranscript)?,
        })
    }

    /// The transcript as JSON, in no more memory than that has.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut length = Length(0);
        // Numbers, texts and lists of them can always be written, and writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut length, self);
        let mut json = Vec::with_capacity(length.0);
        let _ = serde_json::to_writer(&mut json, self);
        json
    }
}

/// How long something is that is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
