//! The worlds that are checked. Each brings together what can get into each other's way.

use crate::{
    scenario::{
        Bot::{self, One, Two},
        Delivery,
        Says::{Chat, Deleted, Ended, Gibberish, Ready},
        Scenario,
    },
    set::Set,
};

/// A world, with so much that may fail and be put back.
fn world<const N: usize>(name: &'static str, deliveries: [Delivery; N], faults: u8, replays: u8) -> Scenario {
    Scenario {
        name,
        deliveries: deliveries.to_vec(),
        gone: Set::default(),
        faults,
        replays,
        may_delete: false,
        may_refetch: false,
        invocations: 2,
        workers: 2,
        park_after: 2,
        dead_after: 4,
        mutation: None,
        has_witnesses: false,
    }
}

/// Worlds that are checked within a minute, every time the tests run. Each mistake is found in one of them.
#[must_use]
pub fn small() -> Vec<Scenario> {
    let (signed, unsigned) = (Delivery::verified, Delivery::unverified);
    vec![
        world("failing", [signed(One, Ended(2)), unsigned(One, Ended(1)).failing()], 1, 1),
        world("neighbours", [signed(One, Ended(1)).failing(), signed(One, Ended(2)), unsigned(Two, Chat)], 0, 0),
        world("unreadable", [signed(One, Gibberish), unsigned(One, Chat)], 1, 1),
        world("killing", [signed(One, Ended(1)).killing(), signed(Two, Chat)], 1, 1),
        world("large", [signed(One, Ended(1)).large()], 2, 0),
        world("repeated", [signed(One, Ended(1)), signed(One, Ended(1)).repeating(0)], 1, 0),
        world("runs", [signed(One, Ready(1)), signed(One, Ready(2))], 1, 0),
        world("claims", [unsigned(One, Ready(9)), signed(One, Ready(2))], 1, 0),
        world("forged", [unsigned(One, Deleted), signed(One, Ready(1))], 1, 0),
        gone(world("gone", [unsigned(One, Deleted), signed(One, Ready(1))], 1, 0)),
        world("deletion", [signed(One, Ready(1)), signed(One, Deleted)], 1, 0),
        world("bytes", [signed(One, Deleted), unsigned(One, Chat).large()], 1, 0),
        world("late", [signed(One, Deleted), signed(One, Ended(1)).failing()], 1, 0),
        Scenario { may_delete: true, ..world("person", [signed(One, Ready(1))], 1, 0) },
        world("strangers", [unsigned(One, Ended(1)), unsigned(Two, Ended(1))], 1, 0),
        Scenario {
            may_refetch: true,
            ..world("again", [unsigned(One, Ready(9)), signed(One, Ready(2)).failing()], 0, 0)
        },
    ]
}

/// Worlds that take minutes with every processor: more deliveries, more that fails, more that is put back.
#[must_use]
pub fn large() -> Vec<Scenario> {
    let (signed, unsigned) = (Delivery::verified, Delivery::unverified);
    let unlucky = [signed(One, Ended(2)), unsigned(One, Ended(1)).failing(), signed(Two, Gibberish)];
    vec![
        world("failing", unlucky, 1, 1),
        world("killing", [signed(One, Ended(1)).killing(), signed(Two, Chat).large(), unsigned(One, Chat)], 1, 1),
        world("repeated", [signed(One, Ended(1)), signed(One, Ended(1)).repeating(0), unsigned(One, Ended(2))], 1, 0),
        world("claims", [unsigned(One, Ready(9)), signed(One, Ready(2)), unsigned(One, Deleted)], 1, 0),
        gone(world("gone", [unsigned(One, Deleted), signed(One, Ready(1)), unsigned(One, Chat).large()], 1, 0)),
        world("deletion", [signed(One, Ready(1)), signed(One, Deleted), unsigned(One, Chat).large()], 1, 0),
        world("late", [signed(One, Deleted), signed(One, Ended(1)).failing(), unsigned(One, Gibberish)], 0, 1),
        Scenario {
            may_delete: true,
            ..world("person", [signed(One, Ready(1)), signed(One, Ended(1)).failing()], 1, 1)
        },
    ]
}

/// The provider has deleted the first bot's data.
fn gone(world: Scenario) -> Scenario {
    Scenario { gone: Set::of([Bot::One as u8]), ..world }
}
