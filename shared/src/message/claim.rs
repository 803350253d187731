//! The claim check: what travels in place of a body that is too large for the queue.

use super::{AcceptId, CLAIMED, DecodeError, Head, QueueMessage};
use crate::{
    auth::DeliveryId,
    event::SessionId,
    hash::sha256_hex,
    kept::{Folder, key},
    provider::{self, Endpoint},
    time::ReceivedAt,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A claim to a body that was stored under [`Claim::key`] before the claim went anywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    head: Head,
    session: Option<SessionId>,
    group: String,
    sha256: String,
    size_bytes: u64,
}

/// Why what is stored is not what was claimed. Trying again will not change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClaimError {
    /// Nothing is stored under the claim's key.
    #[error("the claimed body is not in the store")]
    Missing,
    /// What is stored has another size or another SHA-256.
    #[error("the claimed body was altered")]
    Altered,
}

impl ClaimError {
    /// A short name for logs, metrics and metadata.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "claim_missing",
            Self::Altered => "claim_altered",
        }
    }
}

impl Claim {
    /// The claim to a message's body, in the part of the store that belongs to `group`.
    #[must_use]
    pub fn to(message: &QueueMessage, group: &str) -> Self {
        Self {
            head: message.head.clone(),
            session: provider::peek_message(message).session,
            group: group.to_owned(),
            sha256: sha256_hex(&message.body),
            size_bytes: message.body.len() as u64,
        }
    }

    /// What we know of how the delivery came.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whom the delivery is about, if its body names a bot or calendar that can be used.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// The key of the stored body.
    #[must_use]
    pub fn key(&self) -> String {
        key(Folder::Claims, &self.group, self.head.accept_id.as_str())
    }

    /// Makes the message whole with what was found under its key.
    ///
    /// # Errors
    /// [`ClaimError`] if that is not, to the byte, what was stored.
    pub fn redeem(&self, found: Option<Vec<u8>>) -> Result<QueueMessage, ClaimError> {
        let body = found.ok_or(ClaimError::Missing)?;
        if body.len() as u64 != self.size_bytes || sha256_hex(&body) != self.sha256 {
            return Err(ClaimError::Altered);
        }
        Ok(QueueMessage { head: self.head.clone(), body })
    }

    pub(super) fn encode(&self) -> String {
        let wire = Wire {
            v: CLAIMED,
            accept_id: Cow::Borrowed(self.head.accept_id.as_str()),
            endpoint: self.head.endpoint,
            delivery_id: self.head.delivery_id.as_ref().map(|id| Cow::Borrowed(id.as_str())),
            received_at: self.head.received_at,
            session: self.session.clone(),
            group: Cow::Borrowed(&self.group),
            sha256: Cow::Borrowed(&self.sha256),
            size_bytes: self.size_bytes,
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    pub(super) fn decode(text: &str) -> Result<Self, DecodeError> {
        let wire: Wire<'_> = serde_json::from_str(text)?;
        let head = Head {
            accept_id: AcceptId::new(wire.accept_id),
            endpoint: wire.endpoint,
            delivery_id: wire.delivery_id.map(|id| DeliveryId::new(&id)),
            received_at: wire.received_at,
        };
        let (group, sha256) = (wire.group.into_owned(), wire.sha256.into_owned());
        Ok(Self { head, session: wire.session, group, sha256, size_bytes: wire.size_bytes })
    }
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    v: u32,
    #[serde(borrow)]
    accept_id: Cow<'a, str>,
    endpoint: Endpoint,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    delivery_id: Option<Cow<'a, str>>,
    received_at: ReceivedAt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(borrow)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    sha256: Cow<'a, str>,
    size_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Carried, MAX_MESSAGE_BYTES, MAX_WHOLE_BYTES, tests::message};
    use proptest::prelude::*;

    const GROUP: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn the_wire_form_is_stable() {
        let claim = Claim::to(&message(Endpoint::MeetStream, "5f0c", b"{}"), GROUP);
        insta::assert_snapshot!(
            claim.encode(),
            @r#"{"v":2,"accept_id":"5f0c","endpoint":"meetstream","received_at":1791212102000,"group":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size_bytes":2}"#
        );
        assert_eq!(claim.key(), format!("claims/{GROUP}/5f0c"));
    }

    #[track_caller]
    fn check(name: &str, body: Vec<u8>, is_claimed: bool) {
        let message = message(Endpoint::MeetStream, "id", &body);
        let packed = message.pack(GROUP);
        assert!(packed.text.len() <= MAX_WHOLE_BYTES, "{name}");
        assert_eq!(packed.claim.is_some(), is_claimed, "{name}");
        match QueueMessage::decode(&packed.text).unwrap() {
            Carried::Whole(whole) => assert_eq!(whole, message, "{name}"),
            Carried::Claimed(claim) => assert_eq!(claim.redeem(Some(body)), Ok(message), "{name}"),
        }
    }

    #[test]
    fn what_fits_travels_whole_and_the_rest_by_claim() {
        check("small", b"{}".to_vec(), false);
        check("just below", vec![b'a'; MAX_WHOLE_BYTES - 1000], false);
        check("the bound without room for the rest of the message", vec![b'a'; MAX_WHOLE_BYTES], true);
        check("above", vec![b'a'; MAX_WHOLE_BYTES + 1], true);
        check("below, but not in base64", vec![0xff; MAX_WHOLE_BYTES * 4 / 5], true);
        check("below, and nothing but quotes", vec![b'"'; MAX_WHOLE_BYTES * 4 / 5], false);
        check("what Lambda takes at most", vec![b'a'; 6 * MAX_MESSAGE_BYTES], true);
    }

    #[test]
    fn a_claim_is_redeemed_only_by_the_very_bytes() {
        let claim = Claim::to(&message(Endpoint::MeetStream, "id", b"body"), GROUP);
        assert_eq!(claim.redeem(None), Err(ClaimError::Missing));
        for altered in [b"b0dy".to_vec(), b"bod".to_vec(), b"body ".to_vec(), Vec::new()] {
            assert_eq!(claim.redeem(Some(altered)), Err(ClaimError::Altered));
        }
        assert!(claim.redeem(Some(b"body".to_vec())).is_ok());
    }

    proptest! {
        #[test]
        fn any_body_comes_back_through_a_claim(body in proptest::collection::vec(any::<u8>(), 0..300), flip in any::<usize>()) {
            let message = message(Endpoint::MeetingBaasV1, "id", &body);
            let Carried::Claimed(claim) = QueueMessage::decode(&Claim::to(&message, GROUP).encode()).unwrap() else {
                panic!("a claim is read as a claim")
            };
            prop_assert_eq!(claim.redeem(Some(body.clone())), Ok(message));
            if !body.is_empty() {
                let mut altered = body;
                let at = flip % altered.len();
                altered[at] ^= 1;
                prop_assert_eq!(claim.redeem(Some(altered)), Err(ClaimError::Altered));
            }
        }
    }
}
