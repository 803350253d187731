//! Leaving nothing of what was said, seen or entered.

use super::{Archive, End, Errands, MAX_ATTEMPTS, Setback};
use crate::{
    api::ProviderApi,
    publish::Publisher,
    store::{Loaded, SessionStore},
    sweep::CONCURRENT,
    vault::{Vault, VaultError},
};
use futures_util::{StreamExt as _, stream};
use shared::{ReceivedAt, Session, SessionId, artifacts, bucket::Folder};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> Errands<S, V, A, R, P> {
    /// Erases artifacts, kept bodies and what is kept beside the session. The session itself lost every word when the deletion
    /// was saved. Done twice, the second time after whatever was under way; only then outsiders are told.
    ///
    /// The claims folder is among those that are emptied. One body can stay there: of a delivery that came after the second round and
    /// was answered 503 because the queue and the spool refused the claim. No message tells of it, so it stays until
    /// `ClaimRetentionDays` have passed.
    pub(super) async fn erase(&self, session: &Session, again_at: Option<i64>) -> Result<End, Setback> {
        let id = session.id();
        self.remove_artifacts(id).await?;
        for folder in Folder::ALL {
            self.remove_all(&folder.prefix_of(&id.group())).await?;
        }
        self.store.forget_entries(id).await?;
        Ok(End::Erased(again_at))
    }

    /// Tells a session of bytes that were set aside when it could not be told. If its bot's data was deleted, they must go.
    ///
    /// # Errors
    /// A [`Setback`]: it is not told, and the command must come again.
    pub(crate) async fn note_kept(&self, id: &SessionId, received_at: ReceivedAt, now: i64) -> Result<(), Setback> {
        for _ in 0..MAX_ATTEMPTS {
            let Loaded { session: Some(session), version } = self.store.load(id, now).await? else { return Ok(()) };
            if !session.is_erased() || self.save(&session.with_bytes_kept(received_at), version, now).await? {
                return Ok(());
            }
        }
        Err(Setback::Contended)
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
