//! Leaving nothing of what was said, seen or entered.

use super::{Archive, End, Errands, Setback};
use crate::{
    api::ProviderApi,
    publish::Publisher,
    store::SessionStore,
    sweep::CONCURRENT,
    vault::{Vault, VaultError},
};
use futures_util::{StreamExt as _, stream};
use shared::{Session, SessionId, artifacts, kept::Folder};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> Errands<S, V, A, R, P> {
    /// Erases artifacts, kept bodies and what is kept beside the session. The session itself lost every word when the deletion
    /// was saved. Done twice, the second time after whatever was under way; only then outsiders are told.
    pub(super) async fn erase(&self, session: &Session, again_at: Option<i64>) -> Result<End, Setback> {
        let id = session.id();
        self.remove_artifacts(id).await?;
        for folder in Folder::ALL {
            self.remove_all(&folder.prefix_of(&id.group())).await?;
        }
        self.store.forget_entries(id).await?;
        Ok(End::Erased(again_at))
    }

    pub(super) async fn remove_artifacts(&self, id: &SessionId) -> Result<(), VaultError> {
        self.remove_all(&artifacts::prefix(id)).await
    }

    async fn remove_all(&self, prefix: &str) -> Result<(), VaultError> {
        loop {
            let page = self.vault.list(prefix).await?;
            if page.is_empty() {
                return Ok(());
            }
            let removed = stream::iter(page).map(|object| async move { self.vault.remove(&object.key).await });
            let mut removed = std::pin::pin!(removed.buffer_unordered(CONCURRENT));
            while let Some(removed) = removed.next().await {
                removed?;
            }
        }
    }
}
