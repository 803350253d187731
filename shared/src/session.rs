//! The session: what is known of one bot in one meeting, and the pure function that moves it forward.
//!
//! [`advance`] is a commutative merge. Every field only ever rises in a fixed order (trust first, then how much an event
//! says, then a fixed precedence), and every delivery that acts is merged, the repeated ones too. So any order of a bot's
//! deliveries, with any of them repeated, ends in the same session.
//!
//! Sameness is judged twice. The same delivery has the same key. The same fact may come in several deliveries, through a
//! webhook and a callback, or as a status and as the final event: what happens to a bot only once is witnessed by the line
//! of its first delivery, and a later one that adds nothing is a [`Disposition::Duplicate`], on record beside the session.
//! Which of the twins has its line in the timeline depends on which came first; nothing else does.
//!
//! Trust comes before everything else in what a session says about its end, its times and its artifacts: a verified fact
//! displaces a claimed one and is never displaced by it, or whoever learns a path token could overwrite the genuine end of a
//! meeting. How far a session has come counts claims too, because many bots have nothing but an unsigned callback; whether
//! that much is proven is a question of its own, [`Session::is_confirmed`].

mod announcement;
mod calendar;
mod errand;
mod timeline;

pub use announcement::{About, Announcement};
pub use calendar::{CalendarFacts, ConnectionFact, Heard};
pub use errand::{Copy, Errand, Mark, Progress, Stored};
pub use timeline::{Disposition, Entry, Hole};

use crate::{
    event::{Artifact, ArtifactStatus, Certainty, Event, EventKind, Outcome, SessionId, Trust},
    message::AcceptId,
    time::{OccurredAt, ReceivedAt},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a session has come. It only ever rises, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum State {
    #[default]
    Unknown,
    Scheduled,
    Joining,
    Waiting,
    InCall,
    Recording,
    Leaving,
    Ended,
    Done,
    Deleted,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 10] = [
        Self::Unknown,
        Self::Scheduled,
        Self::Joining,
        Self::Waiting,
        Self::InCall,
        Self::Recording,
        Self::Leaving,
        Self::Ended,
        Self::Done,
        Self::Deleted,
    ];

    /// The name in the table, in logs and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Scheduled => "scheduled",
            Self::Joining => "joining",
            Self::Waiting => "waiting",
            Self::InCall => "in_call",
            Self::Recording => "recording",
            Self::Leaving => "leaving",
            Self::Ended => "ended",
            Self::Done => "done",
            Self::Deleted => "deleted",
        }
    }
}

/// What is known of one bot in one meeting: one document, written as a whole.
///
/// It holds the delivery keys it has seen, so that "have we seen this?" and "what changes?" are one question with one
/// conditional write behind it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Session {
    id: SessionId,
    #[serde(default, skip_serializing_if = "is_default")]
    progress: State,
    #[serde(default, skip_serializing_if = "is_default")]
    proven: State,
    #[serde(default, skip_serializing_if = "is_default")]
    ending: Option<Ending>,
    #[serde(default, skip_serializing_if = "is_default")]
    joined_at: Option<Dated>,
    #[serde(default, skip_serializing_if = "is_default")]
    ended_at: Option<Dated>,
    #[serde(default, skip_serializing_if = "is_default")]
    deleted: Option<Deletion>,
    #[serde(default, skip_serializing_if = "is_default")]
    artifacts: BTreeMap<Artifact, ArtifactFact>,
    #[serde(default, skip_serializing_if = "is_default")]
    custom_attributes: Option<(Trust, String)>,
    #[serde(default, skip_serializing_if = "is_default")]
    calendar: Option<CalendarFacts>,
    first_received_at: ReceivedAt,
    timeline: Vec<Entry>,
    #[serde(default, skip_serializing_if = "is_default")]
    holes: Vec<Hole>,
    #[serde(default, skip_serializing_if = "is_default")]
    errands: BTreeMap<Errand, Progress>,
    #[serde(default, skip_serializing_if = "is_default")]
    copies: BTreeMap<Artifact, Copy>,
}

/// How the session ended, as its best witness tells it. The order of the fields is the order of precedence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// How far the witness can be trusted.
    pub trust: Trust,
    /// How much the witness says.
    pub certainty: Certainty,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in the sender's words.
    pub reason: Option<String>,
}

