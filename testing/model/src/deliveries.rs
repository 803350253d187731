//! The event source mapping and what `process-fn` makes of a batch: `Processor::process_batch`, `process_group` and its steps.

use crate::{
    mutation::Mutation,
    scenario::{Bot, Id, Says, Scenario, Temper},
    session::{self, Session},
    set::Set,
    state::{Invocation, Job, Message, Phase, Run, State},
    step::{Fate, Step, fates},
};

/// How many records a batch has at most.
const BATCH: usize = 2;

pub(crate) fn steps(scenario: &Scenario, state: &State, steps: &mut Vec<Step>) {
    if state.invocations.len() < scenario.invocations {
        let free: Vec<_> = groups(scenario, state).filter(|group| !state.is_held(*group, scenario)).collect();
        for group in &free {
            let waiting = of_group(scenario, state, *group).count().min(BATCH);
            steps.extend((1..=waiting).map(|count| Step::Receive { group: *group, count, other: None }));
            let later = free.iter().filter(|other| *other > group);
            steps.extend(later.map(|other| Step::Receive { group: *group, count: 1, other: Some(*other) }));
        }
    }
    for (at, invocation) in state.invocations.iter().enumerate() {
        let is_over = invocation.runs.iter().all(|run| run.phase == Phase::Over);
        if is_over {
            steps.push(Step::Answer(at));
        } else if scenario.is(Mutation::VisibilityShorterThanInvocation) && !invocation.has_expired {
            steps.push(Step::Expire(at));
        }
        for (run, _) in invocation.runs.iter().enumerate().filter(|(_, run)| run.phase != Phase::Over) {
            steps.extend(fates(scenario, state).map(|fate| Step::Work { invocation: at, run, fate }));
        }
        if state.faults < scenario.faults || is_killed(scenario, state, at) {
            steps.push(Step::Die(at));
        }
    }
}

fn of_group(scenario: &Scenario, state: &State, group: u8) -> impl Iterator<Item = Message> {
    state.queue.iter().copied().filter(move |message| scenario.group(message.id) == group)
}

fn groups(scenario: &Scenario, state: &State) -> impl Iterator<Item = u8> + use<> {
    Set::of(state.queue.iter().map(|message| scenario.group(message.id))).iter()
}

pub(crate) fn receive(scenario: &Scenario, state: &mut State, group: u8, count: usize, other: Option<u8>) {
    let mut take = |group: u8, count: usize| {
        let at = state.queue.partition_point(|message| scenario.group(message.id) < group);
        let taken = state.queue.drain(at..at + count);
        let messages = taken.map(|message| Message { receives: message.receives + 1, ..message }).collect();
        Run { messages, done: 0, phase: Phase::Reading, has_parked: false, is_old: false }
    };
    let runs = std::iter::once(take(group, count)).chain(other.map(|other| take(other, 1))).collect();
    state.invocations.push(Invocation { runs, has_expired: false });
}

/// Whether a record of it takes the process with it now.
pub(crate) fn is_killed(scenario: &Scenario, state: &State, invocation: usize) -> bool {
    let runs = state.invocations.get(invocation).into_iter().flat_map(|invocation| &invocation.runs);
    runs.into_iter()
        .any(|run| run.phase == Phase::Reading && worst(scenario, state, step_of(scenario, run)) == Temper::Kills)
}

/// What a run of records does to code that still has its bug.
fn worst(scenario: &Scenario, state: &State, records: &[Message]) -> Temper {
    let tempers = || records.iter().map(|message| scenario.delivery(message.id).temper);
    match () {
        () if state.is_fixed => Temper::Fine,
        () if tempers().any(|temper| temper == Temper::Kills) => Temper::Kills,
        () if tempers().any(|temper| temper == Temper::Fails) => Temper::Fails,
        () => Temper::Fine,
    }
}

