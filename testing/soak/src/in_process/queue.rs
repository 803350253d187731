//! A queue in memory that obeys the rules of SQS, FIFO or standard. Times are milliseconds of the run's clock.

use std::collections::BTreeMap;

/// How a queue behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How long a received message is hidden unless somebody says otherwise.
    pub(super) visibility_ms: i64,
    /// After how many receives a message is given up.
    pub(super) max_receives: u32,
    /// How long a message is kept.
    pub(super) retention_ms: i64,
}

/// How long a dedup id is remembered, from the first send with it: whatever has become of that message.
const DEDUP_MS: i64 = 5 * 60_000;

/// The most messages that one receive gives.
const MAX_BATCH: usize = 10;

/// A message, as its receiver gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Received {
    /// Its id.
    pub(super) message_id: String,
    /// Which receive of it this is.
    pub(super) receipt: u64,
    /// Its group, on a FIFO queue.
    pub(super) group: Option<String>,
    /// Its text.
    pub(super) body: String,
    /// How often it was received, this time included.
    pub(super) receive_count: u32,
    /// When it was sent, in milliseconds.
    pub(super) sent_at_ms: i64,
}

#[derive(Clone, Debug)]
struct Message {
    id: String,
    group: Option<String>,
    body: String,
    sent_at: i64,
    receive_count: u32,
    receipt: u64,
    visible_at: i64,
}

/// A queue and its dead-letter queue.
#[derive(Debug)]
pub(super) struct Queue {
    rules: Rules,
    messages: Vec<Message>,
    folded: BTreeMap<(String, String), (i64, String)>,
    dead: Vec<Received>,
    next: u64,
}

impl Queue {
    /// An empty one.
    #[must_use]
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, messages: Vec::new(), folded: BTreeMap::new(), dead: Vec::new(), next: 1 }
    }

    /// Sends to a FIFO queue. Within five minutes the same id in the same group makes no second message, and nobody is told.
    pub(super) fn send_fifo(&mut self, now: i64, group: &str, dedup_id: &str, body: &str) -> String {
        self.folded.retain(|_, (until, _)| *until > now);
        let key = (group.to_owned(), dedup_id.to_owned());
        if let Some((_, message_id)) = self.folded.get(&key) {
            return message_id.clone();
        }
        let message_id = self.push(now, 0, Some(group.to_owned()), body);
        self.folded.insert(key, (now + DEDUP_MS, message_id.clone()));
        message_id
    }

    /// Sends to a standard queue. The message cannot be received before `delay_ms` have passed.
    pub(super) fn send(&mut self, now: i64, delay_ms: i64, body: &str) {
        self.push(now, delay_ms, None, body);
    }

    fn push(&mut self, now: i64, delay_ms: i64, group: Option<String>, body: &str) -> String {
        let id = format!("message-{}", self.number());
        let body = body.to_owned();
        let message =
            Message { id, group, body, sent_at: now, receive_count: 0, receipt: 0, visible_at: now + delay_ms };
        let id = message.id.clone();
        self.messages.push(message);
        id
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Receives at most `most` messages. Of a group with a message in flight there are none; of the others as many as there
    /// are, in order. What has been received too often goes to the dead-letter queue instead, and no longer holds its group.
    pub(super) fn receive(&mut self, now: i64, most: usize) -> Vec<Received> {
        self.messages.retain(|message| message.sent_at + self.rules.retention_ms > now);
        let is_hidden = |message: &Message| message.visible_at > now;
        let locked: Vec<_> = self.messages.iter().filter(|m| is_hidden(m)).filter_map(|m| m.group.clone()).collect();
        let mut taken = Vec::new();
        let (mut kept, messages) = (Vec::new(), std::mem::take(&mut self.messages));
        for mut message in messages {
            let is_locked = message.group.as_ref().is_some_and(|group| locked.contains(group));
            if is_hidden(&message) || is_locked || taken.len() >= most.min(MAX_BATCH) {
                kept.push(message);
                continue;
            }
            if message.receive_count >= self.rules.max_receives {
                self.dead.push(message.received());
                continue;
            }
            message.receive_count += 1;
            message.receipt = self.number();
            message.visible_at = now + self.rules.visibility_ms;
            taken.push(message.received());
            kept.push(message);
        }
        self.messages = kept;
        taken
    }

    /// Deletes a message by its latest receipt. On a FIFO queue one whose time has run out is good for nothing.
    pub(super) fn delete(&mut self, now: i64, receipt: u64) {
        self.messages.retain(|message| {
            let in_time = message.group.is_none() || message.visible_at > now;
            !(message.receipt == receipt && in_time)
        });
    }

    /// Hides a message that is in flight for this much longer from now, or not any more.
    pub(super) fn change_visibility(&mut self, now: i64, receipt: u64, hidden_ms: i64) {
        for message in &mut self.messages {
            if message.receipt == receipt && message.visible_at > now {
                message.visible_at = now + hidden_ms;
            }
        }
    }

    /// When there will be something to receive if nobody says otherwise; `None` if something must be sent first. A group waits
    /// for the last of its messages that are in flight.
    #[must_use]
    pub(super) fn next_visible(&self) -> Option<i64> {
        let mut groups: BTreeMap<&str, i64> = BTreeMap::new();
        for message in &self.messages {
            let last = groups.entry(message.group.as_deref().unwrap_or(&message.id)).or_insert(message.visible_at);
            *last = message.visible_at.max(*last);
        }
        groups.into_values().min()
    }

    /// The texts of everything in it, in flight or not.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(|message| message.body.as_str())
    }

    /// What it gave up.
    #[must_use]
    pub(super) fn dead(&self) -> &[Received] {
        &self.dead
    }

    /// Takes out what it gave up.
    pub(super) fn take_dead(&mut self) -> Vec<Received> {
        std::mem::take(&mut self.dead)
    }
}

