//! Deleted means deleted, and only what was to be deleted.

use super::{Around, Evidence, Memory, Sent};
use crate::bodies;
use shared::{
    SessionId, Trust,
    bucket::{Folder, name_of},
    event::EventKind,
};
use std::collections::BTreeSet;

/// Bots that were to be erased and are not, and bots that are and should not be, once everything has settled.
pub(super) fn wrong(evidence: &Evidence<'_>, around: &Around<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let deleted: BTreeSet<_> = evidence
        .stored
        .sessions
        .iter()
        .filter(|session| super::is_deleted(session))
        .map(|session| session.id())
        .collect();
    for (id, word) in around.account.words() {
        let context = Of { id, evidence, around };
        let is_told = around.published.iter().any(|told| told.is_about(id) && told.name == "data.deleted");
        let must = context.must_be_erased();
        let says = |what: &str| format!("{}: {what}", id.encoded());
        if must && !deleted.contains(id) {
            wrong.push(says("its data was deleted, and it is not erased"));
        }
        if must && !is_told {
            wrong.push(says("its data was deleted, and data.deleted was never published"));
        }
        if (deleted.contains(id) || is_told) && !context.may_be_erased() {
            wrong.push(says("it was erased, and nobody proved that it was to be"));
        }
        if deleted.contains(id) {
            wrong.extend(
                context.left(word).into_iter().map(|place| says(&format!("it was erased, and its word is in {place}"))),
            );
        }
    }
    wrong
}

/// One bot or calendar.
struct Of<'a> {
    id: &'a SessionId,
    evidence: &'a Evidence<'a>,
    around: &'a Around<'a>,
}

impl Of<'_> {
    fn sent(&self) -> impl Iterator<Item = &Sent> {
        let of_it = |one: &&Sent| one.peek.as_ref().is_some_and(|peek| peek.session.as_ref() == Some(self.id));
        self.evidence.sent.iter().filter(of_it).filter(|one| one.message.is_some() && one.memory > Memory::None)
    }

    fn deletions(&self, trust: Trust) -> impl Iterator<Item = &Sent> {
        self.sent().filter(move |one| bodies::deletes(&one.name) && one.endpoint.trust() == trust)
    }

    fn must_be_erased(&self) -> bool {
        let is_ordered = self.around.deletions.iter().any(|(id, is_done)| id == self.id && *is_done);
        let mut proved = self.deletions(Trust::Verified);
        is_ordered || proved.any(|one| one.is_acknowledged() && one.tampering.is_none())
    }

    fn may_be_erased(&self) -> bool {
        let is_ordered = self.around.deletions.iter().any(|(id, _)| id == self.id);
        let Some(holding) = self.around.account.holdings.get(self.id) else { return is_ordered };
        let is_said = holding.facts.iter().any(|fact| fact.kind == EventKind::Deleted);
        let mut unproved = self.sent().filter(|one| one.endpoint.trust() == Trust::Unverified);
        let is_borne_out = (is_said && unproved.next().is_some())
            || (holding.is_gone && self.deletions(Trust::Unverified).next().is_some());
        is_ordered || self.deletions(Trust::Verified).next().is_some() || (self.around.account.has_key && is_borne_out)
    }

    /// Where a word still is.
    fn left(&self, word: &str) -> Vec<String> {
        let stored = &self.evidence.stored;
        let mut places = Vec::new();
        let mut look = |place: String, text: &[u8]| {
            if text.windows(word.len()).any(|part| part == word.as_bytes()) {
                places.push(place);
            }
        };
        for session in &stored.sessions {
            look(format!("the session {}", session.id().encoded()), &serde_json::to_vec(session).unwrap_or_default());
        }
        for (pk, entry) in &stored.entries {
            look(format!("an entry of {pk}"), &serde_json::to_vec(entry).unwrap_or_default());
        }
        for ((id, name), entry) in &self.around.mirrored {
            look(
                format!("the mirrored entry {name} of {}", id.encoded()),
                &serde_json::to_vec(entry).unwrap_or_default(),
            );
        }
        for (key, object) in stored.objects.iter().filter(|(key, _)| !self.is_excused(key)) {
            look(key.clone(), &object.bytes);
            look(format!("what stands beside {key}"), &serde_json::to_vec(&object.metadata).unwrap_or_default());
        }
        let texts = stored.queued.iter().chain(&stored.dead).chain(&self.around.commands);
        texts.for_each(|text| {
            look(format!("the message {}", text.chars().take(60).collect::<String>()), text.as_bytes())
        });
        let of_it = self.around.published.iter().enumerate();
        let erased_at = of_it.clone().find(|(_, told)| told.is_about(self.id) && told.name == "data.deleted");
        for (_, told) in of_it.filter(|(at, _)| erased_at.is_some_and(|(erased_at, _)| *at > erased_at)) {
            look(format!("{}, published afterwards", told.name), told.detail.to_string().as_bytes());
        }
        places
    }

    /// The body of a request that we did not take, or that somebody tampered with, belongs to no delivery: it expires.
    fn is_excused(&self, key: &str) -> bool {
        let name = name_of(key).filter(|_| key.starts_with(&Folder::Claims.prefix()));
        let sent = name.and_then(|name| self.evidence.sent.iter().find(|one| one.accept_id.as_str() == name));
        sent.is_some_and(|one| !one.is_acknowledged() || one.tampering.is_some())
    }
}
