//! Deleting a bot's data because an operator asks for it.

use super::{JobError, Jobs, asked_at};
use crate::ports::{
    Services,
    sessions::{SessionStore, update_known},
};
use shared::{Event, Session, SessionId, session::advance};

impl<S: Services> Jobs<S> {
    /// Saves the tombstone, and with it that everything must be erased. From then on all goes as after the provider's own deletion,
    /// and no delivery brings anything back. A bot without a session gets one, because its bytes may be on their way or set aside. A
    /// second deletion erases again. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// A [`JobError`]: nothing was deleted, and the operator must ask again.
    pub(crate) async fn delete(&self, id: &SessionId, now: i64) -> Result<(), JobError> {
        let (store, event) = (self.services.sessions(), Event::deletion_asked(id, asked_at(now)));
        let change = async |found: Option<Session>| {
            let session = found.unwrap_or_else(|| Session::new(id.clone(), event.received_at));
            let transition = advance(&session, &event);
            for line in &transition.records {
                store.record(id, line, now).await?;
            }
            // Consumers are told when everything is erased, so nothing is published yet.
            let tombstone = transition.session.unwrap_or(session).with_bytes_set_aside(event.received_at);
            Ok((Some(tombstone), ()))
        };
        update_known(store, id, now, None, change).await.map(drop)
    }
}
