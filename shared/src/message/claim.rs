//! The claim check: what travels in place of a body that is too large for the queue.

use super::head::Head;
use crate::{hash::sha256_hex, ids::SessionId};

/// A claim to a body that was stored under [`Claim::key`] before the claim went anywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    pub(super) head: Head,
    pub(super) session: Option<SessionId>,
    pub(super) group: String,
    pub(super) sha256: String,
    pub(super) size_bytes: u64,
}

/// Why a stored body is not the claimed one. Trying again will not change that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClaimError {
    /// Nothing is stored under the claim's key.
    #[error("the claimed body is not in the bucket")]
    Missing,
    /// The stored body has another size or another SHA-256.
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
    pub(super) fn to(head: &Head, body: &[u8], group: &str, session: Option<&SessionId>) -> Self {
        Self {
            head: head.clone(),
            session: session.cloned(),
            group: group.to_owned(),
            sha256: sha256_hex(body),
            size_bytes: body.len() as u64,
        }
    }

    /// How the delivery came.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The bot or calendar that the delivery is about, if its body names one that can be used.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// The part of the bucket that the body is stored in.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Gives back a body that is, to the byte, the claimed one.
    pub(super) fn check(&self, found: Option<Vec<u8>>) -> Result<Vec<u8>, ClaimError> {
        let body = found.ok_or(ClaimError::Missing)?;
        let is_claimed = body.len() as u64 == self.size_bytes && sha256_hex(&body) == self.sha256;
        is_claimed.then_some(body).ok_or(ClaimError::Altered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        endpoint::{Endpoint, Provider},
        message::{Carried, MAX_MESSAGE_BYTES, MAX_WHOLE_BYTES, QueueMessage, tests::message},
        sender_id::SenderId,
    };
    use proptest::prelude::*;

    const GROUP: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    /// The text and the claim of a message that travels by claim, as [`QueueMessage::pack`] would make them of a larger body.
    fn packed(message: &QueueMessage, session: Option<&SessionId>) -> (String, Claim) {
        let claim = Claim::to(message.head(), message.body(), GROUP, session);
        let large = QueueMessage::restored(message.head().clone(), vec![b'a'; MAX_WHOLE_BYTES + 1]);
        let large = large.pack(GROUP, session);
        let of_large = large.claim.unwrap();
        let text = large.text.replace(&of_large.sha256, &claim.sha256);
        let size = |claim: &Claim| format!(r#""size_bytes":{}"#, claim.size_bytes);
        (text.replace(&size(&of_large), &size(&claim)), claim)
    }

    #[test]
    fn the_wire_form_is_stable() {
        let bot = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
        let (text, claim) = packed(&message(Endpoint::MeetStream, "5f0c", b"{}"), Some(&bot));
        insta::assert_snapshot!(
            text,
            @r#"{"v":1,"accept_id":"5f0c","endpoint":"meetstream","received_at":1791212102000,"body":{"claim":{"session":{"provider":"meetstream","id":"b"},"group":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size_bytes":2}}}"#
        );
        assert_eq!(claim.key(), format!("claims/{GROUP}/5f0c"));
    }

    #[track_caller]
    fn check(name: &str, body: Vec<u8>, is_claimed: bool) {
        let message = message(Endpoint::MeetStream, "id", &body);
        let packed = message.pack(GROUP, None);
        assert!(packed.text.len() <= MAX_WHOLE_BYTES, "{name}");
        assert_eq!(packed.claim.is_some(), is_claimed, "{name}");
        match QueueMessage::decode(&packed.text).unwrap() {
            Carried::Whole(whole) => assert_eq!(whole, message, "{name}"),
            Carried::Claimed(claim) => {
                assert_eq!(Some(&claim), packed.claim.as_ref(), "{name}");
                assert_eq!(claim.redeem(Some(body)), Ok(message), "{name}");
            }
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
        let claim = packed(&message(Endpoint::MeetStream, "id", b"body"), None).1;
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
            let Carried::Claimed(claim) = QueueMessage::decode(&packed(&message, None).0).unwrap() else {
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