/// What became of an artifact, as its best witness tells it. The order of the fields is the order of precedence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ArtifactFact {
    /// How far the witness can be trusted.
    pub trust: Trust,
    /// What became of it.
    pub status: ArtifactStatus,
    /// When, by the sender's clock; the latest, since a transcript can be made again.
    pub occurred_at: Option<OccurredAt>,
    /// Why it is not there, in the sender's words.
    pub reason: Option<String>,
}

/// A moment, and how far its witness can be trusted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Dated {
    trust: Trust,
    at: OccurredAt,
}

/// That the provider erased what it held.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct Deletion {
    trust: Trust,
}

/// What one event does to a session, as a value to be carried out.
#[derive(Clone, PartialEq, Debug)]
pub struct Transition {
    /// What became of the delivery.
    pub disposition: Disposition,
    /// The session to save, if the event changes it.
    pub session: Option<Session>,
    /// Entries to keep beside the session.
    pub records: Vec<Entry>,
    /// What to tell the rest of the system, before the session is saved.
    pub announcements: Vec<Announcement>,
}

/// Moves `session` by `event`. Pure: the answer is the whole effect.
#[must_use]
pub fn advance(session: &Session, event: &Event) -> Transition {
    let mut transition = moved(session, event);
    if transition.session.as_ref().unwrap_or(session).is_erased() {
        // Whatever comes after a deletion, or came before it, leaves no word of anybody's.
        transition.records.iter_mut().for_each(|entry| entry.reason = None);
        transition.session = transition.session.map(Session::without_words);
        transition.announcements.iter_mut().for_each(Announcement::forget_words);
    }
    transition
}

fn moved(session: &Session, event: &Event) -> Transition {
    let mut next = session.clone();
    next.fill_hole(&event.accept_id);
    let without_effect = |next: Session, disposition, records| Transition {
        disposition,
        session: (next != *session).then_some(next),
        records,
        announcements: vec![],
    };
    if !event.kind.acts() {
        return without_effect(next, Disposition::Ignored, vec![Entry::of(event, Disposition::Ignored)]);
    }
    // What a duplicate says is merged all the same. Its key says that it is about the same thing, not that it says the same of
    // it; and which of two comes first must not matter.
    next.merge(event);
    let seen = session.timeline.iter().find(|line| line.key == event.key);
    if seen.is_some_and(|seen| seen.accept_id == event.accept_id) {
        // Our own queue delivered it again, after a crash between the save and the acknowledgement.
        return without_effect(next, Disposition::Duplicate, vec![]);
    }
    let adds = next.substance() != session.substance();
    let says_as_much = |line: &Entry| line.key == event.key || (line.tells_of(event) && !adds);
    if session.timeline.iter().any(|line| line.trust() >= event.trust && says_as_much(line)) {
        return without_effect(next, Disposition::Duplicate, vec![Entry::of(event, Disposition::Duplicate)]);
    }
    let displaced = timeline::displace(&mut next.timeline, event);
    let spilled = timeline::insert(&mut next.timeline, Entry::of(event, Disposition::Applied));
    Transition {
        disposition: Disposition::Applied,
        session: Some(next),
        records: displaced.into_iter().chain(spilled).collect(),
        announcements: Announcement::of(event),
    }
}

impl Session {
    /// A session of which nothing is known yet but that it exists.
    #[must_use]
    pub fn new(id: SessionId, first_received_at: ReceivedAt) -> Self {
        Self {
            id,
            progress: State::Unknown,
            proven: State::Unknown,
            ending: None,
            joined_at: None,
            ended_at: None,
            deleted: None,
            artifacts: BTreeMap::new(),
            custom_attributes: None,
            calendar: None,
            first_received_at,
            timeline: Vec::new(),
            holes: Vec::new(),
            errands: BTreeMap::new(),
            copies: BTreeMap::new(),
        }
    }

