//! A session whose data was deleted.

use super::{Deletion, Job, Progress, Session, Trigger};
use crate::trust::Trust;

impl Session {
    /// Whether the provider's deletion was proved, so that nothing of what was said, seen or entered may be left. An unverified
    /// deletion erases nothing.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.deleted == Some(Deletion { trust: Trust::Verified })
    }

    /// Whether a deletion was announced by an unverified delivery and not proved.
    #[must_use]
    pub fn claims_erasure(&self) -> bool {
        self.deleted == Some(Deletion { trust: Trust::Unverified })
    }

    /// The session after an erasure removed everything that was stored beside it. Parked deliveries count as removed: they cannot come
    /// back. What was being stored meanwhile is erased in a second round at `again_at`, in seconds since the Unix epoch; `None` if
    /// this was the second round.
    #[must_use]
    pub fn with_erased(&self, job: Job, trigger: Trigger, again_at: Option<i64>) -> Self {
        let mut next = self.with_settled(job, trigger);
        next.missing.clear();
        // A second round that has its time keeps it: else whoever goes on sending would keep the deletion from being told.
        if let Some(again_at) = again_at.filter(|_| next.pending(Job::EraseAgain).is_none()) {
            next.jobs.insert(Job::EraseAgain, Progress::new(trigger).not_before(again_at));
        }
        next
    }

    /// The session without reasons, custom attributes, calendar facts, copies, and jobs other than erasures.
    pub(super) fn without_words(mut self) -> Self {
        self.custom_attributes = None;
        self.copies.clear();
        self.calendar = None;
        self.jobs.retain(|job, _| matches!(job, Job::Erase | Job::EraseAgain));
        if let Some(ending) = &mut self.ending {
            ending.reason = None;
        }
        self.artifacts.values_mut().for_each(|fact| fact.reason = None);
        self.timeline.iter_mut().for_each(|entry| entry.reason = None);
        self
    }
}
