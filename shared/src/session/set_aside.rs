//! What a session notes about deliveries that were set aside: which are missing, and which bytes a deletion must still erase.

use super::{Job, MissingDelivery, Progress, Session, TimelineLine, Trigger, timeline};
use crate::{ids::AcceptId, time::ReceivedAt, trust::Trust};

impl Session {
    /// The session with a parked delivery marked as missing. A second call changes nothing. A delivery that is in the timeline is not
    /// marked: the save that seemed to fail may have taken effect.
    #[must_use]
    pub fn with_missing(&self, missing: MissingDelivery) -> Self {
        let mut next = self.with_bytes_set_aside(missing.received_at);
        if !self.timeline.iter().any(|entry| entry.accept_id == missing.accept_id) {
            timeline::insert_missing(&mut next.missing, missing);
        }
        next
    }

    /// The session after a delivery was quarantined: the delivery is no longer missing, and if the bot's deletion is proved, its
    /// bytes are to be erased. `None` if that changes nothing.
    #[must_use]
    pub fn with_set_aside(&self, entry: &TimelineLine) -> Option<Self> {
        let mut next = self.clone();
        next.arrived(&entry.accept_id);
        let next = next.with_bytes_set_aside(entry.received_at);
        (next != *self).then_some(next)
    }

    /// The session after bytes of one of its deliveries were stored. If the deletion is proved, they are to be erased, however old
    /// the delivery is: from the spool, or by a person's replay, one that is older than the deletion can come after it.
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
