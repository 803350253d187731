//! What the adapters stand on: the contracts of table, bucket and queue, over the real adapters.
//!
//! They run over the local AWS, over moto, and the table's over dynalite (`scripts/others.py`), because one emulator's mistakes would
//! else be ours. What each asks for is documented by AWS; the pages are named where it is not plain.

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use aws_types::SdkConfig;
use e2e::{
    local_aws::LocalAws,
    scratch::{QueueRules, Scratch},
};
use process_fn::{
    DynamoStore, EventsQueue, Message as Outgoing, QueueError, Record, S3Bucket, SqsEvents, bucket_contract,
    contract::{queries_contract, store_contract},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn connection(aws: &LocalAws) -> Result<SdkConfig> {
    Ok(platform::aws::connection(&aws.environment(), process_fn::AWS_CALL_BUDGET)?)
}

fn now() -> Result<i64> {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()).context("a clock in the far future")
}

#[tokio::test]
async fn the_table_keeps_the_contract() -> Result<()> {
    let aws = LocalAws::from_env()?;
    let table = Scratch::table(&aws).await?;
    let store = DynamoStore::new(&connection(&aws)?, table.clone(), Duration::from_secs(90 * 86_400));
    let tells_what_is_in_the_way = !aws.outputs.lacks("item in the way");
    store_contract(&store, "contract", now()?, tells_what_is_in_the_way).await;
    queries_contract(&store, "contract", now()?).await;
    aws.dynamodb.delete_table().table_name(table).send().await?;
    Ok(())
}

#[tokio::test]
async fn the_bucket_keeps_the_contract() -> Result<()> {
    let scratch = Scratch::create(&LocalAws::from_env()?).await?;
    let bucket = S3Bucket::new(&connection(&scratch.aws)?, scratch.bucket.clone());
    bucket_contract(&bucket, "parked/", now()?).await;
    scratch.remove().await
}

/// The events queue: from one end through the functions' adapters, from the other as the mapping receives.
struct Events {
    scratch: Scratch,
    queue: SqsEvents,
}

impl Events {
    /// No test waits for the visibility timeout: nothing comes back by itself.
    async fn create() -> Result<Self> {
        let rules = QueueRules { visibility: Duration::from_secs(600), max_receives: 20 };
        let scratch = Scratch::with_rules(&LocalAws::from_env()?, rules).await?;
        let (connection, url) = (connection(&scratch.aws)?, scratch.queue.url.clone());
        Ok(Self { queue: SqsEvents::new(&connection, url), scratch })
    }

    async fn send(&self, group: &str, text: &str) -> Result<(), QueueError> {
        self.queue.send(Outgoing { text, group, dedup_id: text }).await
    }

    async fn receive(&self, most: i32) -> Result<Vec<Record>> {
        let request = self.scratch.aws.sqs.receive_message().queue_url(&self.scratch.queue.url);
        let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
        let messages = request.max_number_of_messages(most).send().await?.messages.unwrap_or_default();
        messages.into_iter().map(record).collect()
    }

    async fn delete(&self, record: &Record) -> Result<()> {
        let request = self.scratch.aws.sqs.delete_message().queue_url(&self.scratch.queue.url);
        request.receipt_handle(&record.receipt_handle).send().await?;
        Ok(())
    }
}

fn record(message: Message) -> Result<Record> {
    let attributes = message.attributes.unwrap_or_default();
    let attribute = |name: &MessageSystemAttributeName| attributes.get(name).with_context(|| format!("no {name}"));
    let sent: i64 = attribute(&MessageSystemAttributeName::SentTimestamp)?.parse()?;
    ensure!(sent / 1000 <= now()? + 3600 && sent > 1_700_000_000_000, "sent at {sent}, in milliseconds");
    Ok(Record {
        message_id: message.message_id.context("no id")?,
        receipt_handle: message.receipt_handle.context("no receipt")?,
        body: message.body.context("no body")?,
        group: attribute(&MessageSystemAttributeName::MessageGroupId)?.clone(),
        receive_count: attribute(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse()?,
        sent_at: Some(sent),
    })
}

fn bodies(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.body.as_str()).collect()
}

/// "Amazon SQS delivery logic for FIFO queues": while a message of a group is in flight, no other of it is delivered; one that
/// becomes visible again is delivered before those behind it.
#[tokio::test]
async fn a_group_waits_for_what_is_in_flight_and_keeps_its_order() -> Result<()> {
    let events = Events::create().await?;
    for text in ["a1", "a2", "a3"] {
        events.send("a", text).await?;
    }
    events.send("b", "b1").await?;
    let first = events.receive(1).await?;
    ensure!(bodies(&first) == ["a1"] && first[0].receive_count == 1 && first[0].group == "a", "{first:?}");
    let second = events.receive(10).await?;
    ensure!(bodies(&second) == ["b1"], "only the other group: {second:?}");

    events.queue.change_visibility(&first, Duration::from_secs(300)).await;
    ensure!(events.receive(10).await?.is_empty(), "a postponed message holds its group");
    events.queue.change_visibility(&first, Duration::ZERO).await;
    let again = events.receive(10).await?;
    ensure!(bodies(&again) == ["a1", "a2", "a3"], "in the order in which they were sent: {again:?}");
    ensure!(again.iter().map(|record| record.receive_count).collect::<Vec<_>>() == [2, 1, 1], "{again:?}");
    ensure!(again[0].message_id == first[0].message_id && again[0].receipt_handle != first[0].receipt_handle);

    // As the mapping does with a partial answer: the first is deleted, the others come again.
    events.delete(&again[0]).await?;
    events.queue.change_visibility(&again[1..], Duration::ZERO).await;
    ensure!(bodies(&events.receive(10).await?) == ["a2", "a3"]);
    events.scratch.remove().await
}

