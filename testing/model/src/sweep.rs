//! The sweep: `Sweep::run` of `process-fn`, invoked by the schedule. It has no retry, and another one comes in a minute.

use crate::{
    mutation::Mutation,
    scenario::{Bot, Id, Scenario},
    state::{Command, Job, State},
    step::{Fate, Step, fates},
};

pub(crate) fn steps(scenario: &Scenario, state: &State, steps: &mut Vec<Step>) {
    if state.sweeping.is_some() {
        steps.extend(fates(scenario, state).filter(|fate| *fate != Fate::CommandLost).map(Step::SweepRemoves));
        if state.faults < scenario.faults {
            steps.push(Step::SweepDies);
        }
    } else {
        for id in state.spool.iter() {
            for fate in fates(scenario, state).filter(|fate| *fate != Fate::CommandLost) {
                steps.push(Step::SweepSends { id, fate, is_folded: false });
                if fate.has_effect() && state.was_queued.has(id) {
                    steps.push(Step::SweepSends { id, fate, is_folded: true });
                }
            }
        }
    }
    if !state.strangers.is_empty() {
        steps.push(Step::NextMinute);
    }
    for bot in Bot::ALL {
        let is_worked_on = |job| state.workers.iter().any(|worker| worker.command == (bot, job));
        for job in [Job::Fetch, Job::Confirm] {
            let is_lost = !state.commands.contains(&(bot, job)) && !is_worked_on(job);
            // What waits for a provider that rests is not due before the rest ends.
            let is_due = state.session(bot).wants(job) && !state.is_resting && may_send(scenario, state, bot, job);
            if is_due && is_lost && !scenario.is(Mutation::SweepForgetsJobs) {
                steps.push(Step::Remind((bot, job)));
            }
        }
        for job in [Job::Erase, Job::EraseAgain] {
            if state.session(bot).wants(job)
                && !is_worked_on(job)
                && (job == Job::Erase || is_over(scenario, state, bot))
            {
                steps.push(Step::SweepErases(bot, job));
            }
        }
    }
}

/// Of so many bots a sweep sends in a minute what rests on unverified deliveries alone.
pub(crate) const STRANGERS_A_MINUTE: usize = 1;

fn may_send(scenario: &Scenario, state: &State, bot: Bot, job: Job) -> bool {
    !state.session(bot).rests_on_strangers(job)
        || state.strangers.iter().count() < STRANGERS_A_MINUTE
        || state.strangers.has(bot as u8)
        || scenario.is(Mutation::SweepSendsForAllStrangers)
}

/// Sends a command again, or for the first time.
pub(crate) fn remind(state: &mut State, command: Command) {
    let (bot, job) = command;
    if state.session(bot).rests_on_strangers(job) {
        state.strangers.insert(bot as u8);
    }
    state.send(command);
}

/// Whether the second round of erasing is due: what was under way at the first one must have ended by then.
fn is_over(scenario: &Scenario, state: &State, bot: Bot) -> bool {
    let runs = state.invocations.iter().flat_map(|invocation| &invocation.runs);
    let has_old_run = runs.filter(|run| run.is_old).any(|run| is_of(run, bot, scenario));
    let has_old_worker = state.workers.iter().any(|worker| worker.is_old && worker.command.0 == bot);
    (!has_old_run && !has_old_worker) || scenario.is(Mutation::EraseAgainAtOnce)
}

/// Whether a group of an invocation is about this bot.
pub(crate) fn is_of(run: &crate::state::Run, bot: Bot, scenario: &Scenario) -> bool {
    run.messages.first().is_some_and(|message| scenario.delivery(message.id).bot == bot)
}

pub(crate) fn send(scenario: &Scenario, state: &mut State, id: Id, fate: Fate, is_folded: bool) {
    if scenario.is(Mutation::SweepRemovesFirst) {
        state.spool.remove(id);
    }
    if fate.has_effect() {
        if !is_folded {
            state.enqueue(id, scenario);
        }
        state.was_queued.insert(id);
    }
    // What was not confirmed stays for the next sweep.
    if fate.is_done() && !scenario.is(Mutation::SweepRemovesFirst) {
        state.sweeping = Some(id);
    }
}

pub(crate) fn remove(state: &mut State, fate: Fate) {
    if let (Some(id), true) = (state.sweeping.take(), fate.has_effect()) {
        state.spool.remove(id);
    }
}
