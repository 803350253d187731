//! A queue, as far as an operator needs it.

use crate::{failure::Failure, stack::Stack};
use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName},
};
use jiff::Timestamp;
use std::collections::HashMap;

/// As many as SQS gives or takes at a time.
pub const BATCH: usize = 10;

/// How long to wait for a message, in seconds. With no wait at all SQS asks only some of its servers, and may say that
/// there is nothing when there is.
const WAIT_SECONDS: i32 = 1;

/// How long received messages stay hidden from others unless they are released, in seconds.
pub const HIDDEN_SECONDS: i32 = 120;

#[derive(Clone, Debug)]
pub struct Queue<'a> {
    client: Client,
    url: &'a str,
    name: &'static str,
    stack: &'a Stack,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// Its id, which it keeps in this queue.
    pub id: String,
    /// Names this receive of it.
    pub receipt: String,
    pub body: String,
    /// Its group, in a FIFO queue.
    pub group: Option<String>,
    /// When it was sent, whichever queue it was sent to.
    pub sent_at: Option<Timestamp>,
}

/// How many messages there are, by SQS's own approximate count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Depth {
    /// To be received now or, of a group in hand, after it.
    pub visible: usize,
    /// Received, and neither deleted nor released.
    pub hidden: usize,
}

/// Why a message was not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The queue will never take it.
    Refused(String),
    /// It may take it another time. It may also have taken it, and the answer was lost.
    Unconfirmed(Failure),
}

impl<'a> Queue<'a> {
    /// The queue of deliveries on their way.
    pub fn events(stack: &'a Stack) -> Self {
        Self::new(stack, &stack.queue_url, "the events queue")
    }

    /// The queue of deliveries that crashed the function.
    pub fn events_dlq(stack: &'a Stack) -> Self {
        Self::new(stack, &stack.dlq_url, "the events dead-letter queue")
    }

    /// The queue of slow and timed work.
    pub fn commands(stack: &'a Stack) -> Self {
        Self::new(stack, &stack.commands_url, "the commands queue")
    }

    /// The queue of commands that failed on every try.
    pub fn commands_dlq(stack: &'a Stack) -> Self {
        Self::new(stack, &stack.commands_dlq_url, "the commands dead-letter queue")
    }

    fn new(stack: &'a Stack, url: &'a str, name: &'static str) -> Self {
        Self::with(Client::new(&stack.aws.config), stack, url, name)
    }

    pub(crate) fn with(client: Client, stack: &'a Stack, url: &'a str, name: &'static str) -> Self {
        Self { client, url, name, stack }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Sends a message, to a group if it is a FIFO queue. `Ok` means that the queue has it.
    ///
    /// It gets a dedup id of its own: SQS says yes to an id that it saw in the last five minutes and drops the message,
    /// whatever became of the first.
    pub async fn send(&self, text: &str, group: Option<&str>) -> Result<(), SendError> {
        let dedup_id = group.map(|_| format!("replay-{:032x}", fastrand::u128(..)));
        let request = self.client.send_message().queue_url(self.url).message_body(text);
        let request = request.set_message_group_id(group.map(str::to_owned)).set_message_deduplication_id(dedup_id);
        match request.send().await {
            Ok(answer) if answer.message_id().is_some() => Ok(()),
            Ok(_) => {
                let what = format!("sending to {}: no confirmation from {}", self.name, self.stack.aws.name);
                Err(SendError::Unconfirmed(Failure::new(what)))
            }
            Err(error) if is_about_the_message(error.code()) => {
                Err(SendError::Refused(error.message().unwrap_or("no message").to_owned()))
            }
            Err(error) => Err(SendError::Unconfirmed(self.failure("sending to", &error))),
        }
    }

    /// Some of the messages, hidden from others for [`HIDDEN_SECONDS`]. None if no more can be had.
    pub async fn receive(&self) -> Result<Vec<Letter>, Failure> {
        let request = self.client.receive_message().queue_url(self.url);
        let received = request
            .max_number_of_messages(i32::try_from(BATCH).unwrap_or(i32::MAX))
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(HIDDEN_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|error| self.failure("receiving from", &error))?;
        Ok(received.messages.unwrap_or_default().into_iter().map(Letter::from).collect())
    }

    pub async fn delete(&self, letter: &Letter) -> Result<(), Failure> {
        let deleted = self.client.delete_message().queue_url(self.url).receipt_handle(&letter.receipt).send().await;
        deleted.map(drop).map_err(|error| self.failure("deleting from", &error))
    }

    /// Gives messages back, so that others can receive them at once. Those of one group must be given back together: with one
    /// of them still hidden, its group stays locked.
    ///
    /// # Errors
    /// When the queue does not answer. Then they come back by themselves, after [`HIDDEN_SECONDS`] at most.
    pub async fn release(&self, letters: &[Letter]) -> Result<(), Failure> {
        for batch in letters.chunks(BATCH) {
            let mut request = self.client.change_message_visibility_batch().queue_url(self.url);
            for (number, letter) in batch.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(&letter.receipt)
                    .visibility_timeout(0)
                    .build()
                    .map_err(|error| Failure::new(format!("giving messages back to {}: {error}", self.name)))?;
                request = request.entries(entry);
            }
            // A message whose receipt has run out by now is visible already.
            request.send().await.map_err(|error| self.failure("giving messages back to", &error))?;
        }
        Ok(())
    }

    pub async fn depth(&self) -> Result<Depth, Failure> {
        let (visible, hidden) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let request = self.client.get_queue_attributes().queue_url(self.url);
        let answer = request
            .attribute_names(visible.clone())
            .attribute_names(hidden.clone())
            .send()
            .await
            .map_err(|error| self.failure("looking at", &error))?;
        let attributes: HashMap<_, _> = answer.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Depth { visible: number(visible), hidden: number(hidden) })
    }

    fn failure<E, R>(&self, doing: &str, error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        self.stack.aws.failure(&format!("{doing} {}", self.name), error)
    }
}

impl From<Message> for Letter {
    fn from(message: Message) -> Self {
        let attribute = |name| message.attributes().and_then(|all| all.get(&name)).cloned();
        let sent_at = attribute(MessageSystemAttributeName::SentTimestamp).and_then(|text| text.parse().ok());
        Self {
            group: attribute(MessageSystemAttributeName::MessageGroupId),
            sent_at: sent_at.and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok()),
            id: message.message_id.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }
}

/// Whether an error of `SendMessage` is about this very message. In doubt it is not.
fn is_about_the_message(code: Option<&str>) -> bool {
    matches!(code, Some("InvalidMessageContents" | "InvalidParameterValue" | "MissingParameter"))
}

#[cfg(test)]
mod tests;
