//! Slow and timed work. Jobs come through the `commands` queue, several to an invocation and beside each other, so that none
//! holds up a webhook. Everything else is an invocation of its own: it asks no provider, and waits behind nobody who does.

use crate::{
    invocation::Invocation,
    jobs::JobRunner,
    jobs::sweep::{CONCURRENT, Sweep},
    log::{self, Swept},
    ports::bucket::Vault,
    ports::bucket::uploads::Archive,
    ports::providers::ProviderApi,
    ports::publisher::Publisher,
    ports::queues::commands::{CommandQueue, send_jobs},
    ports::queues::requeue::Requeue,
    ports::sessions::{DueSessions, SessionStore, StoreError},
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{FutureExt, StreamExt, stream};
use shared::{
    Command, SessionId,
    event::Artifact,
    session::{Due, Job},
};
use std::{num::NonZeroU8, panic::AssertUnwindSafe, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How many commands are carried out beside each other: a whole batch.
const CONCURRENT_COMMANDS: usize = 10;

/// After how long a note that the table refused is tried again: the longest delay that SQS allows.
const NOTE_AGAIN_AFTER: Duration = Duration::from_secs(900);

/// How long an erasure may take while whoever asked for it waits for the answer. What it does not get done is the sweep's.
const WHILE_SOMEBODY_WAITS: Duration = Duration::from_secs(10);

/// Everything that commands need from outside.
#[derive(Debug)]
pub struct CommandHandler<S, V, Q, C, A, R, P> {
    /// What `sweep` needs.
    pub sweep: Sweep<S, V, Q, C>,
    /// What jobs need.
    pub jobs: JobRunner<S, V, A, R, P>,
}

/// A command was not carried out. What it intends is not saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the command was not carried out, and nothing of it is saved: {0}")]
pub struct NotDone(&'static str);

impl<S, V, Q, C, A, R, P> CommandHandler<S, V, Q, C, A, R, P>
where
    S: SessionStore,
    V: Vault,
    Q: Requeue,
    C: CommandQueue,
    A: Archive,
    R: ProviderApi,
    P: Publisher,
{
    /// Carries out a batch of the queue. What is no command for it, or could not be carried out, is reported as failed: it comes
    /// again, and in the end its queue moves it to its dead-letter queue, where it can be looked at.
    pub(crate) async fn run(&self, event: SqsEvent, invocation: Invocation<'_>) -> SqsBatchResponse {
        let carried_out = stream::iter(event.records).map(|message| async move {
            let carried_out = AssertUnwindSafe(self.carry_out(&message, invocation)).catch_unwind();
            let is_done = matches!(timeout_at(invocation.last_call, carried_out).await, Ok(Ok(true)));
            (message.message_id.unwrap_or_default(), is_done)
        });
        let carried_out: Vec<_> = carried_out.buffer_unordered(CONCURRENT_COMMANDS).collect().await;
        let mut response = SqsBatchResponse::default();
        response.set_failures(carried_out.into_iter().filter(|(_, is_done)| !is_done).map(|(id, _)| id));
        response
    }

    async fn carry_out(&self, message: &SqsMessage, invocation: Invocation<'_>) -> bool {
        let message_id = message.message_id.as_deref().unwrap_or_default();
        match Command::decode(message.body.as_deref().unwrap_or_default()) {
            Ok(Command::Job { session, job }) => self.job(&session, job, invocation).await,
            Ok(command @ Command::NoteSetAside { .. }) => self.note_set_aside(&command, invocation.now).await,
            Ok(command) => {
                let command = command.as_str();
                tracing::error!(message_id, command, "the commands queue has a command that is to be invoked directly");
                false
            }
            Err(error) => {
                tracing::error!(message_id, %error, "the commands queue has something that is no command");
                false
            }
        }
    }

    /// Carries out what the function was invoked with.
    ///
    /// # Errors
    /// [`NotDone`]: whoever asked must ask again.
    pub(crate) async fn run_directly(&self, command: &Command, invocation: Invocation<'_>) -> Result<(), NotDone> {
        match command {
            Command::Sweep { spool_every_minutes } => {
                self.sweep(*spool_every_minutes, invocation).await;
                Ok(())
            }
            Command::Delete { session } => self.delete(session, invocation).await,
            Command::Refetch { session, artifact } => self.refetch(session, *artifact, invocation.now).await,
            Command::Job { session, job } => {
                let is_done = self.job(session, *job, invocation).await;
                is_done.then_some(()).ok_or(NotDone("what came of it was not saved"))
            }
            Command::NoteSetAside { .. } => {
                let is_done = self.note_set_aside(command, invocation.now).await;
                is_done.then_some(()).ok_or(NotDone("the note was neither saved nor sent again"))
            }
        }
    }

    async fn job(&self, session: &SessionId, job: Job, invocation: Invocation<'_>) -> bool {
        let Invocation { now, deadline, .. } = invocation;
        match self.jobs.run(session, job, now, deadline).await {
            Ok(next) => {
                send_jobs(&self.sweep.commands, session, next).await;
                true
            }
            Err(error) => {
                let bot = session.encoded();
                tracing::error!(bot, job = job.as_str(), %error, "what came of a job was not saved");
                false
            }
        }
    }

    /// Saves the note that a [`Command::NoteSetAside`] brings. While the table refuses the note, the command is sent anew, as a
    /// message that was never received: the queue would otherwise give it up after 25 receives, and no other copy of the command
    /// exists. Returns whether the note or the new message is stored.
    async fn note_set_aside(&self, command: &Command, now: i64) -> bool {
        let Command::NoteSetAside { session, received_at } = command else { return false };
        let Err(error) = self.jobs.note_set_aside(session, *received_at, now).await else { return true };
        tracing::error!(bot = session.encoded(), %error, "the session could not be told of bytes that were set aside; trying again in 15 minutes");
        self.sweep.commands.send(command, NOTE_AGAIN_AFTER).await.is_ok()
    }

    /// One sweep and its line. A sweep that fails is not tried again: the next one comes in a minute.
    async fn sweep(&self, spool_every_minutes: Option<NonZeroU8>, invocation: Invocation<'_>) {
        let Invocation { now, deadline, .. } = invocation;
        let sweep = self.sweep.run(now, spool_every_minutes, deadline);
        let (swept, unreadable) = tokio::join!(sweep, self.erase_what_is_due(now, deadline));
        log::swept(match (swept, unreadable) {
            (Ok(swept), Ok(unreadable)) => Some(Swept { unreadable: swept.unreadable + unreadable, ..swept }),
            _ => None,
        });
    }

    /// Erases what was deleted and, when the time for that has come, what was on its way meanwhile. Neither a store that fails
    /// for one bot nor code that panics stands in the way of the others. Returns how many sessions cannot be read.
    async fn erase_what_is_due(&self, now: i64, deadline: Instant) -> Result<u32, StoreError> {
        let DueSessions { sessions, unreadable } = self.jobs.store.due(Due::Erasure, now).await?;
        let erased = stream::iter(sessions).map(|session| async move {
            for (job, _) in session.all_pending().filter(|(job, due_at)| job.erases() && *due_at <= now) {
                if Instant::now() >= deadline {
                    return;
                }
                let erased = AssertUnwindSafe(self.jobs.run(session.id(), job, now, deadline)).catch_unwind();
                if !matches!(erased.await, Ok(Ok(_))) {
                    tracing::error!(bot = session.id().encoded(), "what came of an erasure was not saved");
                }
            }
        });
        erased.buffer_unordered(CONCURRENT).collect::<()>().await;
        Ok(unreadable)
    }

    /// Wants again what was given up, and sends for it.
    async fn refetch(&self, session: &SessionId, artifact: Option<Artifact>, now: i64) -> Result<(), NotDone> {
        let wanted = self.jobs.refetch(session, artifact, now).await.map_err(|error| NotDone(error.code()))?;
        send_jobs(&self.sweep.commands, session, wanted).await;
        Ok(())
    }

    /// Saves the deletion, then erases. Should that come to nothing, the sweep does it: the intent is saved.
    async fn delete(&self, session: &SessionId, invocation: Invocation<'_>) -> Result<(), NotDone> {
        let Invocation { now, deadline, .. } = invocation;
        let bot = session.encoded();
        if let Err(error) = self.jobs.delete(session, now).await {
            tracing::error!(bot, %error, "a deletion that an operator asked for was not saved");
            return Err(NotDone(error.code()));
        }
        tracing::info!(bot, "an operator asked for a deletion");
        let deadline = deadline.min(Instant::now() + WHILE_SOMEBODY_WAITS);
        let _ = self.jobs.run(session, Job::Erase, now, deadline).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        TranscriptPlaces,
        ports::bucket::memory::MemoryVault,
        ports::providers::{Refusal, memory::MemoryApi},
        ports::publisher::PublishError,
        ports::queues::commands::NotSent,
        ports::queues::requeue::{RequeueError, Returned},
        ports::sessions::{StoreError, Version, memory::MemoryStore},
    };
    use lambda_runtime::Context;
    use serde_json::json;
    use shared::{
        AcceptId, Endpoint, EventKind, Provider, QueueMessage, ReceivedAt, SenderId, Session,
        api::{BotDetail, Content, Located},
        event::{ArtifactStatus, Fact},
        message::Head,
        provider,
        session::{PublishedEvent, advance},
    };
    use std::sync::Mutex;

    #[derive(Default)]
    struct Queue(Mutex<Vec<String>>);

    impl Requeue for Queue {
        async fn put_back(&self, message: Returned<'_>) -> Result<(), RequeueError> {
            self.0.lock().unwrap().push(message.text.to_owned());
            Ok(())
        }
    }

    /// What was sent, and with which delay. The sender is told that it was not sent unless `confirms` says otherwise.
    #[derive(Default)]
    struct Unconfirmed {
        sent: Mutex<Vec<(Command, Duration)>>,
        confirms: bool,
    }

    impl CommandQueue for Unconfirmed {
        async fn send(&self, command: &Command, delay: Duration) -> Result<(), NotSent> {
            self.sent.lock().unwrap().push((command.clone(), delay));
            if self.confirms { Ok(()) } else { Err(NotSent) }
        }
    }

    const SWEEP: Command = Command::Sweep { spool_every_minutes: None };

    struct Nobody;

    impl Publisher for Nobody {
        async fn publish(&self, _: &[PublishedEvent]) -> Result<(), PublishError> {
            Ok(())
        }
    }

    type Everything = CommandHandler<MemoryStore, MemoryVault, Queue, Unconfirmed, MemoryVault, MemoryApi, Nobody>;

    fn command_handler(vault: MemoryVault) -> Everything {
        let store = MemoryStore::default();
        let jobs = JobRunner {
            store: store.clone(),
            vault: vault.clone(),
            archive: vault.clone(),
            api: MemoryApi::default(),
            publisher: Nobody,
            patience: Duration::from_secs(86_400),
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(900),
            keeps_recordings: true,
            transcripts: TranscriptPlaces::default(),
        };
        CommandHandler {
            sweep: Sweep { store, commands: Unconfirmed::default(), vault, queue: Queue::default() },
            jobs,
        }
    }

    fn context() -> Context {
        let mut context = Context::default();
        context.deadline = 60_000;
        context
    }

    /// The ids of the messages that come again, of a batch with these commands, from 1.
    async fn carry_out(command_handler: &Everything, commands: &[&str]) -> Vec<String> {
        let mut event = SqsEvent::default();
        for (n, command) in commands.iter().enumerate() {
            let mut message = SqsMessage::default();
            message.message_id = Some((n + 1).to_string());
            message.body = Some((*command).to_owned());
            event.records.push(message);
        }
        let context = context();
        let response = command_handler.run(event, Invocation::new(&context, Duration::ZERO, Duration::MAX)).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    async fn invoke(command_handler: &Everything, command: &Command, now: Duration) -> Result<(), NotDone> {
        let mut context = context();
        context.deadline += u64::try_from(now.as_millis()).unwrap();
        command_handler.run_directly(command, Invocation::new(&context, now, Duration::MAX)).await
    }

    fn bot(id: &str) -> SessionId {
        SessionId::bot(Provider::MeetStream, SenderId::try_from(id).unwrap())
    }

    /// A session that has heard this, signed or not, at the beginning of the epoch.
    async fn heard(command_handler: &Everything, endpoint: Endpoint, bot_id: &str, name: &str) {
        let body = json!({"bot_id": bot_id, "event": name, "timestamp": "2026-10-05T10:00:00Z"});
        let head = Head { accept_id: AcceptId::new("1"), endpoint, delivery_id: None, received_at: ReceivedAt(0) };
        let event = provider::parse(&QueueMessage::restored(head, body.to_string().into_bytes())).unwrap();
        let session = advance(&Session::new(bot(bot_id), ReceivedAt(0)), &event).session.unwrap();
        command_handler.jobs.store.save(&session, Version::Absent, 0).await.unwrap();
    }

    #[tokio::test]
    async fn a_deletion_is_saved_before_anything_is_erased() {
        let vault = MemoryVault::default();
        let command_handler = command_handler(vault.clone());
        let command = Command::Delete { session: bot("b") };
        vault.plant("meetstream/b/audio/recording.wav", b"Priya");
        command_handler.jobs.store.set_fault(|_, _| Err(StoreError::Unavailable));
        assert_eq!(invoke(&command_handler, &command, Duration::ZERO).await, Err(NotDone("store_unavailable")));
        assert!(!vault.kept().is_empty());
        command_handler.jobs.store.clear_fault();
        vault.set_failing(true);
        invoke(&command_handler, &command, Duration::ZERO).await.unwrap();
        let saved = command_handler.jobs.store.session(&bot("b")).unwrap();
        assert!(saved.is_erased() && saved.pending(Job::Erase).is_some(), "asked for, and the sweep's to do");
        vault.set_failing(false);
        invoke(&command_handler, &SWEEP, Duration::from_secs(60)).await.unwrap();
        assert!(vault.kept().is_empty());

        vault.plant("meetstream/c/audio/recording.wav", b"Priya");
        invoke(&command_handler, &Command::Delete { session: bot("c") }, Duration::ZERO).await.unwrap();
        assert!(vault.kept().is_empty(), "as a rule whoever asked finds everything erased");
        assert!(command_handler.sweep.commands.sent.lock().unwrap().is_empty(), "no erasure travels through the queue");
    }

    #[tokio::test]
    async fn a_sweep_erases_what_was_deleted_whatever_else_is_overdue_or_broken() {
        let vault = MemoryVault::default();
        let command_handler = command_handler(vault.clone());
        for n in 0..20 {
            heard(&command_handler, Endpoint::MeetStream, &format!("waiting-{n}"), "transcription.processed").await;
            heard(&command_handler, Endpoint::MeetStreamCallback, &format!("unverified-{n}"), "bot.done").await;
            heard(&command_handler, Endpoint::MeetStream, &format!("deleted-{n}"), "data_deletion").await;
            vault.plant(&format!("meetstream/deleted-{n}/audio/recording.wav"), b"Priya");
        }
        command_handler.jobs.store.set_fault(|call, id| {
            assert!(!(call == "forget" && id.id.as_sent() == "deleted-3"), "one panics");
            if call == "save" && id.id.as_sent() == "deleted-4" { Err(StoreError::Unavailable) } else { Ok(()) }
        });
        invoke(&command_handler, &SWEEP, Duration::from_secs(3600)).await.unwrap();
        assert!(vault.kept().is_empty(), "{:?}", vault.kept().keys());
        let erased = (0..20).filter(|n| {
            let session = command_handler.jobs.store.session(&bot(&format!("deleted-{n}"))).unwrap();
            session.pending(Job::Erase).is_none() && session.pending(Job::EraseAgain).is_some()
        });
        assert_eq!(erased.count(), 18);
        let sent = command_handler.sweep.commands.sent.lock().unwrap().len();
        assert_eq!(sent, 40, "and all others are reminded of");
        command_handler.jobs.store.clear_fault();
        invoke(&command_handler, &SWEEP, Duration::from_secs(3660)).await.unwrap();
        for n in [3, 4] {
            let session = command_handler.jobs.store.session(&bot(&format!("deleted-{n}"))).unwrap();
            assert!(session.pending(Job::Erase).is_none(), "{n}: the next sweep makes up for it");
        }
    }

    #[tokio::test]
    async fn a_sweep_puts_back_what_is_spooled() {
        let vault = MemoryVault::default();
        vault.plant("spool/group/1", b"text");
        let command_handler = command_handler(vault);
        invoke(&command_handler, &SWEEP, Duration::ZERO).await.unwrap();
        assert_eq!(*command_handler.sweep.queue.0.lock().unwrap(), ["text"]);
    }

    #[tokio::test(start_paused = true)]
    async fn commands_of_a_batch_are_carried_out_beside_each_other() {
        let command_handler = command_handler(MemoryVault::default());
        let mut commands = vec!["dance".to_owned()];
        for n in 0..9 {
            heard(&command_handler, Endpoint::MeetStreamCallback, &format!("b{n}"), "bot.done").await;
            command_handler.jobs.api.describe(&bot(&format!("b{n}")), Err(Refusal::Gone.into()));
            commands.push(Command::Job { session: bot(&format!("b{n}")), job: Job::Confirm }.encode());
        }
        command_handler.jobs.api.set_delay(Duration::from_secs(5));
        let began = Instant::now();
        let commands: Vec<_> = commands.iter().map(String::as_str).collect();
        assert_eq!(carry_out(&command_handler, &commands).await, ["1"], "one that is none fails alone");
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert_eq!(command_handler.jobs.api.asked().len(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_batch_two_have_a_transcript_in_memory() {
        let command_handler = command_handler(MemoryVault::default());
        let mut commands = vec![];
        for n in 0..10 {
            heard(&command_handler, Endpoint::MeetStream, &format!("b{n}"), "transcription.processed").await;
            let content = Content::Inline(br#"[{"transcript":"Hello."}]"#.to_vec());
            command_handler.jobs.api.locate(
                &bot(&format!("b{n}")),
                Artifact::Transcript,
                Ok(Located::Found { content, run: None }),
            );
            commands.push(Command::Job { session: bot(&format!("b{n}")), job: Job::FetchTranscript }.encode());
        }
        command_handler.jobs.api.set_delay(Duration::from_secs(5));
        let began = Instant::now();
        let commands: Vec<_> = commands.iter().map(String::as_str).collect();
        assert_eq!(carry_out(&command_handler, &commands).await, Vec::<String>::new());
        assert_eq!(began.elapsed(), Duration::from_secs(5 * 10 / 2));
        assert_eq!(command_handler.jobs.vault.kept().len(), 20);
    }

    #[tokio::test]
    async fn what_a_job_gives_rise_to_is_sent_at_once() {
        let command_handler = command_handler(MemoryVault::default());
        heard(&command_handler, Endpoint::MeetStreamCallback, "b", "bot.done").await;
        let ready = Fact {
            kind: EventKind::Artifact(Artifact::Transcript, ArtifactStatus::Announced),
            occurred_at: None,
            reason: None,
        };
        let done = Fact { kind: EventKind::Done, occurred_at: None, reason: None };
        let detail = BotDetail { facts: vec![ready, done], ..BotDetail::default() };
        command_handler.jobs.api.describe(&bot("b"), Ok(detail));

        let confirm = Command::Job { session: bot("b"), job: Job::Confirm };
        assert_eq!(carry_out(&command_handler, &[&confirm.encode()]).await, Vec::<String>::new());
        let sent = command_handler.sweep.commands.sent.into_inner().unwrap();
        assert_eq!(sent, [(Command::Job { session: bot("b"), job: Job::FetchTranscript }, Duration::ZERO)]);
    }

    /// No other copy of the note exists, so an outage of the table must not use up the receives that its queue allows.
    #[tokio::test]
    async fn a_note_of_bytes_that_the_table_refuses_is_sent_anew_and_so_never_given_up() {
        let mut command_handler = command_handler(MemoryVault::default());
        heard(&command_handler, Endpoint::MeetStream, "b", "data_deletion").await;
        invoke(&command_handler, &SWEEP, Duration::from_secs(60)).await.unwrap();
        let is_to_erase =
            |handler: &Everything| handler.jobs.store.session(&bot("b")).unwrap().pending(Job::Erase).is_some();
        assert!(!is_to_erase(&command_handler), "the first erasure is done");
        let note = Command::NoteSetAside { session: bot("b"), received_at: ReceivedAt(0) };
        command_handler.jobs.store.set_fault(|_, _| Err(StoreError::Unavailable));
        assert_eq!(carry_out(&command_handler, &[&note.encode()]).await, ["1"], "neither saved nor sent anew");
        command_handler.sweep.commands.confirms = true;
        assert_eq!(carry_out(&command_handler, &[&note.encode()]).await, [""; 0]);
        let (sent, delay) = command_handler.sweep.commands.sent.lock().unwrap().pop().unwrap();
        assert_eq!((&sent, delay), (&note, Duration::from_secs(900)));
        command_handler.jobs.store.clear_fault();
        assert_eq!(carry_out(&command_handler, &[&sent.encode()]).await, [""; 0]);
        assert!(is_to_erase(&command_handler), "the next sweep erases the bytes");
    }

    #[tokio::test]
    async fn unknown_commands_go_to_their_dead_letter_queue() {
        let direct = [SWEEP, Command::Delete { session: bot("b") }].map(|command| command.encode());
        for text in ["", r#"{"command":"unheard of"}"#, r#"{"v":2,"command":"sweep"}"#, &direct[0], &direct[1]] {
            let vault = MemoryVault::default();
            vault.plant("spool/group/1", b"text");
            let command_handler = command_handler(vault);
            assert_eq!(carry_out(&command_handler, &[text]).await, ["1"], "{text}");
            assert!(command_handler.sweep.queue.0.lock().unwrap().is_empty(), "{text}");
            assert!(command_handler.jobs.store.calls().is_empty(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_command_that_panics_comes_again() {
        let command_handler = command_handler(MemoryVault::default());
        command_handler.jobs.store.set_fault(|_, _| panic!("as planned"));
        let command = Command::Job { session: bot("b"), job: Job::Confirm };
        assert_eq!(carry_out(&command_handler, &[&command.encode()]).await, ["1"]);
    }
}
