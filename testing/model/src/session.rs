//! What deliveries make of a session: `advance`, and what `Processor::apply` does around it.

use crate::{
    mutation::Mutation,
    scenario::{Bot, Delivery, Id, Says, Scenario, Trust},
    set::Set,
    state::{Job, State},
};

/// How far one job is that depends on the provider.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Progress {
    /// The latest reason; 0 if there is none.
    pub wanted: u8,
    /// The latest reason that was satisfied.
    pub settled: u8,
    /// How often it was tried to no avail.
    pub tries: u8,
}

impl Progress {
    pub(crate) fn is_pending(self) -> bool {
        self.wanted > self.settled
    }

    pub(crate) fn want(&mut self, trigger: u8) {
        if trigger > self.wanted {
            (self.wanted, self.tries) = (trigger, 0);
        }
    }

    pub(crate) fn settle(&mut self, trigger: u8) {
        (self.settled, self.tries) = (self.settled.max(trigger), 0);
    }
}

/// What became of the transcript with us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum StoredCopy {
    #[default]
    None,
    Unavailable,
    Stored(u8),
}

/// A session: one document, written as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Session {
    /// The deliveries that took effect: the lines of its timeline.
    pub applied: Set,
    /// The best witness of its end: trust first; 0 if there is none.
    pub end: u8,
    /// That the data was deleted, and on whose word.
    pub deleted: Option<Trust>,
    /// What is missing.
    pub missing: Set,
    /// Whether it holds words of anybody's.
    pub has_words: bool,
    /// How far the copy of the transcript is.
    pub fetch: Progress,
    /// How far it is with asking the provider to confirm an unverified fact.
    pub confirm: Progress,
    /// How far it is with erasing everything.
    pub erase: Progress,
    /// How far it is with erasing it once more.
    pub again: Progress,
    /// What became of the transcript.
    pub copy: StoredCopy,
    /// Whether the provider told us of the end.
    pub is_end_confirmed: bool,
}

impl Session {
    /// Whether nothing of what was said, seen or entered may be left.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.deleted == Some(Trust::Verified)
    }

    pub(crate) fn without_words(&mut self) {
        self.has_words = false;
        self.copy = StoredCopy::None;
        (self.fetch, self.confirm) = (Progress::default(), Progress::default());
    }

    /// `with_bytes_kept`: what is set aside of an erased bot asks for another erasure.
    pub(crate) fn note_bytes(&mut self, scenario: &Scenario) {
        if self.is_erased() && !scenario.is(Mutation::KeptBytesOfTheErased) {
            if scenario.is(Mutation::ErasureSettlesWhatCameLater) {
                self.erase.settled = self.erase.wanted - 1;
            } else {
                self.erase.want(self.erase.wanted + 1);
            }
        }
    }

    /// Whether nothing but unverified deliveries asks for it: of a confirmation always.
    pub(crate) fn rests_on_strangers(&self, job: Job) -> bool {
        match job {
            Job::Fetch => self.fetch.wanted < rank(Trust::Verified, 0),
            Job::Confirm => true,
            Job::Erase | Job::EraseAgain | Job::Note => false,
        }
    }

    /// `with_refetch`: what was given up is wanted anew, for a reason just after the one that it was given up for.
    pub(crate) fn refetch(&mut self, scenario: &Scenario) {
        if !scenario.is(Mutation::RefetchWantsNothingNew) {
            self.fetch.want((self.fetch.wanted + 1).max(rank(Trust::Verified, 1)));
        }
    }

    pub(crate) fn wants(&self, job: Job) -> bool {
        match job {
            Job::Fetch => self.fetch.is_pending(),
            Job::Confirm => self.confirm.is_pending(),
            Job::Erase => self.erase.is_pending(),
            Job::EraseAgain => self.again.is_pending(),
            Job::Note => true,
        }
    }
}

/// What the provider says of an end itself.
pub(crate) const CONFIRMED_END: u8 = rank(Trust::Verified, 1);

/// How much a witness of the end counts: trust before everything else.
pub(crate) const fn rank(trust: Trust, end: u8) -> u8 {
    match trust {
        Trust::Unverified => end,
        Trust::Verified => 16 + end,
    }
}

/// A reason for a fetch, as a number that is greater the later it is: trust before time.
pub(crate) fn trigger(scenario: &Scenario, trust: Trust, moment: u8) -> u8 {
    if scenario.is(Mutation::UnverifiedTimeHidesVerified) { moment } else { rank(trust, moment) }
}

/// Whether another delivery that took effect is the same, and can be trusted as far.
fn is_duplicate(scenario: &Scenario, session: &Session, id: Id) -> bool {
    let same = |other: Id| scenario.delivery(id).repeats == Some(other) || scenario.delivery(other).repeats == Some(id);
    let counts = |other: &Id| scenario.delivery(*other).trust >= scenario.delivery(id).trust;
    session.applied.iter().filter(counts).any(same)
}

