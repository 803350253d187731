//! What is still to be done for a session. Saving the session stores the intent; commands only remind of it.

use super::{Checked, Due, Job, Mention, Progress, Session, StoredCopy, Trigger};
use crate::{event::Artifact, time::ReceivedAt, trust::Trust};
use std::collections::BTreeMap;

impl Session {
    /// Everything that was ever to be done for it, and how far that is.
    #[must_use]
    pub fn jobs(&self) -> &BTreeMap<Job, Progress> {
        &self.jobs
    }

    /// How far a job is, if it is still to be done.
    #[must_use]
    pub fn pending(&self, job: Job) -> Option<&Progress> {
        self.jobs.get(&job).filter(|progress| progress.is_pending())
    }

    /// What is still to be done for it, and when each must be looked at, in seconds since the Unix epoch.
    pub fn all_pending(&self) -> impl Iterator<Item = (Job, i64)> {
        let pending = self.jobs.iter().filter(|(_, progress)| progress.is_pending());
        pending.map(|(job, progress)| (*job, progress.due_at()))
    }

    /// The jobs for which a command is to be sent at once: those that can begin, and whose reason is not the one that they had in
    /// `before`, the session's jobs before the change. Two kinds are left to the sweep: erasures, and jobs that rest on unverified
    /// deliveries alone, because whoever knows a callback's token can ask for any number of those. `now` is in seconds since the
    /// Unix epoch.
    #[must_use]
    pub fn newly_wanted(&self, before: &BTreeMap<Job, Progress>, now: i64) -> Vec<Job> {
        let is_new = |job: &Job, progress: &Progress| before.get(job).map(Progress::wanted) != Some(progress.wanted());
        let can_begin =
            |progress: &Progress| progress.is_pending() && progress.wanted().is_verified() && !progress.must_wait(now);
        let wanted = self.jobs.iter().filter(|(job, _)| !job.erases());
        let wanted = wanted.filter(|(job, progress)| can_begin(progress) && is_new(job, progress));
        wanted.map(|(job, _)| *job).collect()
    }

    /// When the session must be looked at, in seconds since the Unix epoch; `None` if no job is pending. While a job with a verified
    /// reason is pending, jobs with unverified reasons do not count: they must not move the session up in the list of what is due.
    #[must_use]
    pub fn due_at(&self) -> Option<i64> {
        let verified = self.jobs.values().filter(|progress| progress.is_pending() && progress.wanted().is_verified());
        let earliest = verified.map(Progress::due_at).min();
        earliest.or_else(|| self.all_pending().map(|(_, due_at)| due_at).min())
    }

    /// The session with a job done, for every reason up to this one.
    #[must_use]
    pub fn with_settled(&self, job: Job, up_to: Trigger) -> Self {
        self.with_progress(job, |progress| progress.settle(up_to))
    }

    /// The session with a job tried to no avail `now`; the next try is at `retry_at`. Both in seconds since the Unix epoch.
    #[must_use]
    pub fn with_postponed(&self, job: Job, now: i64, retry_at: i64) -> Self {
        self.with_progress(job, |progress| progress.postpone(now, retry_at))
    }

    /// The session with the provider's answer that it knows nothing of what a job is about, given `now` in seconds since the Unix
    /// epoch. Only the first such answer counts.
    #[must_use]
    pub fn with_not_found(&self, job: Job, now: i64) -> Self {
        self.with_progress(job, |progress| progress.not_found(now))
    }

    /// The session with a job left alone until `retry_at`, in seconds since the Unix epoch. That is no try.
    #[must_use]
    pub fn with_rest(&self, job: Job, retry_at: i64) -> Self {
        self.with_progress(job, |progress| progress.rest(retry_at))
    }

    /// The session with everything wanted again that was given up, because a person asked for it at `asked_at`; and the jobs for
    /// that. An artifact that the person names is wanted again even if an older copy of it is stored, because a newer one may have
    /// been given up; unless a job for it is pending already: that job brings what is newer, and a later reason would make stale what a
    /// webhook has left for it. A session whose deletion is proved has none.
    #[must_use]
    pub fn with_refetch(&self, artifact: Option<Artifact>, asked_at: ReceivedAt) -> (Self, Vec<Job>) {
        let mut next = self.clone();
        let is_wanted = |(which, copy): &(&Artifact, &StoredCopy)| match artifact {
            Some(named) if matches!(copy, StoredCopy::Stored(_)) => {
                named == **which && Job::fetch(named).is_some_and(|job| self.pending(job).is_none())
            }
            Some(named) => named == **which,
            None => matches!(copy, StoredCopy::Unavailable(_)),
        };
        let given_up = self.copies.iter().filter(is_wanted).filter_map(|(artifact, _)| Job::fetch(*artifact));
        let given_up: Vec<_> = given_up.filter(|_| !self.is_erased()).collect();
        for job in &given_up {
            next.want(*job, Trigger::new(Trust::Verified, None, asked_at));
        }
        (next, given_up)
    }

    /// The session with what became of an artifact with us. Of one that is erased nothing is kept.
    #[must_use]
    pub fn with_copy(&self, artifact: Artifact, copy: StoredCopy) -> Self {
        let mut next = self.clone();
        if !next.is_erased() {
            // An older copy is better than none.
            let is_worse = matches!(
                (&copy, next.copies.get(&artifact)),
                (StoredCopy::Unavailable(_), Some(StoredCopy::Stored(_)))
            );
            if !is_worse {
                next.copies.insert(artifact, copy);
            }
        }
        next
    }

    /// The session after something was done about these entries of its calendar. One that was touched again meanwhile counts as
    /// touched.
    #[must_use]
    pub fn with_checked(&self, results: &[(String, Mention, Checked)]) -> Self {
        let mut next = self.clone();
        if let Some(calendar) = &mut next.calendar {
            results.iter().for_each(|(id, heard, checked)| calendar.note(id, heard, *checked));
        }
        next
    }

    /// The session with a command for a job sent anew, `now` in seconds since the Unix epoch.
    #[must_use]
    pub fn with_reminder(&self, job: Job, now: i64) -> Self {
        self.with_progress(job, |progress| progress.remind(now))
    }

    /// The session with a job moved on; the same if it never had it.
    fn with_progress(&self, job: Job, change: impl FnOnce(&mut Progress)) -> Self {
        let mut next = self.clone();
        next.jobs.get_mut(&job).map(change);
        next
    }

    /// In which part of the list of what is due the session belongs.
    #[must_use]
    pub fn due(&self) -> Due {
        if self.is_erased() {
            Due::Erasure
        } else if self.jobs.values().any(|progress| progress.is_pending() && progress.wanted().is_verified()) {
            Due::Work
        } else {
            Due::Unverified(self.id().provider)
        }
    }

    pub(super) fn want(&mut self, job: Job, trigger: Trigger) {
        let progress = self.jobs.entry(job).or_insert_with(|| Progress::new(trigger));
        progress.want(trigger);
        if job.erases() {
            progress.at_once();
        }
    }
}
