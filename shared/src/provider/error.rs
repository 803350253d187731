//! Why a delivery cannot be read.

use crate::sender_id::SenderIdError;

/// Why an authentic body is no event. Its bytes go to quarantine.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    /// The body is not a JSON object, or a field that we read occurs in it more than once.
    #[error("the body is not a JSON object, or has a field twice")]
    NotAnObject,
    /// Nothing in it says what happened.
    #[error("the body names no event")]
    NoName,
    /// Nothing in it says which bot, or which calendar.
    #[error("the body names no bot and no calendar")]
    NoBot,
    /// The id of the bot or calendar is empty or too long.
    #[error("the id of the bot or calendar cannot be used: {0}")]
    BadBot(#[from] SenderIdError),
}

impl ParseError {
    /// A short name for logs, metrics and metadata.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::NoName => "no_event_name",
            Self::NoBot => "no_bot",
            Self::BadBot(_) => "bad_bot_id",
        }
    }
}
