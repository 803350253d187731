//! The auditor: what was sent and what is stored go in, what is wrong comes out. Pure.
//!
//! Answered 2xx ⊆ accounted for ⊆ sent. A delivery that was answered otherwise, or not at all, may have been stored all the
//! same; then it must be accounted for like any other. What must be there in the end is computed from the deliveries alone, by
//! [`reference`], and not by the code under audit.

mod erasure;
mod jobs;
mod kept;
mod publications;
mod reference;
mod sessions;
mod traces;

pub use publications::Published;
pub use reference::Announced;
pub use traces::Place;

use crate::{
    account::{Account, Mood},
    delivery::{Delivery, Tampering},
};
use sha2::{Digest as _, Sha256};
use shared::{
    AcceptId, Endpoint, Event, QueueMessage, ReceivedAt, Session, SessionId,
    api::CalendarEntry,
    event::Artifact,
    provider::{Peek, parse, peek_message},
    session::{State, TimelineLine},
};
use std::collections::BTreeMap;
use traces::Traces;

/// One request, and what its sender saw.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Which request.
    pub accept_id: AcceptId,
    /// What it was, for people.
    pub name: String,
    /// Where it went.
    pub endpoint: Endpoint,
    /// What it must become; `None` if it must not get in. Its time of receipt may not be known yet.
    pub message: Option<QueueMessage>,
    /// What can be seen of it; nothing, of what must not get in.
    pub peek: Option<Peek>,
    /// What it says, if it says anything; without a time of receipt while that is not known.
    pub event: Option<Event>,
    /// When it was sent, if that is known to be when it was received.
    pub received_at: Option<ReceivedAt>,
    /// The status that its sender got; `None` if it got no answer.
    pub answer: Option<u16>,
    /// What somebody does to its body in the bucket.
    pub tampering: Option<Tampering>,
    /// How much of it must still be remembered.
    pub memory: Memory,
    /// Whether it was accepted, once that cannot be seen any more.
    pub was_accepted: bool,
    /// Whether it must be understood.
    pub is_genuine: bool,
}

/// How much of a delivery must still be remembered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Memory {
    /// Nothing: its session has expired.
    None,
    /// What it said to its session; what was kept beside it has expired.
    Session,
    /// All of it.
    All,
}

/// Everything that is stored anywhere.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// All sessions.
    pub sessions: Vec<Session>,
    /// All entries beside sessions, with their partition keys.
    pub entries: Vec<(String, TimelineLine)>,
    /// All objects, by key.
    pub objects: BTreeMap<String, Object>,
    /// The texts of all messages in the events queue.
    pub queued: Vec<String>,
    /// The texts of all dead letters.
    pub dead: Vec<String>,
}

/// An object in the bucket.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What stands beside them.
    pub metadata: BTreeMap<String, String>,
}

/// What there is to judge.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// Every request.
    pub sent: &'a [Sent],
    /// What became known without a delivery: what the provider was asked, and what an operator ordered. See [`told`].
    pub told: &'a [Event],
    /// Everything stored.
    pub stored: Stored,
    /// Whether everything that was parked, and every dead letter, has been put back.
    pub is_final: bool,
}

impl Sent {
    /// A request that was answered like this. `received_at` is in milliseconds since the Unix epoch, if it is known.
    #[must_use]
    pub fn new(delivery: &Delivery, accept_id: String, received_at: Option<i64>, answer: Option<u16>) -> Self {
        let message = delivery.message(&accept_id, received_at.unwrap_or_default());
        let message = message.filter(|_| delivery.forgery.is_none());
        Self {
            peek: message.as_ref().map(peek_message),
            event: message.as_ref().and_then(|message| parse(message).ok()),
            name: delivery.name.clone(),
            endpoint: delivery.endpoint,
            message,
            received_at: received_at.map(ReceivedAt),
            answer,
            tampering: delivery.tampering,
            memory: Memory::All,
            was_accepted: false,
            is_genuine: delivery.is_genuine,
            accept_id: AcceptId::new(accept_id),
        }
    }

