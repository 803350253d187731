//! Slow and timed work, from the `commands` queue: one command for each invocation, so that none holds up a webhook.

use crate::{
    api::ProviderApi,
    archive::Archive,
    commands::Commands,
    errand::Errands,
    function::Invocation,
    publish::Publisher,
    requeue::Requeue,
    store::SessionStore,
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
pub struct Commander<S, V, Q, C, A, R, P> {
    /// What `sweep` needs.
    pub sweep: Sweep<S, V, Q, C>,
    /// What errands need.
    pub errands: Errands<S, V, A, R, P>,
}

impl<S, V, Q, C, A, R, P> Commander<S, V, Q, C, A, R, P>
where
    S: SessionStore,
    V: Vault,
    Q: Requeue,
    C: Commands,
    A: Archive,
    R: ProviderApi,
    P: Publisher,
{
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
            Ok(Command::Sweep) => {
                sweep::run(&self.sweep, invocation.now, invocation.deadline).await;
                true
            }
            Ok(Command::Errand { session, errand }) => {
                let Invocation { now, deadline, .. } = invocation;
                let carried_out = self.errands.run(&session, errand, now, deadline).await;
                if let Err(error) = &carried_out {
                    let bot = session.encoded();
                    tracing::error!(bot, errand = errand.as_str(), %error, "what came of an errand was not saved");
                }
                carried_out.is_ok()
            }
            Err(error) => {
                let message_id = message.message_id.as_deref().unwrap_or_default();
                tracing::error!(message_id, %error, "the commands queue has something that is no command");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::memory::MemoryApi,
        commands::NotSent,
        publish::PublishError,
        requeue::{RequeueError, Returned},
        store::memory::MemoryStore,
        vault::memory::MemoryVault,
    };
    use aws_lambda_events::sqs::SqsMessage;
    use lambda_runtime::Context;
    use shared::session::Announcement;
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

    struct NoCommands;

    impl Commands for NoCommands {
        async fn send(&self, _: &Command) -> Result<(), NotSent> {
            Err(NotSent)
        }
    }

    struct Nobody;

    impl Publisher for Nobody {
        async fn publish(&self, _: &[Announcement]) -> Result<(), PublishError> {
            Ok(())
        }
    }

    type Everything = Commander<MemoryStore, MemoryVault, Queue, NoCommands, MemoryVault, MemoryApi, Nobody>;

    fn commander(vault: MemoryVault) -> Everything {
        let store = MemoryStore::default();
        let errands = Errands {
            store: store.clone(),
            vault: vault.clone(),
            archive: vault.clone(),
            api: MemoryApi::default(),
            publisher: Nobody,
            patience: Duration::from_secs(86_400),
            keeps_recordings: true,
        };
        Commander { sweep: Sweep { store, commands: NoCommands, vault, queue: Queue::default() }, errands }
    }

    async fn run(spooled: &str, command: &str) -> (Vec<String>, Vec<String>) {
        let vault = MemoryVault::default();
        vault.plant("spool/group/1", spooled.as_bytes());
        let commander = commander(vault);
        let mut message = SqsMessage::default();
        message.message_id = Some("1".to_owned());
        message.body = Some(command.to_owned());
        let mut event = SqsEvent::default();
        event.records = vec![message];
        let mut context = Context::default();
        context.deadline = 60_000;
        let response = commander.run(event, Invocation::new(&context, Duration::ZERO, Duration::MAX)).await;
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
