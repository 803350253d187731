//! What must be there, computed from the deliveries alone.

use shared::{AcceptId, Event, OccurredAt, ReceivedAt, Session, SessionId, Trust, session::advance};
use std::collections::{BTreeMap, BTreeSet};

/// One session as a run without faults leaves it.
#[derive(Debug)]
pub(super) struct Reference {
    /// The session.
    pub(super) session: Session,
    /// The ids of what was published on the way.
    pub(super) announced: BTreeSet<String>,
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
            announced: BTreeSet::new(),
            events: BTreeMap::new(),
        });
        let transition = advance(&reference.session, &event);
        reference.announced.extend(transition.announcements.into_iter().map(|announcement| announcement.id));
        if let Some(session) = transition.session {
            reference.session = session;
        }
        reference.events.insert(event.accept_id.clone(), event);
    }
    all
}

impl Reference {
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
