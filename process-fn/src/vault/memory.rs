//! A vault in memory.

use super::{Kept, Vault, VaultError};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A vault in memory that can be told to fail.
#[derive(Debug, Default)]
pub struct MemoryVault {
    kept: Mutex<BTreeMap<String, Kept>>,
    failing: Mutex<bool>,
}

impl MemoryVault {
    /// Everything it holds, by key.
    #[must_use]
    pub fn kept(&self) -> BTreeMap<String, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on fails, or no longer.
    pub fn set_failing(&self, failing: bool) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = failing;
    }
}

impl Vault for MemoryVault {
    async fn keep(&self, kept: &Kept) -> Result<(), VaultError> {
        if *self.failing.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(VaultError);
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(kept.key.clone(), kept.clone());
        Ok(())
    }
}