/// The records of the next step: one, or those from the first on that can be read and are here for the first time.
fn step_of<'a>(scenario: &Scenario, run: &'a Run) -> &'a [Message] {
    let is_readable = |message: &Message| scenario.delivery(message.id).says != Says::Gibberish;
    let rest = run.rest();
    let fresh = rest.iter().take_while(|message| message.receives <= 1 && is_readable(message)).count();
    rest.get(..fresh.max(1)).unwrap_or_default()
}

pub(crate) fn work(scenario: &Scenario, state: &mut State, at: usize, run: usize, fate: Fate) -> Option<()> {
    // A copy at work: what it saves makes what the others have read stale, and not what it has read.
    let mut working = state.invocations.get(at)?.runs.get(run)?.clone();
    step(scenario, state, &mut working, fate)?;
    *state.invocations.get_mut(at)?.runs.get_mut(run)? = working;
    Some(())
}

fn step(scenario: &Scenario, state: &mut State, run: &mut Run, fate: Fate) -> Option<()> {
    let sends = matches!(run.phase, Phase::Saving { is_stale: false, .. } | Phase::Marking | Phase::Noting);
    if fate == Fate::CommandLost && !sends {
        return None;
    }
    let head = *run.rest().first()?;
    let delivery = scenario.delivery(head.id);
    let mut failed = !fate.is_done();
    match run.phase {
        Phase::Reading => {
            let records = step_of(scenario, run);
            match worst(scenario, state, records) {
                Temper::Kills => return None,
                Temper::Fails if fate == Fate::Done => failed = true,
                Temper::Fails => return None,
                Temper::Fine if delivery.says == Says::Gibberish => {
                    if fate.has_effect() && !scenario.is(Mutation::QuarantineWithoutBytes) {
                        state.quarantined.insert(head.id);
                    }
                    run.phase = Phase::Noting;
                }
                // A claim without its body goes to quarantine as such, and what it said is gone.
                Temper::Fine if delivery.is_large && !state.claims.has(head.id) => {
                    if fate.is_done() {
                        run.goes_on(1);
                    }
                }
                Temper::Fine => {
                    let ids = Set::of(records.iter().map(|message| message.id));
                    let count = u8::try_from(records.len()).unwrap_or(u8::MAX);
                    let changes = fate.has_effect() && read(scenario, state, ids, head.receives > 1);
                    if changes || !fate.is_done() {
                        run.phase = Phase::Saving { records: count, is_stale: false };
                    } else {
                        run.goes_on(count);
                    }
                }
            }
        }
        Phase::Saving { is_stale: true, .. } if !scenario.is(Mutation::OverwriteWhatOthersSaved) => {
            // A conflict: the session is read again. That it has no fault of its own loses no behaviour: reading has one.
            if fate != Fate::Done {
                return None;
            }
            run.phase = Phase::Reading;
        }
        Phase::Saving { records, is_stale } => {
            if fate.has_effect() && !is_stale {
                let saved = run.rest().iter().take(usize::from(records));
                let ids = Set::of(saved.map(|message| message.id));
                session::save(scenario, state, ids, head.receives > 1, fate == Fate::Done);
            }
            if scenario.is(Mutation::PublishAfterSave) {
                run.phase = Phase::Telling { records };
            } else if fate.is_done() {
                run.goes_on(records);
            }
        }
        Phase::Telling { records } => {
            if fate.has_effect() {
                run.rest().iter().take(usize::from(records)).for_each(|message| state.published.insert(message.id));
            }
            if fate.is_done() {
                run.goes_on(records);
            }
        }
        Phase::Parking => {
            let has_body = !delivery.is_large || state.claims.has(head.id);
            if fate.has_effect() && has_body && !scenario.is(Mutation::ParkWithoutBytes) {
                state.parked.insert(head.id);
            }
            run.phase = if fate.is_done() { Phase::Marking } else { Phase::Over };
            return Some(());
        }
        Phase::Marking => {
            let change = |session: &mut Session| session::note_missing(scenario, session, head.id);
            if note(scenario, state, delivery.bot, fate, change) {
                run.has_parked = true;
                run.goes_on(1);
            } else {
                run.phase = Phase::Over;
            }
            return Some(());
        }
        Phase::Noting => {
            let is_last = head.receives >= scenario.park_after;
            let aside = |session: &mut Session| session::set_aside(scenario, session, head.id);
            if !is_last && fate.has_effect() && fate != Fate::CommandLost {
                state.save(delivery.bot, scenario, aside);
            } else if is_last && note(scenario, state, delivery.bot, fate, aside) {
                failed = false;
            }
            failed |= !is_last && fate != Fate::Done;
            if !failed {
                run.goes_on(1);
                return Some(());
            }
            run.has_parked = true;
        }
        Phase::Over => return None,
    }
    if failed {
        state.troubled.insert(scenario.proper_group(culprit(scenario, run)));
        let is_last = head.receives >= scenario.park_after && !run.has_parked;
        run.phase = if is_last { Phase::Parking } else { Phase::Over };
    }
    Some(())
}

