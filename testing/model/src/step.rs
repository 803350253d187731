//! What can happen next, and what it makes of the world.

use crate::{
    deliveries, ingest, jobs, operator, property,
    scenario::{Bot, Id, Scenario},
    set::Set,
    state::{Command, Job, Shelf, State},
    sweep,
};
use stateright::{Model, Property};

/// How a call ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// It does what it is to do, and says so.
    Done,
    /// It does nothing, and whoever made it learns that.
    Refused,
    /// It does what it is to do, and whoever made it believes that it failed.
    Unheard,
    /// The command that it gives rise to does not reach its queue: a save that is done, or a note that cannot be made.
    CommandLost,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Done, Self::Refused, Self::Unheard, Self::CommandLost];

    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::CommandLost)
    }

    pub(crate) fn has_effect(self) -> bool {
        self != Self::Refused
    }
}

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// A delivery is sent, and ingest makes this of it.
    Deliver(Id, ingest::Taken),
    /// The event source mapping starts an invocation with the first messages of a group, and of another one.
    Receive { group: u8, count: usize, other: Option<u8> },
    /// An invocation makes the next call for one of its groups.
    Work { invocation: usize, run: usize, fate: Fate },
    /// An invocation answers, and the mapping deletes what is not reported as failed.
    Answer(usize),
    /// The process dies or its answer gets lost, and the visibility of its messages runs out.
    Die(usize),
    /// The visibility of its messages runs out while it is running. Only a mistake does this.
    Expire(usize),
    /// A command begins to be carried out.
    TakeCommand(Command),
    /// The one that carries out a command makes its next call.
    CarryOn(usize, Fate),
    /// It dies.
    WorkerDies(usize),
    /// The standard queue delivers a command twice.
    CommandTwice(Command),
    /// The sweep hands a spooled delivery to the queue, which may fold it into an earlier message with its dedup id.
    SweepSends { id: Id, fate: Fate, is_folded: bool },
    /// The sweep removes what it has sent.
    SweepRemoves(Fate),
    /// The sweep dies.
    SweepDies,
    /// The sweep sends a command again that nothing is heard of, or one that it alone sends.
    Remind(Command),
    /// A minute is over, and the sweep may send for further strangers.
    NextMinute,
    /// The provider has had its rest.
    RestEnds,
    /// The sweep begins to erase what is due.
    SweepErases(Bot, Job),
    /// A person deletes a bot's data.
    Delete(Bot),
    /// A person wants again what was given up of a bot.
    Refetch(Bot),
    /// A person puts something back.
    PutBack(Shelf, Id),
    /// The person's command makes its next call.
    GoOn { fate: Fate, is_folded: bool },
    /// The person's command dies.
    GiveUp,
    /// The bug is fixed.
    Fix,
}

impl Model for Scenario {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        deliveries::steps(self, state, steps);
        jobs::steps(self, state, steps);
        sweep::steps(self, state, steps);
        operator::steps(self, state, steps);
        ingest::steps(self, state, steps);
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        state.faults += faults_of(self, before, step);
        if state.faults > self.faults {
            return None;
        }
        match step {
            Step::Deliver(id, taken) => ingest::deliver(self, &mut state, id, taken),
            Step::Receive { group, count, other } => deliveries::receive(self, &mut state, group, count, other),
            Step::Work { invocation, run, fate } => deliveries::work(self, &mut state, invocation, run, fate)?,
            Step::Answer(invocation) => deliveries::answer(self, &mut state, invocation)?,
            Step::Die(invocation) => deliveries::die(self, &mut state, invocation),
            Step::Expire(invocation) => deliveries::expire(self, &mut state, invocation),
            Step::TakeCommand(command) => jobs::take(self, &mut state, command)?,
            Step::CarryOn(worker, fate) => jobs::carry_on(self, &mut state, worker, fate)?,
            Step::WorkerDies(worker) => jobs::die(&mut state, worker),
            Step::CommandTwice(command) => state.send(command),
            Step::SweepSends { id, fate, is_folded } => sweep::send(self, &mut state, id, fate, is_folded),
            Step::SweepRemoves(fate) => sweep::remove(&mut state, fate),
            Step::SweepDies => state.sweeping = None,
            Step::Remind(command) => sweep::remind(&mut state, command),
            Step::NextMinute => state.strangers = Set::default(),
            Step::RestEnds => state.is_resting = false,
            Step::SweepErases(bot, job) => jobs::begin(&mut state, (bot, job), false),
            Step::Delete(bot) => operator::delete(self, &mut state, bot),
            Step::Refetch(bot) => operator::refetch(self, &mut state, bot),
            Step::PutBack(shelf, id) => operator::put_back(self, &mut state, shelf, id),
            Step::GoOn { fate, is_folded } => operator::go_on(self, &mut state, fate, is_folded)?,
            Step::GiveUp => operator::give_up(self, &mut state),
            Step::Fix => state.is_fixed = true,
        }
        // Who stands where in a list says nothing; without this the same world would count as several.
        state.invocations.sort_unstable();
        state.workers.sort_unstable();
        state.commands.sort_unstable();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        property::all(self)
    }
}

/// How many faults a step takes of those that may happen.
fn faults_of(scenario: &Scenario, state: &State, step: Step) -> u8 {
    match step {
        Step::Deliver(_, taken) => taken.faults(),
        Step::Die(invocation) => u8::from(!deliveries::is_killed(scenario, state, invocation)),
        Step::WorkerDies(_) | Step::SweepDies | Step::GiveUp | Step::CommandTwice(_) => 1,
        Step::Work { fate, .. }
        | Step::CarryOn(_, fate)
        | Step::SweepSends { fate, .. }
        | Step::SweepRemoves(fate)
        | Step::GoOn { fate, .. } => u8::from(fate != Fate::Done),
        _ => 0,
    }
}

/// The ways in which a call can end, as long as there are faults left.
pub(crate) fn fates(scenario: &Scenario, state: &State) -> impl Iterator<Item = Fate> + use<> {
    let may_fail = state.faults < scenario.faults;
    Fate::ALL.into_iter().filter(move |fate| may_fail || *fate == Fate::Done)
}
