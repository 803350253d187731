//! What must hold, whatever happens.

use crate::{
    scenario::{Bot, Delivery, Says, Scenario, Trust},
    session::{self, StoredCopy},
    set::Set,
    state::{Job, Phase, State},
    sweep::STRANGERS_A_MINUTE,
};
use stateright::{Model, Property};

/// Every property, by its name.
pub(crate) fn all(scenario: &Scenario) -> Vec<Property<Scenario>> {
    let mut all = vec![
        Property::always("nothing acknowledged is lost", nothing_is_lost),
        Property::always("a record holds up its own group only", each_group_for_itself),
        Property::always("a group is with one invocation at a time", one_at_a_time),
        Property::always("a session is what its deliveries make of it", sessions_are_right),
        Property::always("a session misses only what is missing", missing_are_real),
        Property::always("what took effect was published", effects_are_published),
        Property::always("what a signature announces is fetched", artifacts_are_fetched),
        Property::always("only a deletion that is proved erases", deletions_are_proved),
        Property::always("nothing of an erased bot survives", nothing_survives),
        Property::always("a fetch leaves nothing of an erased bot behind", fetches_undo),
        Property::always("data.deleted is told after the erasure", not_told_too_early),
        Property::always("strangers have few asked after in a minute", few_strangers),
        Property::always("a provider that rests is not asked", |_, state: &State| !state.was_disturbed),
        Property::always("what a person wants again is fetched", refetches_are_fetched),
        Property::always("every wait ends", every_wait_ends),
    ];
    if scenario.has_witnesses {
        all.extend(witnesses());
    }
    all
}

/// What must happen somewhere, or the properties say nothing about it.
fn witnesses() -> Vec<Property<Scenario>> {
    let any = Property::sometimes;
    vec![
        any("everything comes to rest", |scenario, state: &State| state.is_quiet(scenario)),
        any("the spool is used", |_, state: &State| !state.spool.is_empty()),
        any("a delivery is in the queue twice", |_, state: &State| {
            state
                .queue
                .iter()
                .enumerate()
                .any(|(at, one)| state.queue.iter().skip(at + 1).any(|other| other.id == one.id))
        }),
        any("two invocations run", |_, state: &State| state.invocations.len() == 2),
        any("a session changes under a save", |_, state: &State| {
            let mut runs = state.invocations.iter().flat_map(|invocation| &invocation.runs);
            runs.any(|run| matches!(run.phase, Phase::Saving { is_stale: true, .. }))
        }),
        any("a delivery is parked", |_, state: &State| !state.parked.is_empty()),
        any("a missing delivery is noted", |_, state: &State| !state.session(Bot::One).missing.is_empty()),
        any("a delivery is quarantined", |_, state: &State| !state.quarantined.is_empty()),
        any("a delivery is dead", |_, state: &State| !state.dead.is_empty()),
        any("an object is in hand", |_, state: &State| !state.in_hand.is_empty()),
        any("a duplicate is on record", |_, state: &State| !state.beside.is_empty()),
        any("a copy is stored", |_, state: &State| matches!(state.session(Bot::One).copy, StoredCopy::Stored(_))),
        any("a copy is given up", |_, state: &State| state.session(Bot::One).copy == StoredCopy::Unavailable),
        any("two fetches run", |_, state: &State| {
            state.workers.iter().filter(|worker| worker.command.1 == Job::Fetch).count() == 2
        }),
        any("a fetch is overtaken by a deletion", |_, state: &State| {
            state.session(Bot::One).is_erased() && state.is_fetching(Bot::One)
        }),
        any("an end is confirmed", |_, state: &State| state.session(Bot::One).is_end_confirmed),
        any("an unverified deletion is proved", |_, state: &State| {
            state.session(Bot::One).is_erased() && state.session(Bot::One).confirm.settled == 0 && state.sent.has(0)
        }),
        any("an erasure is asked for anew", |_, state: &State| state.session(Bot::One).erase.wanted > 1),
        any("something was erased", |_, state: &State| !state.erased.is_empty()),
        any("a deletion is told", |_, state: &State| !state.told_deleted.is_empty()),
        any("a session is told later of bytes", |_, state: &State| {
            state.commands.iter().any(|command| command.1 == Job::Note)
        }),
        any("a provider rests", |_, state: &State| state.is_resting),
        any("a stranger waits for the next minute", |_, state: &State| {
            !state.strangers.is_empty() && state.session(Bot::Two).wants(Job::Confirm) && !state.strangers.has(1)
        }),
        any("a person wants again what the provider has", |_, state: &State| !state.wanted_again.is_empty()),
        any("a person deletes", |_, state: &State| !state.asked_to_delete.is_empty()),
    ]
}

