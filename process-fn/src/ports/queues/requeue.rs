//! Putting deliveries back into the events queue.

use aws_sdk_sqs::{Client, error::SdkError};
use platform::aws::{is_about_the_message, log_failure};
use std::future::Future;

/// A message that was in the queue's way before, or never got in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Returned<'a> {
    /// The message's text.
    pub text: &'a str,
    /// The message group.
    pub group: &'a str,
    /// The queue folds what has the same id within five minutes. Here that is a help: a delivery whose first hand-over
    /// succeeded unnoticed is in the queue already.
    pub dedup_id: &'a str,
}

/// The events queue, from its other end.
pub trait Requeue {
    /// Hands a message over. `Ok` means that the queue has it.
    fn put_back(&self, message: Returned<'_>) -> impl Future<Output = Result<(), RequeueError>> + Send;
}

/// The queue did not confirm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequeueError {
    /// It did not answer in time, or said that it cannot now.
    #[error("the queue is unavailable")]
    Unavailable,
    /// It answered that it will never take this message.
    #[error("the queue refused the message")]
    Refused,
}

/// The events queue on SQS.
#[derive(Clone, Debug)]
pub struct SqsRequeue {
    client: Client,
    queue_url: String,
}

impl SqsRequeue {
    /// Connects to a queue.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, queue_url: String) -> Self {
        Self { client: Client::new(connection), queue_url }
    }
}

impl Requeue for SqsRequeue {
    async fn put_back(&self, message: Returned<'_>) -> Result<(), RequeueError> {
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
            Ok(_) => return Err(RequeueError::Unavailable),
            Err(error) => error,
        };
        log_failure("SendMessage", &error);
        Err(match &error {
            SdkError::ServiceError(answer)
                if is_about_the_message(answer.raw().status().as_u16(), answer.err().meta().code()) =>
            {
                RequeueError::Refused
            }
            _ => RequeueError::Unavailable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::operation::send_message::SendMessageOutput;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

    async fn put_back(rule: &Rule) -> Result<(), RequeueError> {
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]);
        let queue = SqsRequeue { client, queue_url: "queue".to_owned() };
        queue.put_back(Returned { text: "text", group: "group", dedup_id: "accepted-1" }).await
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
        assert_eq!(put_back(&rule).await, Ok(()));
    }

    #[tokio::test]
    async fn only_a_message_id_confirms_and_only_a_word_about_the_message_is_final() {
        let nameless = mock!(Client::send_message).then_output(|| SendMessageOutput::builder().build());
        assert_eq!(put_back(&nameless).await, Err(RequeueError::Unavailable));
        for (status, code, expected) in [
            (400, "InvalidMessageContents", RequeueError::Refused),
            (400, "QueueDoesNotExist", RequeueError::Unavailable),
            (403, "AccessDenied", RequeueError::Unavailable),
            (500, "InternalFailure", RequeueError::Unavailable),
        ] {
            let rule = mock!(Client::send_message).then_http_response(move || {
                let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#);
                HttpResponse::new(status.try_into().unwrap(), aws_smithy_types::body::SdkBody::from(body))
            });
            assert_eq!(put_back(&rule).await, Err(expected), "{code}");
        }
    }
}