/// Tells the session of bytes that were kept. Where it cannot be told now, a command will tell it; the bytes are safe, so the
/// group goes on. Whether one of the two was possible.
fn note(scenario: &Scenario, state: &mut State, bot: Bot, fate: Fate, change: impl FnOnce(&mut Session)) -> bool {
    match fate {
        Fate::CommandLost => return false,
        Fate::Refused => {}
        Fate::Done | Fate::Unheard => state.save(bot, scenario, change),
    }
    if fate != Fate::Done && !scenario.is(Mutation::KeptBytesUnnoticed) {
        state.send((bot, Job::Note));
    }
    true
}

/// Which record of a step that failed is to blame: the one that fails by itself, else the first.
fn culprit(scenario: &Scenario, run: &Run) -> Id {
    let step = step_of(scenario, run);
    let bad = step.iter().find(|message| scenario.delivery(message.id).temper == Temper::Fails);
    bad.or(step.first()).map_or(0, |message| message.id)
}

/// Reads the session, keeps beside it what belongs there, and publishes what the records make happen. Whether there is
/// anything to be saved.
fn read(scenario: &Scenario, state: &mut State, ids: Set, was_tried: bool) -> bool {
    for id in ids.iter().filter(|_| scenario.is(Mutation::RemoveTheClaimOnReading)) {
        state.claims.remove(id);
    }
    session::read(scenario, state, ids, was_tried)
}

pub(crate) fn answer(scenario: &Scenario, state: &mut State, at: usize) -> Option<()> {
    let Invocation { mut runs, has_expired } = state.invocations.remove(at);
    if has_expired {
        // Receipt handles of before do nothing to messages that are visible again, or with somebody else.
        return Some(());
    }
    let has_failed = runs.iter().any(|run| !run.rest().is_empty());
    for run in &mut runs {
        if scenario.is(Mutation::FailTheWholeBatch) && has_failed {
            run.done = 0;
        }
        let reported = if scenario.is(Mutation::ForgetTheFailedGroup) { 1 } else { usize::MAX };
        let failed: Vec<_> = run.rest().iter().copied().take(reported).collect();
        state.give_back(&failed, scenario);
    }
    Some(())
}

pub(crate) fn die(scenario: &Scenario, state: &mut State, at: usize) {
    let Invocation { runs, has_expired } = state.invocations.remove(at);
    for run in runs.iter().filter(|_| !has_expired) {
        run.messages.iter().for_each(|message| state.troubled.insert(scenario.proper_group(message.id)));
        state.give_back(&run.messages, scenario);
    }
}

pub(crate) fn expire(scenario: &Scenario, state: &mut State, at: usize) {
    let Some(invocation) = state.invocations.get_mut(at) else { return };
    invocation.has_expired = true;
    for run in invocation.runs.clone() {
        run.messages.iter().for_each(|message| state.troubled.insert(scenario.proper_group(message.id)));
        state.give_back(&run.messages, scenario);
    }
}
