//! Checking one world.

use crate::{scenario::Scenario, step::Step};
use stateright::{Checker, HasDiscoveries, Model};

/// What a run of the checker came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// How many different states there are, or were seen until something was found.
    pub states: usize,
    /// How many steps lead from each to the next, in all.
    pub transitions: usize,
    /// How many steps the longest way had.
    pub depth: usize,
    /// The property that does not hold, and the steps that show it.
    pub violation: Option<(&'static str, Vec<Step>)>,
    /// What was looked for.
    pub looked_for: Vec<&'static str>,
    /// What of that was seen.
    pub witnessed: Vec<&'static str>,
}

/// Goes through every state, in any order.
#[must_use]
pub fn exhaustively(scenario: Scenario, threads: usize) -> Checked {
    let checker = scenario.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    told(&checker.spawn_dfs().join())
}

/// Looks for a violation by ways as short as there are, give or take a few steps.
#[must_use]
pub fn shortest(scenario: Scenario) -> Checked {
    told(&scenario.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join())
}

fn told(checker: &impl Checker<Scenario>) -> Checked {
    let sought =
        checker.model().properties().into_iter().filter(|property| !property.expectation.discovery_is_failure());
    let mut checked = Checked {
        states: checker.unique_state_count(),
        transitions: checker.state_count(),
        depth: checker.max_depth(),
        violation: None,
        looked_for: sought.map(|property| property.name).collect(),
        witnessed: Vec::new(),
    };
    for (property, path) in checker.discoveries() {
        if checker.model().property(property).expectation.discovery_is_failure() {
            checked.violation = Some((property, path.into_actions()));
        } else {
            checked.witnessed.push(property);
        }
    }
    checked
}
