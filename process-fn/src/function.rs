//! One invocation, from whichever queue.

use crate::{
    api::ProviderApi, archive::Archive, command::Commander, commands::Commands, process::Processor, publish::Publisher,
    record::NoMessageId, redelivery::Redelivery, requeue::Requeue, store::SessionStore, vault::Vault,
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Context, LambdaEvent};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Both halves of the function: what it does with deliveries, and what it does with commands.
#[derive(Debug)]
pub struct Function<P, C> {
    /// For what comes from the events queue.
    pub processor: P,
    /// For what comes from the commands queue.
    pub commander: C,
    /// The name of the commands queue; every other one is taken for the events queue.
    pub commands_queue_name: String,
}

/// The most time that a batch of deliveries takes. The function's own limit is made for commands; a webhook that is stuck is
/// better tried again.
const FOR_DELIVERIES: Duration = Duration::from_secs(30);

/// The time and the name of one invocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invocation<'a> {
    /// Its request id.
    pub(crate) request_id: &'a str,
    /// When to stop working, well before Lambda would end it.
    pub(crate) deadline: Instant,
    /// When to stop handing back what is not done.
    pub(crate) last_call: Instant,
    /// Its start, in seconds since the Unix epoch.
    pub(crate) now: i64,
}

impl<'a> Invocation<'a> {
    /// The invocation that begins `now`, as the time since the Unix epoch. It takes `at_most` so much of the time it has.
    pub(crate) fn new(context: &'a Context, now: Duration, at_most: Duration) -> Self {
        let time = Duration::from_millis(context.deadline).saturating_sub(now).min(at_most);
        Self {
            request_id: &context.request_id,
            // A fifth of the time is for handing back what is not done, and some of that for the answer itself.
            deadline: Instant::now() + time * 16 / 20,
            last_call: Instant::now() + time * 19 / 20,
            now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        }
    }
}

/// Answers one invocation.
///
/// # Errors
/// [`NoMessageId`] for a batch that cannot be answered record by record; Lambda then delivers all of it again.
#[expect(clippy::type_complexity, reason = "both halves of the function name every port there is")]
pub async fn handle<S, V, P, R, C, Q, A, I>(
    function: &Function<Processor<S, V, P, R, C>, Commander<S, V, Q, C, A, I, P>>,
    event: LambdaEvent<SqsEvent>,
) -> Result<SqsBatchResponse, NoMessageId>
where
    S: SessionStore,
    V: Vault,
    P: Publisher,
    R: Redelivery,
    C: Commands,
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
    function: &Function<Processor<S, V, P, R, C>, Commander<S, V, Q, C, A, I, P>>,
    event: LambdaEvent<SqsEvent>,
    now: Duration,
) -> Result<SqsBatchResponse, NoMessageId>
where
    S: SessionStore,
    V: Vault,
    P: Publisher,
    R: Redelivery,
    C: Commands,
    Q: Requeue,
    A: Archive,
    I: ProviderApi,
{
    let LambdaEvent { payload, context } = event;
    if came_from(&function.commands_queue_name, &payload) {
        // On the heap: else every batch of deliveries would carry its 13 KB.
        return Ok(Box::pin(function.commander.run(payload, Invocation::new(&context, now, Duration::MAX))).await);
    }
    function.processor.process_batch(payload, Invocation::new(&context, now, FOR_DELIVERIES)).await
}

fn came_from(queue_name: &str, event: &SqsEvent) -> bool {
    let arn = event.records.first().and_then(|record| record.event_source_arn.as_deref()).unwrap_or_default();
    arn.rsplit(':').next() == Some(queue_name)
}
