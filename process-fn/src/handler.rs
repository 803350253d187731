//! One invocation: from whichever queue, or with a command.

use crate::{
    deliveries::{Deliveries, Policy},
    invocation::Invocation,
    jobs::{
        JobSettings, Jobs,
        command::{CommandHandler, NotDone},
        sweep::Sweep,
    },
    ports::{Services, queues::record::NoMessageId},
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{Command, command::UnknownCommand};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Both halves of the function: one takes deliveries, the other takes commands.
#[derive(Debug)]
pub struct Function<S> {
    deliveries: Deliveries<S>,
    commands: CommandHandler<S>,
    commands_queue_name: String,
}

/// How the function behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every other queue is taken for the events queue.
    pub commands_queue_name: String,
    pub deliveries: Policy,
    pub jobs: JobSettings,
}

impl<S: Services + Clone> Function<S> {
    pub fn new(services: S, settings: Settings) -> Self {
        let jobs = Jobs::new(services.clone(), settings.jobs);
        let sweep = Sweep { services: services.clone() };
        Self {
            deliveries: Deliveries { services, policy: settings.deliveries },
            commands: CommandHandler { sweep, jobs },
            commands_queue_name: settings.commands_queue_name,
        }
    }
}

/// The most time that a batch of deliveries may take. The function's own limit is made for commands; a delivery that hangs is better
/// tried again.
const FOR_DELIVERIES: Duration = Duration::from_secs(30);

/// The most time that a direct command may take: less than the minute between two sweeps. So at most one sweep runs at a time, which
/// is the concurrency that `template.yaml` counts on.
const FOR_DIRECT_COMMANDS: Duration = Duration::from_secs(55);

/// What the function is invoked with: a batch of one of the queues, or a command.
#[derive(Debug, Deserialize)]
pub struct Payload {
    #[serde(rename = "Records")]
    records: Option<Vec<SqsMessage>>,
    // A batch is read straight into `records`, so it is never in memory twice.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl From<SqsEvent> for Payload {
    fn from(event: SqsEvent) -> Self {
        Self { records: Some(event.records), rest: Map::new() }
    }
}

impl From<Command> for Payload {
    fn from(command: Command) -> Self {
        let rest = serde_json::from_str(&command.encode()).unwrap_or_default();
        Self { records: None, rest }
    }
}

/// What an invocation answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The messages of a batch that come again.
    Batch(SqsBatchResponse),
    /// A command was carried out.
    Done { done: &'static str },
}

/// Why an invocation has no answer. Its caller gets this error; Lambda delivers a whole batch again.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error(transparent)]
    NoMessageId(#[from] NoMessageId),
    #[error(transparent)]
    UnknownCommand(#[from] UnknownCommand),
    #[error(transparent)]
    NotDone(#[from] NotDone),
}

/// Answers one invocation.
///
/// # Errors
/// [`NoAnswer`] for a batch that cannot be answered record by record, which Lambda then delivers again, and for a command that
/// was not carried out.
pub async fn handle<S: Services>(function: &Function<S>, event: LambdaEvent<Payload>) -> Result<Answer, NoAnswer> {
    handle_at(function, event, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()).await
}

/// Answers one invocation that begins `now`, as the time since the Unix epoch.
///
/// # Errors
/// As for [`handle`].
pub async fn handle_at<S: Services>(
    function: &Function<S>,
    event: LambdaEvent<Payload>,
    now: Duration,
) -> Result<Answer, NoAnswer> {
    let LambdaEvent { payload, context } = event;
    let Some(records) = payload.records else {
        let command = Command::from_value(Value::Object(payload.rest))
            .inspect_err(|error| tracing::error!(%error, "the payload is neither a batch nor a known command"))?;
        let invocation = Invocation::new(&context, now, FOR_DIRECT_COMMANDS);
        Box::pin(function.commands.run_directly(&command, invocation)).await?;
        return Ok(Answer::Done { done: command.as_str() });
    };
    let mut event = SqsEvent::default();
    event.records = records;
    if came_from(&function.commands_queue_name, &event) {
        // Boxed, because the future of every batch of deliveries would otherwise have room for these 13 KB.
        let answer = Box::pin(function.commands.run(event, Invocation::new(&context, now, Duration::MAX))).await;
        return Ok(Answer::Batch(answer));
    }
    let answer = function.deliveries.process_batch(event, Invocation::new(&context, now, FOR_DELIVERIES)).await?;
    Ok(Answer::Batch(answer))
}

fn came_from(queue_name: &str, event: &SqsEvent) -> bool {
    let arn = event.records.first().and_then(|record| record.event_source_arn.as_deref()).unwrap_or_default();
    arn.rsplit(':').next() == Some(queue_name)
}

#[cfg(test)]
mod tests;
