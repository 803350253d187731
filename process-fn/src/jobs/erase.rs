//! Leaving nothing of what was said, seen or entered.

use super::{Archive, JobError, JobResult, JobRunner};
use crate::{
    jobs::sweep::CONCURRENT,
    ports::bucket::{Vault, VaultError},
    ports::providers::ProviderApi,
    ports::publisher::Publisher,
    ports::sessions::{SessionStore, update},
};
use futures_util::{StreamExt as _, stream};
use shared::{ReceivedAt, Session, SessionId, artifacts, bucket::Folder};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> JobRunner<S, V, A, R, P> {
    /// Erases artifacts, kept bodies and what is kept beside the session. The session itself lost every word when the deletion
    /// was saved. Done twice, the second time after whatever was under way; only then outsiders are told.
    ///
    /// The claims folder is among those that are emptied. One body can stay there: of a delivery that came after the second round and
    /// was answered 503 because the queue and the spool refused the claim. No message tells of it, so it stays until
    /// `ClaimRetentionDays` have passed.
    pub(super) async fn erase(&self, session: &Session, again_at: Option<i64>) -> Result<JobResult, JobError> {
        let id = session.id();
        self.remove_artifacts(id).await?;
        for folder in Folder::ALL {
            self.remove_all(&folder.prefix_of(&id.group())).await?;
        }
        self.store.forget_entries(id).await?;
        Ok(JobResult::Erased(again_at))
    }

    /// Tells a session of bytes that were set aside when it could not be told. If its bot's data was deleted, they must go.
    ///
    /// # Errors
    /// A [`JobError`]: it is not told, and the command must come again.
    pub(crate) async fn note_set_aside(
        &self,
        id: &SessionId,
        received_at: ReceivedAt,
        now: i64,
    ) -> Result<(), JobError> {
        let change = |found: Option<Session>| Some(found.filter(Session::is_erased)?.with_bytes_kept(received_at));
        update(&self.store, id, now, change).await
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
