//! When the queue delivers failed records again.

use crate::ports::queues::record::Record;
use aws_sdk_sqs::{Client, types::ChangeMessageVisibilityBatchRequestEntry};
use platform::aws::causes;
use std::{future::Future, time::Duration};

/// The queue, as far as it can be asked for patience.
pub trait Redelivery {
    /// Asks for these records not to be delivered again before `delay` has passed. If it cannot be had, they come after the
    /// queue's own visibility timeout: later, never not.
    fn postpone(&self, records: &[Record], delay: Duration) -> impl Future<Output = ()> + Send;
}

/// The wait before a record's next receive: `base`, doubled with each receive so far, up to `max`.
#[must_use]
pub(crate) fn backoff(receive_count: u32, base: Duration, max: Duration) -> Duration {
    base.saturating_mul(2_u32.saturating_pow(receive_count.saturating_sub(1))).min(max)
}

/// The events queue on SQS.
#[derive(Clone, Debug)]
pub struct SqsRedelivery {
    client: Client,
    queue_url: String,
}

impl SqsRedelivery {
    /// Connects to a queue.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, queue_url: String) -> Self {
        Self { client: Client::new(connection), queue_url }
    }
}

impl Redelivery for SqsRedelivery {
    async fn postpone(&self, records: &[Record], delay: Duration) {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        // SQS takes 10 entries at a time, and a FIFO batch has no more.
        for (batch, records) in records.chunks(10).enumerate() {
            let entries = records.iter().enumerate().filter_map(|(at, record)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(format!("{batch}-{at}"))
                    .receipt_handle(&record.receipt_handle)
                    .visibility_timeout(seconds)
                    .build()
                    .ok()
            });
            let asked = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.queue_url)
                .set_entries(Some(entries.collect()))
                .send()
                .await;
            match asked {
                Ok(answer) if answer.failed().is_empty() => {}
                Ok(answer) => {
                    tracing::warn!(failed = answer.failed().len(), "records come back at the queue's own pace")
                }
                Err(error) => {
                    tracing::warn!(error = causes(&error), "records come back at the queue's own pace");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::operation::change_message_visibility_batch::ChangeMessageVisibilityBatchOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    #[test]
    fn waits_double_up_to_a_bound() {
        let wait = |count| backoff(count, Duration::from_secs(2), Duration::from_secs(900)).as_secs();
        let waits: Vec<_> = (1..=12).map(wait).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(wait(u32::MAX), 900);
        assert_eq!(wait(0), 2);
        let total: u64 = (1..20).map(wait).sum();
        assert!((2 * 3600..4 * 3600).contains(&total), "20 receives take about three hours, not {total} s");
    }

    #[tokio::test]
    async fn all_records_get_the_same_wait() {
        let rule = mock!(Client::change_message_visibility_batch)
            .match_requests(|request| {
                request.queue_url() == Some("queue")
                    && request
                        .entries()
                        .iter()
                        .map(|e| (e.receipt_handle(), e.visibility_timeout().unwrap()))
                        .collect::<Vec<_>>()
                        == [("r1", 8), ("r2", 8)]
            })
            .then_output(|| {
                ChangeMessageVisibilityBatchOutput::builder()
                    .set_successful(Some(vec![]))
                    .set_failed(Some(vec![]))
                    .build()
                    .unwrap()
            });
        let client = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&rule]);
        let redelivery = SqsRedelivery { client, queue_url: "queue".to_owned() };
        let record = |receipt: &str| Record {
            message_id: "m".to_owned(),
            receipt_handle: receipt.to_owned(),
            body: String::new(),
            group: String::new(),
            receive_count: 3,
            sent_at: None,
        };
        redelivery.postpone(&[record("r1"), record("r2")], Duration::from_secs(8)).await;
        assert_eq!(rule.num_calls(), 1);
    }
}
