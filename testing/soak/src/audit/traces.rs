//! Where each accepted request left something.

use super::{Sent, Stored};
use shared::{
    AcceptId, Event, QueueMessage,
    bucket::{Folder, name_of},
    session::{Disposition, TimelineLine},
};
use std::collections::BTreeMap;

/// A place where something of a request is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A line of a session.
    Line(String, TimelineLine),
    /// An entry beside a session.
    Beside(String, TimelineLine),
    /// The mark of a missing delivery in a session.
    Missing(String),
    /// An object in quarantine.
    Quarantined,
    /// A parked object.
    Parked,
    /// A spooled object.
    Spooled,
    /// A stored body.
    Claimed,
    /// A message in the events queue.
    Queued,
    /// A dead letter.
    Dead,
}

impl Place {
    /// Whether a delivery may be here and nowhere else when nothing is on its way any more.
    pub(super) fn is_an_end(&self) -> bool {
        match self {
            // A quarantined delivery's note does not stand for its bytes.
            Self::Beside(_, entry) => entry.disposition != Disposition::Quarantined,
            Self::Line(..) | Self::Quarantined | Self::Parked | Self::Dead => true,
            Self::Missing(_) | Self::Spooled | Self::Claimed | Self::Queued => false,
        }
    }
}

/// All places, by request.
#[derive(Debug, Default)]
pub(super) struct Traces(BTreeMap<AcceptId, Vec<Place>>);

impl Traces {
    pub(super) fn of(stored: &Stored) -> Self {
        let mut traces = Self::default();
        for session in &stored.sessions {
            let pk = session.id().encoded();
            for line in session.timeline() {
                traces.add(&line.accept_id, Place::Line(pk.clone(), line.clone()));
            }
            for missing in session.missing() {
                traces.add(&missing.accept_id, Place::Missing(missing.parked_as.clone()));
            }
        }
        for (pk, entry) in &stored.entries {
            traces.add(&entry.accept_id, Place::Beside(pk.clone(), entry.clone()));
        }
        for key in stored.objects.keys() {
            let place = [
                (Folder::Spool, Place::Spooled),
                (Folder::Claims, Place::Claimed),
                (Folder::Parked, Place::Parked),
                (Folder::Quarantine, Place::Quarantined),
            ];
            let found = place.into_iter().find(|(folder, _)| key.starts_with(&folder.prefix()));
            if let (Some((_, place)), Some(name)) = (found, name_of(key)) {
                traces.add(&AcceptId::new(name), place);
            }
        }
        for (texts, place) in [(&stored.queued, Place::Queued), (&stored.dead, Place::Dead)] {
            for text in texts {
                if let Ok(carried) = QueueMessage::decode(text) {
                    traces.add(&carried.head().accept_id, place.clone());
                }
            }
        }
        traces
    }

    fn add(&mut self, accept_id: &AcceptId, place: Place) {
        self.0.entry(accept_id.clone()).or_default().push(place);
    }

    /// Where something of this request is.
    pub(super) fn at(&self, accept_id: &AcceptId) -> impl Iterator<Item = &Place> {
        self.0.get(accept_id).into_iter().flatten()
    }

    /// Traces of requests that were forged, or refused, or never sent.
    pub(super) fn of_what_never_got_in(&self, sent: &[Sent], told: &[Event]) -> Vec<String> {
        let sent: BTreeMap<_, _> = sent.iter().map(|one| (&one.accept_id, one)).collect();
        let is_told = |accept_id: &AcceptId| told.iter().any(|event| event.accept_id == *accept_id);
        let strange = self.0.iter().filter(|(accept_id, _)| {
            let known = sent.get(accept_id).filter(|one| one.message.is_some());
            // What is none of our messages is parked under a name of its own.
            known.is_none() && !is_told(accept_id) && !accept_id.as_str().starts_with("foreign-")
        });
        strange.map(|(accept_id, places)| format!("{accept_id} never got in and is at {places:?}")).collect()
    }
}