fn bots(condition: impl Fn(Bot) -> bool) -> bool {
    Bot::ALL.into_iter().all(condition)
}

/// In every state, not only at rest.
fn nothing_is_lost(scenario: &Scenario, state: &State) -> bool {
    state.acknowledged.iter().all(|id| state.is_accounted_for(id, scenario))
}

/// What was received and is back: something of its own group failed, or a process died.
fn each_group_for_itself(scenario: &Scenario, state: &State) -> bool {
    let back = state.queue.iter().filter(|message| message.receives > 0);
    back.into_iter().all(|message| state.troubled.has(scenario.proper_group(message.id)))
}

/// No two invocations have records of one group, or they would overtake each other.
fn one_at_a_time(scenario: &Scenario, state: &State) -> bool {
    let mut seen = Set::default();
    let runs = state.invocations.iter().flat_map(|invocation| &invocation.runs);
    let mut groups = runs.filter_map(|run| run.messages.first()).map(|message| scenario.group(message.id));
    groups.all(|group| {
        let is_new = !seen.has(group);
        seen.insert(group);
        is_new
    })
}

/// Whatever the order, whatever was repeated.
fn sessions_are_right(scenario: &Scenario, state: &State) -> bool {
    let is_right = |bot| {
        let session = state.session(bot);
        let (end, deleted) = session::merged(scenario, state, bot);
        session.end == end && session.deleted >= deleted
    };
    !state.is_quiet(scenario) || bots(is_right)
}

fn missing_are_real(scenario: &Scenario, state: &State) -> bool {
    !state.is_quiet(scenario)
        || bots(|bot| {
            let session = state.session(bot);
            session.missing.and(session.applied).is_empty()
        })
}

fn effects_are_published(scenario: &Scenario, state: &State) -> bool {
    !state.is_quiet(scenario) || bots(|bot| state.session(bot).applied.minus(state.published).is_empty())
}

fn artifacts_are_fetched(scenario: &Scenario, state: &State) -> bool {
    let is_fetched = |bot| {
        let session = state.session(bot);
        let announced = session.applied.iter().filter_map(|id| match scenario.delivery(id) {
            Delivery { trust: Trust::Verified, says: Says::Ready(moment), .. } => Some(*moment),
            _ => None,
        });
        let latest = announced.max().unwrap_or(0);
        session.is_erased() || latest == 0 || matches!(session.copy, StoredCopy::Stored(run) if run >= latest)
    };
    !state.is_quiet(scenario) || bots(is_fetched)
}

/// Whoever knows the token of a callback can name any number of bots, and must not use up what the provider answers.
fn few_strangers(_: &Scenario, state: &State) -> bool {
    state.strangers.iter().count() <= STRANGERS_A_MINUTE
}

fn refetches_are_fetched(scenario: &Scenario, state: &State) -> bool {
    let is_fetched = |bot: Bot| {
        let session = state.session(bot);
        !state.wanted_again.has(bot as u8) || session.is_erased() || matches!(session.copy, StoredCopy::Stored(_))
    };
    !state.is_quiet(scenario) || bots(is_fetched)
}

/// By a signature, by the provider itself, or by a person of ours.
fn deletions_are_proved(scenario: &Scenario, state: &State) -> bool {
    bots(|bot| {
        let session = state.session(bot);
        let (_, heard) = session::merged(scenario, state, bot);
        let is_proved = heard == Some(Trust::Verified) || scenario.is_gone(bot) || state.asked_to_delete.has(bot as u8);
        !session.is_erased() || is_proved
    })
}

fn nothing_survives(scenario: &Scenario, state: &State) -> bool {
    !state.is_quiet(scenario) || bots(|bot| !state.session(bot).is_erased() || !state.remains(bot, scenario))
}

/// Without a fault nothing waits for the second round: a fetch that was overtaken by the deletion removes what it stored.
fn fetches_undo(_: &Scenario, state: &State) -> bool {
    let is_undone = |bot| {
        let session = state.session(bot);
        let is_erased_once = session.is_erased() && !session.erase.is_pending() && session.again.wanted > 0;
        !is_erased_once || state.is_fetching(bot) || state.artifacts.of(bot).is_empty()
    };
    state.faults > 0 || bots(is_undone)
}

fn not_told_too_early(_: &Scenario, state: &State) -> bool {
    !state.was_told_too_early
}

/// A state from which nothing leads on is one in which nothing waits. As no run goes round in a circle (`tests/checked.rs`),
/// every run comes to such a state.
fn every_wait_ends(scenario: &Scenario, state: &State) -> bool {
    state.is_quiet(scenario) || {
        let mut steps = Vec::new();
        scenario.actions(state, &mut steps);
        steps.into_iter().any(|step| scenario.next_state(state, step).is_some())
    }
}
