//! Why a question to a provider had no answer.

use std::time::Duration;

/// Why a question had no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApiError {
    /// The same question may have an answer later.
    #[error("to be tried later: {cause}")]
    Later {
        /// Why not now.
        cause: Cause,
        /// How long the provider asked us to wait, if it did: at most an hour.
        wait: Option<Duration>,
    },
    /// The same question never has an answer.
    #[error("not to be tried again: {0}")]
    Never(#[from] Refusal),
}

/// Why a question has no answer now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Cause {
    /// We ask too often.
    #[error("the provider is busy")]
    Busy,
    /// It was not even asked: it failed too often just now, or asked us to wait.
    #[error("the provider is given a rest")]
    Resting,
    /// The provider is at fault.
    #[error("the provider is failing")]
    Failing,
    /// There was no connection.
    #[error("the provider cannot be reached")]
    Unreachable,
    /// There was no answer in time.
    #[error("the provider did not answer in time")]
    TimedOut,
    /// The answer broke off.
    #[error("the answer broke off")]
    Truncated,
    /// The answer is larger than anything of its kind.
    #[error("the answer is too large")]
    TooLarge,
    /// What is said to be there is not.
    #[error("the provider says that it is there, and does not find it")]
    Missing,
    /// The answer is not what the API documents.
    #[error("the answer cannot be read")]
    Unreadable,
    /// The API sent us elsewhere. The key does not go there; the base URL may be out of date.
    #[error("the API redirects")]
    Redirected,
    /// The key was refused. That is for an operator to mend, and is logged as an error.
    #[error("the API key was refused")]
    KeyRefused,
    /// No key is configured.
    #[error("no API key is configured")]
    NoKey,
    /// A download's URL is no longer taken, if ever it was: ask for a new one.
    #[error("the URL is no longer taken")]
    UrlRefused,
}

/// Why a question never has an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or not any more.
    #[error("the provider knows nothing of it")]
    NotFound,
    /// It was there, and has been erased or has expired.
    #[error("the provider has erased it")]
    Gone,
    /// The provider calls the question wrong.
    #[error("the provider refuses the question")]
    Refused,
    /// An id in it cannot be part of a URL.
    #[error("the id cannot be asked about")]
    UnusableId,
    /// The URL to download from is none that is followed.
    #[error("the URL is not safe to follow")]
    UnsafeUrl,
    /// This provider's API has no such question.
    #[error("the provider's API does not offer it")]
    NotOffered,
}

impl ApiError {
    /// To be tried later, whenever.
    #[must_use]
    pub fn later(cause: Cause) -> Self {
        Self::Later { cause, wait: None }
    }

    /// A short name for logs and metrics, and for the reason that an artifact is unavailable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Later { cause, .. } => cause.code(),
            Self::Never(refusal) => refusal.code(),
        }
    }

    /// How long the provider asked us to wait.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Later { wait, .. } => *wait,
            Self::Never(_) => None,
        }
    }
}

impl Cause {
    fn code(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Resting => "resting",
            Self::Failing => "failing",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Redirected => "redirected",
            Self::KeyRefused => "key_refused",
            Self::NoKey => "no_key",
            Self::UrlRefused => "url_refused",
        }
    }

    /// Whether it may have passed within seconds.
    pub(crate) fn is_passing(self) -> bool {
        match self {
            Self::Busy | Self::Failing | Self::Unreachable | Self::TimedOut | Self::Truncated => true,
            Self::Resting
            | Self::TooLarge
            | Self::Missing
            | Self::Unreadable
            | Self::Redirected
            | Self::KeyRefused
            | Self::NoKey
            | Self::UrlRefused => false,
        }
    }
}

impl Refusal {
    fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::UnusableId => "unusable_id",
            Self::UnsafeUrl => "unsafe_url",
            Self::NotOffered => "not_offered",
        }
    }
}
