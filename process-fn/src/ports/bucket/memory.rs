//! A bucket in memory.

use super::{Bucket, BucketError, Listed, Object, UploadError, Uploaded};
use crate::ports::{memory::Switch, providers::Download};
use shared::hash::sha256_hex;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::time::{Instant, timeout_at};

/// How many objects one listing gives, as S3 does.
const PAGE: usize = 1000;

/// A bucket in memory. Its clones are the same bucket. Every object in it was stored at the beginning of the epoch.
#[derive(Clone, Default)]
pub(crate) struct MemoryBucket {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
    pub(crate) switch: Switch,
}

impl MemoryBucket {
    /// All objects, by key.
    pub(crate) fn objects(&self) -> BTreeMap<String, Object> {
        self.objects.lock().unwrap().clone()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.objects().into_keys().collect()
    }

    /// Stores an object without asking the switch.
    pub(crate) fn plant(&self, key: &str, bytes: &[u8]) {
        let object = Object { key: key.to_owned(), bytes: bytes.to_vec(), reason: "", metadata: vec![] };
        self.objects.lock().unwrap().insert(key.to_owned(), object);
    }
}

impl Bucket for MemoryBucket {
    async fn put(&self, object: &Object) -> Result<(), BucketError> {
        self.switch.pass(BucketError).await?;
        self.objects.lock().unwrap().insert(object.key.clone(), object.clone());
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        self.switch.pass(BucketError).await?;
        Ok(self.objects.lock().unwrap().get(key).map(|object| object.bytes.clone()))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, BucketError> {
        self.switch.pass(BucketError).await?;
        let keys = self.keys().into_iter().filter(|key| key.starts_with(prefix)).take(PAGE);
        Ok(keys.map(|key| Listed { key, stored_at: 0 }).collect())
    }

    async fn remove(&self, key: &str) -> Result<(), BucketError> {
        self.switch.pass(BucketError).await?;
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }

    async fn put_artifact(&self, key: &str, content_type: &str, bytes: Vec<u8>) -> Result<Uploaded, UploadError> {
        self.switch.pass(BucketError).await?;
        self.plant(key, &bytes);
        Ok(Uploaded {
            key: key.to_owned(),
            content_type: Some(content_type.to_owned()),
            size_bytes: bytes.len() as u64,
            sha256: sha256_hex(&bytes),
        })
    }

    async fn upload(&self, key: &str, download: Download, deadline: Instant) -> Result<Uploaded, UploadError> {
        let content_type = download.content_type().unwrap_or_default().to_owned();
        let bytes =
            timeout_at(deadline, download.into_bytes(usize::MAX)).await.map_err(|_| UploadError::OutOfTime)??;
        self.put_artifact(key, &content_type, bytes).await
    }
}