/// `advance` for one delivery. Every field only rises, so the order of deliveries does not matter.
fn merge(scenario: &Scenario, session: &mut Session, id: Id, was_tried: bool) {
    let Delivery { trust, says, is_large, .. } = *scenario.delivery(id);
    if !scenario.is(Mutation::KeepTheMissing) {
        session.missing.remove(id);
    }
    let was_marked = scenario.is(Mutation::MarkBeforeChange);
    if says != Says::Chat && (was_marked || !is_duplicate(scenario, session, id)) {
        session.applied.insert(id);
    }
    match says {
        Says::Ended(end) => {
            let heard = rank(trust, end);
            session.end = if scenario.is(Mutation::LastOneWins) { heard } else { heard.max(session.end) };
            session.has_words = true;
        }
        Says::Ready(moment) => session.fetch.want(trigger(scenario, trust, moment)),
        Says::Deleted => {
            if trust == Trust::Verified && session.deleted != Some(trust) {
                session.erase.want(1);
            }
            session.deleted = session.deleted.max(Some(trust));
        }
        Says::Chat | Says::Gibberish => {}
    }
    if trust == Trust::Unverified && matches!(says, Says::Ended(_) | Says::Deleted) {
        session.confirm.want(1);
    }
    if session.is_erased() {
        session.without_words();
    }
    // A large body is in the bucket, and an earlier try may have kept the bytes without ever hearing that it did.
    if is_large || (was_tried && !scenario.is(Mutation::EarlierTriesForgotten)) {
        session.note_bytes(scenario);
    }
}

/// Reads a session, keeps beside it what belongs there, and publishes what deliveries make happen. Whether there is anything
/// to be saved.
pub(crate) fn read(scenario: &Scenario, state: &mut State, ids: Set, was_tried: bool) -> bool {
    let Some(bot) = ids.iter().next().map(|id| scenario.delivery(id).bot) else { return false };
    let before = *state.session(bot);
    let mut session = before;
    for id in ids.iter() {
        let is_ours_again = session.applied.has(id);
        // Marked before its change was made, it is taken for done.
        if is_ours_again && scenario.is(Mutation::MarkBeforeChange) {
            continue;
        }
        let is_beside = scenario.delivery(id).says == Says::Chat || is_duplicate(scenario, &session, id);
        merge(scenario, &mut session, id, was_tried);
        if is_beside && !is_ours_again {
            state.beside.insert(id);
            if !session.is_erased() {
                state.worded.insert(id);
            }
        } else if !is_ours_again && !scenario.is(Mutation::PublishAfterSave) {
            state.published.insert(id);
        }
    }
    if scenario.is(Mutation::MarkBeforeChange) {
        state.save(bot, scenario, |session| {
            ids.iter().filter(|id| scenario.delivery(*id).says != Says::Chat).for_each(|id| session.applied.insert(id));
        });
    }
    session != before
}

/// Saves what deliveries make of a session that nobody else has saved since it was read, and sends commands for what it newly
/// wants. What erases needs none: the sweep does it.
pub(crate) fn save(scenario: &Scenario, state: &mut State, ids: Set, was_tried: bool, sends: bool) {
    let Some(bot) = ids.iter().next().map(|id| scenario.delivery(id).bot) else { return };
    let before = *state.session(bot);
    state.save(bot, scenario, |session| ids.iter().for_each(|id| merge(scenario, session, id, was_tried)));
    let after = *state.session(bot);
    if after.is_erased() && !before.is_erased() && scenario.is(Mutation::DeletedToldAtOnce) {
        crate::jobs::tell_deleted(state, bot);
    }
    for (job, was, is) in [(Job::Fetch, before.fetch, after.fetch), (Job::Confirm, before.confirm, after.confirm)] {
        if !sends || !is.is_pending() || is.wanted == was.wanted {
            continue;
        }
        if after.rests_on_strangers(job) && scenario.is(Mutation::UnverifiedSentAtOnce) {
            state.strangers.insert(bot as u8);
            state.send((bot, job));
        } else if !after.rests_on_strangers(job) {
            state.send((bot, job));
        }
    }
}

/// `Session::with_missing`.
pub(crate) fn note_missing(scenario: &Scenario, session: &mut Session, id: Id) {
    if !session.applied.has(id) {
        session.missing.insert(id);
    }
    session.note_bytes(scenario);
}

/// `Session::with_set_aside`.
pub(crate) fn set_aside(scenario: &Scenario, session: &mut Session, id: Id) {
    session.missing.remove(id);
    session.note_bytes(scenario);
}

/// `Session::with_erased`: it is done for every reason up to this one, and once more later.
pub(crate) fn erased(session: &mut Session, job: Job, trigger: u8, is_once: bool) {
    session.missing = Set::default();
    if job == Job::EraseAgain {
        session.again.settle(trigger);
        return;
    }
    session.erase.settle(trigger);
    // A second round that has its time keeps it, or whoever goes on sending would keep the deletion from being told.
    if !is_once && !session.again.is_pending() {
        session.again = Progress { wanted: trigger, ..Progress::default() };
    }
}

/// What the accepted deliveries that took effect, and the provider's own word, make of a session's end and deletion.
pub(crate) fn merged(scenario: &Scenario, state: &State, bot: Bot) -> (u8, Option<Trust>) {
    let session = state.session(bot);
    let says = |id: Id| (scenario.delivery(id).trust, scenario.delivery(id).says);
    let ends = session.applied.iter().map(says).filter_map(|(trust, says)| match says {
        Says::Ended(end) => Some(rank(trust, end)),
        _ => None,
    });
    let end = ends.chain(session.is_end_confirmed.then_some(CONFIRMED_END)).max().unwrap_or(0);
    let deletions = session.applied.iter().map(says).filter(|(_, says)| *says == Says::Deleted).map(|(trust, _)| trust);
    (end, deletions.max())
}
