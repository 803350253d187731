//! Commands and who carries them out: `JobRunner::run` of `process-fn`, in an invocation from the `commands` queue or, for what
//! erases, in the sweep's own.

use crate::{
    mutation::Mutation,
    scenario::{Bot, Scenario, Trust},
    session::{self, StoredCopy},
    state::{Command, Job, Stage, State, Worker},
    step::{Fate, Step, fates},
    sweep::is_of,
};

pub(crate) fn steps(scenario: &Scenario, state: &State, steps: &mut Vec<Step>) {
    if state.is_resting {
        steps.push(Step::RestEnds);
    }
    let mut last = None;
    for command in state.commands.iter().copied() {
        if last.replace(command) == Some(command) {
            continue;
        }
        if state.workers.len() < scenario.workers {
            steps.push(Step::TakeCommand(command));
        }
        if state.faults < scenario.faults {
            steps.push(Step::CommandTwice(command));
        }
    }
    for (at, worker) in state.workers.iter().enumerate() {
        steps.extend(fates(scenario, state).map(|fate| Step::CarryOn(at, fate)));
        if worker.at != Stage::Begun && state.faults < scenario.faults {
            steps.push(Step::WorkerDies(at));
        }
    }
}

/// Receives a command and reads its session. What is wanted no more is done with.
pub(crate) fn take(scenario: &Scenario, state: &mut State, command: Command) -> Option<()> {
    let at = state.commands.iter().position(|other| *other == command)?;
    state.commands.remove(at);
    let (bot, job) = command;
    let is_blind = job == Job::Fetch && scenario.is(Mutation::FetchWithoutLooking);
    if state.session(bot).wants(job) || is_blind {
        begin(state, command, true);
    }
    Some(())
}

pub(crate) fn begin(state: &mut State, command: Command, is_from_queue: bool) {
    let (bot, job) = command;
    let session = state.session(bot);
    let trigger = match job {
        Job::Fetch => session.fetch.wanted,
        Job::Confirm => session.confirm.wanted,
        Job::Erase => session.erase.wanted,
        Job::EraseAgain => session.again.wanted,
        Job::Note => 0,
    };
    state.workers.push(Worker { command, trigger, at: Stage::Begun, is_from_queue, is_old: false });
}

/// The process dies: the command comes again.
pub(crate) fn die(state: &mut State, at: usize) {
    let worker = state.workers.remove(at);
    come_again(state, &worker);
}

fn come_again(state: &mut State, worker: &Worker) {
    if worker.is_from_queue {
        state.send(worker.command);
    }
}

pub(crate) fn carry_on(scenario: &Scenario, state: &mut State, at: usize, fate: Fate) -> Option<()> {
    let worker = *state.workers.get(at)?;
    if fate == Fate::CommandLost {
        return None;
    }
    let asks = worker.at == Stage::Begun && matches!(worker.command.1, Job::Fetch | Job::Confirm);
    if asks && state.is_resting && !scenario.is(Mutation::AskedWhileItRests) {
        if fate != Fate::Done {
            return None;
        }
        state.workers.remove(at);
        // It is left for later without being asked, and that counts as no try.
        if scenario.is(Mutation::GivenUpWhileItRests) {
            try_again_or_give_up(scenario, state, &worker, 0);
        }
        return Some(());
    }
    if asks {
        state.was_disturbed |= state.is_resting;
        state.is_resting |= !fate.is_done();
    }
    state.workers.remove(at);
    let next = match worker.command.1 {
        Job::Fetch => fetch(scenario, state, &worker, fate),
        Job::Confirm => confirm(scenario, state, &worker, fate),
        Job::Erase | Job::EraseAgain => erase(scenario, state, &worker, fate),
        Job::Note => note(scenario, state, &worker, fate),
    };
    if let Some(next) = next {
        state.workers.push(Worker { at: next, ..worker });
    }
    Some(())
}

fn fetch(scenario: &Scenario, state: &mut State, worker: &Worker, fate: Fate) -> Option<Stage> {
    let bot = worker.command.0;
    match worker.at {
        Stage::Begun => {
            let made = *state.made.of(bot);
            if fate.has_effect() && made > 0 {
                state.artifacts.of_mut(bot).insert(made);
            }
            if fate.is_done() && made > 0 {
                return Some(Stage::Stored(made));
            }
            reschedule(scenario, state, worker, !fate.is_done());
        }
        Stage::Stored(run) => {
            let session = *state.session(bot);
            let is_dropped = session.is_erased() && !scenario.is(Mutation::FetchWithoutLooking);
            match fate {
                _ if is_dropped && scenario.is(Mutation::FetchDoesNotLookAgain) => {}
                Fate::Done if is_dropped => return Some(Stage::Undoing),
                _ => {
                    // Not saved, or saved and unheard of: the command comes again.
                    if fate.has_effect() && !is_dropped {
                        let is_late =
                            session.fetch.settled > worker.trigger && !scenario.is(Mutation::OlderCopyReplacesNewer);
                        state.save(bot, scenario, |session| {
                            session.fetch.settle(worker.trigger);
                            if !is_late && !session.is_erased() {
                                session.copy = StoredCopy::Stored(run);
                            }
                        });
                    }
                    if fate != Fate::Done {
                        come_again(state, worker);
                    }
                }
            }
        }
        Stage::Undoing => {
            if fate.has_effect() {
                *state.artifacts.of_mut(bot) = crate::set::Set::default();
            }
            if fate != Fate::Done {
                come_again(state, worker);
            }
        }
        _ => {}
    }
    None
}

