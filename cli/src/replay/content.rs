//! What an object in the bucket or a dead letter turns out to be, and what of it goes back into the queue.

use shared::{
    Event, QueueMessage, SessionId,
    bucket::{RestoreError, Restored, beside_a_delivery, restore},
    group,
    ids::AcceptId,
    message::{Carried, Claim, ClaimError, DecodeError, Head},
    provider,
};

/// A delivery that was put aside, as far as it can be understood without its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    carried: Carried,
    /// The text of its queue record, to go back as it is; `None` where only the body was stored.
    record: Option<String>,
}

/// A delivery that was put aside, with its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    message: QueueMessage,
    record: Option<String>,
    claim: Option<Claim>,
}

/// A delivery that is ready to go back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Returning {
    /// The group in the bucket.
    pub group: String,
    /// The message group in the queue.
    pub message_group: String,
    /// The message's text.
    pub text: String,
    /// The body, where the text has only a claim to it.
    pub claimed: Option<ClaimedBody>,
    /// Which accepted request it was.
    pub accept_id: AcceptId,
    /// Whose session it will move; `None` if its body names none that this version can see.
    pub session: Option<SessionId>,
}

/// An object that must be in the bucket before the message with the claim to it goes anywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedBody {
    pub key: String,
    pub bytes: Vec<u8>,
    pub metadata: Vec<(&'static str, String)>,
}

/// Why something is not put back: it would come back at once, or take something down.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The object was not written by Rollcall.
    #[error("{0}: Rollcall did not write it like that")]
    Restore(#[from] RestoreError),
    /// The record is no message of ours.
    #[error("Rollcall did not write this message: find out who sent it to the queue")]
    Foreign,
    /// The record is one of a version that this command does not know.
    #[error(
        "it is a message of version {0}, which this rollcall cannot read: deploy the version that wrote it, and use its rollcall"
    )]
    Version(u32),
    /// The claim is not worth sending.
    #[error(
        "{error} ({key}), so the delivery would only be quarantined again: if its sender still has it, send it anew"
    )]
    Claim {
        /// What is wrong with the body.
        error: ClaimError,
        /// The key of the body.
        key: String,
    },
    /// The command is none that this version knows.
    #[error("this rollcall does not know the command: deploy the version that sent it, and use its rollcall")]
    Command,
    #[error("the queue refuses this very message: {0}")]
    Queue(String),
}

impl Content {
    /// Understands an object. `find` looks up its metadata.
    pub fn of_object(find: impl Fn(&str) -> Option<String>, bytes: Vec<u8>) -> Result<Self, Refusal> {
        match restore(find, bytes)? {
            Restored::Message(message) => Ok(Self { carried: Carried::Whole(message), record: None }),
            Restored::Record(text) => Self::of_record(text),
        }
    }

    /// Understands the text of a queue record.
    pub fn of_record(text: String) -> Result<Self, Refusal> {
        match QueueMessage::decode(&text) {
            Ok(carried) => Ok(Self { carried, record: Some(text) }),
            Err(DecodeError::Version(version)) => Err(Refusal::Version(version)),
            Err(DecodeError::Foreign(_) | DecodeError::NoBody | DecodeError::Base64) => Err(Refusal::Foreign),
        }
    }

    /// What is known of how the delivery came.
    pub fn head(&self) -> &Head {
        self.carried.head()
    }

    /// Where its body is, if that is elsewhere.
    pub fn claimed_key(&self) -> Option<String> {
        match &self.carried {
            Carried::Whole(_) => None,
            Carried::Claimed(claim) => Some(claim.key()),
        }
    }

    /// The delivery with its body. `found` is what is under [`Self::claimed_key`].
    pub fn open(self, found: Option<Vec<u8>>) -> Result<Opened, Refusal> {
        let Self { carried, record } = self;
        match carried {
            Carried::Whole(message) => Ok(Opened { message, record, claim: None }),
            Carried::Claimed(claim) => {
                let redeemed = claim.redeem(found);
                let message = redeemed.map_err(|error| Refusal::Claim { error, key: claim.key() })?;
                Ok(Opened { message, record, claim: Some(claim) })
            }
        }
    }
}

impl Opened {
    pub fn message(&self) -> &QueueMessage {
        &self.message
    }

    /// What the delivery says, if this version can read it.
    pub fn event(&self) -> Option<Event> {
        provider::parse(&self.message).ok()
    }

    pub fn session(&self) -> Option<SessionId> {
        provider::peek_message(&self.message).session
    }

    /// The delivery, ready to go back. `stored_in` is the group that it was stored in: that of its route, where its bot was not
    /// to be seen at the time. If it is now, the delivery goes to its bot's group.
    pub fn returning(self, stored_in: &str) -> Returning {
        let session = self.session();
        let group = session.as_ref().map_or_else(|| stored_in.to_owned(), SessionId::group);
        let Self { message, record, claim } = self;
        let message_group = group::in_queue(&group, message.trust());
        let accept_id = message.accept_id().clone();
        let (text, claim) = match record {
            Some(text) => (text, claim),
            None => {
                let packed = message.pack(&group, session.as_ref());
                (packed.text, packed.claim)
            }
        };
        // A claim that goes back as it is gets its body stored anew all the same: bodies expire by their age, and this one
        // has to last for another journey.
        let claimed = claim.map(|claim| ClaimedBody {
            key: claim.key(),
            bytes: message.body().to_vec(),
            metadata: beside_a_delivery(message.head()),
        });
        Returning { group, message_group, text, claimed, accept_id, session }
    }
}

#[cfg(test)]
mod tests;