    /// Whether its sender was told that it is safe.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.answer.is_some_and(|status| (200..300).contains(&status))
    }
}

/// What surrounded the functions, as far as it was watched.
#[derive(Debug)]
pub struct Around<'a> {
    /// What the provider holds.
    pub account: &'a Account,
    /// Whether sound and picture are kept.
    pub keeps_recordings: bool,
    /// Everything that was published since sessions last expired, in order.
    pub published: Vec<Published>,
    /// Everything that the provider was asked, in order.
    pub asked: Vec<Asked>,
    /// The mirrored entries of calendars, by calendar and the provider's id.
    pub mirrored: BTreeMap<(SessionId, String), CalendarEntry>,
    /// The texts of all commands in their queue, and of dead ones.
    pub commands: Vec<String>,
    /// The deletions that an operator ordered, and whether each was carried out.
    pub deletions: Vec<(SessionId, bool)>,
    /// How often an operator wanted again what was given up.
    pub refetches: u64,
    /// How many faults struck, but for a bus that refused.
    pub faults: u64,
    /// How often sessions may have begun anew.
    pub lives: u64,
}

/// One question to the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// About which bot or calendar.
    pub session: SessionId,
    /// What.
    pub question: Question,
    /// What the answer was, if not the truth.
    pub mood: Option<Mood>,
}

/// What a provider can be asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Question {
    /// Where an artifact is.
    Locate(Artifact),
    /// The artifact itself.
    Download(Artifact),
    /// What became of a bot.
    Detail,
    /// What is in a calendar.
    Entries,
}

/// What jobs left behind, and whom they told, once everything has been put back.
#[must_use]
pub fn afterwards(evidence: &Evidence<'_>, around: &Around<'_>) -> Vec<String> {
    let mut wrong = jobs::wrong(evidence, around);
    wrong.extend(erasure::wrong(evidence, around));
    wrong.extend(publications::wrong(evidence, around));
    wrong
}

/// Those of the events that have left a trace, each with the time at which it was learnt.
#[must_use]
pub fn told(candidates: &[Event], stored: &Stored) -> Vec<Event> {
    let traces = Traces::of(stored);
    let learnt = |event: &Event| {
        let entries = traces.at(&event.accept_id).filter_map(|place| match place {
            Place::Line(_, entry) | Place::Beside(_, entry) => Some(entry.received_at),
            _ => None,
        });
        Some(Event { received_at: entries.min()?, ..event.clone() })
    };
    candidates.iter().filter_map(learnt).collect()
}

