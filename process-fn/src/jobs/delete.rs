//! Deleting a bot's data because an operator asks for it.

use super::{Archive, JobError, JobRunner, asked_at};
use crate::{
    ports::bucket::Vault,
    ports::providers::ProviderApi,
    ports::publisher::Publisher,
    ports::sessions::{SessionStore, update_known},
};
use shared::{Event, Session, SessionId, session::advance};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> JobRunner<S, V, A, R, P> {
    /// Saves the tombstone, and with it the intent to erase: from then on everything goes as after the provider's own deletion,
    /// and no delivery brings anything back. A bot that has no session gets one, because its bytes may be on their way or set
    /// aside. Asked for again, it erases again. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// A [`JobError`]: nothing was deleted, and the command must come again.
    pub(crate) async fn delete(&self, id: &SessionId, now: i64) -> Result<(), JobError> {
        let event = Event::deletion_asked(id, asked_at(now));
        let change = async |found: Option<Session>| {
            let session = found.unwrap_or_else(|| Session::new(id.clone(), event.received_at));
            let transition = advance(&session, &event);
            for line in &transition.records {
                self.store.record(id, line, now).await?;
            }
            // Outsiders are told when it is done, so there is nothing to publish yet.
            let tombstone = transition.session.unwrap_or(session).with_bytes_kept(event.received_at);
            Ok((Some(tombstone), ()))
        };
        update_known(&self.store, id, now, None, change).await.map(drop)
    }
}
