//! What is known of a calendar.

use crate::{
    event::{CalendarChange, CalendarEvent, MAX_AFFECTED, Trust},
    time::OccurredAt,
};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeMap};

/// What is known of a calendar: how its connection stands, and which of its entries were touched. What the entries hold stays
/// with the provider.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CalendarFacts {
    /// When it last changed, by the sender's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<OccurredAt>,
    /// The last that was heard of its connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionFact>,
    /// The entries that were touched, each with the last time that was heard of it; of more than [`MAX_AFFECTED`] the latest.
    pub affected: BTreeMap<String, Option<OccurredAt>>,
}

/// The last that was heard of a calendar's connection. The order of the fields is the order of precedence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ConnectionFact {
    /// How far the witness can be trusted.
    pub trust: Trust,
    /// When it happened, by the sender's clock.
    pub occurred_at: Option<OccurredAt>,
    /// What happened.
    pub what: CalendarEvent,
}

impl CalendarFacts {
    /// Raises every field that the change says something about. Like all of a session: in any order, to the same end.
    pub(super) fn merge(&mut self, change: &CalendarChange, occurred_at: Option<&OccurredAt>, trust: Trust) {
        self.last_updated = self.last_updated.take().max(occurred_at.cloned());
        if change.what.is_of_the_connection() {
            let fact = ConnectionFact { trust, occurred_at: occurred_at.cloned(), what: change.what };
            self.connection = self.connection.take().max(Some(fact));
        }
        for id in &change.affected {
            let last = self.affected.entry(id.clone()).or_default();
            *last = last.take().max(occurred_at.cloned());
        }
        if self.affected.len() > MAX_AFFECTED {
            // Times only rise, so one that is among the latest in the end was among them whenever it came.
            let mut latest: Vec<_> = std::mem::take(&mut self.affected).into_iter().collect();
            latest.sort_by_key(|(id, last)| (Reverse(last.clone()), id.clone()));
            latest.truncate(MAX_AFFECTED);
            self.affected = latest.into_iter().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: u32) -> Option<OccurredAt> {
        (second > 0).then(|| OccurredAt::parse(&format!("2026-01-01T00:00:{second:02}Z")).unwrap())
    }

    fn after(changes: &[(CalendarChange, u32)]) -> CalendarFacts {
        let mut facts = CalendarFacts::default();
        for (change, second) in changes {
            facts.merge(change, at(*second).as_ref(), Trust::Verified);
        }
        facts
    }

    #[test]
    fn the_last_word_on_the_connection_counts_whenever_it_comes() {
        let change = |what| CalendarChange { what, affected: [].into() };
        let deleted = (change(CalendarEvent::ConnectionDeleted), 30);
        let updated = (change(CalendarEvent::ConnectionUpdated), 20);
        let synced = (change(CalendarEvent::EventsSynced), 40);
        for order in [[&deleted, &updated, &synced], [&updated, &synced, &deleted]] {
            let facts = after(&order.map(Clone::clone));
            assert_eq!(facts.connection.unwrap().what, CalendarEvent::ConnectionDeleted);
            assert_eq!(facts.last_updated, at(40));
        }
    }

    fn changes() -> impl Strategy<Value = Vec<(CalendarChange, u32)>> {
        let change = (proptest::collection::btree_set(0..400_u32, 0..60), 0..60_u32).prop_map(|(ids, second)| {
            let affected = ids.into_iter().map(|id| id.to_string()).collect();
            (CalendarChange { what: CalendarEvent::EventUpdated, affected }, second)
        });
        proptest::collection::vec(change, 1..12)
    }

    proptest! {
        #[test]
        fn any_order_ends_the_same_within_the_bound((order, changes) in changes().prop_flat_map(|c| (Just(c.clone()).prop_shuffle(), Just(c)))) {
            let facts = after(&changes);
            prop_assert!(facts.affected.len() <= MAX_AFFECTED);
            prop_assert_eq!(after(&order), facts);
        }
    }
}
