//! Where bytes are kept that could not take effect.

#[cfg(any(test, feature = "testing"))]
pub(crate) mod memory;
mod s3;

pub use s3::S3Vault;

use shared::QueueMessage;
use std::future::Future;

/// Bytes to be kept, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The key: `quarantine/` or `parked/`, the group's hash, and what names the delivery. The same delivery has the same
    /// key, so keeping it twice keeps it once.
    pub key: String,
    /// The bytes: the sender's own, or the whole record where it is none of our messages.
    pub bytes: Vec<u8>,
    /// A short name of the reason.
    pub reason: &'static str,
    /// What is needed to make the queue message again, as names and values.
    pub metadata: Vec<(&'static str, String)>,
}

impl Kept {
    /// An authentic delivery that cannot be read, now or ever.
    #[must_use]
    pub fn quarantined(group: &str, message: &QueueMessage, reason: &'static str) -> Self {
        Self::message("quarantine", group, message, reason)
    }

    /// A delivery that failed on every try.
    #[must_use]
    pub fn parked(group: &str, message: &QueueMessage, reason: &'static str) -> Self {
        Self::message("parked", group, message, reason)
    }

    /// A record that is none of our messages and failed on every try.
    #[must_use]
    pub fn parked_foreign(group: &str, message_id: &str, body: &str, reason: &'static str) -> Self {
        Self {
            key: format!("parked/{group}/foreign-{}", shared::hash::sha256_hex(message_id.as_bytes())),
            bytes: body.as_bytes().to_vec(),
            reason,
            metadata: vec![("form", "record".to_owned())],
        }
    }

    fn message(folder: &str, group: &str, message: &QueueMessage, reason: &'static str) -> Self {
        let mut metadata = vec![
            ("form", "delivery".to_owned()),
            ("accept-id", message.accept_id().to_string()),
            ("endpoint", message.endpoint().as_str().to_owned()),
            ("received-at", message.received_at().0.to_string()),
        ];
        // It came as the value of a header, so it fits into one.
        metadata.extend(message.delivery_id().map(|id| ("delivery-id", id.as_str().to_owned())));
        let key = format!("{folder}/{group}/{}", message.accept_id());
        Self { key, bytes: message.body().to_vec(), reason, metadata }
    }
}

/// Durable storage for bytes.
pub trait Vault {
    /// Stores them. `Ok` means that they are there to stay.
    fn keep(&self, kept: &Kept) -> impl Future<Output = Result<(), VaultError>> + Send;
}

/// The bytes were not stored; the record is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the vault is unavailable")]
pub struct VaultError;
