//! Commands. Jobs come through the commands queue, several to an invocation and beside each other, so that none holds up a delivery.
//! Every other command is an invocation of its own: it asks no provider anything, and waits behind nobody who does.

use crate::{
    invocation::Invocation,
    jobs::Jobs,
    jobs::sweep::{CONCURRENT, Sweep},
    log::{self, Swept},
    ports::{
        Services,
        queues::commands::{CommandQueue, send_jobs},
        sessions::{DueSessions, SessionStore, StoreError},
    },
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

/// The longest that SQS delays a message (`DelaySeconds` in the Amazon SQS API Reference, `SendMessage`).
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// How long an erasure may take while a person waits for the answer. The sweep does the rest.
const WHILE_SOMEBODY_WAITS: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct CommandHandler<S> {
    pub(crate) sweep: Sweep<S>,
    pub(crate) jobs: Jobs<S>,
}

/// A command was not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the command was not carried out, and nothing of it is saved: {0}")]
pub struct NotDone(&'static str);

impl<S: Services> CommandHandler<S> {
    /// Carries out a batch of the queue. A message that is no command for this queue, or that could not be carried out, is reported as
    /// failed: it comes again, and in the end SQS moves it to the dead-letter queue, where a person can look at it.
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
            Ok(command) if command.is_queued() => self.run_directly(&command, invocation).await.is_ok(),
            Ok(command) => {
                let command = command.as_str();
                tracing::error!(message_id, command, "the commands queue has a command that must be invoked directly");
                false
            }
            Err(error) => {
                tracing::error!(message_id, %error, "the commands queue has a message that is no command");
                false
            }
        }
    }

    /// Carries out one command.
    ///
    /// # Errors
    /// [`NotDone`]: the caller must ask again.
    pub(crate) async fn run_directly(&self, command: &Command, invocation: Invocation<'_>) -> Result<(), NotDone> {
        match command {
            Command::Sweep { spool_every_minutes } => {
                self.sweep(*spool_every_minutes, invocation).await;
                Ok(())
            }
            Command::Delete { session } => self.delete(session, invocation).await,
            Command::Refetch { session, artifact } => self.refetch(session, *artifact, invocation.now).await,
            Command::Job { session, job } => self.job(session, *job, invocation).await,
            Command::NoteSetAside { .. } => self.note_set_aside(command, invocation.now).await,
        }
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

    /// Runs the erasures that are due. Neither a store that fails for one bot nor code that panics stands in the way of the others.
    /// Returns how many sessions could not be read.
    async fn erase_what_is_due(&self, now: i64, deadline: Instant) -> Result<u32, StoreError> {
        let DueSessions { sessions, unreadable } = self.services().sessions().due(Due::Erasure, now).await?;
        let erased = stream::iter(sessions).map(|session| async move {
            for (job, _) in session.all_pending().filter(|(job, due_at)| job.erases() && *due_at <= now) {
                if Instant::now() >= deadline {
                    return;
                }
                let erased = AssertUnwindSafe(self.jobs.run(session.id(), job, now, deadline)).catch_unwind();
                if !matches!(erased.await, Ok(Ok(_))) {
                    tracing::error!(bot = session.id().encoded(), "the result of an erasure was not saved");
                }
            }
        });
        erased.buffer_unordered(CONCURRENT).collect::<()>().await;
        Ok(unreadable)
    }

    /// Saves the deletion, then erases. If erasing fails, the sweep does it: the session says that it must be done.
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

    /// Wants again what was given up, and sends a command for each.
    async fn refetch(&self, session: &SessionId, artifact: Option<Artifact>, now: i64) -> Result<(), NotDone> {
        let wanted = self.jobs.refetch(session, artifact, now).await.map_err(|error| NotDone(error.code()))?;
        send_jobs(self.services().commands(), session, wanted).await;
        Ok(())
    }

    async fn job(&self, session: &SessionId, job: Job, invocation: Invocation<'_>) -> Result<(), NotDone> {
        let Invocation { now, deadline, .. } = invocation;
        match self.jobs.run(session, job, now, deadline).await {
            Ok(next) => {
                send_jobs(self.services().commands(), session, next).await;
                Ok(())
            }
            Err(error) => {
                let bot = session.encoded();
                tracing::error!(bot, job = job.as_str(), %error, "the result of a job was not saved");
                Err(NotDone(error.code()))
            }
        }
    }

    /// Saves the note that a [`Command::NoteSetAside`] brings. While the table refuses the note, the command is sent anew, as a
    /// message that was never received: SQS would otherwise give the command up after 25 receives, and no other copy of it exists.
    async fn note_set_aside(&self, command: &Command, now: i64) -> Result<(), NotDone> {
        let Command::NoteSetAside { session, received_at } = command else { return Ok(()) };
        let Err(error) = self.jobs.note_set_aside(session, *received_at, now).await else { return Ok(()) };
        tracing::error!(bot = session.encoded(), %error, "the session could not be told of bytes that were set aside; the command is sent again");
        let sent = self.services().commands().send(command, self.jobs.settings.retry.max.min(LONGEST_DELAY)).await;
        sent.map_err(|_| NotDone(error.code()))
    }

    fn services(&self) -> &S {
        &self.sweep.services
    }
}

#[cfg(test)]
mod tests;
