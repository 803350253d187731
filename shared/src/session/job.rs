//! What is to be done for a session apart from any delivery: artifacts to be fetched, claims to be confirmed, data to be erased.
//!
//! A job is an intent that is saved with the session. A command carries it out; should that be lost, the sweep finds the
//! intent by [`Session::due_at`](super::Session::due_at).

use crate::{
    endpoint::Provider,
    event::{Artifact, EventKind},
    time::{OccurredAt, ReceivedAt},
    trust::Trust,
};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// How long a job's first command has to take effect, in seconds, before the sweep sends another one.
const GRACE_SECONDS: i64 = 300;

/// How long a command that the sweep sent has to take effect, in seconds. Longer than the first, because the queue may be behind,
/// and must not fill up with repeated commands.
const REMINDER_SECONDS: i64 = 900;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Keep a copy of the transcript.
    FetchTranscript,
    /// Keep a copy of the sound.
    FetchAudio,
    /// Keep a copy of the picture.
    FetchVideo,
    /// Ask the provider to confirm an unverified end.
    Confirm,
    /// Ask the provider to confirm an unverified deletion. A job of its own, so that a forged deletion never takes the place of the
    /// question about an end.
    ConfirmDeletion,
    /// Keep the calendar's entries as the provider has them.
    SyncCalendar,
    /// Leave nothing of what was said, seen or entered.
    Erase,
    /// The same once more, when whatever was under way when the deletion came must have ended.
    EraseAgain,
}

impl Job {
    /// Every job there is.
    pub const ALL: [Self; 8] = [
        Self::FetchTranscript,
        Self::FetchAudio,
        Self::FetchVideo,
        Self::Confirm,
        Self::ConfirmDeletion,
        Self::SyncCalendar,
        Self::Erase,
        Self::EraseAgain,
    ];

    /// The name in commands, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FetchTranscript => "fetch_transcript",
            Self::FetchAudio => "fetch_audio",
            Self::FetchVideo => "fetch_video",
            Self::Confirm => "confirm",
            Self::ConfirmDeletion => "confirm_deletion",
            Self::SyncCalendar => "sync_calendar",
            Self::Erase => "erase",
            Self::EraseAgain => "erase_again",
        }
    }

    /// The job that keeps a copy of an artifact. Of a manifest none is kept: it says what the session says.
    #[must_use]
    pub fn fetch(artifact: Artifact) -> Option<Self> {
        match artifact {
            Artifact::Transcript => Some(Self::FetchTranscript),
            Artifact::Audio => Some(Self::FetchAudio),
            Artifact::Video => Some(Self::FetchVideo),
            Artifact::Manifest => None,
        }
    }

    /// Whether it erases. No command is sent for that: the sweep does it, which waits for no provider.
    #[must_use]
    pub fn erases(self) -> bool {
        matches!(self, Self::Erase | Self::EraseAgain)
    }

    /// The artifact that it fetches.
    #[must_use]
    pub fn artifact(self) -> Option<Artifact> {
        match self {
            Self::FetchTranscript => Some(Artifact::Transcript),
            Self::FetchAudio => Some(Artifact::Audio),
            Self::FetchVideo => Some(Artifact::Video),
            Self::Confirm | Self::ConfirmDeletion | Self::SyncCalendar | Self::Erase | Self::EraseAgain => None,
        }
    }
}

/// A reason for a job. A later one asks for the job again: a transcript may be made anew.
///
/// Two reasons compare by trust first, and then by the moment at which they arose. Without trust in the order, one unsigned
/// delivery that claims a late moment would outrank every genuine one. Two reasons of the same trust and moment are one reason:
/// a sender that repeats itself asks for nothing new.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// How far the delivery can be trusted that gave the reason.
    #[serde(default = "verified", skip_serializing_if = "is_verified")]
    trust: Trust,
    /// In milliseconds since the Unix epoch: by the sender's clock where the sender gives a time, but never after the receipt,
    /// else by our clock.
    moment: i64,
    /// When we first received this reason.
    received_at: ReceivedAt,
}

