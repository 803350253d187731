//! The deliveries a session was made from, in a bounded list.

use crate::{
    event::{Event, EventKind},
    ids::{AcceptId, DeliveryKey},
    message::QueueMessage,
    source::Source,
    time::{OccurredAt, ReceivedAt},
    trust::Trust,
};
use serde::{Deserialize, Serialize};

/// The most entries that a session holds. A meeting has about 15; every write of the session pays for all of them.
const MAX_ENTRIES: usize = 64;

/// The most missing deliveries that a session names; the parked bytes are listed in S3 all the same.
const MAX_MISSING: usize = 32;

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It took effect.
    #[default]
    Applied,
    /// Another delivery had said the same.
    Duplicate,
    /// It is of a kind that is recorded and not acted on.
    Ignored,
    /// It is authentic and cannot be read; its bytes are kept.
    Quarantined,
    /// It failed on every try; its bytes are kept until somebody puts them back.
    Parked,
}

impl Disposition {
    /// The name in logs, metrics and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::Parked => "parked",
        }
    }
}

/// One delivery, without its body. The table has it as a line of a [`Document`](super::Document); this serde form, like that of
/// [`Session`](super::Session), is for tests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimelineLine {
    /// What makes it the same delivery as another.
    #[serde(rename = "k")]
    pub key: DeliveryKey,
    /// Which accepted request it was.
    #[serde(rename = "a")]
    pub accept_id: AcceptId,
    /// The canonical name of what happened.
    #[serde(rename = "e")]
    pub kind: String,
    /// The sender's name for it.
    #[serde(rename = "n")]
    pub name: String,
    /// When the sender says it happened.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<OccurredAt>,
    /// When we took it.
    #[serde(rename = "r")]
    pub received_at: ReceivedAt,
    /// Where it comes from.
    #[serde(rename = "s")]
    pub source: Source,
    /// What became of it.
    #[serde(rename = "d", default, skip_serializing_if = "super::is_default")]
    pub disposition: Disposition,
    /// Why, in the sender's words, or in ours where we refused it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl TimelineLine {
    /// The entry for an event that met this end.
    #[must_use]
    pub fn of(event: &Event, disposition: Disposition) -> Self {
        Self {
            key: event.key.clone(),
            accept_id: event.accept_id.clone(),
            kind: event.kind.as_str().to_owned(),
            name: event.name.clone(),
            occurred_at: event.occurred_at.clone(),
            received_at: event.received_at,
            source: event.source,
            disposition,
            reason: event.reason.clone(),
        }
    }

    /// The entry for a delivery that did not become an event.
    #[must_use]
    pub fn unread(message: &QueueMessage, key: DeliveryKey, disposition: Disposition, reason: &str) -> Self {
        Self {
            key,
            accept_id: message.accept_id().clone(),
            kind: EventKind::Unknown.as_str().to_owned(),
            name: String::new(),
            occurred_at: None,
            received_at: message.received_at(),
            source: Source::Delivered(message.endpoint()),
            disposition,
            reason: Some(reason.to_owned()),
        }
    }

    /// How far it can be trusted.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.source.trust()
    }

    /// Whether it is a line about the same fact: of the same kind and, where a kind can happen more than once, of the same
    /// time. Without times two of those are never the same.
    pub(super) fn tells_of(&self, event: &Event) -> bool {
        let same_time = || {
            let (ours, theirs) = (self.occurred_at.as_ref(), event.occurred_at.as_ref());
            ours.zip(theirs).is_some_and(|(ours, theirs)| ours.moment() == theirs.moment())
        };
        self.kind == event.kind.as_str() && (!event.kind.recurs() || same_time())
    }

    /// Whether it must stay in the session as long as there is anything else of its trust to give up.
    fn is_terminal(&self) -> bool {
        matches!(self.kind.as_str(), "session.ended" | "session.done" | "data.deleted")
    }
}

/// A delivery that is missing from the session, because it failed on every try.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingDelivery {
    /// Which accepted request it was.
    pub accept_id: AcceptId,
    /// When we took it.
    pub received_at: ReceivedAt,
    /// The S3 key of its bytes.
    pub parked_as: String,
    /// Why it failed.
    pub reason: String,
}

/// Takes out the lines that a better trusted delivery of the same fact replaces, and gives them back as its duplicates.
pub(super) fn displace(timeline: &mut Vec<TimelineLine>, event: &Event) -> Vec<TimelineLine> {
    let is_displaced =
        |line: &mut TimelineLine| line.trust() < event.trust && (line.key == event.key || line.tells_of(event));
    let displaced = timeline.extract_if(.., is_displaced);
    displaced.map(|line| TimelineLine { disposition: Disposition::Duplicate, ..line }).collect()
}

/// Adds an entry, keeps the list in order of receipt, and gives back the entry that no longer fits: unverified ones before
/// verified ones, of those everything else before the ends, the oldest first. What a spilled entry said stays in the
/// session's fields; only its line moves out, and with it the memory that its fact was told.
pub(super) fn insert(timeline: &mut Vec<TimelineLine>, entry: TimelineLine) -> Option<TimelineLine> {
    let order = |entry: &TimelineLine| (entry.received_at, entry.key.clone());
    let at = timeline.partition_point(|other| order(other) < order(&entry));
    timeline.insert(at, entry);
    if timeline.len() <= MAX_ENTRIES {
        return None;
    }
    let (at, _) = timeline.iter().enumerate().min_by_key(|(at, entry)| (entry.trust(), entry.is_terminal(), *at))?;
    Some(timeline.remove(at))
}

/// Adds a missing delivery once; at the bound the oldest gives way.
pub(super) fn insert_missing(all: &mut Vec<MissingDelivery>, missing: MissingDelivery) {
    if all.iter().any(|other| other.accept_id == missing.accept_id) {
        return;
    }
    all.push(missing);
    if all.len() > MAX_MISSING {
        all.remove(0);
    }
}
