//! Asking again for what was given up, because a person says so.

use super::{Archive, Errands, MAX_ATTEMPTS, Setback, asked_at};
use crate::{
    api::ProviderApi,
    publish::Publisher,
    store::{Loaded, SessionStore},
    vault::Vault,
};
use shared::{SessionId, event::Artifact, session::Job};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> Errands<S, V, A, R, P> {
    /// Wants again what was given up of a bot, of this artifact or of all, and returns what that is. `now` is in seconds since the
    /// Unix epoch.
    ///
    /// # Errors
    /// A [`Setback`]: nothing is wanted again.
    pub(crate) async fn refetch(
        &self,
        id: &SessionId,
        artifact: Option<Artifact>,
        now: i64,
    ) -> Result<Vec<Job>, Setback> {
        for _ in 0..MAX_ATTEMPTS {
            let Loaded { session: Some(session), version } = self.store.load(id, now).await? else { return Ok(vec![]) };
            let (next, wanted) = session.with_refetch(artifact, asked_at(now));
            if wanted.is_empty() || self.save(&next, version, now).await? {
                return Ok(wanted);
            }
        }
        Err(Setback::Contended)
    }
}
