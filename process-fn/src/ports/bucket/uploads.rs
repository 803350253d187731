//! Where artifacts are kept.

#[cfg(any(test, feature = "testing"))]
pub(crate) mod memory;
mod parts;
mod s3;

pub use s3::S3Archive;

use crate::ports::providers::{ApiError, Download};
use std::future::Future;
use tokio::time::Instant;

/// Durable storage for artifacts. An object is there as a whole or not at all, and storing it again replaces it.
pub trait Archive {
    /// Streams a download into an object, through bounded memory. `Ok` means that all of it is there to stay, and nothing but
    /// it. What is not through by the deadline is given up. An error leaves no part of a download behind; the whole of it may
    /// be there, where only the last confirmation is missing.
    fn store(
        &self,
        key: &str,
        download: Download,
        deadline: Instant,
    ) -> impl Future<Output = Result<Stored, ArchiveError>> + Send;

    /// Stores what is at hand.
    fn put(
        &self,
        key: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<Stored, ArchiveError>> + Send;
}

/// What was stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Where.
    pub key: String,
    /// What kind of content its host said it is.
    pub content_type: Option<String>,
    /// How much.
    pub size_bytes: u64,
    /// The SHA-256 of the content, as 64 lower-case hexadecimal characters.
    pub sha256: String,
}

/// Why nothing was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The download failed.
    #[error("the download failed: {0}")]
    Download(#[from] ApiError),
    /// The archive cannot now, or did not answer.
    #[error("the archive is unavailable")]
    Unavailable,
    /// Time was up.
    #[error("there was no time left")]
    OutOfTime,
    /// There is more than an object can hold.
    #[error("the content is too large for an object")]
    TooLarge,
}

impl ArchiveError {
    /// A short name for logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Download(error) => error.code(),
            Self::Unavailable => "archive_unavailable",
            Self::OutOfTime => "out_of_time",
            Self::TooLarge => "too_large",
        }
    }
}
