//! Slow and timed work, from the `commands` queue: one command for each invocation, so that none holds up a webhook.

use crate::{
    api::ProviderApi,
    archive::Archive,
    commands::{Commands, send_errands},
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
use shared::{Command, SessionId, session::Errand};
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
                match self.errands.run(&session, errand, now, deadline).await {
                    Ok(next) => {
                        send_errands(&self.sweep.commands, &session, next).await;
                        true
                    }
                    Err(error) => {
                        let bot = session.encoded();
                        tracing::error!(bot, errand = errand.as_str(), %error, "what came of an errand was not saved");
                        false
                    }
                }
            }
            Ok(Command::Delete { session }) => self.delete(&session, invocation.now).await,
            Err(error) => {
                let message_id = message.message_id.as_deref().unwrap_or_default();
                tracing::error!(message_id, %error, "the commands queue has something that is no command");
                false
            }
        }
    }

    /// Saves the deletion, then sends for what erases. Should that get lost, the sweep sends it: the intent is saved.
    async fn delete(&self, session: &SessionId, now: i64) -> bool {
        let bot = session.encoded();
        if let Err(error) = self.errands.delete(session, now).await {
            tracing::error!(bot, %error, "a deletion that an operator asked for was not saved");
            return false;
        }
        tracing::info!(bot, "an operator asked for a deletion");
        send_errands(&self.sweep.commands, session, vec![Errand::Erase]).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Refusal, memory::MemoryApi},
        commands::NotSent,
        publish::PublishError,
        requeue::{RequeueError, Returned},
        store::{StoreError, Version, memory::MemoryStore},
        vault::memory::MemoryVault,
    };
    use aws_lambda_events::sqs::SqsMessage;
    use lambda_runtime::Context;
    use serde_json::json;
    use shared::{
        AcceptId, Endpoint, Provider, QueueMessage, ReceivedAt, SenderId, Session,
        message::Head,
        provider,
        session::{Announcement, advance},
    };
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

    /// What was sent, though the sender is told that it was not.
    #[derive(Default)]
    struct Unconfirmed(Mutex<Vec<Command>>);

    impl Commands for Unconfirmed {
        async fn send(&self, command: &Command) -> Result<(), NotSent> {
            self.0.lock().unwrap().push(command.clone());
            Err(NotSent)
        }
    }

    struct Nobody;

    impl Publisher for Nobody {
        async fn publish(&self, _: &[Announcement]) -> Result<(), PublishError> {
            Ok(())
        }
    }

    type Everything = Commander<MemoryStore, MemoryVault, Queue, Unconfirmed, MemoryVault, MemoryApi, Nobody>;

    fn commander(vault: MemoryVault) -> Everything {
        let store = MemoryStore::default();
        let errands = Errands {
            store: store.clone(),
            vault: vault.clone(),
            archive: vault.clone(),
            api: MemoryApi::default(),
            publisher: Nobody,
            patience: Duration::from_secs(86_400),
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(900),
            keeps_recordings: true,
        };
        Commander { sweep: Sweep { store, commands: Unconfirmed::default(), vault, queue: Queue::default() }, errands }
    }

    async fn run(spooled: &str, command: &str) -> (Vec<String>, Vec<String>) {
        let vault = MemoryVault::default();
        vault.plant("spool/group/1", spooled.as_bytes());
        let commander = commander(vault);
        let failed = carry_out(&commander, command).await;
        (failed, commander.sweep.queue.0.into_inner().unwrap())
    }

    /// The ids of the messages that come again.
    async fn carry_out(commander: &Everything, command: &str) -> Vec<String> {
        let mut message = SqsMessage::default();
        message.message_id = Some("1".to_owned());
        message.body = Some(command.to_owned());
        let mut event = SqsEvent::default();
        event.records = vec![message];
        let mut context = Context::default();
        context.deadline = 60_000;
        let response = commander.run(event, Invocation::new(&context, Duration::ZERO, Duration::MAX)).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    #[tokio::test]
    async fn a_deletion_is_saved_before_anything_is_erased() {
        let session = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
        let command = Command::Delete { session: session.clone() }.encode();
        let commander = commander(MemoryVault::default());
        commander.errands.store.set_fault(|_, _| Err(StoreError::Unavailable));
        assert_eq!(carry_out(&commander, &command).await, ["1"]);
        assert!(commander.sweep.commands.0.lock().unwrap().is_empty());
        commander.errands.store.clear_fault();
        assert_eq!(carry_out(&commander, &command).await, [""; 0]);
        let saved = commander.errands.store.session(&session).unwrap();
        assert!(saved.is_erased() && saved.pending(Errand::Erase).is_some());
        assert_eq!(*commander.sweep.commands.0.lock().unwrap(), [Command::Errand { session, errand: Errand::Erase }]);
    }

    #[tokio::test]
    async fn a_sweep_is_carried_out() {
        assert_eq!(run("text", &Command::Sweep.encode()).await, (vec![], vec!["text".to_owned()]));
    }

    #[tokio::test]
    async fn what_an_errand_gives_rise_to_is_sent_at_once() {
        let commander = commander(MemoryVault::default());
        let bot = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
        let body = json!({"bot_id": "b", "event": "data_deletion", "timestamp": "2026-10-05T10:00:00Z"});
        let (endpoint, received_at) = (Endpoint::MeetStreamCallback, ReceivedAt(0));
        let head = Head { accept_id: AcceptId::new("1"), endpoint, delivery_id: None, received_at };
        let claim = provider::parse(&QueueMessage::restored(head, body.to_string().into_bytes())).unwrap();
        let claimed = advance(&Session::new(bot.clone(), received_at), &claim).session.unwrap();
        commander.errands.store.save(&claimed, Version::Absent, 0).await.unwrap();
        commander.errands.api.describe(&bot, Err(Refusal::Gone.into()));

        let confirm = Command::Errand { session: bot.clone(), errand: Errand::Confirm };
        assert_eq!(carry_out(&commander, &confirm.encode()).await, Vec::<String>::new());
        let sent = commander.sweep.commands.0.into_inner().unwrap();
        assert_eq!(sent, [Command::Errand { session: bot, errand: Errand::Erase }]);
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
