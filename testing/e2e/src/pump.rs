//! Plays Lambda's event source mapping over a queue no mapping reads, by its real rules.

use crate::local_aws::LocalAws;
use crate::runtime_api::{Function, Invocation};
use crate::scratch::Queue;
use anyhow::{Context, Result};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// One poller: receives a batch, invokes the function, deletes what the function answered for.
///
/// A process that has ended is replaced before the next batch, as Lambda does; a batch that failed as a whole is left
/// to its visibility timeout. Several pumps on one queue are several pollers.
#[derive(Clone)]
pub struct Pump {
    aws: LocalAws,
    queue: Queue,
    function: Function,
    batch_size: i32,
    function_timeout: Duration,
    wait: Duration,
}

/// One batch: what the function said, and what became of each message.
#[derive(Clone, Debug)]
pub struct Batch {
    /// How the invocation ended.
    pub invocation: Invocation,
    /// The messages in the order they were received.
    pub messages: Vec<Pumped>,
}

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pumped {
    /// Its id.
    pub message_id: String,
    /// Its body.
    pub body: String,
    /// Its group, on a FIFO queue.
    pub group: Option<String>,
    /// How often it had been received, this time included.
    pub receive_count: u32,
    /// Whether it was deleted; otherwise it comes back.
    pub deleted: bool,
}

impl Pump {
    /// A poller of `queue` for `function`: batches of 10, a function timeout of 30 s.
    pub fn new(aws: &LocalAws, queue: &Queue, function: &Function) -> Self {
        Self {
            aws: aws.clone(),
            queue: queue.clone(),
            function: function.clone(),
            batch_size: 10,
            function_timeout: Duration::from_secs(30),
            wait: Duration::from_secs(1),
        }
    }

    /// At most this many messages a batch, 10 at most.
    #[must_use]
    pub fn batch_size(mut self, messages: i32) -> Self {
        self.batch_size = messages;
        self
    }

    /// How long a receive waits for a message, in whole seconds.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long the function may take before it is killed.
    #[must_use]
    pub fn function_timeout(mut self, timeout: Duration) -> Self {
        self.function_timeout = timeout;
        self
    }

    /// Receives once. `None` when nothing is visible.
    pub async fn pump(&self) -> Result<Option<Batch>> {
        let received = self.receive().await?;
        if received.is_empty() {
            return Ok(None);
        }
        if !self.function.is_running() {
            self.function.restart().await?;
        }
        let event = event(&received, &self.queue.arn, &self.aws.outputs.region);
        let invocation = self.function.invoke(event, self.function_timeout).await;
        let ids: Vec<&str> = received.iter().map(|message| message.message_id().unwrap_or_default()).collect();
        let delete = finished(&invocation, &ids);
        let mut messages = Vec::new();
        for message in &received {
            let deleted = delete.contains(message.message_id().unwrap_or_default());
            if deleted {
                let receipt = message.receipt_handle().unwrap_or_default();
                self.aws.sqs.delete_message().queue_url(&self.queue.url).receipt_handle(receipt).send().await?;
            }
            messages.push(pumped(message, deleted));
        }
        Ok(Some(Batch { invocation, messages }))
    }

    /// Pumps until the queue holds nothing, in flight or delayed either. `Err` when `limit` passes first.
    pub async fn drain(&self, limit: Duration) -> Result<Vec<Batch>> {
        let began = Instant::now();
        let mut batches = Vec::new();
        loop {
            match self.pump().await? {
                Some(batch) => batches.push(batch),
                None if self.aws.depth(&self.queue.url).await?.is_empty() => return Ok(batches),
                None => {}
            }
            let last = batches.last().map(|batch| &batch.invocation);
            anyhow::ensure!(began.elapsed() < limit, "the queue is not empty after {limit:?}; last answer: {last:?}");
        }
    }

    async fn receive(&self) -> Result<Vec<Message>> {
        let received = self
            .aws
            .sqs
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(self.batch_size)
            .wait_time_seconds(i32::try_from(self.wait.as_secs()).unwrap_or(1))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .context("receiving from the queue")?;
        Ok(last_group_first(received.messages.unwrap_or_default()))
    }
}

/// The messages with the groups in reverse, the order within each group kept.
///
/// SQS promises an order within a group and none between groups. The local AWS hands groups out as they arrived; a test
/// that relies on that fails here.
fn last_group_first(messages: Vec<Message>) -> Vec<Message> {
    let group = |message: &Message| {
        message.attributes().and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId)).cloned()
    };
    let mut groups: Vec<(Option<String>, Vec<Message>)> = Vec::new();
    for message in messages {
        let of = group(&message);
        match groups.iter_mut().find(|(known, _)| of.is_some() && *known == of) {
            Some((_, group)) => group.push(message),
            None => groups.push((of, vec![message])),
        }
    }
    groups.into_iter().rev().flat_map(|(_, group)| group).collect()
}

