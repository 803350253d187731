use super::*;
use crate::stack::{Stack, tests::stack};
use aws_sdk_sqs::{
    Client,
    operation::{
        change_message_visibility_batch::ChangeMessageVisibilityBatchOutput,
        get_queue_attributes::GetQueueAttributesOutput, receive_message::ReceiveMessageOutput,
    },
    types::{Message, QueueAttributeName},
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use std::sync::{Arc, Mutex};

/// A pass over a queue that gives these batches of ids, and then nothing.
async fn pass(batches: &[&[&str]], visible: usize, hidden: usize) -> (Vec<String>, Vec<String>, Unseen) {
    let stack = stack();
    let (queue, released) = queue(&stack, batches, visible, hidden);
    let mut scan = Scan::begin(queue).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let letters = scan.next().await.unwrap();
        if letters.is_empty() {
            break;
        }
        for letter in letters {
            seen.push(letter.id.clone());
            scan.hold(letter);
        }
    }
    let unseen = scan.close().await.unwrap();
    let released = std::mem::take(&mut *released.lock().unwrap());
    (seen, released, unseen)
}

fn queue<'a>(
    stack: &'a Stack,
    batches: &[&[&str]],
    visible: usize,
    hidden: usize,
) -> (Queue<'a>, Arc<Mutex<Vec<String>>>) {
    let batches: Vec<Vec<String>> =
        batches.iter().map(|batch| batch.iter().map(|id| (*id).to_owned()).collect()).collect();
    let left = Mutex::new(batches.into_iter());
    let receive = mock!(Client::receive_message).then_compute_output(move |_| {
        let batch = left.lock().unwrap().next().unwrap_or_default();
        let messages = batch.iter().map(|id| Message::builder().message_id(id).receipt_handle(id).body("").build());
        ReceiveMessageOutput::builder().set_messages(Some(messages.collect())).build()
    });
    let released = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&released);
    let release = mock!(Client::change_message_visibility_batch).then_compute_output(move |request| {
        into.lock().unwrap().extend(request.entries().iter().map(|entry| entry.receipt_handle().to_owned()));
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
    (Queue::with(client, stack, "url", "the queue"), released)
}

#[tokio::test]
async fn everything_that_can_be_seen_is_seen_once_and_given_back() {
    let (seen, released, unseen) = pass(&[&["1", "2"], &["3"]], 3, 0).await;
    assert_eq!(
        (seen.as_slice(), released.as_slice()),
        (["1", "2", "3"].map(str::to_owned).as_slice(), seen.as_slice())
    );
    assert_eq!((unseen, unseen.remark()), (Unseen { behind: 0, elsewhere: 0 }, None));
}

#[tokio::test]
async fn a_pass_ends_where_something_comes_a_second_time() {
    let (seen, released, _) = pass(&[&["1", "2"], &["2", "3"], &["1"]], 3, 0).await;
    assert_eq!(seen, ["1", "2", "3"]);
    assert_eq!(released.len(), 4, "both receives of what came twice");
}

#[tokio::test]
async fn what_cannot_be_seen_is_counted() {
    let (_, _, unseen) = pass(&[&["1", "2"]], 7, 4).await;
    assert_eq!(unseen, Unseen { behind: 5, elsewhere: 4 });
    let remark = unseen.remark().unwrap();
    assert!(remark.contains("about 5 more") && remark.contains("about 4 are"), "{remark}");
}

#[tokio::test]
async fn who_stops_early_has_seen_enough() {
    let stack = stack();
    let (queue, released) = queue(&stack, &[&["1"], &["2"]], 2, 0);
    let mut scan = Scan::begin(queue).await.unwrap();
    let letters = scan.next().await.unwrap();
    letters.into_iter().for_each(|letter| scan.hold(letter));
    assert_eq!(scan.close().await.unwrap(), Unseen { behind: 0, elsewhere: 0 });
    assert_eq!(*released.lock().unwrap(), ["1"]);
}
