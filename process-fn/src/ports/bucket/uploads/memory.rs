//! An archive in memory.

use super::{Archive, ArchiveError, Stored};
use crate::ports::providers::Download;
use shared::hash::sha256_hex;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use tokio::time::{Instant, timeout_at};

/// An archive in memory that can be told to fail.
#[derive(Debug, Default)]
pub struct MemoryArchive {
    objects: Mutex<BTreeMap<String, (Stored, Vec<u8>)>>,
    failing: Mutex<bool>,
}

impl MemoryArchive {
    /// Everything it holds, by key.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, (Stored, Vec<u8>)> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on fails, or no longer.
    pub fn set_failing(&self, failing: bool) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = failing;
    }

    fn insert(&self, key: &str, content_type: Option<String>, bytes: Vec<u8>) -> Result<Stored, ArchiveError> {
        if *self.failing.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(ArchiveError::Unavailable);
        }
        let (size_bytes, sha256) = (bytes.len() as u64, sha256_hex(&bytes));
        let stored = Stored { key: key.to_owned(), content_type, size_bytes, sha256 };
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.insert(key.to_owned(), (stored.clone(), bytes));
        Ok(stored)
    }
}

impl Archive for MemoryArchive {
    async fn store(&self, key: &str, download: Download, deadline: Instant) -> Result<Stored, ArchiveError> {
        let content_type = download.content_type().map(str::to_owned);
        let read = timeout_at(deadline, download.into_bytes(usize::MAX)).await;
        self.insert(key, content_type, read.map_err(|_| ArchiveError::OutOfTime)??)
    }

    async fn put(&self, key: &str, content_type: &str, bytes: Vec<u8>) -> Result<Stored, ArchiveError> {
        self.insert(key, Some(content_type.to_owned()), bytes)
    }
}
