//! Why a job failed this time, and whether trying again can help.

use crate::ports::{
    bucket::{BucketError, UploadError},
    providers::{ApiError, Cause, Refusal},
    publisher::PublishError,
    sessions::StoreError,
};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the provider: {0}")]
    Provider(#[from] ApiError),
    #[error("the provider has not finished this artifact or meeting yet")]
    Pending,
    #[error("the artifact was fetched a moment ago")]
    Recent(Duration),
    #[error("another invocation saved the session on every attempt")]
    Contended,
    #[error("the invocation's time is up")]
    OutOfTime,
    #[error("the artifact is larger than an object can be")]
    TooLarge,
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        if error == StoreError::Conflict { Self::Contended } else { Self::Store(error) }
    }
}

impl From<UploadError> for JobError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Download(error) => Self::Provider(error),
            UploadError::Bucket(error) => Self::Bucket(error),
            UploadError::OutOfTime => Self::OutOfTime,
            UploadError::TooLarge => Self::TooLarge,
        }
    }
}

impl JobError {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Store(_) => "store_unavailable",
            Self::Bucket(_) => "bucket_unavailable",
            Self::Publish(_) => "publish_failed",
            Self::Provider(error) => error.code(),
            Self::Pending => "not_in_time",
            Self::Recent(_) => "recent",
            Self::Contended => "contended",
            Self::OutOfTime => "out_of_time",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether the failure is on our side. Such a failure never gives a job up.
    pub(super) fn is_ours(self) -> bool {
        !matches!(self, Self::Provider(_) | Self::Pending | Self::OutOfTime | Self::TooLarge)
    }

    /// Whether trying again certainly cannot help. No answer of a provider says that.
    pub(super) fn is_hopeless(self) -> bool {
        use Refusal::{NotOffered, UnsafeUrl, UnusableId};
        match self {
            Self::Provider(ApiError::Later { cause, .. }) => cause == Cause::NoKey,
            Self::Provider(ApiError::Never(refusal)) => matches!(refusal, UnusableId | UnsafeUrl | NotOffered),
            Self::TooLarge => true,
            _ => false,
        }
    }

    /// Whether the provider answered 404 or 410: the bot or its artifact may not exist, or no longer.
    pub(super) fn may_be_gone(self) -> bool {
        matches!(self, Self::Provider(ApiError::Never(Refusal::NotFound | Refusal::Gone)))
    }

    /// If nobody was asked, how long to wait before the job is really tried.
    pub(super) fn rest(self) -> Option<Duration> {
        match self {
            Self::Provider(ApiError::Later { cause: Cause::Resting, wait }) => Some(wait.unwrap_or_default()),
            Self::Recent(wait) => Some(wait),
            _ => None,
        }
    }

    /// How long the provider asks us to wait; zero if it does not say.
    pub(super) fn wait(self) -> Duration {
        if let Self::Provider(error) = self { error.wait().unwrap_or_default() } else { Duration::ZERO }
    }
}
