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
//! displaces an unverified one and is never displaced by it, or whoever learns a path token could overwrite the genuine end of a
//! meeting. How far a session has come counts claims too, because many bots have nothing but an unsigned callback; whether
//! that much is proven is a question of its own, [`Session::is_confirmed`].

mod advance;
mod calendar;
mod document;
mod erasure;
mod intents;
mod job;
mod overdue;
mod published_event;
mod set_aside;
mod timeline;
mod view;

pub use advance::{Transition, advance};
pub use calendar::{CalendarFacts, Checked, ConnectionFact, Mention};
pub use document::{Document, Unreadable};
pub use job::{Due, Job, Progress, Stored, StoredCopy, Trigger};
pub use overdue::Deadlines;
pub use published_event::{About, PublishedEvent};
pub use timeline::{Disposition, MissingDelivery, TimelineLine};

use crate::{
    event::{Artifact, ArtifactStatus, Certainty, Event, EventKind, Outcome},
    ids::SessionId,
    time::{OccurredAt, ReceivedAt},
    trust::Trust,
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
    timeline: Vec<TimelineLine>,
    #[serde(default, skip_serializing_if = "is_default")]
    missing: Vec<MissingDelivery>,
    #[serde(default, skip_serializing_if = "is_default")]
    jobs: BTreeMap<Job, Progress>,
    #[serde(default, skip_serializing_if = "is_default")]
    copies: BTreeMap<Artifact, StoredCopy>,
    /// The time for which the bot was created, as the provider's API gave it.
    #[serde(default, skip_serializing_if = "is_default")]
    join_at: Option<OccurredAt>,
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

impl Ending {
    /// How well the end is known, from 1 up: trust first, then certainty, then outcome. It depends on nothing else, so one number
    /// always means the same end, and an end that replaces another always has the higher number.
    #[must_use]
    pub fn revision(&self) -> u32 {
        const OUTCOMES: u32 = Outcome::Failed as u32 + 1;
        const CERTAINTIES: u32 = Certainty::Final as u32 + 1;
        1 + (self.trust as u32 * CERTAINTIES + self.certainty as u32) * OUTCOMES + self.outcome as u32
    }
}

/// What became of an artifact, as its best witness tells it. The order of the fields is the order of precedence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
struct Dated {
    trust: Trust,
    at: OccurredAt,
}

/// That the provider erased what it held.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct Deletion {
    trust: Trust,
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
            missing: Vec::new(),
            jobs: BTreeMap::new(),
            copies: BTreeMap::new(),
            join_at: None,
        }
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
        let trigger = Trigger::new(trust, occurred_at.as_ref(), event.received_at);
        if trust == Trust::Unverified {
            let claim = Trigger::of_claim(kind, event.received_at);
            if *kind == EventKind::Deleted {
                self.want(Job::ConfirmDeletion, claim);
            } else if reaches(kind) >= State::Ended {
                self.want(Job::Confirm, claim);
            }
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
                let failed = *status != ArtifactStatus::Announced;
                let reason = event.reason.clone().filter(|_| failed);
                let fact = ArtifactFact { trust, status: *status, occurred_at, reason };
                let best = self.artifacts.entry(*artifact).or_insert_with(|| fact.clone());
                if fact > *best {
                    *best = fact;
                }
                if let Some(job) = Job::fetch(*artifact).filter(|_| *status == ArtifactStatus::Announced) {
                    self.want(job, trigger);
                }
            }
            EventKind::Deleted => {
                raise(&mut self.deleted, Deletion { trust });
                if trust == Trust::Verified {
                    self.want(Job::Erase, trigger);
                }
            }
            EventKind::Calendar(change) => {
                let heard = calendar::Mention { occurred_at, received_at: event.received_at, checked: None };
                self.calendar.get_or_insert_default().merge(change, heard, trust);
                self.want(Job::SyncCalendar, Trigger::new(trust, None, event.received_at));
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
