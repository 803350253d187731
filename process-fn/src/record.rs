//! One record of a batch, as far as processing needs it.

use aws_lambda_events::sqs::SqsMessage;
use shared::hash::sha256_hex;

/// One record of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Names the record within the batch. A redrive changes it, so it identifies no delivery.
    pub message_id: String,
    /// Names this receive of the record.
    pub receipt_handle: String,
    /// The message's text.
    pub body: String,
    /// The message group's id.
    pub group: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

/// A record that Lambda would never send: without an id, its failure could not be reported.
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
        })
    }
}

impl Record {
    /// The group for use in a key: ours are hashes already, a foreign one is made one.
    #[must_use]
    pub fn group_hash(&self) -> String {
        let is_hash =
            self.group.len() == 64 && self.group.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        if is_hash { self.group.clone() } else { sha256_hex(self.group.as_bytes()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_group_never_becomes_part_of_a_key() {
        let of = |group: &str| {
            let group = group.to_owned();
            Record {
                message_id: String::new(),
                receipt_handle: String::new(),
                body: String::new(),
                group,
                receive_count: 1,
            }
            .group_hash()
        };
        let ours = sha256_hex(b"bot");
        assert_eq!(of(&ours), ours);
        for foreign in ["", "../../x", "group", &ours.to_uppercase(), &ours[1..]] {
            assert_eq!(of(foreign), sha256_hex(foreign.as_bytes()));
        }
    }
}