    /// Which bot it is.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// How far it has come. A claimed deletion does not count: whoever learns a path token must not hide a session.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.deleted {
            Some(Deletion { trust: Trust::Verified }) => State::Deleted,
            _ => self.progress,
        }
    }

    /// Whether verified deliveries alone would say the same of its state and its outcome.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.proven >= self.progress && self.ending.as_ref().is_none_or(|ending| ending.trust == Trust::Verified)
    }

    /// How it ended; `None` while it has not.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.ending {
            Some(ending) => Some(ending.outcome),
            None => (self.progress >= State::Ended).then_some(Outcome::Unknown),
        }
    }

    /// The end in detail, if one was reported.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// When the bot came into the meeting, by the sender's clock.
    #[must_use]
    pub fn joined_at(&self) -> Option<&OccurredAt> {
        self.joined_at.as_ref().map(|dated| &dated.at)
    }

    /// When the session ended, by the sender's clock.
    #[must_use]
    pub fn ended_at(&self) -> Option<&OccurredAt> {
        self.ended_at.as_ref().map(|dated| &dated.at)
    }

    /// What became of each artifact that was heard of.
    #[must_use]
    pub fn artifacts(&self) -> &BTreeMap<Artifact, ArtifactFact> {
        &self.artifacts
    }

    /// What the user attached to the bot, as JSON text.
    #[must_use]
    pub fn custom_attributes(&self) -> Option<&str> {
        self.custom_attributes.as_ref().map(|(_, text)| text.as_str())
    }

    /// What is known of it as a calendar; `None` for a bot.
    #[must_use]
    pub fn calendar(&self) -> Option<&CalendarFacts> {
        self.calendar.as_ref()
    }

    /// When the first of its deliveries was taken.
    #[must_use]
    pub fn first_received_at(&self) -> ReceivedAt {
        self.first_received_at
    }

    /// The deliveries it was made from, by time of receipt.
    #[must_use]
    pub fn timeline(&self) -> &[Entry] {
        &self.timeline
    }

    /// The deliveries that are missing from it, because they were parked.
    #[must_use]
    pub fn holes(&self) -> &[Hole] {
        &self.holes
    }

    /// The session with a delivery marked as missing, its bytes being parked. Marking it twice changes nothing, and neither does
    /// marking one that is not missing: it may have been saved by a call whose answer was lost.
    #[must_use]
    pub fn with_hole(&self, hole: Hole) -> Self {
        let mut next = self.with_bytes_kept(hole.received_at);
        if !self.timeline.iter().any(|entry| entry.accept_id == hole.accept_id) {
            timeline::insert_hole(&mut next.holes, hole);
        }
        next
    }

    /// The session after the bytes of a delivery were set aside for good: it is missing no longer, if it was, and of a bot
    /// whose data was deleted it must be erased. `None` if that changes nothing.
    #[must_use]
    pub fn with_set_aside(&self, entry: &Entry) -> Option<Self> {
        let mut next = self.clone();
        next.fill_hole(&entry.accept_id);
        let next = next.with_bytes_kept(entry.received_at);
        (next != *self).then_some(next)
    }

    /// The session after bytes of a delivery were stored beside it, whenever the delivery was taken: of a bot whose data was
    /// deleted they must be erased. A delivery can be far older than the deletion and come after it, from the spool or by a
    /// person's replay, so its time says nothing about what was erased already.
    #[must_use]
    pub fn with_bytes_kept(&self, received_at: ReceivedAt) -> Self {
        let mut next = self.clone();
        if next.is_erased() {
            let kept = Mark::new(None, received_at);
            let wanted = next.errands.get(&Errand::Erase).map_or(kept, |erasure| erasure.wanted().max(kept));
            next.errands.insert(Errand::Erase, Progress::new(wanted));
        }
        next
    }

    fn fill_hole(&mut self, accept_id: &AcceptId) {
        self.holes.retain(|hole| hole.accept_id != *accept_id);
    }

    /// Whether the provider's deletion was proved, so that nothing of what was said, seen or entered may be left. A claimed
    /// deletion erases nothing.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.deleted == Some(Deletion { trust: Trust::Verified })
    }

    /// Everything that was ever to be done for it, and how far that is.
    #[must_use]
    pub fn errands(&self) -> &BTreeMap<Errand, Progress> {
        &self.errands
    }

    /// How far an errand is, if it is still to be done.
    #[must_use]
    pub fn pending(&self, errand: Errand) -> Option<&Progress> {
        self.errands.get(&errand).filter(|progress| progress.is_pending())
    }

    /// What is still to be done for it, and when each must be looked at, in seconds since the Unix epoch.
    pub fn all_pending(&self) -> impl Iterator<Item = (Errand, i64)> {
        let pending = self.errands.iter().filter(|(_, progress)| progress.is_pending());
        pending.map(|(errand, progress)| (*errand, progress.due_at()))
    }

    /// When it must be looked at, in seconds since the Unix epoch; `None` if nothing is to be done for it.
    #[must_use]
    pub fn due_at(&self) -> Option<i64> {
        self.all_pending().map(|(_, due_at)| due_at).min()
    }

    /// What became of its artifacts with us.
    #[must_use]
    pub fn copies(&self) -> &BTreeMap<Artifact, Copy> {
        &self.copies
    }

    /// The session with an errand done, for every reason up to this one.
    #[must_use]
    pub fn with_settled(&self, errand: Errand, up_to: Mark) -> Self {
        let mut next = self.clone();
        if let Some(progress) = next.errands.get_mut(&errand) {
            progress.settle(up_to);
        }
        next
    }

    /// The session with an errand tried to no avail; the next try is at `retry_at`, in seconds since the Unix epoch.
    #[must_use]
    pub fn with_postponed(&self, errand: Errand, retry_at: i64) -> Self {
        let mut next = self.clone();
        if let Some(progress) = next.errands.get_mut(&errand) {
            progress.postpone(retry_at);
        }
        next
    }

    /// The session with what became of an artifact with us. Of one that is erased nothing is kept.
    #[must_use]
    pub fn with_copy(&self, artifact: Artifact, copy: Copy) -> Self {
        let mut next = self.clone();
        if !next.is_erased() {
            // An older copy is better than none.
            let is_worse = matches!((&copy, next.copies.get(&artifact)), (Copy::Unavailable(_), Some(Copy::Stored(_))));
            if !is_worse {
                next.copies.insert(artifact, copy);
            }
        }
        next
    }

    /// The session with a command for an errand sent anew, `now` in seconds since the Unix epoch.
    #[must_use]
    pub fn with_reminder(&self, errand: Errand, now: i64) -> Self {
        let mut next = self.clone();
        if let Some(progress) = next.errands.get_mut(&errand) {
            progress.remind(now);
        }
        next
    }

    /// The session asked for an errand once more, for the reason that it had; the same if it never had one.
    #[must_use]
    pub fn with_reopened(&self, errand: Errand) -> Self {
        let mut next = self.clone();
        if let Some(progress) = next.errands.get_mut(&errand) {
            *progress = Progress::new(progress.wanted());
        }
        next
    }

    /// The session after everything of it was erased that is not in it, parked deliveries too: they can never come back. What
    /// was under way meanwhile is erased in a second round, at `again_at` in seconds since the Unix epoch; `None` after that.
    #[must_use]
    pub fn with_erased(&self, errand: Errand, mark: Mark, again_at: Option<i64>) -> Self {
        let mut next = self.with_settled(errand, mark);
        next.holes.clear();
        if let Some(again_at) = again_at {
            next.errands.insert(Errand::EraseAgain, Progress::new(mark).not_before(again_at));
        }
        next
    }

    /// Whether a deletion was claimed and not proved.
    #[must_use]
    pub fn claims_erasure(&self) -> bool {
        self.deleted == Some(Deletion { trust: Trust::Claimed })
    }

    /// Without what people said or entered: reasons, attributes, what points to copies, and what was still to be fetched.
    fn without_words(mut self) -> Self {
        self.custom_attributes = None;
        self.copies.clear();
        self.errands.retain(|errand, _| matches!(errand, Errand::Erase | Errand::EraseAgain));
        if let Some(ending) = &mut self.ending {
            ending.reason = None;
        }
        self.artifacts.values_mut().for_each(|fact| fact.reason = None);
        self.timeline.iter_mut().for_each(|entry| entry.reason = None);
        self
    }

    fn want(&mut self, errand: Errand, mark: Mark) {
        self.errands.entry(errand).or_insert_with(|| Progress::new(mark)).want(mark);
    }

    /// What the session says of the bot, without the fields that only detail it: a delivery that changes this is never a
    /// mere repetition.
    fn substance(&self) -> impl PartialEq {
        let ending = self.ending.as_ref().map(|ending| (ending.trust, ending.certainty, ending.outcome));
        let artifacts: Vec<_> = self.artifacts.iter().map(|(which, fact)| (*which, fact.trust, fact.status)).collect();
        let touched = self.calendar.as_ref().map(CalendarFacts::substance);
        (self.progress, ending, artifacts, self.deleted.clone(), self.joined_at.is_some(), touched)
    }

    /// Raises every field that the event says something about.
    fn merge(&mut self, event: &Event) {
        self.first_received_at = self.first_received_at.min(event.received_at);
        if let Some(attributes) = &event.custom_attributes {
            raise(&mut self.custom_attributes, (event.trust, attributes.clone()));
        }
        for (kind, occurred_at) in event.facts() {
            self.merge_fact(event, &kind, occurred_at);
        }
    }

    fn merge_fact(&mut self, event: &Event, kind: &EventKind, occurred_at: Option<OccurredAt>) {
        let Event { trust, .. } = *event;
        let mark = Mark::new(occurred_at.as_ref(), event.received_at);
        if trust == Trust::Claimed && (reaches(kind) >= State::Ended || *kind == EventKind::Deleted) {
            self.want(Errand::Confirm, Mark::new(None, event.received_at));
        }
        self.progress = self.progress.max(reaches(kind));
        if trust == Trust::Verified {
            self.proven = self.proven.max(reaches(kind));
        }
        match kind {
            EventKind::InCall => earliest(&mut self.joined_at, trust, occurred_at.as_ref()),
            EventKind::Ended(ended) => {
                earliest(&mut self.ended_at, trust, occurred_at.as_ref());
                let (certainty, outcome) = (ended.certainty, ended.outcome);
                raise(&mut self.ending, Ending { trust, certainty, outcome, reason: event.reason.clone() });
            }
            EventKind::Artifact(artifact, status) => {
                let failed = *status != ArtifactStatus::Ready;
                let reason = event.reason.clone().filter(|_| failed);
                let fact = ArtifactFact { trust, status: *status, occurred_at, reason };
                let best = self.artifacts.entry(*artifact).or_insert_with(|| fact.clone());
                if fact > *best {
                    *best = fact;
                }
                if let Some(errand) = Errand::fetch(*artifact).filter(|_| *status == ArtifactStatus::Ready) {
                    self.want(errand, mark);
                }
            }
            EventKind::Deleted => {
                raise(&mut self.deleted, Deletion { trust });
                if trust == Trust::Verified {
                    self.want(Errand::Erase, mark);
                }
            }
            EventKind::Calendar(change) => {
                let heard = calendar::Heard { occurred_at, received_at: event.received_at };
                self.calendar.get_or_insert_default().merge(change, heard, trust);
                self.want(Errand::SyncCalendar, Mark::new(None, event.received_at));
            }
            _ => {}
        }
    }
}

