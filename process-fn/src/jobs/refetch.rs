//! Asking again for what was given up, because a person says so.

use super::{Archive, JobError, JobRunner, asked_at};
use crate::{
    ports::bucket::Vault,
    ports::providers::ProviderApi,
    ports::publisher::Publisher,
    ports::sessions::{SessionStore, update_known},
};
use shared::{Session, SessionId, event::Artifact, session::Job};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> JobRunner<S, V, A, R, P> {
    /// Wants again what was given up of a bot, of this artifact or of all, and returns what that is. `now` is in seconds since the
    /// Unix epoch.
    ///
    /// # Errors
    /// A [`JobError`]: nothing is wanted again.
    pub(crate) async fn refetch(
        &self,
        id: &SessionId,
        artifact: Option<Artifact>,
        now: i64,
    ) -> Result<Vec<Job>, JobError> {
        let change = async |found: Option<Session>| {
            let Some(session) = found else { return Ok((None, vec![])) };
            let (next, wanted) = session.with_refetch(artifact, asked_at(now));
            Ok::<_, JobError>(((!wanted.is_empty()).then_some(next), wanted))
        };
        Ok(update_known(&self.store, id, now, None, change).await?.0)
    }
}
