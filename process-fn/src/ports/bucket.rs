//! The bucket: deliveries that could not take effect, bodies that are too large for the queue, deliveries that the queue refused, and
//! artifacts.

#[cfg(any(test, feature = "testing"))]
pub(crate) mod contract;
#[cfg(test)]
pub(crate) mod memory;
mod s3;

pub use s3::S3Bucket;

use crate::ports::providers::{ApiError, Download};
use shared::{
    Event, QueueMessage, artifacts,
    bucket::{Folder, beside_a_delivery, beside_a_record, key, metadata},
    hash::sha256_hex,
    message::Head,
};
use std::future::Future;
use tokio::time::Instant;

/// Durable storage for bytes. An object is there as a whole or not at all, and storing it again replaces it.
pub trait Bucket {
    /// Stores an object. `Ok` means that it is durable.
    fn put(&self, object: &Object) -> impl Future<Output = Result<(), BucketError>> + Send;

    /// The bytes under a key. `None` means that there is certainly no such object.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, BucketError>> + Send;

    /// The first objects below a prefix, at most 1,000.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<Vec<Listed>, BucketError>> + Send;

    /// Removes an object. Removing one that does not exist succeeds.
    fn remove(&self, key: &str) -> impl Future<Output = Result<(), BucketError>> + Send;

    /// Stores an artifact that is in memory.
    fn put_artifact(
        &self,
        key: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<Uploaded, UploadError>> + Send;

    /// Streams a download into an object, through bounded memory, and gives up at `deadline`. `Ok` means that the whole download is
    /// durable. After an error no part of the download is left; the whole of it may be there, if only the last confirmation is
    /// missing.
    fn upload(
        &self,
        key: &str,
        download: Download,
        deadline: Instant,
    ) -> impl Future<Output = Result<Uploaded, UploadError>> + Send;
}

/// Bytes to be stored, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// The folder, the group's hash, and the name of the delivery. The same delivery always has the same key, so storing it twice
    /// makes one object.
    pub key: String,
    /// The sender's own bytes, or the whole record where the sender's bytes are not available.
    pub bytes: Vec<u8>,
    /// A short name of the reason.
    pub reason: &'static str,
    /// What is needed to make the queue message again, as names and values.
    pub metadata: Vec<(&'static str, String)>,
}

impl Object {
    /// A delivery with its body.
    #[must_use]
    pub fn delivery(folder: Folder, group: &str, message: &QueueMessage, reason: &'static str) -> Self {
        let key = key(folder, group, message.accept_id().as_str());
        Self { key, bytes: message.body().to_vec(), reason, metadata: beside_a_delivery(message.head()) }
    }

    /// A delivery whose body is not available: its record, which has the claim check.
    #[must_use]
    pub fn claim(folder: Folder, group: &str, head: &Head, record: &str, reason: &'static str) -> Self {
        let key = key(folder, group, head.accept_id.as_str());
        Self { key, bytes: record.as_bytes().to_vec(), reason, metadata: beside_a_record(head) }
    }

    /// The body of a delivery that carries a transcript.
    #[must_use]
    pub fn carried(event: &Event, body: &[u8]) -> Self {
        let key = artifacts::carried(&event.session, &event.accept_id, event.received_at);
        Self { key, bytes: body.to_vec(), reason: "carries_a_transcript", metadata: vec![] }
    }

    /// A record that is none of our messages.
    #[must_use]
    pub fn foreign(folder: Folder, group: &str, message_id: &str, record: &str, reason: &'static str) -> Self {
        Self {
            key: key(folder, group, &format!("foreign-{}", sha256_hex(message_id.as_bytes()))),
            bytes: record.as_bytes().to_vec(),
            reason,
            metadata: vec![(metadata::FORM, metadata::RECORD.to_owned())],
        }
    }
}

/// An object in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    pub key: String,
    /// In seconds since the Unix epoch.
    pub stored_at: i64,
}

/// An artifact that was stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uploaded {
    pub key: String,
    /// As the host of the download named it.
    pub content_type: Option<String>,
    pub size_bytes: u64,
    /// The SHA-256 of the content, as 64 lower-case hexadecimal characters.
    pub sha256: String,
}

/// The bucket refused or did not answer. The caller tries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the bucket is unavailable")]
pub struct BucketError;

/// Why an artifact was not stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UploadError {
    #[error("the download failed: {0}")]
    Download(#[from] ApiError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error("there was no time left")]
    OutOfTime,
    #[error("the content is too large for an object")]
    TooLarge,
}
