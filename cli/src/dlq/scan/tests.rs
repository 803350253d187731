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

/// A queue that gives ten messages a receive as they come, of as many groups as that may be, and of a locked group none.
#[derive(Default)]
struct Mixed {
    /// Ids, which begin with their group, and whether each is received.
    messages: Vec<(String, bool)>,
}

impl Mixed {
    fn receive(&mut self) -> Vec<String> {
        let group = |id: &str| id.chars().next();
        let locked: Vec<_> = self.messages.iter().filter(|(_, held)| *held).map(|(id, _)| group(id)).collect();
        let free = self.messages.iter_mut().filter(|(id, _)| !locked.contains(&group(id))).take(10);
        free.map(|(id, held)| {
            *held = true;
            id.clone()
        })
        .collect()
    }

    fn release(&mut self, receipt: &str) {
        self.messages.iter_mut().filter(|(id, _)| id == receipt).for_each(|(_, held)| *held = false);
    }
}

#[tokio::test]
async fn of_each_group_the_first_ten_are_seen_however_a_receive_mixes_them() {
    // One after the other of three groups, and one group of which there are more than ten.
    let mut ids: Vec<_> = (0..8).flat_map(|n| ["b", "c", "d"].map(|group| format!("{group}{n}"))).collect();
    ids.extend((0..12).map(|n| format!("a{n}")));
    let messages = ids.iter().map(|id| (id.clone(), false)).collect();
    let (mixed, visible) = (Arc::new(Mutex::new(Mixed { messages })), ids.len());
    let (from, into) = (Arc::clone(&mixed), Arc::clone(&mixed));
    let receive = mock!(Client::receive_message).then_compute_output(move |_| {
        let ids = from.lock().unwrap().receive();
        let messages = ids.iter().map(|id| {
            let builder = Message::builder().message_id(id).receipt_handle(id).body("");
            builder.attributes(MessageSystemAttributeName::MessageGroupId, id.get(..1).unwrap()).build()
        });
        ReceiveMessageOutput::builder().set_messages(Some(messages.collect())).build()
    });
    let release = mock!(Client::change_message_visibility_batch).then_compute_output(move |request| {
        request.entries().iter().for_each(|entry| into.lock().unwrap().release(entry.receipt_handle()));
        let output = ChangeMessageVisibilityBatchOutput::builder();
        output.set_successful(Some(vec![])).set_failed(Some(vec![])).build().unwrap()
    });
    let depth = mock!(Client::get_queue_attributes).then_output(move || {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        GetQueueAttributesOutput::builder().attributes(name, visible.to_string()).build()
    });
    let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&receive, &release, &depth]);
    let stack = stack();
    let mut scan = Scan::begin(Queue::with(client, &stack, "url", "the queue")).await.unwrap();
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
    assert_eq!(scan.close().await.unwrap(), Unseen { behind: 2, elsewhere: 0 });
    seen.sort();
    ids.retain(|id| id != "a10" && id != "a11");
    ids.sort();
    assert_eq!(seen, ids);
    assert!(mixed.lock().unwrap().messages.iter().all(|(_, held)| !held), "everything is given back");
}