/// The state that an event of this kind proves to have been reached.
fn reaches(kind: &EventKind) -> State {
    match kind {
        EventKind::Scheduled => State::Scheduled,
        EventKind::Joining => State::Joining,
        EventKind::Waiting => State::Waiting,
        // Only who is in the meeting can be refused a recording in it.
        EventKind::InCall | EventKind::Permission(_) => State::InCall,
        // Only what was recording can pause or go on.
        EventKind::Recording | EventKind::RecordingPaused | EventKind::RecordingResumed => State::Recording,
        EventKind::Leaving => State::Leaving,
        EventKind::Ended(_) => State::Ended,
        EventKind::Done | EventKind::Concluded(_) => State::Done,
        // Deletion is kept apart from progress, and artifacts may come before or long after the end.
        EventKind::Deleted
        | EventKind::Artifact(..)
        | EventKind::Calendar(_)
        | EventKind::Warning
        | EventKind::Uploading
        | EventKind::Processing
        | EventKind::Participant(_)
        | EventKind::LiveTranscript
        | EventKind::Chat
        | EventKind::Unknown => State::Unknown,
    }
}

fn raise<T: Ord>(best: &mut Option<T>, candidate: T) {
    if best.as_ref().is_none_or(|best| candidate > *best) {
        *best = Some(candidate);
    }
}

fn earliest(best: &mut Option<Dated>, trust: Trust, at: Option<&OccurredAt>) {
    let Some(at) = at else { return };
    let better = |best: &Dated| trust > best.trust || (trust == best.trust && *at < best.at);
    if best.as_ref().is_none_or(better) {
        *best = Some(Dated { trust, at: at.clone() });
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