fn confirm(scenario: &Scenario, state: &mut State, worker: &Worker, fate: Fate) -> Option<Stage> {
    let bot = worker.command.0;
    let claims_deletion = state.session(bot).deleted == Some(Trust::Unverified);
    match worker.at {
        Stage::Begun => {
            if !fate.is_done() {
                // The failure is a 404: of a wrong address, of a bot that is too new, of another account's key.
                if claims_deletion && scenario.is(Mutation::NotFoundProvesDeletion) {
                    return Some(Stage::Heard { is_gone: true });
                }
                reschedule(scenario, state, worker, true);
            } else if scenario.is_gone(bot) || !claims_deletion {
                return Some(Stage::Heard { is_gone: scenario.is_gone(bot) });
            } else {
                reschedule(scenario, state, worker, false);
            }
        }
        Stage::Heard { is_gone } => {
            if fate.has_effect() {
                state.save(bot, scenario, |session| {
                    session.confirm.settle(worker.trigger);
                    if is_gone {
                        session.deleted = Some(Trust::Verified);
                        session.erase.want(1);
                    } else {
                        session.end = session.end.max(session::CONFIRMED_END);
                        session.is_end_confirmed = true;
                    }
                    if session.is_erased() {
                        session.without_words();
                    }
                });
            }
            if !fate.is_done() {
                come_again(state, worker);
            }
        }
        _ => {}
    }
    None
}

/// `JobRunner::reschedule`: tried again later, or given up when there was patience enough.
fn reschedule(scenario: &Scenario, state: &mut State, worker: &Worker, is_failure: bool) {
    let gives_up_at_once = is_failure && scenario.is(Mutation::GiveUpAtTheFirstSetback);
    let patience = if gives_up_at_once { 0 } else { scenario.patience() };
    try_again_or_give_up(scenario, state, worker, patience);
}

fn try_again_or_give_up(scenario: &Scenario, state: &mut State, worker: &Worker, patience: u8) {
    let (bot, job) = worker.command;
    state.save(bot, scenario, |session| {
        let is_erased = session.is_erased();
        let progress = if job == Job::Fetch { &mut session.fetch } else { &mut session.confirm };
        if !progress.is_pending() || progress.wanted != worker.trigger {
            return;
        }
        if progress.tries < patience {
            progress.tries += 1;
            return;
        }
        progress.settle(worker.trigger);
        if job == Job::Fetch && !is_erased && session.copy == StoredCopy::None {
            session.copy = StoredCopy::Unavailable;
        }
    });
}

fn erase(scenario: &Scenario, state: &mut State, worker: &Worker, fate: Fate) -> Option<Stage> {
    let (bot, job) = worker.command;
    let next = match worker.at {
        Stage::Begun => {
            if fate.has_effect() {
                *state.artifacts.of_mut(bot) = crate::set::Set::default();
            }
            Stage::ArtifactsGone
        }
        Stage::ArtifactsGone => {
            if fate.has_effect() {
                remove_bytes(scenario, state, bot);
            }
            Stage::BytesGone
        }
        Stage::BytesGone => {
            if fate.has_effect() {
                let gone = state.beside.and(scenario.of_bot(bot));
                (state.beside, state.worded) = (state.beside.minus(gone), state.worded.minus(gone));
                state.erased = state.erased.or(gone);
            }
            Stage::AllGone
        }
        _ => {
            let is_once = scenario.is(Mutation::EraseOnce);
            if job == Job::EraseAgain || is_once {
                tell_deleted(state, bot);
            }
            if fate.has_effect() {
                state.save(bot, scenario, |session| session::erased(session, job, worker.trigger, is_once));
                if job == Job::Erase {
                    let runs = state.invocations.iter_mut().flat_map(|invocation| &mut invocation.runs);
                    runs.filter(|run| is_of(run, bot, scenario)).for_each(|run| run.is_old = true);
                    let workers = state.workers.iter_mut().filter(|other| other.command.0 == bot);
                    workers.for_each(|other| other.is_old = true);
                }
            }
            if fate != Fate::Done {
                come_again(state, worker);
            }
            return None;
        }
    };
    // A setback ends it. The intent stands, so a sweep begins anew.
    fate.is_done().then_some(next)
}

/// Tells the session of bytes that were kept. What cannot be told comes again.
fn note(scenario: &Scenario, state: &mut State, worker: &Worker, fate: Fate) -> Option<Stage> {
    if fate.has_effect() {
        state.save(worker.command.0, scenario, |session| session.note_bytes(scenario));
    }
    if !fate.is_done() {
        come_again(state, worker);
    }
    None
}

/// Empties every folder of the bucket of what belongs to the bot.
fn remove_bytes(scenario: &Scenario, state: &mut State, bot: Bot) {
    let is_in_reach = |id: &u8| {
        scenario.delivery(*id).trust == Trust::Verified || !scenario.is(Mutation::EraseForgetsTheUnverifiedGroup)
    };
    for id in scenario.of_bot(bot).iter().filter(is_in_reach) {
        let folders =
            [&mut state.parked, &mut state.quarantined, &mut state.in_hand, &mut state.spool, &mut state.claims];
        for folder in folders.into_iter().filter(|folder| folder.has(id)) {
            folder.remove(id);
            state.erased.insert(id);
        }
    }
}

/// Publishes `data.deleted`, and notes whether that is so: of what was there when it was deleted nothing may be left or come.
pub(crate) fn tell_deleted(state: &mut State, bot: Bot) {
    let session = state.session(bot);
    let has_words = session.has_words || session.copy != StoredCopy::None;
    state.was_told_too_early |= has_words || !state.artifacts.of(bot).is_empty() || state.is_fetching(bot);
    state.told_deleted.insert(bot as u8);
}
