//! Keeping a calendar's entries as the provider has them.

use super::{Archive, End, Errands, Setback};
use crate::{
    api::{Entries, ProviderApi},
    publish::Publisher,
    store::SessionStore,
    vault::Vault,
};
use shared::{SenderId, Session, api::CalendarEntries, session::Announcement};
use std::collections::BTreeSet;

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> Errands<S, V, A, R, P> {
    /// Fetches the entries that were touched, all pages of them, and mirrors each beside the session. Those that changed are
    /// told before they are mirrored, so that none changes untold. Where nothing says which were touched, those are asked for
    /// that changed since the calendar was last heard of.
    pub(super) async fn sync_calendar(&self, session: &Session, now: i64) -> Result<End, Setback> {
        let id = session.id();
        let facts = session.calendar().cloned().unwrap_or_default();
        let touched: BTreeSet<_> =
            facts.affected.keys().filter_map(|id| SenderId::try_from(id.as_str()).ok()).collect();
        let which =
            if touched.is_empty() { Entries::ChangedSince(facts.last_updated) } else { Entries::Named(touched) };
        let found = self.api.calendar_entries(id, &which).await.map_err(Setback::Provider)?;
        let CalendarEntries { entries, gone } = found;
        for entry in entries.into_values() {
            if self.store.calendar_entry(id, &entry.id, now).await?.as_ref() != Some(&entry) {
                self.publisher.publish(&[Announcement::of_entry(id, &entry)]).await?;
                self.store.mirror(id, &entry, now).await?;
            }
        }
        for entry_id in gone {
            if self.store.calendar_entry(id, &entry_id, now).await?.is_some() {
                self.publisher.publish(&[Announcement::of_gone_entry(id, &entry_id)]).await?;
                self.store.unmirror(id, &entry_id).await?;
            }
        }
        Ok(End::Done)
    }
}
