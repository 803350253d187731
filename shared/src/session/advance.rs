//! What one event does to a session.

use super::{Disposition, PublishedEvent, Session, TimelineLine, timeline};
use crate::event::Event;

/// What one event does to a session, as a value to be carried out.
#[derive(Clone, PartialEq, Debug)]
pub struct Transition {
    /// What became of the delivery.
    pub disposition: Disposition,
    /// The session to save, if the event changes it.
    pub session: Option<Session>,
    /// Entries to keep beside the session.
    pub records: Vec<TimelineLine>,
    /// What to tell the rest of the system, before the session is saved.
    pub published: Vec<PublishedEvent>,
}

/// Moves `session` by `event`. Pure: the answer is the whole effect.
#[must_use]
pub fn advance(session: &Session, event: &Event) -> Transition {
    let mut transition = moved(session, event);
    if transition.session.as_ref().unwrap_or(session).is_erased() {
        // Whatever comes after a deletion, or came before it, leaves no word of anybody's.
        transition.records.iter_mut().for_each(|entry| entry.reason = None);
        transition.session = transition.session.map(Session::without_words);
        transition.published.iter_mut().for_each(PublishedEvent::forget_words);
    }
    transition
}

fn moved(session: &Session, event: &Event) -> Transition {
    let mut next = session.clone();
    next.arrived(&event.accept_id);
    let without_effect = |next: Session, disposition, records, end: Option<PublishedEvent>| Transition {
        disposition,
        session: (next != *session).then_some(next),
        records,
        published: end.into_iter().collect(),
    };
    if !event.kind.acts() {
        return without_effect(next, Disposition::Ignored, vec![TimelineLine::of(event, Disposition::Ignored)], None);
    }
    // What a duplicate says is merged all the same. Its key says that it is about the same thing, not that it says the same of
    // it; and which of two comes first must not matter.
    next.merge(event);
    // Even a duplicate may correct how the session ended, and whoever was told of the end must hear of the correction.
    let end = PublishedEvent::of_end(session, &next, event);
    let seen = session.timeline.iter().find(|line| line.key == event.key);
    if seen.is_some_and(|seen| seen.accept_id == event.accept_id) {
        // Our own queue delivered it again, after a crash between the save and the acknowledgement.
        return without_effect(next, Disposition::Duplicate, vec![], end);
    }
    let adds = next.substance() != session.substance();
    let says_as_much = |line: &TimelineLine| line.key == event.key || (line.tells_of(event) && !adds);
    if session.timeline.iter().any(|line| line.trust() >= event.trust && says_as_much(line)) {
        return without_effect(
            next,
            Disposition::Duplicate,
            vec![TimelineLine::of(event, Disposition::Duplicate)],
            end,
        );
    }
    let displaced = timeline::displace(&mut next.timeline, event);
    let spilled = timeline::insert(&mut next.timeline, TimelineLine::of(event, Disposition::Applied));
    Transition {
        disposition: Disposition::Applied,
        session: Some(next),
        records: displaced.into_iter().chain(spilled).collect(),
        published: PublishedEvent::of(event, end),
    }
}
