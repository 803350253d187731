//! The first store: the events queue.

use aws_sdk_sqs::{
    Client,
    config::{Builder, StalledStreamProtectionConfig},
    error::SdkError,
};
use platform::aws::{CallBudget, is_about_the_message, log_failure};
use shared::ids::AcceptId;
use std::{future::Future, time::Duration};

/// A message ready for the queue.
#[derive(Clone, Copy, Debug)]
pub struct Queued<'a> {
    /// The message's text.
    pub text: &'a str,
    /// The message group: one for each bot's verified deliveries, and one for its unverified ones.
    pub group: &'a str,
    /// The deduplication id: unique for each accepted request, and the same on every attempt to send it. Within five minutes SQS
    /// drops a message with an id that it has seen, silently, even if processing failed. So nothing that a sender writes may
    /// decide it; the session recognises duplicates.
    pub accept_id: &'a AcceptId,
}

/// Where accepted deliveries become durable.
pub trait EventsQueue {
    /// Sends a message. `Ok` means that the queue has confirmed it, so the sender may be told so.
    fn send(&self, message: Queued<'_>) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Why the queue did not confirm a message. The queue may have it all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue did not answer in time, or cannot take messages now.
    #[error("the queue is unavailable")]
    Unavailable,
    /// The queue will never take this message.
    #[error("the queue refused the message")]
    Refused,
}

impl QueueError {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "queue_unavailable",
            Self::Refused => "queue_refused",
        }
    }
}

/// The events queue on SQS.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    queue_url: String,
}

impl SqsQueue {
    /// The queue's share of the time that [`Stores::persist`](crate::Stores::persist) has.
    pub const BUDGET: CallBudget =
        CallBudget { total: Duration::from_millis(2400), attempt: Duration::from_millis(1100), attempts: 3 };

    /// How long the first call may hold up the start.
    const WARM_UP: Duration = Duration::from_secs(1);

    /// Connects to a queue.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, queue_url: String) -> Self {
        // Watching over the speed of an answer of 100 bytes is of no use beside a limit on the time of the call.
        let config = Builder::from(connection).stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Self { client: Client::from_conf(config.build()), queue_url }
    }

    #[cfg(test)]
    fn with_client(client: Client) -> Self {
        Self { client, queue_url: "https://sqs.test/queue.fifo".to_owned() }
    }

    /// Makes the first call of the process, so that name resolution, TCP, TLS and signing are warm before the first
    /// delivery. The result is ignored: startup must not depend on it.
    pub async fn warm_up(&self) {
        let call = self.client.get_queue_attributes().queue_url(&self.queue_url).send();
        let _ = tokio::time::timeout(Self::WARM_UP, call).await;
    }
}

impl EventsQueue for SqsQueue {
    async fn send(&self, message: Queued<'_>) -> Result<(), QueueError> {
        let sent = self
            .client
            .send_message()
            .queue_url(&self.queue_url)
            .message_group_id(message.group)
            .message_deduplication_id(message.accept_id.as_str())
            .message_body(message.text)
            .send()
            .await;
        let error = match sent {
            Ok(answer) if answer.message_id().is_some() => return Ok(()),
            // SQS gives every message an id, so this answer came from something else.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::{operation::send_message::SendMessageOutput, types::error::InvalidMessageContents};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    async fn send(rule: &Rule) -> Result<(), QueueError> {
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]);
        let accept_id = AcceptId::new("accepted-1");
        let message = Queued { text: "text", group: "group", accept_id: &accept_id };
        SqsQueue::with_client(client).send(message).await
    }

    #[tokio::test]
    async fn the_request_carries_group_and_dedup_id() {
        let rule = mock!(Client::send_message)
            .match_requests(|request| {
                request.message_group_id() == Some("group")
                    && request.message_deduplication_id() == Some("accepted-1")
                    && request.message_body() == Some("text")
                    && request.delay_seconds().is_none()
            })
            .then_output(|| SendMessageOutput::builder().message_id("m").build());
        assert_eq!(send(&rule).await, Ok(()));
        assert_eq!(rule.num_calls(), 1);
    }

    #[tokio::test]
    async fn an_answer_without_a_message_id_confirms_nothing() {
        let rule = mock!(Client::send_message).then_output(|| SendMessageOutput::builder().build());
        assert_eq!(send(&rule).await, Err(QueueError::Unavailable));
    }

    #[tokio::test]
    async fn what_sqs_says_about_the_message_is_final() {
        let rule = mock!(Client::send_message).then_http_response(|| answer(400, "InvalidMessageContents"));
        assert_eq!(send(&rule).await, Err(QueueError::Refused));
        let _ = InvalidMessageContents::builder();
    }

    #[tokio::test]
    async fn everything_else_is_for_later() {
        for (status, code) in [(500, "InternalFailure"), (403, "AccessDenied"), (400, "QueueDoesNotExist"), (400, "")] {
            let rule = mock!(Client::send_message).then_http_response(move || answer(status, code));
            assert_eq!(send(&rule).await, Err(QueueError::Unavailable), "{status} {code}");
        }
    }

    fn answer(status: u16, code: &str) -> aws_smithy_runtime_api::client::orchestrator::HttpResponse {
        let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#);
        aws_smithy_runtime_api::client::orchestrator::HttpResponse::new(
            status.try_into().unwrap(),
            aws_smithy_types::body::SdkBody::from(body),
        )
    }
}
