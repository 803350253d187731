//! Deliveries as objects in the bucket: their keys, and what stands beside their bytes.
//!
//! | folder | holds | form | who puts them back |
//! |---|---|---|---|
//! | `spool/` | deliveries that the queue refused | record | the sweep, within minutes |
//! | `claims/` | bodies that do not fit a queue message | the body alone | nobody: the message has a [`Claim`](crate::message::Claim) to it |
//! | `parked/` | deliveries that failed on every try | delivery; record for a message that is not ours or was never decoded | a person, with `rollcall parked replay` |
//! | `quarantine/` | deliveries that cannot be read | as in `parked/` | a person, once the code can read them |
//!
//! The key is `<folder>/<group>/<name>`. The group is a hash of the bot and not the queue's message group, so everything of one bot
//! is below one prefix in each folder. The name is the accept id. The same delivery has the same key, so storing it twice stores it
//! once.

use crate::{
    endpoint::Endpoint,
    ids::{AcceptId, DeliveryId},
    message::{Claim, Head, QueueMessage},
    time::ReceivedAt,
};

/// A part of the bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Folder {
    /// Deliveries that the queue refused.
    Spool,
    /// Bodies that do not fit a queue message.
    Claims,
    /// Deliveries that failed on every try.
    Parked,
    /// Deliveries that cannot be read.
    Quarantine,
}

impl Folder {
    /// Every folder there is.
    pub const ALL: [Self; 4] = [Self::Spool, Self::Claims, Self::Parked, Self::Quarantine];

    /// The first part of the keys, without its slash.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spool => "spool",
            Self::Claims => "claims",
            Self::Parked => "parked",
            Self::Quarantine => "quarantine",
        }
    }

    /// What every key of the folder begins with.
    #[must_use]
    pub fn prefix(self) -> String {
        format!("{}/", self.as_str())
    }

    /// What every key of one group begins with.
    #[must_use]
    pub fn prefix_of(self, group: &str) -> String {
        format!("{}/{group}/", self.as_str())
    }
}

/// The key of a delivery in a folder.
#[must_use]
pub fn key(folder: Folder, group: &str, name: &str) -> String {
    format!("{}/{group}/{name}", folder.as_str())
}

impl Claim {
    /// The key under which the body is stored that this claim is for.
    #[must_use]
    pub fn key(&self) -> String {
        key(Folder::Claims, self.group(), self.head().accept_id.as_str())
    }
}

/// The group in a key, if it has the form of one.
#[must_use]
pub fn group_of(key: &str) -> Option<&str> {
    let mut parts = key.split('/');
    let (_, group, name) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next().is_none() && !group.is_empty() && !name.is_empty()).then_some(group)
}

/// The name in a key: the accept id, if it has the form of one.
#[must_use]
pub fn name_of(key: &str) -> Option<&str> {
    group_of(key)?;
    key.rsplit('/').next()
}

/// The names of the metadata, as S3 gives them back: in lower case, without `x-amz-meta-`.
pub mod metadata {
    /// `delivery`, or `record`.
    pub const FORM: &str = "form";
    /// A short name of why it is here.
    pub const REASON: &str = "reason";
    /// Which accepted request it was.
    pub const ACCEPT_ID: &str = "accept-id";
    /// The endpoint it came through.
    pub const ENDPOINT: &str = "endpoint";
    /// When we took it, in milliseconds since the Unix epoch.
    pub const RECEIVED_AT: &str = "received-at";
    /// The sender's own id of the delivery, where there is one.
    pub const DELIVERY_ID: &str = "delivery-id";
    /// The value of [`FORM`] for a body with its head beside it.
    pub const DELIVERY: &str = "delivery";
    /// The value of [`FORM`] for the text of a queue record.
    pub const RECORD: &str = "record";
}

/// What stands beside a delivery's body, to make its message again.
#[must_use]
pub fn beside_a_delivery(head: &Head) -> Vec<(&'static str, String)> {
    beside(metadata::DELIVERY, head)
}

/// What stands beside the text of a delivery's queue record. The text says all of it too; here it can be listed.
#[must_use]
pub fn beside_a_record(head: &Head) -> Vec<(&'static str, String)> {
    beside(metadata::RECORD, head)
}

fn beside(form: &str, head: &Head) -> Vec<(&'static str, String)> {
    let mut all = vec![
        (metadata::FORM, form.to_owned()),
        (metadata::ACCEPT_ID, head.accept_id.to_string()),
        (metadata::ENDPOINT, head.endpoint.as_str().to_owned()),
        (metadata::RECEIVED_AT, head.received_at.0.to_string()),
    ];
    // It came as the value of a header, so it fits into one.
    all.extend(head.delivery_id.as_ref().map(|id| (metadata::DELIVERY_ID, id.as_str().to_owned())));
    all
}