impl Message {
    fn received(&self) -> Received {
        Received {
            message_id: self.id.clone(),
            receipt: self.receipt,
            group: self.group.clone(),
            body: self.body.clone(),
            receive_count: self.receive_count,
            sent_at_ms: self.sent_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { visibility_ms: 1000, max_receives: 2, retention_ms: 1_000_000 };

    fn queue(messages: &[(&str, &str)]) -> Queue {
        let mut queue = Queue::new(RULES);
        for (group, body) in messages {
            queue.send_fifo(0, group, body, body);
        }
        queue
    }

    fn bodies(received: &[Received]) -> Vec<&str> {
        received.iter().map(|message| message.body.as_str()).collect()
    }

    #[test]
    fn a_group_is_locked_while_one_of_it_is_in_flight() {
        let mut queue = queue(&[("a", "a1"), ("b", "b1"), ("a", "a2")]);
        assert_eq!(bodies(&queue.receive(0, 1)), ["a1"]);
        assert_eq!(bodies(&queue.receive(0, 10)), ["b1"], "not the rest of a");
        queue.send_fifo(0, "c", "c1", "c1");
        assert_eq!(bodies(&queue.receive(500, 10)), ["c1"]);
        assert_eq!(bodies(&queue.receive(1000, 10)), ["a1", "b1", "a2"], "again, in order, when its time is up");
    }

    #[test]
    fn one_receive_gives_several_of_a_group_in_order() {
        let mut queue = queue(&[("a", "a1"), ("a", "a2"), ("a", "a3")]);
        let received = queue.receive(0, 10);
        assert_eq!(bodies(&received), ["a1", "a2", "a3"]);
        queue.delete(0, received[0].receipt);
        queue.change_visibility(0, received[1].receipt, 200);
        queue.change_visibility(0, received[2].receipt, 400);
        assert!(queue.receive(300, 10).is_empty(), "the last one still locks the group");
        assert_eq!(queue.next_visible(), Some(400));
        assert_eq!(bodies(&queue.receive(400, 10)), ["a2", "a3"]);
    }

    #[test]
    fn the_same_id_is_folded_for_five_minutes_whatever_became_of_the_message() {
        let mut queue = queue(&[("a", "1")]);
        let received = queue.receive(0, 10);
        queue.delete(0, received[0].receipt);
        queue.send_fifo(DEDUP_MS - 1, "a", "1", "again");
        assert!(queue.receive(DEDUP_MS - 1, 10).is_empty());
        queue.send_fifo(DEDUP_MS - 1, "b", "1", "in another group");
        queue.send_fifo(DEDUP_MS, "a", "1", "later");
        assert_eq!(bodies(&queue.receive(DEDUP_MS, 10)), ["in another group", "later"]);
    }

    #[test]
    fn what_is_received_too_often_dies_and_frees_its_group() {
        let mut queue = queue(&[("a", "a1"), ("a", "a2")]);
        assert_eq!(bodies(&queue.receive(0, 1)), ["a1"]);
        assert_eq!(bodies(&queue.receive(1000, 1)), ["a1"]);
        assert_eq!(bodies(&queue.receive(2000, 1)), ["a2"]);
        assert_eq!(bodies(queue.dead()), ["a1"]);
    }

    #[test]
    fn a_receipt_is_good_for_one_receive_and_for_its_time() {
        let mut queue = queue(&[("a", "a1")]);
        let first = queue.receive(0, 1)[0].receipt;
        queue.delete(1000, first);
        assert_eq!(queue.bodies().count(), 1, "too late");
        let second = queue.receive(1000, 1)[0].receipt;
        queue.delete(1001, first);
        queue.change_visibility(1001, first, 0);
        assert!(queue.receive(1001, 1).is_empty());
        queue.delete(1001, second);
        assert_eq!(queue.bodies().count(), 0);
    }

    #[test]
    fn nothing_is_kept_for_ever() {
        let mut queue = queue(&[("a", "a1")]);
        assert!(queue.receive(RULES.retention_ms, 1).is_empty());
        assert_eq!(queue.bodies().count(), 0);
    }
}
