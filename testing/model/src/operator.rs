//! Persons: `rollcall parked replay`, `quarantine replay` and `dlq replay`, which are one way (`cli/src/replay.rs`), and
//! `rollcall delete`.

use crate::{
    mutation::Mutation,
    scenario::{Bot, Id, Scenario, Trust},
    session::StoredCopy,
    set::Set,
    state::{Job, Replay, Shelf, State},
    step::{Fate, Step, fates},
};

pub(crate) fn steps(scenario: &Scenario, state: &State, steps: &mut Vec<Step>) {
    let may_break = scenario.deliveries.iter().any(|delivery| delivery.temper != crate::scenario::Temper::Fine);
    if may_break && !state.is_fixed {
        steps.push(Step::Fix);
    }
    if scenario.may_delete && state.asked_to_delete.is_empty() {
        steps.push(Step::Delete(Bot::One));
    }
    if scenario.may_refetch && !state.was_refetched && state.session(Bot::One).copy == StoredCopy::Unavailable {
        steps.push(Step::Refetch(Bot::One));
    }
    if let Some(replay) = state.replay {
        for fate in fates(scenario, state).filter(|fate| *fate != Fate::CommandLost) {
            steps.push(Step::GoOn { fate, is_folded: false });
            let Replay::Sending(_, id) = replay else { continue };
            if scenario.is(Mutation::ReplayUnderTheOldDedupId) && fate.is_done() && state.was_queued.has(id) {
                steps.push(Step::GoOn { fate, is_folded: true });
            }
        }
        if state.faults < scenario.faults {
            steps.push(Step::GiveUp);
        }
    } else if state.replays < scenario.replays {
        for shelf in [Shelf::Parked, Shelf::Quarantine, Shelf::InHand, Shelf::DeadLetters] {
            steps.extend(shelved(state, shelf).iter().map(|id| Step::PutBack(shelf, id)));
        }
    }
}

fn shelved(state: &State, shelf: Shelf) -> Set {
    match shelf {
        Shelf::Parked => state.parked,
        Shelf::Quarantine => state.quarantined,
        Shelf::InHand => state.in_hand,
        Shelf::DeadLetters => state.dead,
    }
}

fn take_off(state: &mut State, shelf: Shelf, id: Id) {
    match shelf {
        Shelf::Parked => state.parked.remove(id),
        Shelf::Quarantine => state.quarantined.remove(id),
        Shelf::InHand => state.in_hand.remove(id),
        Shelf::DeadLetters => state.dead.remove(id),
    }
}

/// The first call: an object is copied to a key of this run, a dead letter is received.
pub(crate) fn put_back(scenario: &Scenario, state: &mut State, shelf: Shelf, id: Id) {
    state.replays += 1;
    let is_object = matches!(shelf, Shelf::Parked | Shelf::Quarantine);
    let takes_in_hand = is_object && !scenario.is(Mutation::ReplayRemovesTheOldKey);
    // A dead letter is invisible to others until it is deleted or its time runs out.
    if scenario.is(Mutation::ReplayRemovesFirst) || shelf == Shelf::DeadLetters {
        take_off(state, shelf, id);
    } else if takes_in_hand {
        state.in_hand.insert(id);
        state.replay = Some(Replay::TakingInHand(shelf, id));
        return;
    }
    state.replay = Some(Replay::Sending(shelf, id));
}

pub(crate) fn go_on(scenario: &Scenario, state: &mut State, fate: Fate, is_folded: bool) -> Option<()> {
    let next = match state.replay? {
        Replay::TakingInHand(shelf, id) => {
            if fate.has_effect() {
                take_off(state, shelf, id);
            }
            Replay::Sending(Shelf::InHand, id)
        }
        Replay::Sending(shelf, id) => {
            if fate.has_effect() {
                // The body of a large delivery is taken along with what is parked, and stored again for its claim.
                if scenario.delivery(id).is_large && shelf != Shelf::DeadLetters {
                    state.claims.insert(id);
                }
                if !is_folded {
                    state.enqueue(id, scenario);
                }
            }
            Replay::Removing(shelf, id)
        }
        Replay::Removing(Shelf::DeadLetters, _) if fate.has_effect() => {
            state.replay = None;
            return Some(());
        }
        Replay::Removing(shelf, id) => {
            if fate.has_effect() && !scenario.is(Mutation::ReplayRemovesFirst) {
                take_off(state, shelf, id);
            }
            give_up(scenario, state);
            return Some(());
        }
    };
    // Whatever a call did not confirm ends the command, and what it has in hand stays where it is.
    if fate.is_done() {
        state.replay = Some(next);
    } else {
        give_up(scenario, state);
    }
    Some(())
}

/// The command ends. A dead letter that it has received becomes visible again.
pub(crate) fn give_up(scenario: &Scenario, state: &mut State) {
    let Some(replay) = state.replay.take() else { return };
    for id in scenario.ids().filter(|id| replay.has_letter(*id) && !scenario.is(Mutation::DeadLetterConsumed)) {
        state.dead.insert(id);
    }
}

/// `JobRunner::delete`: the tombstone. What erases is due from then on.
pub(crate) fn delete(scenario: &Scenario, state: &mut State, bot: Bot) {
    state.asked_to_delete.insert(bot as u8);
    state.save(bot, scenario, |session| {
        session.deleted = Some(Trust::Verified);
        session.without_words();
        session.erase.want(1);
    });
    if scenario.is(Mutation::DeletedToldAtOnce) {
        crate::jobs::tell_deleted(state, bot);
    }
}

/// `rollcall artifacts --refetch`: `JobRunner::refetch`. What it wants is sent at once, because a person said so.
pub(crate) fn refetch(scenario: &Scenario, state: &mut State, bot: Bot) {
    state.was_refetched = true;
    if *state.made.of(bot) > 0 {
        state.wanted_again.insert(bot as u8);
    }
    state.save(bot, scenario, |session| session.refetch(scenario));
    if state.session(bot).wants(Job::Fetch) {
        state.send((bot, Job::Fetch));
    }
}
