//! One batch of deliveries: its records by group, the groups beside each other, and the answer record by record.

use super::Deliveries;
use crate::{
    invocation::Invocation,
    ports::{
        Services,
        queues::record::{NoMessageId, Record},
    },
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{FutureExt, StreamExt, stream};
use std::panic::AssertUnwindSafe;

/// How many groups are processed beside each other: as many as a FIFO batch can have.
const CONCURRENT_GROUPS: usize = 10;

impl<S: Services> Deliveries<S> {
    /// Processes a batch and answers for each of its records.
    ///
    /// # Errors
    /// [`NoMessageId`] for a batch that cannot be answered record by record; Lambda then delivers all of it again.
    pub(crate) async fn process_batch(
        &self,
        event: SqsEvent,
        invocation: Invocation<'_>,
    ) -> Result<SqsBatchResponse, NoMessageId> {
        let records = event.records.into_iter().map(Record::try_from).collect::<Result<Vec<_>, _>>()?;
        let groups = stream::iter(by_group(records)).map(|group| async move {
            // Each step is guarded by itself. If the code around the steps panics, the whole group comes again.
            let settled = AssertUnwindSafe(self.process_group(&group, invocation)).catch_unwind().await.unwrap_or(0);
            group.into_iter().skip(settled)
        });
        let failed: Vec<_> = groups.buffer_unordered(CONCURRENT_GROUPS).collect().await;
        let mut response = SqsBatchResponse::default();
        response.set_failures(failed.into_iter().flatten().map(|record| record.message_id));
        Ok(response)
    }
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
