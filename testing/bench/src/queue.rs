//! The FIFO queue of deliveries and its event source mapping, by their rules: a batch takes up to 10 messages in their
//! order, and while a group has messages under way no more of it are handed out.

use crate::events::Queued;
use std::collections::{BTreeMap, VecDeque};

/// As in `template.yaml`.
pub const BATCH_SIZE: usize = 10;

/// How full batches are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The most records of a batch.
    pub most: usize,
    /// The most of them of one group.
    pub of_group: usize,
}

impl Shape {
    /// Batches as full as they can be, from as few groups as can be.
    pub const FULL: Self = Self { most: BATCH_SIZE, of_group: BATCH_SIZE };
}

/// What waits, and which groups are under way.
#[derive(Debug, Default)]
pub struct Fifo {
    waiting: BTreeMap<String, VecDeque<Queued>>,
    ready: VecDeque<String>,
    length: usize,
}

impl Fifo {
    /// Adds a message at the end.
    pub fn push(&mut self, message: Queued) {
        let group = message.sent.group.clone().unwrap_or_default();
        let queue = self.waiting.entry(group.clone()).or_default();
        if queue.is_empty() {
            self.ready.push_back(group);
        }
        queue.push_back(message);
        self.length += 1;
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The next batch, whose groups are closed until it is settled; `None` if nothing can be handed out. It has `most`
    /// records, fewer if no more wait, and `of_group` of one group: SQS says neither how it fills a batch nor from how
    /// many groups.
    pub fn take(&mut self, Shape { most, of_group }: Shape) -> Option<Vec<Queued>> {
        let mut batch = Vec::new();
        while let Some(group) = self.ready.pop_front() {
            let queue = self.waiting.entry(group).or_default();
            let count = queue.len().min(of_group).min(most - batch.len());
            batch.extend(queue.drain(..count));
            if batch.len() == most {
                break;
            }
        }
        self.length -= batch.len();
        (!batch.is_empty()).then_some(batch)
    }

    /// Opens the groups of a batch again; the records that `failed` come back before all others of their group.
    pub fn settle(&mut self, batch: Vec<Queued>, failed: &[String]) {
        let groups: Vec<_> = batch.iter().map(|message| message.sent.group.clone().unwrap_or_default()).collect();
        for mut message in batch.into_iter().rev().filter(|message| failed.contains(&message.id)) {
            message.receives += 1;
            self.length += 1;
            let group = message.sent.group.clone().unwrap_or_default();
            self.waiting.entry(group).or_default().push_front(message);
        }
        for group in groups {
            match self.waiting.get(&group) {
                Some(queue) if !queue.is_empty() && !self.ready.contains(&group) => self.ready.push_back(group),
                Some(queue) if queue.is_empty() => drop(self.waiting.remove(&group)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Sent;

    fn fifo(messages: &[&str]) -> Fifo {
        let mut fifo = Fifo::default();
        for id in messages {
            let sent = Sent { queue_url: String::new(), group: Some(id[..1].to_owned()), body: String::new() };
            fifo.push(Queued { id: (*id).to_owned(), sent, receives: 1 });
        }
        fifo
    }

    fn ids(batch: Option<&Vec<Queued>>) -> Vec<&str> {
        batch.into_iter().flatten().map(|message| message.id.as_str()).collect()
    }

    #[test]
    fn a_group_under_way_is_closed_until_it_is_settled() {
        let mut fifo = fifo(&["a1", "a2", "b1", "a3"]);
        let first = fifo.take(Shape { of_group: 2, ..Shape::FULL }).unwrap();
        assert_eq!(ids(Some(&first)), ["a1", "a2", "b1"]);
        assert_eq!(
            ids(fifo.take(Shape { of_group: 2, ..Shape::FULL }).as_ref()),
            Vec::<&str>::new(),
            "the rest of a waits"
        );
        fifo.settle(first, &["a2".to_owned()]);
        let second = fifo.take(Shape { of_group: 2, ..Shape::FULL }).unwrap();
        assert_eq!(ids(Some(&second)), ["a2", "a3"], "in order, what failed first");
        assert_eq!((second[0].receives, second[1].receives), (2, 1));
        fifo.settle(second, &[]);
        assert!(fifo.is_empty());
    }

    #[test]
    fn a_batch_has_ten_at_most() {
        let mut fifo = fifo(&["a1", "a2", "a3", "a4", "a5", "a6", "b1", "b2", "b3", "b4", "b5", "b6"]);
        let batch = fifo.take(Shape::FULL).unwrap();
        assert_eq!((batch.len(), fifo.len()), (10, 2));
        fifo.settle(batch, &[]);
        assert_eq!(ids(fifo.take(Shape::FULL).as_ref()), ["b5", "b6"]);
    }
}