fn is_deleted(session: &Session) -> bool {
    session.state() == State::Deleted
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that is wrong.
#[must_use]
pub fn audit(evidence: &Evidence<'_>) -> Vec<String> {
    let traces = Traces::of(&evidence.stored);
    let mut wrong = answers(evidence.sent);
    wrong.extend(unreadable(evidence.sent));
    wrong.extend(traces.of_what_never_got_in(evidence.sent, evidence.told));
    wrong.extend(accounted_for(evidence, &traces));
    wrong.extend(kept::wrong(evidence));
    wrong.extend(sessions::wrong(evidence, &traces));
    if evidence.is_final {
        wrong.extend(left_over(evidence, &traces));
    }
    wrong
}

/// Lets time pass: what is kept beside sessions expires, or sessions too. What still waits to be put back is all to come.
pub fn forget(sent: &mut [Sent], stored: &Stored, with_sessions: bool) {
    let traces = Traces::of(stored);
    for one in sent {
        let waits = |place: &Place| matches!(place, Place::Parked | Place::Dead | Place::Quarantined);
        if !with_sessions && traces.at(&one.accept_id).any(waits) {
            continue;
        }
        if one.memory == Memory::All {
            one.was_accepted = traces.at(&one.accept_id).any(|place| *place != Place::Claimed);
        }
        one.memory = one.memory.min(if with_sessions { Memory::None } else { Memory::Session });
    }
}

/// What outsiders are told of the deliveries that were accepted. An erasure takes along what shows which those of its bot were.
#[must_use]
pub fn announced(evidence: &Evidence<'_>) -> Announced {
    let traces = Traces::of(&evidence.stored);
    let uncertain = sessions::uncertain(evidence, &traces);
    let accepted = sessions::accepted(evidence, &traces);
    let mut announced = Announced::default();
    for (id, reference) in reference::sessions(accepted.iter()) {
        let mut of_it = reference.announced();
        if uncertain.contains(&id) {
            of_it.due.clear();
        }
        announced.extend(of_it);
    }
    let all = evidence.sent.iter().filter_map(|one| one.event.as_ref().filter(|_| one.message.is_some()));
    let all = all.filter(|event| uncertain.contains(&event.session));
    announced.possible.extend(all.flat_map(reference::alone));
    announced
}

/// What jobs publish when they are done, however they end. Everything else is told by deliveries.
const TOLD_BY_ERRANDS: [&str; 5] =
    ["transcript.ready", "recording.ready", "artifact.unavailable", "data.deleted", "calendar.event_changed"];

/// What was published, by id with its name, against [`announced`].
#[must_use]
pub fn published(announced: &Announced, heard: &BTreeMap<String, String>) -> Vec<String> {
    let unheard = announced.due.iter().filter(|id| !heard.contains_key(*id));
    let unheard = unheard.map(|id| format!("the event {id} was never published"));
    let invented = heard
        .iter()
        .filter(|(id, name)| !announced.possible.contains(*id) && !TOLD_BY_ERRANDS.contains(&name.as_str()));
    unheard.chain(invented.map(|(id, name)| format!("the event {id}, {name}, says what never happened"))).collect()
}

/// Nothing beside the point makes a genuine delivery unreadable.
fn unreadable(sent: &[Sent]) -> Vec<String> {
    let wrong = sent.iter().filter(|one| one.is_genuine && one.message.is_some() && one.event.is_none());
    wrong.map(|one| format!("{} ({}) is genuine and cannot be read", one.accept_id, one.name)).collect()
}

/// No forged request is answered 2xx, and no authentic one as if it were forged.
fn answers(sent: &[Sent]) -> Vec<String> {
    let wrong = sent.iter().filter(|one| match (&one.message, one.answer) {
        (None, answer) => answer.is_some_and(|status| status < 400),
        (Some(_), answer) => answer.is_some_and(|status| !matches!(status, 200 | 503)),
    });
    wrong.map(|one| format!("{} ({}) was answered {:?}", one.accept_id, one.name, one.answer)).collect()
}

/// Every delivery that was answered 2xx has met an end, or waits where a person finds it.
fn accounted_for(evidence: &Evidence<'_>, traces: &Traces) -> Vec<String> {
    let erased: Vec<_> = evidence.stored.sessions.iter().filter(|session| is_deleted(session)).collect();
    let is_erased = |one: &Sent| {
        let id = one.peek.as_ref().and_then(|peek| peek.session.as_ref());
        erased.iter().any(|session| Some(session.id()) == id)
    };
    let owed = evidence.sent.iter().filter(|one| one.is_acknowledged() && one.memory == Memory::All);
    let owed = owed.filter(|one| !is_erased(one));
    let lost = owed.filter(|one| !traces.at(&one.accept_id).any(Place::is_an_end));
    lost.map(|one| format!("{} ({}) was answered 200 and is lost", one.accept_id, one.name)).collect()
}

/// Once everything has been put back, nothing that takes effect waits any more.
fn left_over(evidence: &Evidence<'_>, traces: &Traces) -> Vec<String> {
    let mut wrong = Vec::new();
    for one in evidence.sent.iter().filter(|one| one.memory == Memory::All) {
        let is_readable = one.event.is_some() && one.tampering.is_none();
        for place in traces.at(&one.accept_id) {
            let waits = match place {
                Place::Parked | Place::Dead | Place::Queued | Place::Spooled | Place::Missing(_) => true,
                Place::Quarantined => is_readable,
                Place::Line(..) | Place::Beside(..) | Place::Claimed => false,
            };
            if waits {
                wrong.push(format!("{} ({}) was put back and is still {place:?}", one.accept_id, one.name));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod afterwards_tests;
#[cfg(test)]
mod tests;