fn verified() -> Trust {
    Trust::Verified
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_verified(trust: &Trust) -> bool {
    *trust == Trust::Verified
}

impl Trigger {
    /// The reason that a delivery gave, or that we found ourselves; the latter is verified and has no `occurred_at`.
    ///
    /// A sender's time that lies after the receipt is replaced by the time of receipt. Nothing that has been received can have
    /// happened later, and a sender whose clock is ahead must not hide what it sends next.
    #[must_use]
    pub fn new(trust: Trust, occurred_at: Option<&OccurredAt>, received_at: ReceivedAt) -> Self {
        let moment = occurred_at.map_or(received_at.0, |at| at.moment().as_millisecond().min(received_at.0));
        Self { trust, moment, received_at }
    }

    /// The reason to ask whether an unverified fact is so: the fact, and not its time. A repetition gives no further reason, or one
    /// unsigned request after another would ask the provider again and again. Only an unverified deletion counts once more a
    /// day later: it may have come true since.
    #[must_use]
    pub fn of_claim(kind: &EventKind, received_at: ReceivedAt) -> Self {
        let moment = match kind {
            EventKind::Deleted => received_at.0.div_euclid(86_400_000),
            EventKind::Ended(_) => 1,
            _ => 2,
        };
        Self { trust: Trust::Unverified, moment, received_at }
    }

    /// Whether it is more than an unverified delivery's word.
    #[must_use]
    pub fn is_verified(self) -> bool {
        self.trust == Trust::Verified
    }

    /// When we first received it.
    #[must_use]
    pub fn received_at(self) -> ReceivedAt {
        self.received_at
    }

    /// This reason, or one just after the other if this is not later.
    #[must_use]
    pub(super) fn after(self, other: Self) -> Self {
        if self.moment > other.moment { self } else { Self { moment: other.moment.saturating_add(1), ..self } }
    }

    /// A text that is the same for the same moment and sorts as moments do.
    #[must_use]
    pub fn as_run(self) -> String {
        format!("{:015}", self.moment.clamp(0, 999_999_999_999_999))
    }
}

impl Ord for Trigger {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.trust, self.moment).cmp(&(other.trust, other.moment))
    }
}

impl PartialOrd for Trigger {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Trigger {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Trigger {}

/// How far a job is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The latest reason for it.
    wanted: Trigger,
    /// The latest reason that was satisfied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled: Option<Trigger>,
    /// How often it was tried for the latest reason.
    #[serde(default, skip_serializing_if = "super::is_default")]
    attempts: u32,
    /// When it was first tried for the latest reason, in seconds since the Unix epoch. How long ago the reason arose says nothing:
    /// it may have come out of the spool, or of a dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_tried_at: Option<i64>,
    /// When the provider first answered, to a try for the latest reason, that it knows no such thing; in seconds since the Unix
    /// epoch. A try that failed is no such answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_found_since: Option<i64>,
    /// When to try again, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<i64>,
    /// When the command was last sent anew, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reminded_at: Option<i64>,
}

impl Progress {
    pub(super) fn new(wanted: Trigger) -> Self {
        Self {
            wanted,
            settled: None,
            attempts: 0,
            first_tried_at: None,
            not_found_since: None,
            retry_at: None,
            reminded_at: None,
        }
    }

    /// Takes a further reason. Only the greatest counts, whichever comes first. The same reason once more changes nothing, but
    /// that the earlier of its two receipts is the first.
    pub(super) fn want(&mut self, trigger: Trigger) {
        match trigger.cmp(&self.wanted) {
            Ordering::Greater => *self = Self { settled: self.settled, ..Self::new(trigger) },
            Ordering::Equal => self.wanted.received_at = self.wanted.received_at.min(trigger.received_at),
            Ordering::Less => {}
        }
    }

    pub(super) fn settle(&mut self, up_to: Trigger) {
        *self = Self { settled: self.settled.max(Some(up_to)), ..Self::new(self.wanted) };
    }

    pub(super) fn not_before(self, retry_at: i64) -> Self {
        Self { retry_at: Some(retry_at), ..self }
    }

    /// Is due from its reason on, without any time for a command to arrive.
    pub(super) fn at_once(&mut self) {
        self.retry_at.get_or_insert(self.wanted.received_at.0 / 1000);
    }

    pub(super) fn postpone(&mut self, now: i64, retry_at: i64) {
        self.attempts += 1;
        self.first_tried_at.get_or_insert(now);
        self.rest(retry_at);
    }

    pub(super) fn not_found(&mut self, now: i64) {
        self.not_found_since.get_or_insert(now);
    }

