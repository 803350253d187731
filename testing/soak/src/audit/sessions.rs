//! Sessions are what their deliveries make of them.

use super::{
    Evidence, Memory, Sent,
    reference::{self, Reference},
    traces::{Place, Traces},
};
use serde_json::Value;
use shared::{
    AcceptId, Event, ReceivedAt, Session, SessionId, Source,
    session::{Disposition, TimelineLine},
};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions, their lines and what is beside them, where they are not as they must be.
pub(super) fn wrong(evidence: &Evidence<'_>, traces: &Traces) -> Vec<String> {
    let sent: BTreeMap<_, _> = evidence.sent.iter().map(|one| (&one.accept_id, one)).collect();
    let mut wrong = Vec::new();
    for (one, place) in sent.values().flat_map(|one| traces.at(&one.accept_id).map(move |place| (one, place))) {
        if let Place::Line(pk, entry) | Place::Beside(pk, entry) = place
            && let Err(what) = judge(one, pk, entry, matches!(place, Place::Line(..)))
        {
            wrong.push(format!("{} ({}) {what}: {entry:?}", one.accept_id, one.name));
        }
    }
    wrong.extend(compared(evidence, traces));
    wrong
}

/// Whether an entry is one that its delivery may have.
fn judge(one: &Sent, pk: &str, entry: &TimelineLine, is_line: bool) -> Result<(), &'static str> {
    let Some(peek) = &one.peek else { return Ok(()) };
    if peek.session.as_ref().map(|session| session.encoded()).as_deref() != Some(pk) {
        return Err("is on record at another bot");
    }
    if peek.key.as_ref() != Some(&entry.key) || entry.source != Source::Delivered(one.endpoint) {
        return Err("is on record as another delivery");
    }
    if one.received_at.is_some_and(|at| at != entry.received_at) {
        return Err("is on record with another time of receipt");
    }
    if one.memory == Memory::None {
        return Err("has expired and is back");
    }
    if one.tampering.is_some() {
        return Err("took effect although its body was tampered with");
    }
    let event = one.event.as_ref();
    let may_be = match entry.disposition {
        Disposition::Applied => event.is_some_and(|event| event.kind.acts()),
        Disposition::Ignored => event.is_some_and(|event| !event.kind.acts()),
        Disposition::Duplicate => event.is_some(),
        Disposition::Quarantined => !is_line,
        Disposition::Parked => false,
    };
    if !may_be || (is_line && entry.disposition != Disposition::Applied) {
        return Err("met an end that it cannot meet");
    }
    Ok(())
}

/// Each session against the one that a run without faults makes of the accepted deliveries.
fn compared(evidence: &Evidence<'_>, traces: &Traces) -> Vec<String> {
    let accepted = accepted(evidence, traces);
    let uncertain = uncertain(evidence, traces);
    let unsettled: BTreeSet<_> = if evidence.is_final {
        BTreeSet::new()
    } else {
        let waits = |accept_id: &AcceptId| {
            traces.at(accept_id).any(|place| matches!(place, Place::Parked | Place::Dead | Place::Quarantined))
        };
        let waiting = accepted.iter().filter(|event| waits(&event.accept_id));
        waiting.map(|event| event.session.clone()).collect()
    };
    let references = reference::sessions(accepted.iter());
    let found: BTreeMap<_, _> = evidence.stored.sessions.iter().map(|session| (session.id(), session)).collect();
    let fresh: BTreeSet<_> =
        evidence.sent.iter().filter(|one| one.memory == Memory::All).map(|one| &one.accept_id).collect();
    let ids: BTreeSet<_> = references.keys().chain(found.keys().copied()).collect();
    let mut wrong = Vec::new();
    for id in ids.into_iter().filter(|id| !unsettled.contains(*id) && !uncertain.contains(*id)) {
        let empty = Reference::empty(id);
        let reference = references.get(id).unwrap_or(&empty);
        let set_aside = evidence.sent.iter().filter(|one| one.event.is_none() || one.tampering.is_some());
        let of_it = set_aside.filter(|one| one.peek.as_ref().is_some_and(|peek| peek.session.as_ref() == Some(id)));
        let of_it: Vec<_> = of_it.map(|one| one.received_at).collect();
        if let Err(what) = same(reference, found.get(id).copied(), &of_it) {
            wrong.push(format!("{}: {what}", id.encoded()));
        }
        if !found.get(id).is_some_and(|session| super::is_deleted(session))
            && let Err(what) = beside(evidence, id, reference, &fresh)
        {
            wrong.push(format!("{}: {what}", id.encoded()));
        }
    }
    wrong
}

