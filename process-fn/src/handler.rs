//! One invocation: from whichever queue, or with a command.

use crate::{
    deliveries::Processor,
    invocation::Invocation,
    jobs::command::{CommandHandler, NotDone},
    ports::bucket::Vault,
    ports::bucket::uploads::Archive,
    ports::providers::ProviderApi,
    ports::publisher::Publisher,
    ports::queues::commands::CommandQueue,
    ports::queues::record::NoMessageId,
    ports::queues::redelivery::Redelivery,
    ports::queues::requeue::Requeue,
    ports::sessions::SessionStore,
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{Command, command::UnknownCommand};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Both halves of the function: what it does with deliveries, and what it does with commands.
#[derive(Debug)]
pub struct Function<P, C> {
    /// For what comes from the events queue.
    pub processor: P,
    /// For what comes from the commands queue.
    pub command_handler: C,
    /// The name of the commands queue; every other one is taken for the events queue.
    pub commands_queue_name: String,
}

/// The most time that a batch of deliveries takes. The function's own limit is made for commands; a webhook that is stuck is
/// better tried again.
const FOR_DELIVERIES: Duration = Duration::from_secs(30);

/// The most time that a direct command takes: less than the minute between two sweeps, so that there is never more than one of
/// them on its way, and as much concurrency left as `template.yaml` counts on.
const FOR_DIRECT_COMMANDS: Duration = Duration::from_secs(55);

/// What an invocation brings: a batch of one of the queues, or a command.
#[derive(Debug, Deserialize)]
pub struct Payload {
    #[serde(rename = "Records")]
    records: Option<Vec<SqsMessage>>,
    // Known fields are read as they come, so a batch is never held twice.
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
    /// Which messages of a batch come again.
    Batch(SqsBatchResponse),
    /// A command was carried out.
    Done {
        /// Its name.
        done: &'static str,
    },
}

/// Why an invocation has no answer. Whoever invoked the function hears of it: of a batch, all comes again.
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
#[expect(clippy::type_complexity, reason = "both halves of the function name every port there is")]
pub async fn handle<S, V, P, R, C, Q, A, I>(
    function: &Function<Processor<S, V, P, R, C>, CommandHandler<S, V, Q, C, A, I, P>>,
    event: LambdaEvent<Payload>,
) -> Result<Answer, NoAnswer>
where
    S: SessionStore,
    V: Vault,
    P: Publisher,
    R: Redelivery,
    C: CommandQueue,
    Q: Requeue,
    A: Archive,
    I: ProviderApi,
{
    handle_at(function, event, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()).await
}

/// Answers one invocation that begins `now`, as the time since the Unix epoch.
///
/// # Errors
/// As for [`handle`].
#[expect(clippy::type_complexity, reason = "both halves of the function name every port there is")]
pub async fn handle_at<S, V, P, R, C, Q, A, I>(
    function: &Function<Processor<S, V, P, R, C>, CommandHandler<S, V, Q, C, A, I, P>>,
    event: LambdaEvent<Payload>,
    now: Duration,
) -> Result<Answer, NoAnswer>
where
    S: SessionStore,
    V: Vault,
    P: Publisher,
    R: Redelivery,
    C: CommandQueue,
    Q: Requeue,
    A: Archive,
    I: ProviderApi,
{
    let LambdaEvent { payload, context } = event;
    let Some(records) = payload.records else {
        let command = Command::from_value(Value::Object(payload.rest))
            .inspect_err(|error| tracing::error!(%error, "the function was invoked with what is no command"))?;
        let invocation = Invocation::new(&context, now, FOR_DIRECT_COMMANDS);
        Box::pin(function.command_handler.run_directly(&command, invocation)).await?;
        return Ok(Answer::Done { done: command.as_str() });
    };
    let mut event = SqsEvent::default();
    event.records = records;
    if came_from(&function.commands_queue_name, &event) {
        // On the heap: else every batch of deliveries would carry its 13 KB.
        let answer = Box::pin(function.command_handler.run(event, Invocation::new(&context, now, Duration::MAX))).await;
        return Ok(Answer::Batch(answer));
    }
    let answer = function.processor.process_batch(event, Invocation::new(&context, now, FOR_DELIVERIES)).await?;
    Ok(Answer::Batch(answer))
}

fn came_from(queue_name: &str, event: &SqsEvent) -> bool {
    let arn = event.records.first().and_then(|record| record.event_source_arn.as_deref()).unwrap_or_default();
    arn.rsplit(':').next() == Some(queue_name)
}
