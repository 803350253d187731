//! A vault in memory.

use super::{Kept, Listed, Vault, VaultError};
use crate::{
    ports::bucket::uploads::{Archive, ArchiveError, Stored},
    ports::providers::Download,
};
use shared::hash::sha256_hex;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// How many objects one listing gives, as S3 does.
const PAGE: usize = 1000;

/// A vault in memory that can be told to fail. Everything in it was stored at the beginning of time.
/// Its clones are the same vault.
#[derive(Clone, Debug, Default)]
pub struct MemoryVault {
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
    failing: Arc<Mutex<bool>>,
}

impl MemoryVault {
    /// Everything it holds, by key.
    #[must_use]
    pub fn kept(&self) -> BTreeMap<String, Kept> {
        self.objects().clone()
    }

    /// Puts an object there as somebody else would.
    pub fn plant(&self, key: &str, bytes: &[u8]) {
        let kept = Kept { key: key.to_owned(), bytes: bytes.to_vec(), reason: "", metadata: vec![] };
        self.objects().insert(key.to_owned(), kept);
    }

    /// From now on fails, or no longer.
    pub fn set_failing(&self, failing: bool) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = failing;
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> Result<MutexGuard<'_, BTreeMap<String, Kept>>, VaultError> {
        if *self.failing.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(VaultError);
        }
        Ok(self.objects())
    }
}

impl Vault for MemoryVault {
    async fn keep(&self, kept: &Kept) -> Result<(), VaultError> {
        self.answers()?.insert(kept.key.clone(), kept.clone());
        Ok(())
    }

    async fn fetch(&self, key: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.answers()?.get(key).map(|kept| kept.bytes.clone()))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, VaultError> {
        let objects = self.answers()?;
        let keys = objects.keys().filter(|key| key.starts_with(prefix)).take(PAGE);
        Ok(keys.map(|key| Listed { key: key.clone(), stored_at: 0 }).collect())
    }

    async fn remove(&self, key: &str) -> Result<(), VaultError> {
        self.answers()?.remove(key);
        Ok(())
    }
}

impl Archive for MemoryVault {
    async fn store(&self, key: &str, mut download: Download, _: Instant) -> Result<Stored, ArchiveError> {
        let content_type = download.content_type().map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(more) = download.next().await? {
            bytes.extend_from_slice(&more);
        }
        self.put(key, content_type.as_deref().unwrap_or_default(), bytes).await
    }

    async fn put(&self, key: &str, content_type: &str, bytes: Vec<u8>) -> Result<Stored, ArchiveError> {
        let stored = Stored {
            key: key.to_owned(),
            content_type: Some(content_type.to_owned()),
            size_bytes: bytes.len() as u64,
            sha256: sha256_hex(&bytes),
        };
        let kept = Kept { key: key.to_owned(), bytes, reason: "", metadata: vec![] };
        self.answers().map_err(|_| ArchiveError::Unavailable)?.insert(key.to_owned(), kept);
        Ok(stored)
    }
}