/// Which messages of a batch the mapping deletes.
///
/// No list, a null list, an empty list or a null answer is full success, a list that was lost in serialisation too:
/// the mapping cannot know. An error, an unknown, empty or absent identifier, or a list that is none, is full failure.
fn finished<'a>(invocation: &Invocation, ids: &[&'a str]) -> HashSet<&'a str> {
    let Invocation::Response(answer) = invocation else { return HashSet::new() };
    let failures = match answer {
        Value::Null => &Value::Null,
        Value::Object(answer) => answer.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return HashSet::new(),
    };
    let mut finished: HashSet<&str> = ids.iter().copied().collect();
    match failures {
        Value::Null => finished,
        Value::Array(failures) => {
            for failure in failures {
                let known = failure.get("itemIdentifier").and_then(Value::as_str).filter(|id| ids.contains(id));
                let Some(id) = known else { return HashSet::new() };
                finished.remove(id);
            }
            finished
        }
        _ => HashSet::new(),
    }
}

/// The batch as Lambda hands it over.
fn event(messages: &[Message], queue_arn: &str, region: &str) -> Value {
    let records: Vec<Value> = messages.iter().map(|message| record(message, queue_arn, region)).collect();
    json!({"Records": records})
}

fn record(message: &Message, queue_arn: &str, region: &str) -> Value {
    let system: Map<String, Value> = message
        .attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str().to_owned(), json!(value)))
        .collect();
    let own: Map<String, Value> = message
        .message_attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = json!({
                "dataType": value.data_type(),
                "stringValue": value.string_value(),
                "stringListValues": [],
                "binaryListValues": [],
            });
            (name.clone(), value)
        })
        .collect();
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": system,
        "messageAttributes": own,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    })
}

fn pumped(message: &Message, deleted: bool) -> Pumped {
    let attribute = |name| message.attributes().and_then(|all| all.get(&name)).cloned();
    let receives = attribute(MessageSystemAttributeName::ApproximateReceiveCount);
    Pumped {
        message_id: message.message_id().unwrap_or_default().to_owned(),
        body: message.body().unwrap_or_default().to_owned(),
        group: attribute(MessageSystemAttributeName::MessageGroupId),
        receive_count: receives.and_then(|count| count.parse().ok()).unwrap_or(0),
        deleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, invocation: &Invocation, deleted: &[&str]) {
        assert_eq!(finished(invocation, &["a", "b", "c"]), deleted.iter().copied().collect(), "{name}");
    }

    #[test]
    fn deletes_what_the_mapping_would_delete() {
        let all = ["a", "b", "c"];
        let answer = Invocation::Response;
        let failed = |ids: Value| answer(json!({"batchItemFailures": ids}));
        check("one failure", &failed(json!([{"itemIdentifier": "b"}])), &["a", "c"]);
        check(
            "the same failure twice",
            &failed(json!([{"itemIdentifier": "b"}, {"itemIdentifier": "b"}])),
            &["a", "c"],
        );
        check("all failed", &failed(json!(all.map(|id| json!({"itemIdentifier": id})))), &[]);
        check("empty list", &failed(json!([])), &all);
        check("null list", &failed(Value::Null), &all);
        check("null answer", &answer(Value::Null), &all);
        check("empty answer", &answer(json!({})), &all);
        check("list under another name", &answer(json!({"failures": [{"itemIdentifier": "b"}]})), &all);
        check("unknown id", &failed(json!([{"itemIdentifier": "b"}, {"itemIdentifier": "x"}])), &[]);
        check("empty id", &failed(json!([{"itemIdentifier": ""}])), &[]);
        check("null id", &failed(json!([{"itemIdentifier": null}])), &[]);
        check("wrong key of the id", &failed(json!([{"item_identifier": "b"}])), &[]);
        check("list that is none", &failed(json!("b")), &[]);
        check("answer that is no object", &answer(json!("ok")), &[]);
        check("function error", &Invocation::FunctionError(json!({})), &[]);
        check("timeout", &Invocation::TimedOut, &[]);
    }

    #[test]
    fn turns_the_order_of_groups_and_keeps_the_order_within_each() {
        let message = |id: &str, group: &str| {
            Message::builder().message_id(id).attributes(MessageSystemAttributeName::MessageGroupId, group).build()
        };
        let received = vec![message("1", "a"), message("2", "b"), message("3", "a"), message("4", "c")];
        let handed: Vec<_> =
            last_group_first(received).iter().filter_map(|one| one.message_id().map(str::to_owned)).collect();
        assert_eq!(handed, ["4", "2", "1", "3"]);
    }

    #[test]
    fn hands_over_what_lambda_hands_over() {
        let message = Message::builder()
            .message_id("m-1")
            .receipt_handle("r-1")
            .body("hello")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .attributes(MessageSystemAttributeName::MessageGroupId, "g")
            .build();
        let event = event(std::slice::from_ref(&message), "arn:aws:sqs:us-east-1:0:q.fifo", "us-east-1");
        let expected = json!({"Records": [{
            "messageId": "m-1",
            "receiptHandle": "r-1",
            "body": "hello",
            "attributes": {"ApproximateReceiveCount": "2", "MessageGroupId": "g"},
            "messageAttributes": {},
            "md5OfBody": null,
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:0:q.fifo",
            "awsRegion": "us-east-1",
        }]});
        assert_eq!(event, expected);
        assert_eq!(pumped(&message, true).receive_count, 2);
    }
}