/// The events of the deliveries that were accepted, so that they must have had their effect. One that was not answered 2xx was
/// accepted if it left a trace anywhere but for its body.
pub(super) fn accepted(evidence: &Evidence<'_>, traces: &Traces) -> Vec<Event> {
    let had_effect = |one: &&Sent| match one.memory {
        Memory::None => false,
        Memory::Session => one.was_accepted,
        Memory::All => traces.at(&one.accept_id).any(|place| *place != Place::Claimed),
    };
    let untouched = evidence.sent.iter().filter(had_effect).filter(|one| one.tampering.is_none());
    let received = |one: &Sent| {
        let entries = traces.at(&one.accept_id).filter_map(|place| match place {
            Place::Line(_, entry) | Place::Beside(_, entry) => Some(entry.received_at),
            _ => None,
        });
        one.received_at.or(entries.min()).unwrap_or(ReceivedAt(0))
    };
    let delivered = untouched.filter_map(|one| Some(Event { received_at: received(one), ..one.event.clone()? }));
    delivered.chain(evidence.told.iter().cloned()).collect()
}

/// Sessions that were erased, and with them what shows which deliveries had their effect before.
pub(super) fn uncertain(evidence: &Evidence<'_>, traces: &Traces) -> BTreeSet<SessionId> {
    let erased = evidence.stored.sessions.iter().filter(|session| super::is_deleted(session));
    let is_uncertain = |id: &SessionId| {
        let of_it = evidence.sent.iter().filter(|one| one.message.is_some() && one.memory > Memory::None);
        let mut of_it = of_it.filter(|one| one.peek.as_ref().is_some_and(|peek| peek.session.as_ref() == Some(id)));
        of_it.any(|one| !traces.at(&one.accept_id).any(|place| *place != Place::Claimed))
    };
    erased.map(|session| session.id().clone()).filter(is_uncertain).collect()
}

fn same(reference: &Reference, found: Option<&Session>, set_aside: &[Option<ReceivedAt>]) -> Result<(), String> {
    let nothing = Session::new(reference.session.id().clone(), ReceivedAt(i64::MAX));
    let found = found.unwrap_or(&nothing);
    let (expected, actual) = (fields(&reference.session), fields(found));
    if expected != actual {
        return Err(format!("is\n      {actual}\n    and should be\n      {expected}"));
    }
    let (expected, actual) = (reference.told(&reference.session), reference.told(found));
    if expected != actual {
        return Err(format!("has lines for\n      {actual:?}\n    and should have them for\n      {expected:?}"));
    }
    first_received(reference, found, set_aside)
}

/// A session counts from the first of its deliveries that it acts on. One that was parked may have made it before that: also one
/// that was found to be unreadable only when it was put back.
fn first_received(reference: &Reference, found: &Session, set_aside: &[Option<ReceivedAt>]) -> Result<(), String> {
    let (expected, actual) = (reference.session.first_received_at(), found.first_received_at());
    let is_ours = reference.events.values().any(|event| event.received_at == actual)
        || set_aside.iter().any(|at| at.is_none_or(|at| at == actual));
    if actual == expected || (actual < expected && is_ours) {
        return Ok(());
    }
    Err(format!("counts from {actual:?} and should from {expected:?}"))
}

/// What a session says but for its lines, which are compared by what they tell, and for when it began.
fn fields(session: &Session) -> Value {
    let mut value = serde_json::to_value(session).unwrap_or_default();
    if let Some(value) = value.as_object_mut() {
        for apart in ["timeline", "missing", "first_received_at", "jobs", "copies"] {
            value.remove(apart);
        }
        // Which entries of a calendar were mirrored is for the jobs to say.
        let affected = value.get_mut("calendar").and_then(|calendar| calendar.get_mut("affected"));
        for heard in affected.and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut()) {
            if let Some(heard) = heard.as_object_mut() {
                heard.remove("checked");
            }
        }
    }
    value
}

/// Every delivery that is not acted on is kept once under its key, and every delivery is on record.
fn beside(
    evidence: &Evidence<'_>,
    id: &SessionId,
    reference: &Reference,
    fresh: &BTreeSet<&AcceptId>,
) -> Result<(), String> {
    let pk = id.encoded();
    let entries = || evidence.stored.entries.iter().filter(|(of, _)| *of == pk).map(|(_, entry)| entry);
    let kept = entries().filter(|entry| entry.disposition == Disposition::Ignored);
    let kept: BTreeSet<_> = kept.map(|entry| entry.key.to_string()).collect();
    let owed = reference.events.values().filter(|event| !event.kind.acts() && fresh.contains(&event.accept_id));
    let owed: BTreeSet<_> = owed.map(|event| event.key.to_string()).collect();
    if kept != owed {
        return Err(format!("keeps beside it\n      {kept:?}\n    and should keep\n      {owed:?}"));
    }
    Ok(())
}

impl Reference {
    fn empty(id: &SessionId) -> Self {
        let session = Session::new(id.clone(), ReceivedAt(i64::MAX));
        Self { session, events: BTreeMap::new() }
    }
}
