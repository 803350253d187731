//! What is known of a calendar.

use crate::{
    event::{CalendarChange, CalendarEvent, MAX_AFFECTED},
    time::{OccurredAt, ReceivedAt},
    trust::Trust,
};
use serde::{Deserialize, Serialize};
use std::{
    cmp::{Ordering, Reverse},
    collections::BTreeMap,
};

/// What is known of a calendar: how its connection stands, and which of its entries were touched. What the entries hold stays
/// with the provider.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarFacts {
    /// When it last changed, by the sender's clock. A time after its receipt does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<OccurredAt>,
    /// The last that was heard of its connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionFact>,
    /// The entries that were touched, each with the last that was heard of it; of more than [`MAX_AFFECTED`] the latest.
    pub affected: BTreeMap<String, Mention>,
}

/// The last that was heard of a calendar's connection. The order of the fields is the order of precedence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionFact {
    /// How far the witness can be trusted.
    pub trust: Trust,
    /// When.
    pub heard: Mention,
    /// What happened.
    pub what: CalendarEvent,
}

/// When something was heard of. Two of them compare by the sender's clock where the sender gives a time, but never by a time
/// after the receipt, else by our clock: one event with a time in the future must not outrank all that follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mention {
    /// By the sender's clock. Many deliveries about calendars have no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<OccurredAt>,
    /// By ours.
    pub received_at: ReceivedAt,
    /// What was done about it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
}

/// What was done about an entry of a calendar that was touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// It was mirrored as the provider has it, or taken away.
    Mirrored,
    /// The provider did not find it, for the first time at this time, in seconds since the Unix epoch.
    Missing(i64),
}

impl Mention {
    fn moment(&self) -> i64 {
        self.occurred_at.as_ref().map_or(self.received_at.0, |at| at.moment().as_millisecond().min(self.received_at.0))
    }
}

impl CalendarFacts {
    /// Notes what was done about an entry, unless it was touched again since `heard`.
    pub(super) fn note(&mut self, id: &str, heard: &Mention, checked: Checked) {
        if let Some(last) = self.affected.get_mut(id).filter(|last| Ord::cmp(&**last, heard).is_eq()) {
            last.checked = Some(checked);
        }
    }
}

impl PartialOrd for Mention {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Mention {
    fn cmp(&self, other: &Self) -> Ordering {
        let all = |heard: &Self| (heard.moment(), heard.occurred_at.clone(), heard.received_at);
        all(self).cmp(&all(other))
    }
}

impl CalendarFacts {
    /// Raises every field that the change says something about. Like all of a session: in any order, to the same end.
    pub(super) fn merge(&mut self, change: &CalendarChange, heard: Mention, trust: Trust) {
        // We ask the provider for what changed since then: a time in the future would hide all changes before it.
        let is_past = |at: &OccurredAt| at.moment().as_millisecond() <= heard.received_at.0;
        self.last_updated = self.last_updated.take().max(heard.occurred_at.clone().filter(is_past));
        if change.what.is_of_the_connection() {
            let fact = ConnectionFact { trust, heard: heard.clone(), what: change.what };
            self.connection = self.connection.take().max(Some(fact));
        }
        for id in &change.affected {
            let last = self.affected.entry(id.clone()).or_insert_with(|| heard.clone());
            if heard > *last {
                *last = heard.clone();
            }
        }
        if self.affected.len() > MAX_AFFECTED {
            // Times only rise, so one that is among the latest in the end was among them whenever it came.
            let mut latest: Vec<_> = std::mem::take(&mut self.affected).into_iter().collect();
            latest.sort_by_key(|(id, last)| (Reverse(last.clone()), id.clone()));
            latest.truncate(MAX_AFFECTED);
            self.affected = latest.into_iter().collect();
        }
    }

    /// The entries that were touched since they were last mirrored, those that were touched longest ago first.
    #[must_use]
    pub fn to_mirror(&self) -> Vec<(&str, &Mention)> {
        let touched = self.affected.iter().filter(|(_, heard)| heard.checked != Some(Checked::Mirrored));
        let mut touched: Vec<_> = touched.map(|(id, heard)| (id.as_str(), heard)).collect();
        touched.sort_by_key(|(_, heard)| heard.received_at);
        touched
    }

    /// What it says but for our own clock: a second delivery of the same adds nothing by being later.
    pub(super) fn substance(&self) -> impl PartialEq + use<> {
        let entries: Vec<_> = self.affected.iter().map(|(id, heard)| (id.clone(), heard.occurred_at.clone())).collect();
        let connection = self.connection.as_ref().map(|fact| (fact.trust, fact.heard.occurred_at.clone(), fact.what));
        (self.last_updated.clone(), connection, entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: u32) -> Option<OccurredAt> {
        (second > 0).then(|| OccurredAt::parse(&format!("2026-01-01T00:00:{second:02}Z")).unwrap())
    }

    /// Heard at this second of the sender's, if it is not 0, and in this second of ours, which is of the next day.
    fn heard(second: u32, received: i64) -> Mention {
        Mention { occurred_at: at(second), received_at: ReceivedAt(1_767_312_000_000 + received * 1000), checked: None }
    }

    fn after(changes: &[(CalendarChange, u32)]) -> CalendarFacts {
        let mut facts = CalendarFacts::default();
        for (change, second) in changes {
            facts.merge(change, heard(*second, i64::from(*second * 7 % 61)), Trust::Verified);
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

    #[test]
    fn undated_changes_stand_by_our_clock() {
        let touch = |id: String| CalendarChange { what: CalendarEvent::EventUpdated, affected: [id].into() };
        let mut facts = CalendarFacts::default();
        for n in 0..250 {
            facts.merge(&touch(format!("{n:03}")), heard(0, n), Trust::Verified);
        }
        assert_eq!(facts.affected.len(), MAX_AFFECTED);
        assert!(facts.affected.contains_key("249") && !facts.affected.contains_key("049"), "the latest stay");
        let error = CalendarChange { what: CalendarEvent::ConnectionError, affected: [].into() };
        let created = CalendarChange { what: CalendarEvent::ConnectionCreated, affected: [].into() };
        facts.merge(&created, heard(10, 11), Trust::Verified);
        facts.merge(&error, heard(0, 20), Trust::Verified);
        assert_eq!(facts.connection.unwrap().what, CalendarEvent::ConnectionError);
    }

    #[test]
    fn a_time_in_the_future_hides_nothing_that_comes_later() {
        let of = |what, second: u32, received: i64| {
            let heard = Mention {
                occurred_at: at(second),
                received_at: ReceivedAt(1_767_225_600_000 + received * 1000),
                checked: None,
            };
            (CalendarChange { what, affected: [second.to_string()].into() }, heard)
        };
        let ahead = of(CalendarEvent::ConnectionError, 50, 10);
        let later = of(CalendarEvent::ConnectionUpdated, 20, 21);
        for order in [[&ahead, &later], [&later, &ahead]] {
            let mut facts = CalendarFacts::default();
            for (change, heard) in order {
                facts.merge(change, heard.clone(), Trust::Verified);
            }
            assert_eq!(facts.connection.unwrap().what, CalendarEvent::ConnectionUpdated);
            assert_eq!(facts.last_updated, at(20));
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
