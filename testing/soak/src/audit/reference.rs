//! What must be there, computed from the deliveries alone.

use shared::{
    AcceptId, Event, OccurredAt, ReceivedAt, Session, SessionId, Trust,
    session::{Ending, Transition, advance},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// One session as a run without faults leaves it.
#[derive(Debug)]
pub(super) struct Reference {
    /// The session.
    pub(super) session: Session,
    /// The deliveries it was made from.
    pub(super) events: BTreeMap<AcceptId, Event>,
}

/// A fact that has a line: what happened and, where it can happen more than once, when.
pub(super) type Fact = (String, Option<jiff::Timestamp>);

/// All sessions of these deliveries, in the order of their receipt. Those that are no events make none.
pub(super) fn sessions<'a>(accepted: impl Iterator<Item = &'a Event>) -> BTreeMap<SessionId, Reference> {
    let mut events: Vec<_> = accepted.cloned().collect();
    events.sort_by_key(|event| (event.received_at, event.accept_id.clone()));
    let mut all: BTreeMap<SessionId, Reference> = BTreeMap::new();
    for event in events {
        let reference = all.entry(event.session.clone()).or_insert_with(|| Reference {
            session: Session::new(event.session.clone(), ReceivedAt(i64::MAX)),
            events: BTreeMap::new(),
        });
        if let Some(session) = advance(&reference.session, &event).session {
            reference.session = session;
        }
        reference.events.insert(event.accept_id.clone(), event);
    }
    all
}

/// What outsiders are told, by the ids.
#[derive(Clone, Default, Debug)]
pub struct Announced {
    /// What they are told in whatever order the deliveries come.
    pub due: BTreeSet<String>,
    /// What they are told in some order: a claim only if it comes before its proof, and an end only if it comes before a better one.
    pub possible: BTreeSet<String>,
}

impl Announced {
    /// Adds what others are told.
    pub fn extend(&mut self, other: Self) {
        self.due.extend(other.due);
        self.possible.extend(other.possible);
    }
}

/// What outsiders are told of an event that is the first of its session.
pub(super) fn alone(event: &Event) -> Vec<String> {
    let empty = Session::new(event.session.clone(), ReceivedAt(i64::MAX));
    advance(&empty, event).published.into_iter().map(|published| published.id).collect()
}

impl Reference {
    /// What outsiders are told of the session.
    pub(super) fn announced(&self) -> Announced {
        let empty = Session::new(self.session.id().clone(), ReceivedAt(i64::MAX));
        let alone = |event: &Event| advance(&empty, event);
        let ids = |transition: Transition| transition.published.into_iter().map(|event| event.id);
        let revision = |event: &Event| alone(event).session.and_then(|session| session.ending().map(Ending::revision));
        // With the best witness first, the others have the least to add.
        let mut events: Vec<_> = self.events.values().collect();
        events.sort_by_cached_key(|event| Reverse((event.trust, revision(event), Reverse(event.received_at))));
        let mut session = empty.clone();
        let mut due = BTreeSet::new();
        for event in events {
            let transition = advance(&session, event);
            session = transition.session.clone().unwrap_or(session);
            due.extend(ids(transition));
        }
        Announced { due, possible: self.events.values().flat_map(|event| ids(alone(event))).collect() }
    }

    /// The facts that have a line in `session`, each with the trust of its best witness. Which of two deliveries of one fact
    /// has its line depends on which came first, and means nothing.
    pub(super) fn told(&self, session: &Session) -> BTreeMap<Fact, Trust> {
        let mut told = BTreeMap::new();
        for line in session.timeline() {
            let recurs = self.events.get(&line.accept_id).is_some_and(|event| event.kind.recurs());
            let moment = line.occurred_at.as_ref().map(OccurredAt::moment).filter(|_| recurs);
            let trust = told.entry((line.kind.clone(), moment)).or_insert(line.trust());
            *trust = line.trust().max(*trust);
        }
        told
    }
}
