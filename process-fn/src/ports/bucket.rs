//! The bucket: bytes that could not take effect, bodies that were too large for the queue, deliveries that it refused.

#[cfg(any(test, feature = "testing"))]
pub(crate) mod contract;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod memory;
mod s3;
pub(crate) mod uploads;

pub use s3::S3Vault;

use shared::{
    Event, QueueMessage, artifacts,
    bucket::{Folder, beside_a_delivery, beside_a_record, key, metadata},
    hash::sha256_hex,
    message::Head,
};
use std::future::Future;

/// Bytes to be kept, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The key: its folder, the group's hash, and what names the delivery. The same delivery has the same key, so keeping it
    /// twice keeps it once.
    pub key: String,
    /// The bytes: the sender's own, or the whole record where they cannot be had.
    pub bytes: Vec<u8>,
    /// A short name of the reason.
    pub reason: &'static str,
    /// What is needed to make the queue message again, as names and values.
    pub metadata: Vec<(&'static str, String)>,
}

impl Kept {
    /// A delivery with its body.
    #[must_use]
    pub fn delivery(folder: Folder, group: &str, message: &QueueMessage, reason: &'static str) -> Self {
        let key = key(folder, group, message.accept_id().as_str());
        Self { key, bytes: message.body().to_vec(), reason, metadata: beside_a_delivery(message.head()) }
    }

    /// A delivery whose body cannot be had: the record, with its claim to it.
    #[must_use]
    pub fn claim(folder: Folder, group: &str, head: &Head, record: &str, reason: &'static str) -> Self {
        let key = key(folder, group, head.accept_id.as_str());
        Self { key, bytes: record.as_bytes().to_vec(), reason, metadata: beside_a_record(head) }
    }

    /// A delivery's body that carries a transcript.
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

/// An object that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it was stored, in seconds since the Unix epoch.
    pub stored_at: i64,
}

/// Durable storage for bytes.
pub trait Vault {
    /// Stores them. `Ok` means that they are there to stay.
    fn keep(&self, kept: &Kept) -> impl Future<Output = Result<(), VaultError>> + Send;

    /// The bytes under a key; `None` if there are none for certain.
    fn fetch(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, VaultError>> + Send;

    /// The first objects below a prefix, at most 1,000.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<Vec<Listed>, VaultError>> + Send;

    /// Removes an object; one that is not there is removed already.
    fn remove(&self, key: &str) -> impl Future<Output = Result<(), VaultError>> + Send;
}

/// The bucket did not do it, or nobody knows; it is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the vault is unavailable")]
pub struct VaultError;
