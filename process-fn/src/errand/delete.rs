//! Deleting a bot's data because an operator asks for it.

use super::{Archive, Errands, MAX_ATTEMPTS, Setback, asked_at};
use crate::{
    api::ProviderApi,
    publish::Publisher,
    store::{Loaded, SessionStore},
    vault::Vault,
};
use shared::{Event, Session, SessionId, session::advance};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> Errands<S, V, A, R, P> {
    /// Saves the tombstone, and with it the intent to erase: from then on everything goes as after the provider's own deletion,
    /// and no delivery brings anything back. A bot that has no session gets one, because its bytes may be on their way or set
    /// aside. Asked for again, it erases again. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// A [`Setback`]: nothing was deleted, and the command must come again.
    pub(crate) async fn delete(&self, id: &SessionId, now: i64) -> Result<(), Setback> {
        let event = Event::deletion_asked(id, asked_at(now));
        for _ in 0..MAX_ATTEMPTS {
            let Loaded { session, version } = self.store.load(id, now).await?;
            let session = session.unwrap_or_else(|| Session::new(id.clone(), event.received_at));
            let transition = advance(&session, &event);
            for entry in &transition.records {
                self.store.record(id, entry, now).await?;
            }
            // Outsiders are told when it is done, so there is nothing to announce yet.
            let tombstone = transition.session.unwrap_or(session).with_bytes_kept(event.received_at);
            if self.save(&tombstone, version, now).await? {
                return Ok(());
            }
        }
        Err(Setback::Contended)
    }
}
