//! Slow and timed work, from the `commands` queue: one command for each invocation, so that none holds up a webhook.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};

/// Carries out commands. None is defined yet, so every message is foreign: it is reported as failed, and its queue moves it to
/// its dead-letter queue, where it can be looked at.
pub(crate) fn run(event: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        let message_id = message.message_id.unwrap_or_default();
        tracing::error!(
            message_id,
            "this version knows no such command; its queue will move it to the dead-letter queue"
        );
        response.add_failure(message_id);
    }
    response
}
