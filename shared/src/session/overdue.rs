//! Which sessions are due to be asked about because nothing was heard of them for too long.

use super::{Job, Session, State};
use crate::{endpoint::Provider, time::ReceivedAt};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long a provider may keep silent before its API is asked. All times are in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// How long after something happened its delivery can still be on its way. Until then its absence says nothing.
    pub grace: i64,
    /// For a bot that is on its way in, or waits to be admitted.
    pub joining: i64,
    /// For a bot that is in the meeting.
    pub in_call: i64,
    /// For a bot that is on its way out.
    pub leaving: i64,
    /// For a bot that was created for later, while it is not known for when.
    pub scheduled: i64,
    /// For a bot that was created for later, behind the time for which it was created.
    pub late: i64,
    /// The ages of a session, since its first delivery, at which it is looked at: rising.
    pub marks: [i64; 5],
}

impl Deadlines {
    /// The deadlines of a provider.
    ///
    /// `MeetStream` never sends a webhook again, so half an hour is enough for our own longest retry and a sweep; a bot of its waits
    /// for half an hour and stays in a call for five hours at most (`OPERATIONS.md` of its labs). Meeting BaaS tries for three hours
    /// ("Webhooks", v2), and publishes no longest meeting.
    #[must_use]
    pub fn of(provider: Provider) -> Self {
        let marks = [HOUR, 6 * HOUR, 26 * HOUR, 8 * DAY, 32 * DAY];
        let in_call = 5 * HOUR + 30 * MINUTE;
        match provider {
            Provider::MeetStream => Self {
                grace: 30 * MINUTE,
                joining: 45 * MINUTE,
                in_call,
                leaving: 30 * MINUTE,
                scheduled: 6 * HOUR,
                late: 30 * MINUTE,
                marks,
            },
            Provider::MeetingBaas => {
                let grace = 3 * HOUR + 45 * MINUTE;
                Self { grace, joining: grace, in_call, leaving: grace, scheduled: 6 * HOUR, late: grace, marks }
            }
        }
    }

    /// The same, so many times sooner: for a stack in which hours pass in seconds.
    #[must_use]
    pub fn sooner(self, times: i64) -> Self {
        let shorter = |seconds: i64| (seconds / times.max(1)).max(1);
        Self {
            grace: shorter(self.grace),
            joining: shorter(self.joining),
            in_call: shorter(self.in_call),
            leaving: shorter(self.leaving),
            scheduled: shorter(self.scheduled),
            late: shorter(self.late),
            marks: self.marks.map(shorter),
        }
    }

    /// The latest mark that a session of this age has passed, by its place among the marks; `None` for a younger one.
    #[must_use]
    pub fn mark(&self, age: i64) -> Option<usize> {
        self.marks.iter().rposition(|mark| *mark <= age)
    }
}

impl Session {
    /// Whether its provider is to be asked about it, `now` in seconds since the Unix epoch, because nothing was heard of it for
    /// longer than usual. It is a suspicion and nothing more: silence is no loss.
    ///
    /// Whoever asks looks at a session when it has just passed one of [`Deadlines::marks`], and a bot that goes its usual way is
    /// asked about twice at most:
    ///
    /// - on its way in, in a call, or on its way out: at any mark, after the silence of that state;
    /// - ended, without word that the provider has finished: at the first two marks behind the end and the grace, because bots with
    ///   live transcription never say more;
    /// - finished: at the last two marks, for a deletion that nobody told of;
    /// - scheduled: once it is late, or, while the time is not known, after some hours of silence.
    ///
    /// Never while something is to be done for it, which asks as well; and never once its data was deleted.
    #[must_use]
    pub fn is_overdue(&self, now: i64, deadlines: &Deadlines) -> bool {
        let since = |at: ReceivedAt| now.saturating_sub(at.unix_seconds());
        let age = since(self.first_received_at);
        let silence = self.timeline.iter().map(|line| line.received_at).max().map_or(age, since);
        let Some(mark) = deadlines.mark(age).filter(|_| !self.is_erased() && self.calendar.is_none()) else {
            return false;
        };
        let is_busy = self.all_pending().any(|(job, _)| !matches!(job, Job::Confirm | Job::ConfirmDeletion));
        match self.state() {
            State::Deleted => false,
            _ if is_busy => false,
            State::Scheduled => match &self.join_at {
                Some(at) => now >= at.moment().as_second().saturating_add(deadlines.late),
                None => silence >= deadlines.scheduled,
            },
            State::Unknown | State::Joining | State::Waiting => silence >= deadlines.joining,
            State::InCall | State::Recording => silence >= deadlines.in_call,
            State::Leaving => silence >= deadlines.leaving,
            State::Ended => {
                let settled = age.saturating_sub(silence).saturating_add(deadlines.grace);
                let first = deadlines.marks.iter().position(|mark| *mark >= settled);
                // Behind the third mark one question is enough.
                first.is_some_and(|first| mark == first || (mark == first + 1 && mark < 3))
            }
            State::Done => mark >= 3,
        }
    }

    /// The session with the time for which its bot was created.
    #[must_use]
    pub fn with_join_at(&self, join_at: Option<&crate::time::OccurredAt>) -> Self {
        let mut next = self.clone();
        if let Some(at) = join_at {
            next.join_at = Some(at.clone());
        }
        next
    }
}

#[cfg(test)]
mod tests;
