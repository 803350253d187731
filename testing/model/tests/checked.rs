//! Every property in every state of the small worlds, and that checking them says something.

use model::{check, scenario::Scenario, worlds};
use stateright::Model;
use std::{collections::HashMap, hash::Hash};

#[test]
fn every_property_holds_in_every_state() {
    let mut states = 0;
    for world in worlds::small() {
        let name = world.name;
        let checked = check::exhaustively(world, 2);
        assert_eq!(checked.violation, None, "{name}");
        states += checked.states;
    }
    assert!(states > 300_000, "only {states} states: something that could happen does not");
}

/// Without this "every wait ends" would say less than it seems to: a run that goes round in a circle comes to no last state.
#[test]
fn no_run_goes_round_in_a_circle() {
    for world in worlds::small() {
        assert_eq!(circle(&world), None, "{}", world.name);
    }
}

/// A state that some steps lead back to, if there is one.
fn circle<M: Model>(world: &M) -> Option<M::State>
where
    M::State: Clone + Eq + Hash,
{
    // Whether all that a state leads to has been looked at.
    let mut is_done: HashMap<M::State, bool> = HashMap::new();
    let mut open: Vec<(M::State, Vec<M::State>)> = Vec::new();
    for first in world.init_states() {
        is_done.insert(first.clone(), false);
        let next = world.next_states(&first);
        open.push((first, next));
        while let Some((state, next)) = open.last_mut() {
            let Some(next) = next.pop() else {
                is_done.insert(state.clone(), true);
                open.pop();
                continue;
            };
            match is_done.get(&next) {
                Some(true) => {}
                Some(false) => return Some(next),
                None => {
                    is_done.insert(next.clone(), false);
                    let after = world.next_states(&next);
                    open.push((next, after));
                }
            }
        }
    }
    None
}

#[test]
fn a_circle_is_found_where_there_is_one() {
    /// Goes from 0 to 3, and from 3 on to a number.
    struct Line(u8);

    impl Model for Line {
        type State = u8;
        type Action = ();

        fn init_states(&self) -> Vec<u8> {
            vec![0]
        }

        fn actions(&self, _: &u8, steps: &mut Vec<()>) {
            steps.push(());
        }

        fn next_state(&self, state: &u8, (): ()) -> Option<u8> {
            match state {
                0..3 => Some(state + 1),
                3 => Some(self.0),
                _ => None,
            }
        }
    }

    assert_eq!((circle(&Line(4)), circle(&Line(1)), circle(&Line(3))), (None, Some(1), Some(3)));
}

/// A property can also hold because what it is about never happens.
#[test]
fn everything_happens_that_the_properties_are_about() {
    let mut missing: Vec<&str> = Vec::new();
    for world in worlds::small() {
        let checked = check::exhaustively(Scenario { has_witnesses: true, ..world }, 2);
        if missing.is_empty() {
            missing = checked.looked_for.clone();
        }
        missing.retain(|name| !checked.witnessed.contains(name));
    }
    assert_eq!(missing, Vec::<&str>::new());
}
