//! The events queue, as far as `process-fn` uses it: deliveries that come back, and when.

use crate::ports::queues::record::Record;
use aws_sdk_sqs::{Client, error::SdkError, types::ChangeMessageVisibilityBatchRequestEntry};
use platform::aws::{causes, is_about_the_message, log_failure};
use std::{future::Future, time::Duration};

/// The queue of deliveries.
pub trait EventsQueue {
    /// Sends a message. `Ok` means that the queue has it.
    fn send(&self, message: Message<'_>) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Asks the queue not to deliver these records again before `delay` has passed. If that fails, the queue's own visibility timeout
    /// applies, so the records come later.
    fn change_visibility(&self, records: &[Record], delay: Duration) -> impl Future<Output = ()> + Send;
}

/// A message for the events queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    pub text: &'a str,
    /// The message group.
    pub group: &'a str,
    /// Within five minutes the queue takes one message of this id and drops the others. That helps: if the first attempt to send a
    /// delivery succeeded without an answer, the delivery is in the queue already.
    pub dedup_id: &'a str,
}

/// Why the queue did not confirm a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue is unavailable")]
    Unavailable,
    /// The queue answered that it will never take this message.
    #[error("the queue refused the message")]
    Refused,
}

/// The events queue on SQS.
#[derive(Clone, Debug)]
pub struct SqsEvents {
    client: Client,
    queue_url: String,
}

impl SqsEvents {
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, queue_url: String) -> Self {
        Self { client: Client::new(connection), queue_url }
    }
}

impl EventsQueue for SqsEvents {
    async fn send(&self, message: Message<'_>) -> Result<(), QueueError> {
        let sent = self
            .client
            .send_message()
            .queue_url(&self.queue_url)
            .message_group_id(message.group)
            .message_deduplication_id(message.dedup_id)
            .message_body(message.text)
            .send()
            .await;
        let error = match sent {
            Ok(answer) if answer.message_id().is_some() => return Ok(()),
            Ok(_) => return Err(QueueError::Unavailable),
            Err(error) => error,
        };
        log_failure("SendMessage", &error);
        Err(match &error {
            SdkError::ServiceError(answer)
                if is_about_the_message(answer.raw().status().as_u16(), answer.err().meta().code()) =>
            {
                QueueError::Refused
            }
            _ => QueueError::Unavailable,
        })
    }

    async fn change_visibility(&self, records: &[Record], delay: Duration) {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        // SQS takes 10 entries at a time, and a FIFO batch has no more.
        for (batch, records) in records.chunks(10).enumerate() {
            let entries = records.iter().enumerate().filter_map(|(at, record)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(format!("{batch}-{at}"))
                    .receipt_handle(&record.receipt_handle)
                    .visibility_timeout(seconds)
                    .build()
                    .ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.queue_url);
            let refusal = match request.set_entries(Some(entries.collect())).send().await {
                Ok(answer) if answer.failed().is_empty() => continue,
                Ok(answer) => format!("{} records were refused", answer.failed().len()),
                Err(error) => causes(&error),
            };
            tracing::warn!(error = refusal, "the visibility timeout was not changed, so the queue's own applies");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::operation::{
        change_message_visibility_batch::ChangeMessageVisibilityBatchOutput, send_message::SendMessageOutput,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

    fn queue(rule: &Rule) -> SqsEvents {
        SqsEvents { client: mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]), queue_url: "queue".to_owned() }
    }

    async fn send(rule: &Rule) -> Result<(), QueueError> {
        queue(rule).send(Message { text: "text", group: "group", dedup_id: "accepted-1" }).await
    }

    #[tokio::test]
    async fn the_request_carries_group_and_dedup_id() {
        let rule = mock!(Client::send_message)
            .match_requests(|request| {
                request.queue_url() == Some("queue")
                    && request.message_group_id() == Some("group")
                    && request.message_deduplication_id() == Some("accepted-1")
                    && request.message_body() == Some("text")
            })
            .then_output(|| SendMessageOutput::builder().message_id("m").build());
        assert_eq!(send(&rule).await, Ok(()));
    }

    #[tokio::test]
    async fn only_a_message_id_confirms_and_only_a_word_about_the_message_is_final() {
        let nameless = mock!(Client::send_message).then_output(|| SendMessageOutput::builder().build());
        assert_eq!(send(&nameless).await, Err(QueueError::Unavailable));
        for (status, code, expected) in [
            (400, "InvalidMessageContents", QueueError::Refused),
            (400, "QueueDoesNotExist", QueueError::Unavailable),
            (403, "AccessDenied", QueueError::Unavailable),
            (500, "InternalFailure", QueueError::Unavailable),
        ] {
            let rule = mock!(Client::send_message).then_http_response(move || {
                let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#);
                HttpResponse::new(status.try_into().unwrap(), aws_smithy_types::body::SdkBody::from(body))
            });
            assert_eq!(send(&rule).await, Err(expected), "{code}");
        }
    }

    #[tokio::test]
    async fn all_records_get_the_same_wait() {
        let rule = mock!(Client::change_message_visibility_batch)
            .match_requests(|request| {
                let entries = request.entries().iter().map(|e| (e.receipt_handle(), e.visibility_timeout().unwrap()));
                request.queue_url() == Some("queue") && entries.eq([("r1", 8), ("r2", 8)])
            })
            .then_output(|| {
                let output = ChangeMessageVisibilityBatchOutput::builder().set_successful(Some(vec![]));
                output.set_failed(Some(vec![])).build().unwrap()
            });
        let record = |receipt: &str| Record { receipt_handle: receipt.to_owned(), ..Record::default() };
        queue(&rule).change_visibility(&[record("r1"), record("r2")], Duration::from_secs(8)).await;
        assert_eq!(rule.num_calls(), 1);
    }
}
