//! Lists in pages: an order, opaque cursors, and what can go wrong with them.

use crate::{fault::Fault, knobs::ListOrder, time::millis};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// One entry of a list.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// What it is ordered by.
    pub(super) at: Timestamp,
    pub(super) id: String,
    pub(super) json: Value,
}

/// One page of a list.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    /// The cursor of the next page; `None` on the last one.
    pub(super) next: Option<String>,
    /// The cursor of the page before; `None` on the first one.
    pub(super) previous: Option<String>,
}

type Key = (i64, String);

/// The page of `size` items that a cursor leads to, the first one without a cursor; `None` if no page ever had that cursor.
///
/// A cursor names the last item of a page, so what is added meanwhile moves nothing to another page.
pub(super) fn page(
    mut items: Vec<Item>,
    order: ListOrder,
    size: usize,
    cursor: Option<&str>,
    fault: Option<&Fault>,
) -> Option<Page> {
    let key = |at: Timestamp, id: &str| -> Key { (place(order, at, id), id.to_owned()) };
    items.sort_by_cached_key(|item| key(item.at, &item.id));
    let position = |at, id: &str| items.partition_point(|item| key(item.at, &item.id) < key(at, id));
    let size = size.max(1);
    let (from, to) = match cursor.map(read) {
        None => (0, size),
        Some(Some((Direction::Forward, at, id))) => {
            let is_there = items.iter().any(|item| item.id == id);
            let from = position(at, &id) + usize::from(is_there);
            let overlap = usize::from(fault == Some(&Fault::OverlappingPage));
            (from.saturating_sub(overlap), from + size)
        }
        Some(Some((Direction::Backward, at, id))) => {
            let to = position(at, &id);
            (to.saturating_sub(size), to)
        }
        Some(None) => return None,
    };
    let to = to.min(items.len());
    let page = items.get(from..to).unwrap_or_default();
    let next = page.last().filter(|_| to < items.len()).map(|last| cursor_of("", last));
    let next = match fault {
        Some(Fault::EndsEarly) => None,
        Some(Fault::LoopingCursor) => cursor.map(str::to_owned).or(next),
        _ => next,
    };
    let previous = page.first().filter(|_| from > 0).map(|first| cursor_of("-", first));
    Some(Page { items: page.iter().map(|item| item.json.clone()).collect(), next, previous })
}

/// Whether a value is what a filter names: a text itself, anything else as JSON.
pub(super) fn is_named(value: &Value, wanted: &str) -> bool {
    value.as_str() == Some(wanted) || serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *value)
}

fn place(order: ListOrder, at: Timestamp, id: &str) -> i64 {
    match order {
        ListOrder::Oldest => at.as_millisecond(),
        ListOrder::Newest => -at.as_millisecond(),
        ListOrder::Shuffled => {
            let digest: [u8; 32] = Sha256::digest(id).into();
            digest.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
        }
    }
}

enum Direction {
    Forward,
    Backward,
}

/// As Meeting BaaS documents its own: base64 of `<isoDate>::<id>`, with a minus sign before it to go backward.
fn cursor_of(sign: &str, item: &Item) -> String {
    BASE64_STANDARD.encode(format!("{sign}{}::{}", millis(item.at), item.id))
}

fn read(cursor: &str) -> Option<(Direction, Timestamp, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(cursor).ok()?).ok()?;
    let (direction, text) = match text.strip_prefix('-') {
        Some(text) => (Direction::Backward, text),
        None => (Direction::Forward, text.as_str()),
    };
    let (at, id) = text.split_once("::")?;
    Some((direction, at.parse().ok()?, id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &[i64]) -> Vec<Item> {
        let item =
            |id: &i64| Item { at: Timestamp::from_second(*id).unwrap(), id: format!("b-{id}"), json: Value::from(*id) };
        ids.iter().map(item).collect()
    }

    fn numbers(page: &Page) -> Vec<i64> {
        page.items.iter().filter_map(Value::as_i64).collect()
    }

    #[test]
    fn every_item_is_on_one_page_in_any_order() {
        for order in [ListOrder::Newest, ListOrder::Oldest, ListOrder::Shuffled] {
            for size in 1..=8 {
                let (mut seen, mut cursor) = (Vec::new(), None);
                for _ in 0..8 {
                    let page = page(items(&[3, 1, 4, 15, 9, 2, 6]), order, size, cursor.as_deref(), None).unwrap();
                    assert!(page.items.len() <= size);
                    seen.extend(numbers(&page));
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
                let mut sorted = seen.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, [1, 2, 3, 4, 6, 9, 15], "{order:?} by {size}");
                match order {
                    ListOrder::Newest => assert!(seen.is_sorted_by(|a, b| a > b)),
                    ListOrder::Oldest => assert!(seen.is_sorted()),
                    ListOrder::Shuffled => assert!(!seen.is_sorted()),
                }
            }
        }
    }

    #[test]
    fn what_is_added_or_gone_meanwhile_moves_nothing_to_another_page() {
        let first = page(items(&[1, 2, 3, 4]), ListOrder::Newest, 2, None, None).unwrap();
        assert_eq!((numbers(&first), &first.previous), (vec![4, 3], &None));
        let second = page(items(&[1, 2, 4, 5, 6]), ListOrder::Newest, 2, first.next.as_deref(), None).unwrap();
        assert_eq!((numbers(&second), &second.next), (vec![2, 1], &None));
        let back = page(items(&[1, 2, 3, 4]), ListOrder::Newest, 2, second.previous.as_deref(), None).unwrap();
        assert_eq!(numbers(&back), [4, 3]);
        assert_eq!(page(items(&[1]), ListOrder::Newest, 2, Some("2"), None), None, "no cursor of ours");
    }

    #[test]
    fn lists_go_wrong_as_planned() {
        let of = |cursor: Option<&str>, fault| page(items(&[1, 2, 3, 4]), ListOrder::Oldest, 2, cursor, fault).unwrap();
        let first = of(None, None).next;
        assert_eq!(of(None, Some(&Fault::EndsEarly)).next, None);
        let looping = of(first.as_deref(), Some(&Fault::LoopingCursor));
        assert_eq!((numbers(&looping), &looping.next), (vec![3, 4], &first));
        assert_eq!(numbers(&of(first.as_deref(), Some(&Fault::OverlappingPage))), [2, 3, 4]);
    }
}
