//! Erasing everything that was said, seen or entered.

use super::{JobError, JobResult, Jobs};
use crate::{
    jobs::sweep::CONCURRENT,
    ports::{
        Services,
        bucket::{Bucket, BucketError},
        sessions::{SessionStore, update},
    },
};
use futures_util::{StreamExt as _, stream};
use shared::{ReceivedAt, Session, SessionId, artifacts, bucket::Folder};

impl<S: Services> Jobs<S> {
    /// Erases artifacts, bodies in the bucket, and the lines and entries beside the session. The session itself lost every word when
    /// the deletion was saved. Erasing runs twice, the second time for what was on its way at the first; only then consumers are told.
    ///
    /// One body under `claims/` can stay: of a delivery that came after the second round and was answered 503 because the queue and
    /// the spool refused its claim check. No message names that body, so it stays until `ClaimRetentionDays` have passed.
    pub(super) async fn erase(&self, session: &Session, again_at: Option<i64>) -> Result<JobResult, JobError> {
        let id = session.id();
        self.remove_artifacts(id).await?;
        for folder in Folder::ALL {
            self.remove_all(&folder.prefix_of(&id.group())).await?;
        }
        self.services.sessions().forget_entries(id).await?;
        Ok(JobResult::Erased(again_at))
    }

    pub(super) async fn remove_artifacts(&self, id: &SessionId) -> Result<(), BucketError> {
        self.remove_all(&artifacts::prefix(id)).await
    }

    async fn remove_all(&self, prefix: &str) -> Result<(), BucketError> {
        let bucket = self.services.bucket();
        loop {
            let page = bucket.list(prefix).await?;
            if page.is_empty() {
                return Ok(());
            }
            let removed = stream::iter(page).map(|object| async move { bucket.remove(&object.key).await });
            let mut removed = std::pin::pin!(removed.buffer_unordered(CONCURRENT));
            while let Some(removed) = removed.next().await {
                removed?;
            }
        }
    }

    /// Notes in a session that bytes of a delivery were set aside. If its bot's data was deleted, the next sweep erases them.
    ///
    /// # Errors
    /// A [`JobError`]: the note is not saved.
    pub(crate) async fn note_set_aside(
        &self,
        id: &SessionId,
        received_at: ReceivedAt,
        now: i64,
    ) -> Result<(), JobError> {
        let change = |found: Option<Session>| Some(found.filter(Session::is_erased)?.with_bytes_set_aside(received_at));
        update(self.services.sessions(), id, now, change).await
    }
}
