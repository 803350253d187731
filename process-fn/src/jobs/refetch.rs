//! Asking a provider again for artifacts that were given up, because an operator asks for it.

use super::{JobError, Jobs, asked_at};
use crate::ports::{Services, sessions::update_known};
use shared::{Session, SessionId, event::Artifact, session::Job};

impl<S: Services> Jobs<S> {
    /// Wants again what was given up of a bot: this artifact, or all. Returns the jobs. `now` is in seconds since the Unix epoch.
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
        Ok(update_known(self.services.sessions(), id, now, None, change).await?.0)
    }
}
