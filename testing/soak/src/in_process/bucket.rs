//! A bucket in memory.

use crate::{bodies, delivery::Tampering};
use process_fn::Listed;
use shared::bucket::{Folder, name_of};
use std::collections::BTreeMap;

/// An object with what stands beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stored {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// What stands beside them.
    pub(super) metadata: BTreeMap<String, String>,
    /// When it was stored, in seconds since the Unix epoch.
    pub(super) stored_at: i64,
}

/// How many keys one listing gives.
const PAGE: usize = 1000;

/// The bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    objects: BTreeMap<String, Stored>,
    tampering: BTreeMap<String, Tampering>,
}

impl Bucket {
    /// From now on, does this to the body of an accepted request should it be stored as a claim.
    pub(super) fn tamper(&mut self, accept_id: &str, how: Tampering) {
        self.tampering.insert(accept_id.to_owned(), how);
    }

    /// Stores an object over any of its key.
    pub(super) fn put(&mut self, key: &str, mut stored: Stored) {
        let is_claim = key.starts_with(&Folder::Claims.prefix());
        match name_of(key).and_then(|accept_id| self.tampering.get(accept_id)).filter(|_| is_claim) {
            Some(Tampering::Removed) => return,
            Some(Tampering::Altered) => stored.bytes = bodies::altered(&stored.bytes),
            None => {}
        }
        self.objects.insert(key.to_owned(), stored);
    }

    /// The object under a key.
    #[must_use]
    pub(super) fn get(&self, key: &str) -> Option<&Stored> {
        self.objects.get(key)
    }

    /// The first keys below a prefix.
    #[must_use]
    pub(super) fn list(&self, prefix: &str) -> Vec<Listed> {
        let below = self.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        below.take(PAGE).map(|(key, stored)| Listed { key: key.clone(), stored_at: stored.stored_at }).collect()
    }

    /// Removes an object, if it is there.
    pub(super) fn remove(&mut self, key: &str) {
        self.objects.remove(key);
    }

    /// Everything in it.
    #[must_use]
    pub(super) fn objects(&self) -> &BTreeMap<String, Stored> {
        &self.objects
    }
}