/// A kept object, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Restored {
    /// A delivery: [`QueueMessage::pack`] makes it fit for the queue again.
    Message(QueueMessage),
    /// The text of a queue record, to go back as it is.
    Record(String),
}

/// Why a kept object cannot be put back.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    /// A metadata field that restoring the message needs is absent or makes no sense.
    #[error("the object's metadata \"{0}\" is missing or unreadable")]
    Metadata(&'static str),
    /// The metadata says that the object is a queue record, but its bytes are not text.
    #[error("the object's metadata says that it is a queue record, but its bytes are not text")]
    NotText,
}

/// Makes a kept object a message again. `find` looks up its metadata.
///
/// # Errors
/// [`RestoreError`] for an object that this code, or any before it, did not write.
pub fn restore(find: impl Fn(&str) -> Option<String>, bytes: Vec<u8>) -> Result<Restored, RestoreError> {
    let need = |name: &'static str| find(name).ok_or(RestoreError::Metadata(name));
    match need(metadata::FORM)?.as_str() {
        metadata::DELIVERY => {
            let endpoint = Endpoint::from_name(&need(metadata::ENDPOINT)?);
            let received_at = need(metadata::RECEIVED_AT)?.parse().ok();
            let head = Head {
                accept_id: AcceptId::new(need(metadata::ACCEPT_ID)?),
                endpoint: endpoint.ok_or(RestoreError::Metadata(metadata::ENDPOINT))?,
                delivery_id: find(metadata::DELIVERY_ID).map(|id| DeliveryId::new(&id)),
                received_at: ReceivedAt(received_at.ok_or(RestoreError::Metadata(metadata::RECEIVED_AT))?),
            };
            Ok(Restored::Message(QueueMessage::restored(head, bytes)))
        }
        metadata::RECORD => String::from_utf8(bytes).map(Restored::Record).map_err(|_| RestoreError::NotText),
        _ => Err(RestoreError::Metadata(metadata::FORM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::{identified, message};
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn keys_are_taken_apart_again() {
        for folder in Folder::ALL {
            let key = key(folder, "g", "id");
            assert!(key.starts_with(&folder.prefix()) && key.starts_with(&folder.prefix_of("g")));
            assert_eq!((group_of(&key), name_of(&key)), (Some("g"), Some("id")));
        }
        for odd in ["", "spool", "spool/", "spool/g", "spool/g/", "spool//id", "spool/g/id/more"] {
            assert_eq!((group_of(odd), name_of(odd)), (None, None), "{odd}");
        }
    }

    #[test]
    fn what_is_not_ours_is_not_restored() {
        let complete = beside_a_delivery(message(Endpoint::MeetStream, "1", b"").head());
        let restore_with = |all: &HashMap<&str, String>| restore(|name| all.get(name).cloned(), b"x".to_vec());
        for (missing, _) in &complete {
            let rest = complete.iter().filter(|(name, _)| name != missing).cloned().collect();
            assert_eq!(restore_with(&rest), Err(RestoreError::Metadata(missing)));
        }
        for (name, value) in [(metadata::FORM, "x"), (metadata::ENDPOINT, "zoom"), (metadata::RECEIVED_AT, "soon")] {
            let mut all: HashMap<_, _> = complete.iter().cloned().collect();
            all.insert(name, value.to_owned());
            assert_eq!(restore_with(&all), Err(RestoreError::Metadata(name)));
        }
        let record = |name: &str| (name == metadata::FORM).then(|| metadata::RECORD.to_owned());
        assert_eq!(restore(record, b"text".to_vec()), Ok(Restored::Record("text".to_owned())));
        assert_eq!(restore(record, b"\xff".to_vec()), Err(RestoreError::NotText));
    }

    proptest! {
        #[test]
        fn any_delivery_is_restored_as_it_was(body in proptest::collection::vec(any::<u8>(), 0..200), id in "[ -~]{0,200}") {
            for endpoint in Endpoint::ALL {
                let mut message = message(endpoint, "accepted", &body);
                if !id.is_empty() {
                    message = identified(message, &id);
                }
                let all: HashMap<_, _> = beside_a_delivery(message.head()).into_iter().collect();
                let restored = restore(|name| all.get(name).cloned(), body.clone());
                prop_assert_eq!(restored, Ok(Restored::Message(message)));
            }
        }
    }
}
