//! One batch from a queue: its records by group, the groups beside each other, and the answer record by record.

use crate::{
    command,
    process::{Invocation, Processor},
    publish::Publisher,
    record::{NoMessageId, Record},
    redelivery::Redelivery,
    store::SessionStore,
    vault::Vault,
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{FutureExt, StreamExt, stream};
use lambda_runtime::LambdaEvent;
use std::{
    panic::AssertUnwindSafe,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// How many groups are processed beside each other: as many as a FIFO batch can have.
const CONCURRENT_GROUPS: usize = 10;

/// Answers one invocation.
///
/// # Errors
/// [`NoMessageId`] for a batch that cannot be answered record by record; Lambda then delivers all of it again.
pub async fn handle<S: SessionStore, V: Vault, P: Publisher, R: Redelivery>(
    processor: &Processor<S, V, P, R>,
    commands_queue_name: &str,
    event: LambdaEvent<SqsEvent>,
) -> Result<SqsBatchResponse, NoMessageId> {
    let LambdaEvent { payload, context } = event;
    if came_from(commands_queue_name, &payload) {
        return Ok(command::run(payload));
    }
    let records = payload.records.into_iter().map(Record::try_from).collect::<Result<Vec<_>, _>>()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = Duration::from_millis(context.deadline).saturating_sub(now);
    let invocation = Invocation {
        request_id: &context.request_id,
        // A fifth of the time is for handing back what is not done, and some of that for the answer itself.
        deadline: Instant::now() + time * 16 / 20,
        last_call: Instant::now() + time * 19 / 20,
        now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
    };

    let groups = stream::iter(by_group(records)).map(|group| async move {
        // Each record's own code is guarded further in; this is for the code around it. Nothing done counts as done then.
        let done = AssertUnwindSafe(processor.process_group(&group, invocation)).catch_unwind().await.unwrap_or(0);
        group.into_iter().skip(done)
    });
    let failed: Vec<_> = groups.buffer_unordered(CONCURRENT_GROUPS).collect().await;
    let mut response = SqsBatchResponse::default();
    response.set_failures(failed.into_iter().flatten().map(|record| record.message_id));
    Ok(response)
}

fn came_from(queue_name: &str, event: &SqsEvent) -> bool {
    let arn = event.records.first().and_then(|record| record.event_source_arn.as_deref()).unwrap_or_default();
    arn.rsplit(':').next() == Some(queue_name)
}

/// The records by message group, groups and records in their order of arrival.
fn by_group(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut groups: Vec<Vec<Record>> = Vec::new();
    for record in records {
        let group = groups.iter_mut().find(|group| group.first().is_some_and(|first| first.group == record.group));
        match group {
            Some(group) => group.push(record),
            None => groups.push(vec![record]),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
