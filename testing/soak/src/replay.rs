//! What a person does in the end: parked deliveries, and quarantined ones that the code can read, go back into the queue.

use crate::audit::Object;
use shared::{
    QueueMessage,
    bucket::{Folder, Restored, beside_a_delivery, group_of, metadata, restore},
    group,
    message::Head,
    provider::peek_message,
};
use std::collections::BTreeMap;

/// Reasons of quarantine that lie with a store and not with the delivery.
const CURABLE: [&str; 2] = ["store_invalid", "queue_refused"];

/// A message to be sent, and an object that must be stored before it.
#[derive(Clone, Debug)]
pub(crate) struct PutBack {
    /// The FIFO group.
    pub(crate) group: String,
    /// A dedup id that no send had before: SQS must not fold a replay into its original.
    pub(crate) dedup_id: String,
    /// The text.
    pub(crate) text: String,
    /// The body, where the text is a claim to it: its key, and the object.
    pub(crate) claimed: Option<(String, Object)>,
}

/// How to put an object back; `None` for one that stays where it is.
#[must_use]
pub(crate) fn put_back(key: &str, object: &Object) -> Option<PutBack> {
    let reason = object.metadata.get(metadata::REASON).map_or("", String::as_str);
    let is_curable = key.starts_with(&Folder::Quarantine.prefix()) && CURABLE.contains(&reason);
    if !is_curable && !key.starts_with(&Folder::Parked.prefix()) {
        return None;
    }
    let kept_in = group_of(key)?.to_owned();
    let message_group = |head: &Head| group::in_queue(&kept_in, head.endpoint.trust());
    let dedup_id = format!("replay-of-{}", key.replace('/', "-").chars().rev().take(100).collect::<String>());
    match restore(|name| object.metadata.get(name).cloned(), object.bytes.clone()).ok()? {
        Restored::Record(text) => {
            // Somebody else's message would only come back.
            let group = message_group(QueueMessage::decode(&text).ok()?.head());
            Some(PutBack { group, dedup_id, text, claimed: None })
        }
        Restored::Message(message) => {
            let (packed, group) =
                (message.pack(&kept_in, peek_message(&message).session.as_ref()), message_group(message.head()));
            let claimed = packed.claim.map(|claim| {
                let beside = beside_a_delivery(claim.head()).into_iter();
                let metadata: BTreeMap<_, _> = beside.map(|(name, value)| (name.to_owned(), value)).collect();
                (claim.key(), Object { bytes: message.body().to_vec(), metadata })
            });
            Some(PutBack { group, dedup_id, text: packed.text, claimed })
        }
    }
}
