//! The queue of commands, from the end where commands go in.

use aws_sdk_sqs::Client;
use platform::aws::log_failure;
use shared::{Command, SessionId, session::Job};
use std::{future::Future, time::Duration};

pub trait CommandQueue {
    /// Sends a command, to be received after `delay`, which is at most 15 minutes. `Ok` means that it will be carried out, once or
    /// more often.
    fn send(&self, command: &Command, delay: Duration) -> impl Future<Output = Result<(), NotSent>> + Send;
}

/// The queue did not confirm the command. If the command is about a job, the sweep sends it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the commands queue did not confirm the command")]
pub struct NotSent;

/// Sends the jobs of a session. Failures are ignored: the session stores its jobs, and the sweep sends a lost command again.
pub(crate) async fn send_jobs(commands: &impl CommandQueue, session: &SessionId, jobs: Vec<Job>) {
    for job in jobs {
        let _ = commands.send(&Command::Job { session: session.clone(), job }, Duration::ZERO).await;
    }
}

/// The commands queue on SQS.
#[derive(Clone, Debug)]
pub struct SqsCommands {
    client: Client,
    queue_url: String,
}

impl SqsCommands {
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, queue_url: String) -> Self {
        Self { client: Client::new(connection), queue_url }
    }
}

impl CommandQueue for SqsCommands {
    async fn send(&self, command: &Command, delay: Duration) -> Result<(), NotSent> {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        let message = self.client.send_message().queue_url(&self.queue_url).message_body(command.encode());
        match message.delay_seconds(seconds).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                log_failure("SendMessage", &error);
                Err(NotSent)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    #[tokio::test]
    async fn a_command_is_sent_in_its_words() {
        let rule = mock!(Client::send_message)
            .match_requests(|request| {
                request.queue_url() == Some("queue")
                    && request.message_body() == Some(r#"{"v":1,"command":"sweep"}"#)
                    && request.delay_seconds() == Some(900)
            })
            .then_output(|| SendMessageOutput::builder().message_id("m").build());
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&rule]);
        assert_eq!(
            SqsCommands { client, queue_url: "queue".to_owned() }
                .send(&Command::Sweep { spool_every_minutes: None }, Duration::from_secs(900))
                .await,
            Ok(())
        );
        let rule = mock!(Client::send_message).then_error(|| {
            SendMessageError::generic(aws_sdk_sqs::error::ErrorMetadata::builder().code("QueueDoesNotExist").build())
        });
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&rule]);
        assert_eq!(
            SqsCommands { client, queue_url: "queue".to_owned() }
                .send(&Command::Sweep { spool_every_minutes: None }, Duration::from_secs(900))
                .await,
            Err(NotSent)
        );
    }
}