    /// Is left alone until then, without having been tried.
    pub(super) fn rest(&mut self, retry_at: i64) {
        (self.retry_at, self.reminded_at) = (Some(retry_at), None);
    }

    pub(super) fn remind(&mut self, now: i64) {
        self.reminded_at = Some(now);
    }

    /// The latest reason for it.
    #[must_use]
    pub fn wanted(&self) -> Trigger {
        self.wanted
    }

    /// Whether a later reason than this one was satisfied.
    #[must_use]
    pub fn is_settled_beyond(&self, trigger: Trigger) -> bool {
        self.settled.is_some_and(|settled| settled > trigger)
    }

    /// How often it was tried for the latest reason, to no avail.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// For how long it has been tried for the latest reason, in seconds, at `now` in seconds since the Unix epoch.
    #[must_use]
    pub fn tried_for(&self, now: i64) -> i64 {
        self.first_tried_at.map_or(0, |first| now.saturating_sub(first))
    }

    /// For how long the provider has answered that it knows no such thing, in seconds, at `now` in seconds since the Unix epoch;
    /// 0 if it has never said so.
    #[must_use]
    pub fn not_found_for(&self, now: i64) -> i64 {
        self.not_found_since.map_or(0, |first| now.saturating_sub(first))
    }

    /// Whether it is to be left alone for now. `now` is in seconds since the Unix epoch.
    #[must_use]
    pub fn must_wait(&self, now: i64) -> bool {
        self.retry_at.is_some_and(|retry_at| retry_at > now)
    }

    /// Whether the latest reason is not satisfied. Settling an unverified reason also settles a verified one of the same moment: that
    /// is the same fact, proved.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.settled.is_none_or(|settled| settled < self.wanted && settled.moment != self.wanted.moment)
    }

    /// When it must be looked at if nothing was heard of it, in seconds since the Unix epoch.
    #[must_use]
    pub fn due_at(&self) -> i64 {
        // No command was sent at once for an unverified reason, so none is given time to arrive.
        let grace = if self.wanted.is_verified() { GRACE_SECONDS } else { 0 };
        let due_at = self.retry_at.unwrap_or_else(|| self.wanted.received_at.0 / 1000 + grace);
        let reminded_at = self.reminded_at.map(|reminded_at| reminded_at + REMINDER_SECONDS);
        reminded_at.map_or(due_at, |reminded_at| reminded_at.max(due_at))
    }
}

/// Which list of due sessions a session is in. Each list has partitions of its own in [`BY_DUE`](crate::table::BY_DUE), so that
/// thousands of sessions that wait for a provider, or that strangers make wait, never delay an erasure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// What was deleted is to be erased.
    Erasure,
    /// A provider is to be asked for what it announced.
    Work,
    /// This provider is to be asked because of unverified deliveries, and for nothing else.
    Unverified(Provider),
}

/// What became of an artifact with us.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredCopy {
    /// We have it.
    Stored(Stored),
    /// We do not have it and will not: why, by a short name.
    Unavailable(String),
}

