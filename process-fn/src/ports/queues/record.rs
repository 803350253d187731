//! One record of a batch.

use aws_lambda_events::sqs::SqsMessage;
use shared::{group, hash::sha256_hex};
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Identifies the record within the batch. A redrive changes this id, so it identifies no delivery.
    pub message_id: String,
    /// Identifies this receive of the record.
    pub receipt_handle: String,
    pub body: String,
    pub group: String,
    /// How often the record was received, including this time.
    pub receive_count: u32,
    /// When the record was sent to the queue, in milliseconds since the Unix epoch. The queue's retention counts from then on.
    pub sent_at: Option<i64>,
}

/// A record without an id. Lambda never sends one, and its failure could not be reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a record of the batch has no message id, so the batch cannot be answered record by record")]
pub struct NoMessageId;

impl TryFrom<SqsMessage> for Record {
    type Error = NoMessageId;

    fn try_from(message: SqsMessage) -> Result<Self, NoMessageId> {
        let attribute = |name: &str| message.attributes.get(name).cloned().unwrap_or_default();
        let (group, receive_count) = (attribute("MessageGroupId"), attribute("ApproximateReceiveCount"));
        Ok(Self {
            message_id: message.message_id.filter(|id| !id.is_empty()).ok_or(NoMessageId)?,
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            group,
            receive_count: receive_count.parse().unwrap_or(1),
            sent_at: attribute("SentTimestamp").parse().ok(),
        })
    }
}

impl Record {
    /// The group for use in a key. Our groups are hashes already; a foreign one is hashed.
    #[must_use]
    pub fn group_hash(&self) -> String {
        let group = group::in_bucket(&self.group);
        let is_hash = group.len() == 64 && group.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        if is_hash { group.to_owned() } else { sha256_hex(group.as_bytes()) }
    }

    /// Whether the record has been in the queue for at least this long. `now` is in seconds since the Unix epoch.
    #[must_use]
    pub fn is_older_than(&self, age: Duration, now: i64) -> bool {
        let sent_at = self.sent_at.map(|sent_at| sent_at / 1000);
        sent_at.is_some_and(|sent_at| now.saturating_sub(sent_at) >= i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::trust::Trust;

    #[test]
    fn a_foreign_group_never_becomes_part_of_a_key() {
        let of = |group: &str| {
            let group = group.to_owned();
            Record { group, ..Record::default() }.group_hash()
        };
        let ours = sha256_hex(b"bot");
        assert_eq!(of(&ours), ours);
        assert_eq!(of(&group::in_queue(&ours, Trust::Unverified)), ours, "all of a bot is in one place");
        for foreign in ["", "../../x", "group", &ours.to_uppercase(), &ours[1..]] {
            assert_eq!(of(foreign), sha256_hex(foreign.as_bytes()));
        }
    }
}
