//! Senders, and `ingest-fn`: `Stores::persist`.

use crate::{
    mutation::Mutation,
    scenario::{Id, Scenario},
    state::State,
    step::Step,
};

/// What becomes of one request. Only appends happen in it, so nothing that others do in its midst makes a difference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Taken {
    /// The queue confirms it.
    ByQueue,
    /// The queue refuses it and the bucket takes it.
    BySpool,
    /// The queue takes it, says so too late, and the bucket takes it as well.
    ByBoth,
    /// The queue takes it, and the sender hears nothing: the bucket refuses too, or the function dies.
    Unanswered,
    /// Nobody takes it.
    ByNobody,
}

impl Taken {
    const ALL: [Self; 5] = [Self::ByQueue, Self::BySpool, Self::ByBoth, Self::Unanswered, Self::ByNobody];

    pub(crate) fn faults(self) -> u8 {
        u8::from(self != Self::ByQueue)
    }
}

pub(crate) fn steps(scenario: &Scenario, state: &State, steps: &mut Vec<Step>) {
    for id in scenario.ids().filter(|id| !state.sent.has(*id)) {
        let can_happen = |taken: &Taken| state.faults + taken.faults() <= scenario.faults;
        steps.extend(Taken::ALL.into_iter().filter(can_happen).map(|taken| Step::Deliver(id, taken)));
    }
}

pub(crate) fn deliver(scenario: &Scenario, state: &mut State, id: Id, taken: Taken) {
    let delivery = scenario.delivery(id);
    state.sent.insert(id);
    if let (crate::scenario::Says::Ready(moment), crate::scenario::Trust::Verified) = (delivery.says, delivery.trust) {
        let made = state.made.of_mut(delivery.bot);
        *made = moment.max(*made);
    }
    let is_believed = matches!(taken, Taken::ByQueue | Taken::BySpool | Taken::ByBoth)
        || (taken == Taken::ByNobody && scenario.is(Mutation::SpoolWithoutWaiting));
    if is_believed {
        state.acknowledged.insert(id);
    }
    let is_somewhere = taken != Taken::ByNobody;
    if is_somewhere && delivery.is_large && !scenario.is(Mutation::ClaimWithoutBody) {
        state.claims.insert(id);
    }
    if matches!(taken, Taken::ByQueue | Taken::ByBoth | Taken::Unanswered) {
        state.was_queued.insert(id);
        state.enqueue(id, scenario);
    }
    if matches!(taken, Taken::BySpool | Taken::ByBoth) && !scenario.is(Mutation::AcknowledgeBeforeEnqueue) {
        state.spool.insert(id);
    }
}
