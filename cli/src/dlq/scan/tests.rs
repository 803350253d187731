use super::*;
use crate::stack::{Stack, tests::stack};
use aws_sdk_sqs::{
    Client,
    operation::{
        change_message_visibility_batch::ChangeMessageVisibilityBatchOutput,
        get_queue_attributes::GetQueueAttributesOutput, receive_message::ReceiveMessageOutput,
    },
    types::{Message, MessageSystemAttributeName, QueueAttributeName},
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use std::sync::{Arc, Mutex};

/// A queue that counts so many visible and hidden messages, gives what `receive` says, and tells `release` what is given back.
fn queue(
    stack: &Stack,
    (visible, hidden): (usize, usize),
    receive: impl Fn() -> Vec<Message> + Send + Sync + 'static,
    release: impl Fn(&str) + Send + Sync + 'static,
) -> Queue<'_> {
    let receive = mock!(Client::receive_message)
        .then_compute_output(move |_| ReceiveMessageOutput::builder().set_messages(Some(receive())).build());
    let release = mock!(Client::change_message_visibility_batch).then_compute_output(move |request| {
        request.entries().iter().for_each(|entry| release(entry.receipt_handle()));
        let output = ChangeMessageVisibilityBatchOutput::builder();
        output.set_successful(Some(vec![])).set_failed(Some(vec![])).build().unwrap()
    });
    let depth = mock!(Client::get_queue_attributes).then_output(move || {
        GetQueueAttributesOutput::builder()
            .attributes(QueueAttributeName::ApproximateNumberOfMessages, visible.to_string())
            .attributes(QueueAttributeName::ApproximateNumberOfMessagesNotVisible, hidden.to_string())
            .build()
    });
    let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&receive, &release, &depth]);
    Queue::with(client, stack, "url", "the queue")
}

/// A queue that gives these batches of ids and then nothing, and the receipts that are given back to it.
fn giving<'a>(stack: &'a Stack, batches: &[&[&str]], depth: (usize, usize)) -> (Queue<'a>, Arc<Mutex<Vec<String>>>) {
    let message = |id: &&str| Message::builder().message_id(*id).receipt_handle(*id).body("").build();
    let batches: Vec<Vec<Message>> = batches.iter().map(|batch| batch.iter().map(message).collect()).collect();
    let left = Mutex::new(batches.into_iter());
    let released = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&released);
    let receive = move || left.lock().unwrap().next().unwrap_or_default();
    (queue(stack, depth, receive, move |receipt| into.lock().unwrap().push(receipt.to_owned())), released)
}

/// The ids that a pass shows, and what it could not see.
async fn pass(queue: Queue<'_>) -> (Vec<String>, Unseen) {
    let mut scan = Scan::begin(queue).await.unwrap();
    let mut shown = Vec::new();
    loop {
        let letters = scan.next().await.unwrap();
        if letters.is_empty() {
            return (shown, scan.close().await.unwrap());
        }
        for letter in letters {
            shown.push(letter.id.clone());
            scan.hold(letter);
        }
    }
}

#[tokio::test]
async fn everything_that_can_be_seen_is_shown_once_and_given_back() {
    let stack = stack();
    let (queue, released) = giving(&stack, &[&["1", "2"], &["3"]], (3, 0));
    let (shown, unseen) = pass(queue).await;
    assert_eq!((shown.join(" "), released.lock().unwrap().join(" ")), ("1 2 3".to_owned(), "1 2 3".to_owned()));
    assert_eq!((unseen, unseen.remark()), (Unseen { behind: 0, elsewhere: 0 }, None));
}

#[tokio::test]
async fn a_pass_ends_where_something_comes_a_second_time() {
    let stack = stack();
    let (queue, released) = giving(&stack, &[&["1", "2"], &["2", "3"], &["1"]], (3, 0));
    assert_eq!(pass(queue).await.0, ["1", "2", "3"]);
    assert_eq!(released.lock().unwrap().len(), 4, "both receives of what came twice");
}

#[tokio::test]
async fn what_cannot_be_seen_is_counted() {
    let stack = stack();
    let (_, unseen) = pass(giving(&stack, &[&["1", "2"]], (7, 4)).0).await;
    assert_eq!(unseen, Unseen { behind: 5, elsewhere: 4 });
    let remark = unseen.remark().unwrap();
    assert!(remark.contains("about 5 more") && remark.contains("about 4 are"), "{remark}");
}

#[tokio::test]
async fn who_stops_early_has_seen_enough() {
    let stack = stack();
    let (queue, released) = giving(&stack, &[&["1"], &["2"]], (2, 0));
    let mut scan = Scan::begin(queue).await.unwrap();
    let letters = scan.next().await.unwrap();
    letters.into_iter().for_each(|letter| scan.hold(letter));
    assert_eq!(scan.close().await.unwrap(), Unseen { behind: 0, elsewhere: 0 });
    assert_eq!(*released.lock().unwrap(), ["1"]);
}

/// A FIFO queue gives ten messages a receive, of as many groups as that may be, and none of a group of which it gave one before.
#[tokio::test]
async fn of_each_group_the_first_ten_are_shown_however_a_receive_mixes_them() {
    // Each id begins with its group. Three groups come in turns, and of one group there are more than ten messages.
    let mut ids: Vec<_> = (0..8).flat_map(|n| ["b", "c", "d"].map(|group| format!("{group}{n}"))).collect();
    ids.extend((0..12).map(|n| format!("a{n}")));
    let messages: Vec<(String, bool)> = ids.iter().map(|id| (id.clone(), false)).collect();
    let held = Arc::new(Mutex::new(messages));
    let (from, into) = (Arc::clone(&held), Arc::clone(&held));
    let receive = move || {
        let mut messages = from.lock().unwrap();
        let group = |id: &str| id[..1].to_owned();
        let locked: Vec<_> = messages.iter().filter(|(_, held)| *held).map(|(id, _)| group(id)).collect();
        let free = messages.iter_mut().filter(|(id, _)| !locked.contains(&group(id))).take(10);
        let given = free.map(|(id, held)| {
            *held = true;
            let message = Message::builder().message_id(&*id).receipt_handle(&*id).body("");
            message.attributes(MessageSystemAttributeName::MessageGroupId, group(id)).build()
        });
        given.collect()
    };
    let release = move |receipt: &str| {
        into.lock().unwrap().iter_mut().filter(|(id, _)| id == receipt).for_each(|(_, held)| *held = false);
    };
    let stack = stack();
    let (mut shown, unseen) = pass(queue(&stack, (ids.len(), 0), receive, release)).await;
    assert_eq!(unseen, Unseen { behind: 2, elsewhere: 0 });
    shown.sort();
    ids.retain(|id| id != "a10" && id != "a11");
    ids.sort();
    assert_eq!(shown, ids);
    assert!(held.lock().unwrap().iter().all(|(_, held)| !held), "everything is given back");
}
