//! The rule of FIFO batches: after the first failure in a group, all that is behind it must have failed too.

use shared::QueueMessage;
use std::collections::BTreeMap;

/// A record of an answered batch, in the order of receipt.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Its group.
    pub group: &'a str,
    /// Its text.
    pub body: &'a str,
    /// Whether the function reported it as failed.
    pub has_failed: bool,
}

/// Where the rule is broken; `None` where it holds.
pub fn broken<'a>(batch: impl IntoIterator<Item = Answered<'a>>) -> Option<String> {
    let mut first_failed: BTreeMap<&str, &str> = BTreeMap::new();
    for record in batch {
        if record.has_failed {
            first_failed.entry(record.group).or_insert(record.body);
        } else if let Some(before) = first_failed.get(record.group) {
            let [done, left] = [record.body, before].map(name);
            return Some(format!("{done} was finished in a batch in which {left}, before it in its group, failed"));
        }
    }
    None
}

fn name(body: &str) -> String {
    QueueMessage::decode(body).map_or_else(|_| body.to_owned(), |carried| carried.head().accept_id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, batch: &[(&str, bool)], holds: bool) {
        let batch = batch.iter().map(|(group, has_failed)| Answered { group, body: "x", has_failed: *has_failed });
        assert_eq!(broken(batch).is_none(), holds, "{name}");
    }

    #[test]
    fn what_is_behind_a_failure_must_have_failed() {
        check("nothing failed", &[("a", false), ("b", false)], true);
        check("the last one", &[("a", false), ("a", true)], true);
        check("the rest", &[("a", true), ("a", true)], true);
        check("another group", &[("a", true), ("b", false)], true);
        check("one behind it was finished", &[("a", true), ("b", true), ("a", false)], false);
    }
}
