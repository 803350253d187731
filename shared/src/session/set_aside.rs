//! Deliveries whose bytes are in the bucket: those that are missing from a session, and those that are not to come back.

use super::{Job, MissingDelivery, Progress, Session, TimelineLine, Trigger, timeline};
use crate::{ids::AcceptId, time::ReceivedAt, trust::Trust};

impl Session {
    /// The session with a delivery marked as missing, its bytes being parked. Marking it twice changes nothing, and neither does
    /// marking one that is not missing: it may have been saved by a call whose answer was lost.
    #[must_use]
    pub fn with_missing(&self, missing: MissingDelivery) -> Self {
        let mut next = self.with_bytes_set_aside(missing.received_at);
        if !self.timeline.iter().any(|entry| entry.accept_id == missing.accept_id) {
            timeline::insert_missing(&mut next.missing, missing);
        }
        next
    }

    /// The session after the bytes of a delivery were set aside for good: it is missing no longer, if it was, and of a bot
    /// whose data was deleted it must be erased. `None` if that changes nothing.
    #[must_use]
    pub fn with_set_aside(&self, entry: &TimelineLine) -> Option<Self> {
        let mut next = self.clone();
        next.arrived(&entry.accept_id);
        let next = next.with_bytes_set_aside(entry.received_at);
        (next != *self).then_some(next)
    }

    /// The session after bytes of a delivery were stored beside it, whenever the delivery was taken: of a bot whose data was
    /// deleted they must be erased. A delivery can be far older than the deletion and come after it, from the spool or by a
    /// person's replay, so its time says nothing about what was erased already.
    #[must_use]
    pub fn with_bytes_set_aside(&self, received_at: ReceivedAt) -> Self {
        let mut next = self.clone();
        if next.is_erased() {
            let kept = Trigger::new(Trust::Verified, None, received_at);
            // Later than every reason so far: an erasure that is running may have missed these bytes, so it must not settle them.
            let wanted = next.jobs.get(&Job::Erase).map_or(kept, |erasure| kept.after(erasure.wanted()));
            let mut progress = Progress::new(wanted);
            progress.at_once();
            next.jobs.insert(Job::Erase, progress);
        }
        next
    }

    pub(super) fn arrived(&mut self, accept_id: &AcceptId) {
        self.missing.retain(|missing| missing.accept_id != *accept_id);
    }
}