/// A copy of an artifact in the bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// What kind of content it is, by its host's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// When it was stored, in seconds since the Unix epoch.
    pub stored_at: i64,
    /// Whether it is still to be published.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub is_unpublished: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trigger(seconds: i64) -> Trigger {
        Trigger::new(Trust::Verified, None, ReceivedAt(seconds * 1000))
    }

    /// A reason with this trust, by the sender's clock and by ours, both in seconds.
    fn dated(trust: Trust, occurred: &str, received: i64) -> Trigger {
        Trigger::new(trust, Some(&OccurredAt::parse(occurred).unwrap()), ReceivedAt(received * 1000))
    }

    #[test]
    fn no_claim_hides_what_is_proved_whatever_time_it_claims() {
        let proved = dated(Trust::Verified, "1970-01-01T00:01:00Z", 61);
        for unverified in ["9999-12-30T00:00:00Z", "1970-01-01T00:01:30Z", "-009999-06-01T00:00:00Z"] {
            let unverified = dated(Trust::Unverified, unverified, 100);
            for order in [[unverified, proved], [proved, unverified]] {
                let mut progress = Progress::new(order[0]);
                progress.want(order[1]);
                assert_eq!(progress.wanted(), proved);
            }
            let mut progress = Progress::new(unverified);
            progress.settle(unverified);
            progress.want(proved);
            assert!(progress.is_pending(), "what was done for a claim does not stand in for what is proved");
        }
    }

    #[test]
    fn a_moment_never_lies_after_its_receipt() {
        let ahead = dated(Trust::Verified, "9999-12-30T00:00:00Z", 100);
        let mut progress = Progress::new(ahead);
        progress.settle(ahead);
        progress.want(dated(Trust::Verified, "1970-01-01T00:01:41Z", 102));
        assert!(progress.is_pending(), "a clock that is ahead hides nothing that comes later");
    }

    #[test]
    fn a_repetition_asks_for_nothing_new() {
        let unverified = dated(Trust::Unverified, "1970-01-01T00:01:00Z", 62);
        let mut progress = Progress::new(unverified);
        progress.settle(unverified);
        progress.want(dated(Trust::Unverified, "1970-01-01T00:01:00Z", 70));
        assert!(!progress.is_pending(), "the same claim again");
        progress.want(dated(Trust::Verified, "1970-01-01T00:01:00Z", 71));
        assert!(!progress.is_pending(), "the same fact, proved");
        progress.want(dated(Trust::Verified, "1970-01-01T00:01:00Z", 61));
        assert_eq!(progress.wanted().received_at(), ReceivedAt(61_000), "its first receipt, in whatever order");
    }

    proptest! {
        #[test]
        fn reasons_end_the_same_in_any_order(
            (order, marks) in proptest::collection::vec((any::<bool>(), -50..150_i64, 0..100_i64), 1..8)
                .prop_flat_map(|marks| (Just(marks.clone()).prop_shuffle(), Just(marks)))
        ) {
            let after = |marks: &[(bool, i64, i64)]| {
                let mut marks = marks.iter().map(|(is_proved, occurred, received)| {
                    let trust = if *is_proved { Trust::Verified } else { Trust::Unverified };
                    let at = jiff::Timestamp::from_second(*occurred).unwrap().to_string();
                    dated(trust, &at, *received)
                });
                let first = Progress::new(marks.next().unwrap());
                marks.fold(first, |mut progress, trigger| { progress.want(trigger); progress })
            };
            prop_assert_eq!(after(&order), after(&marks));
            prop_assert_eq!(after(&order).wanted().received_at(), after(&marks).wanted().received_at());
        }
    }

    #[test]
    fn names_are_the_same_everywhere() {
        for job in Job::ALL {
            assert_eq!(serde_json::to_value(job).unwrap(), job.as_str());
            assert_eq!(job.artifact().and_then(Job::fetch).unwrap_or(job), job);
        }
    }

    #[test]
    fn a_later_reason_asks_again_and_an_earlier_one_does_not() {
        let mut progress = Progress::new(trigger(100));
        assert!(progress.is_pending());
        assert_eq!(progress.due_at(), 100 + GRACE_SECONDS);
        progress.postpone(150, 160);
        assert_eq!((progress.attempts(), progress.due_at()), (1, 160));
        assert!(progress.must_wait(159) && !progress.must_wait(160));
        let mut again = progress.clone();
        again.postpone(160, 170);
        assert_eq!((again.attempts(), again.tried_for(160)), (2, 10), "since the first try");
        again.rest(500);
        assert_eq!((again.attempts(), again.due_at()), (2, 500), "a rest is no try");
        let mut reminded = progress.clone();
        reminded.remind(200);
        assert_eq!(reminded.due_at(), 200 + REMINDER_SECONDS);
        assert!(!reminded.must_wait(200), "the command that was sent is to be carried out");
        progress.want(trigger(90));
        assert_eq!((progress.attempts(), progress.due_at()), (1, 160), "an earlier reason changes nothing");
        progress.settle(trigger(100));
        assert!(!progress.is_pending());
        progress.want(trigger(200));
        assert!(progress.is_pending());
        assert_eq!((progress.attempts(), progress.due_at()), (0, 200 + GRACE_SECONDS));
        progress.settle(trigger(100));
        assert!(progress.is_pending(), "what was done for an earlier reason does not settle the later one");
    }

    #[test]
    fn runs_sort_as_reasons_do() {
        let runs: Vec<_> = [-5, 0, 9, 10, 1_791_212_102].map(|seconds| trigger(seconds).as_run()).to_vec();
        let mut sorted = runs.clone();
        sorted.sort();
        assert_eq!(runs, sorted);
    }
}
