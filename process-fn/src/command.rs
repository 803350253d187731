//! Slow and timed work, from the `commands` queue: one command for each invocation, so that none holds up a webhook.

use crate::{
    function::Invocation,
    requeue::Requeue,
    sweep::{self, Sweep},
    vault::Vault,
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt;
use shared::Command;
use std::panic::AssertUnwindSafe;
use tokio::time::timeout_at;

/// Everything that commands need from outside.
#[derive(Debug)]
pub struct Commander<V, Q> {
    /// What `sweep` needs.
    pub sweep: Sweep<V, Q>,
}

impl<V: Vault, Q: Requeue> Commander<V, Q> {
    /// Carries out the commands of a batch. What is no command, or could not be carried out, is reported as failed: it comes
    /// again, and in the end its queue moves it to its dead-letter queue, where it can be looked at.
    pub(crate) async fn run(&self, event: SqsEvent, invocation: Invocation<'_>) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        for message in event.records {
            let carried_out = AssertUnwindSafe(self.carry_out(&message, invocation)).catch_unwind();
            if !matches!(timeout_at(invocation.last_call, carried_out).await, Ok(Ok(true))) {
                response.add_failure(message.message_id.unwrap_or_default());
            }
        }
        response
    }

    async fn carry_out(&self, message: &SqsMessage, invocation: Invocation<'_>) -> bool {
        match Command::decode(message.body.as_deref().unwrap_or_default()) {
            Ok(Command::Sweep) => sweep::run(&self.sweep, invocation.now, invocation.deadline).await,
            Err(error) => {
                let message_id = message.message_id.as_deref().unwrap_or_default();
                tracing::error!(message_id, %error, "the commands queue has something that is no command");
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        requeue::{RequeueError, Returned},
        vault::memory::MemoryVault,
    };
    use aws_lambda_events::sqs::SqsMessage;
    use lambda_runtime::Context;
    use std::{sync::Mutex, time::Duration};

    #[derive(Default)]
    struct Queue(Mutex<Vec<String>>);

    impl Requeue for Queue {
        async fn put_back(&self, message: Returned<'_>) -> Result<(), RequeueError> {
            assert!(message.text != "boom");
            self.0.lock().unwrap().push(message.text.to_owned());
            Ok(())
        }
    }

    async fn run(spooled: &str, command: &str) -> (Vec<String>, Vec<String>) {
        let vault = MemoryVault::default();
        vault.put("spool/group/1", spooled.as_bytes());
        let commander = Commander { sweep: Sweep { vault, queue: Queue::default() } };
        let mut message = SqsMessage::default();
        message.message_id = Some("1".to_owned());
        message.body = Some(command.to_owned());
        let mut event = SqsEvent::default();
        event.records = vec![message];
        let mut context = Context::default();
        context.deadline = 60_000;
        let response = commander.run(event, Invocation::new(&context, Duration::ZERO)).await;
        let failed = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        (failed, commander.sweep.queue.0.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_sweep_is_carried_out() {
        assert_eq!(run("text", &Command::Sweep.encode()).await, (vec![], vec!["text".to_owned()]));
    }

    #[tokio::test]
    async fn unknown_commands_go_to_their_dead_letter_queue() {
        for text in ["", r#"{"command":"unheard of"}"#, r#"{"v":2,"command":"sweep"}"#] {
            assert_eq!(run("text", text).await, (vec!["1".to_owned()], vec![]), "{text}");
        }
    }

    #[tokio::test]
    async fn a_command_that_panics_comes_again() {
        assert_eq!(run("boom", &Command::Sweep.encode()).await.0, ["1"]);
    }
}