/// "Using the message deduplication ID": for five minutes an id that the queue has seen is accepted and not delivered again, even
/// after its message was deleted. With the scope `messageGroup` this is so within a group.
#[tokio::test]
async fn a_dedup_id_counts_for_its_group_also_when_its_message_is_gone() -> Result<()> {
    let events = Events::create().await?;
    for group in ["a", "a", "b"] {
        events.send(group, "accepted-1").await?;
    }
    let received = events.receive(10).await?;
    let mut groups: Vec<_> = received.iter().map(|record| record.group.as_str()).collect();
    groups.sort_unstable();
    let expected: &[&str] = if events.scratch.aws.outputs.lacks("dedup by group") { &["a"] } else { &["a", "b"] };
    ensure!(groups == expected, "one of each group: {received:?}");
    for record in &received {
        events.delete(record).await?;
    }
    if !events.scratch.aws.outputs.lacks("dedup of what is gone") {
        events.send("a", "accepted-1").await?;
        ensure!(events.receive(10).await?.is_empty(), "its message is gone, and the id is known");
    }
    events.scratch.remove().await
}

/// "`SendMessage`": a message may have #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF, and nothing else.
#[tokio::test]
async fn the_queue_takes_the_characters_that_it_documents_and_refuses_the_others() -> Result<()> {
    let events = Events::create().await?;
    let allowed = "\t\n\r ~\u{7f}\u{85}\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}🤖\"<&>";
    events.send("a", "0").await?;
    let sent = events.queue.send(Outgoing { text: allowed, group: "a", dedup_id: "allowed" }).await;
    ensure!(sent == Ok(()), "{sent:?}");
    let forbidden = ["\0", "\u{1}", "\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}"];
    for forbidden in forbidden.into_iter().filter(|_| !events.scratch.aws.outputs.lacks("forbidden characters")) {
        let text = format!("{{\"text\":\"{forbidden}\"}}");
        let sent = events.queue.send(Outgoing { text: &text, group: "a", dedup_id: "forbidden" }).await;
        ensure!(sent == Err(QueueError::Refused), "{forbidden:?}: {sent:?}");
    }
    ensure!(bodies(&events.receive(10).await?) == ["0", allowed]);
    events.scratch.remove().await
}

/// "`SendMessage`": at most 1 MiB, which the queue is made for (`MaximumMessageSize`).
#[tokio::test]
async fn the_queue_takes_a_mebibyte_and_refuses_more() -> Result<()> {
    let events = Events::create().await?;
    let most = "x".repeat(1_048_576);
    let sent = events.queue.send(Outgoing { text: &most, group: "a", dedup_id: "most" }).await;
    ensure!(sent == Ok(()), "{sent:?}");
    let more = format!("{most}x");
    let sent = events.queue.send(Outgoing { text: &more, group: "b", dedup_id: "more" }).await;
    ensure!(sent == Err(QueueError::Refused), "{sent:?}");
    let received = events.receive(10).await?;
    ensure!(received.len() == 1 && received[0].body == most, "{} messages", received.len());
    events.scratch.remove().await
}

/// "Using dead-letter queues in Amazon SQS": after `maxReceiveCount` receives a message moves to the dead-letter queue, and what
/// was behind it in its group comes.
#[tokio::test]
async fn what_was_received_too_often_dies_and_lets_its_group_go_on() -> Result<()> {
    let rules = QueueRules { visibility: Duration::from_secs(600), max_receives: 2 };
    let scratch = Scratch::with_rules(&LocalAws::from_env()?, rules).await?;
    let connection = connection(&scratch.aws)?;
    let events = Events { queue: SqsEvents::new(&connection, scratch.queue.url.clone()), scratch };
    events.send("a", "a1").await?;
    events.send("a", "a2").await?;
    for count in [1, 2] {
        let first = events.receive(1).await?;
        ensure!(bodies(&first) == ["a1"] && first[0].receive_count == count, "{first:?}");
        events.queue.change_visibility(&first, Duration::ZERO).await;
    }
    // An implementation may need a receive to notice.
    let mut next = events.receive(1).await?;
    if next.is_empty() {
        next = events.receive(1).await?;
    }
    ensure!(bodies(&next) == ["a2"], "{next:?}");
    let dead = events.scratch.aws.take_messages(&events.scratch.dlq.url).await?;
    ensure!(dead.iter().map(|message| message.body()).collect::<Vec<_>>() == [Some("a1")], "{dead:?}");
    let group = dead[0].attributes().and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
    ensure!(group.is_some_and(|group| group == "a"), "the group stays");
    events.scratch.remove().await
}
