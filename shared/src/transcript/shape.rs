//! The one shape of transcripts.

use crate::endpoint::Provider;
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
