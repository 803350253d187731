//! Why a request to a provider had no usable answer.

use std::time::Duration;

/// Why a request had no usable answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the same request may succeed later: {cause}")]
    Later {
        cause: Cause,
        /// How long the provider asked us to wait, if it did: at most an hour.
        wait: Option<Duration>,
    },
    #[error("the same request never succeeds: {0}")]
    Never(#[from] Refusal),
}

/// Why a request may succeed later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Cause {
    #[error("the provider is busy")]
    Busy,
    /// No request was sent, because the provider failed too often just now or asked us to wait.
    #[error("the provider is given a rest")]
    Resting,
    #[error("the provider is failing")]
    Failing,
    #[error("the provider cannot be reached")]
    Unreachable,
    #[error("the provider did not answer in time")]
    TimedOut,
    #[error("the answer broke off")]
    Truncated,
    /// The answer is larger than any artifact or page of its kind.
    #[error("the answer is too large")]
    TooLarge,
    /// The provider or a delivery says that an artifact exists, and the API does not find it.
    #[error("the provider announced the artifact and does not find it")]
    Missing,
    #[error("the answer cannot be read")]
    Unreadable,
    /// The API redirects. The key is not sent to another host; the base URL may be out of date.
    #[error("the API redirects")]
    Redirected,
    /// Only an operator can repair this, so it is logged as an error.
    #[error("the API key was refused")]
    KeyRefused,
    #[error("no API key is configured")]
    NoKey,
    /// The URL of a download has expired, or was never accepted. The API gives a new one.
    #[error("the URL is not accepted any more")]
    UrlRefused,
}

/// Why a request never succeeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// 404: the bot or artifact does not exist, or no longer.
    #[error("the provider knows no such bot or artifact")]
    NotFound,
    /// 410: the bot or artifact existed, and was erased or has expired.
    #[error("the provider has erased the bot or artifact")]
    Gone,
    #[error("the provider refuses the request")]
    Refused,
    /// An id cannot be part of a URL.
    #[error("the id cannot be part of a URL")]
    UnusableId,
    /// The URL of the download does not lead to a public address over TLS.
    #[error("the URL is not safe to follow")]
    UnsafeUrl,
    #[error("the provider's API has no such request")]
    NotOffered,
}

impl ApiError {
    /// An error without a wait that the provider asked for.
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

    /// Whether the cause may pass within seconds.
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
