//! The contract between the two functions: what travels through the queue.
//!
//! A message that fits travels whole. The body of a larger one is stored first, and the message carries a [`Claim`] to it
//! (the claim-check pattern): [`QueueMessage::pack`] decides which.

mod claim;

pub use claim::{Claim, ClaimError};

use crate::{
    auth::{DeliveryId, VerifiedBody},
    event::Trust,
    provider::Endpoint,
    time::ReceivedAt,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// The version of a message that travels whole.
const WHOLE: u32 = 1;

/// The version of a message whose body is elsewhere: code that knows only the first must not take it for an empty body.
const CLAIMED: u32 = 2;

/// The largest message that SQS takes, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// The largest text of a message that travels whole, in bytes: half of what SQS takes. SQS bills by 64 KiB and three times
/// over (send, receive, delete), so from about there on an object and a short message cost less than a long one.
pub const MAX_WHOLE_BYTES: usize = MAX_MESSAGE_BYTES / 2;

/// Which accepted request a message is: the request id of the invocation that accepted it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AcceptId(String);

impl AcceptId {
    /// Takes an id of our own making (never a sender's), unique for each accepted request.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AcceptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What we know of how a delivery came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Which accepted request it was.
    pub accept_id: AcceptId,
    /// The endpoint it came through.
    pub endpoint: Endpoint,
    /// The sender's own id of the delivery, where its credential covers one.
    pub delivery_id: Option<DeliveryId>,
    /// When we took it.
    pub received_at: ReceivedAt,
}

/// One accepted delivery: the exact bytes, and what we know of how they came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueMessage {
    head: Head,
    body: Vec<u8>,
}

/// What a queue record turns out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Carried {
    /// A delivery with its body.
    Whole(QueueMessage),
    /// A delivery whose body was stored: [`Claim::redeem`] makes it whole.
    Claimed(Claim),
}

/// A message in the form in which it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packed {
    /// What goes into the queue.
    pub text: String,
    /// What must have been stored before the text goes anywhere; `None` if the text carries the body.
    pub claim: Option<Claim>,
}

/// A queue record that is not one of our messages.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It does not have the form of a message.
    #[error("not a queue message: {0}")]
    Foreign(#[from] serde_json::Error),
    /// It was written by a version of this code that we do not know.
    #[error("queue message version {0}, this code reads only the versions {WHOLE} and {CLAIMED}")]
    Version(u32),
    /// Its body is not the base64 it says it is.
    #[error("the body is not base64")]
    Base64,
}

impl QueueMessage {
    /// Wraps a verified body for the queue.
    #[must_use]
    pub fn new(body: VerifiedBody, endpoint: Endpoint, accept_id: AcceptId, received_at: ReceivedAt) -> Self {
        let (body, delivery_id) = body.into_parts();
        Self { head: Head { accept_id, endpoint, delivery_id, received_at }, body }
    }

    /// A delivery that was verified when it came and stored since, made a message again.
    #[must_use]
    pub fn restored(head: Head, body: Vec<u8>) -> Self {
        Self { head, body }
    }

    /// What we know of how it came.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Which accepted request this is.
    #[must_use]
    pub fn accept_id(&self) -> &AcceptId {
        &self.head.accept_id
    }

    /// The endpoint it came through.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.head.endpoint
    }

    /// How far it can be trusted.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.head.endpoint.trust()
    }

    /// The sender's own id of the delivery, where its credential covers one.
    #[must_use]
    pub fn delivery_id(&self) -> Option<&DeliveryId> {
        self.head.delivery_id.as_ref()
    }

    /// When we took it.
    #[must_use]
    pub fn received_at(&self) -> ReceivedAt {
        self.head.received_at
    }

    /// The raw bytes, exactly as they were sent.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The raw bytes alone.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The message as text that SQS accepts, its body inside where that stays within [`MAX_WHOLE_BYTES`], else with a claim
    /// to it in `group`'s part of the store.
    #[must_use]
    pub fn pack(&self, group: &str) -> Packed {
        if self.body.len() <= MAX_WHOLE_BYTES {
            let text = self.encode();
            if text.len() <= MAX_WHOLE_BYTES {
                return Packed { text, claim: None };
            }
        }
        let claim = Claim::to(self, group);
        Packed { text: claim.encode(), claim: Some(claim) }
    }

    /// The message as text, its body inside however large it is.
    ///
    /// SQS refuses invalid UTF-8, most control characters, U+FFFE and U+FFFF. JSON escapes the control characters; bodies
    /// that are not text, or that escaping would double, travel as base64.
    #[must_use]
    pub fn encode(&self) -> String {
        let (encoding, body) = match std::str::from_utf8(&self.body) {
            Ok(text) if travels_as_text(text) => (Encoding::Text, Cow::Borrowed(text)),
            _ => (Encoding::Base64, Cow::Owned(BASE64_STANDARD.encode(&self.body))),
        };
        let wire = Wire {
            v: WHOLE,
            accept_id: Cow::Borrowed(self.head.accept_id.as_str()),
            endpoint: self.head.endpoint,
            delivery_id: self.head.delivery_id.as_ref().map(|id| Cow::Borrowed(id.as_str())),
            received_at: self.head.received_at,
            encoding,
            body,
        };
        // Room for some escapes, so that a large body is not moved again and again while it grows.
        let mut text = Vec::with_capacity(wire.body.len() + wire.body.len() / 8 + 512);
        // A struct of texts and numbers always serialises; an empty message would be refused by SQS, never accepted.
        let written = serde_json::to_writer(&mut text, &wire).ok();
        written.and_then(|()| String::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Reads what [`QueueMessage::pack`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else. Nothing was lost: the record stays on the queue, then in its dead-letter queue.
    pub fn decode(text: &str) -> Result<Carried, DecodeError> {
        let Versioned { v } = serde_json::from_str(text)?;
        match v {
            WHOLE => Ok(Carried::Whole(Self::from_wire(serde_json::from_str(text)?)?)),
            CLAIMED => Ok(Carried::Claimed(Claim::decode(text)?)),
            other => Err(DecodeError::Version(other)),
        }
    }

    fn from_wire(wire: Wire<'_>) -> Result<Self, DecodeError> {
        let body = match wire.encoding {
            Encoding::Text => wire.body.into_owned().into_bytes(),
            Encoding::Base64 => BASE64_STANDARD.decode(wire.body.as_bytes()).map_err(|_| DecodeError::Base64)?,
        };
        let head = Head {
            accept_id: AcceptId::new(wire.accept_id),
            endpoint: wire.endpoint,
            delivery_id: wire.delivery_id.map(|id| DeliveryId::new(&id)),
            received_at: wire.received_at,
        };
        Ok(Self { head, body })
    }
}

impl Carried {
    /// What we know of how it came.
    #[must_use]
    pub fn head(&self) -> &Head {
        match self {
            Self::Whole(message) => &message.head,
            Self::Claimed(claim) => claim.head(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    v: u32,
    #[serde(borrow)]
    accept_id: Cow<'a, str>,
    endpoint: Endpoint,
    // Absent where there is none, so that messages of before it existed are still read.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    delivery_id: Option<Cow<'a, str>>,
    received_at: ReceivedAt,
    encoding: Encoding,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Text,
    Base64,
}

/// Whether SQS takes the text once JSON has escaped it, at less than twice its size.
fn travels_as_text(text: &str) -> bool {
    // Simple counts and single characters: these the compiler and the library do many bytes at a time.
    let quotes = count(text, |byte| matches!(byte, b'"' | b'\\'));
    let controls = count(text, |byte| byte < 0x20);
    let short_controls = count(text, |byte| matches!(byte, b'\n' | b'\r' | b'\t' | 0x08 | 0x0c));
    let added_by_escaping = quotes + short_controls + 5 * (controls - short_controls);
    added_by_escaping <= text.len() && !text.contains('\u{FFFE}') && !text.contains('\u{FFFF}')
}

fn count(text: &str, of: impl Fn(u8) -> bool) -> usize {
    text.bytes().filter(|byte| of(*byte)).count()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::auth::{AuthMode, Credentials, PathTokens};
    use proptest::prelude::*;

    /// A message as ingest would make it, through the only way there is: verification.
    pub(crate) fn message(endpoint: Endpoint, accept_id: &str, body: &[u8]) -> QueueMessage {
        let token = "a-token-of-22-characters";
        let mode = AuthMode::PathToken(PathTokens::new(vec![token.into()]).unwrap().unwrap());
        let offered = Credentials { headers: &http::HeaderMap::new(), path_token: Some(token) };
        let verified = mode.verify(offered, body.to_vec(), 0).unwrap();
        QueueMessage::new(verified, endpoint, AcceptId::new(accept_id), ReceivedAt(1_791_212_102_000))
    }

    /// The same message with an id that its sender gave it.
    pub(crate) fn identified(message: QueueMessage, delivery_id: &str) -> QueueMessage {
        let head = Head { delivery_id: Some(DeliveryId::new(delivery_id)), ..message.head };
        QueueMessage { head, ..message }
    }

    /// The characters SQS allows, from its documentation of `SendMessage`.
    fn sqs_allows(c: char) -> bool {
        matches!(c, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
    }

    #[track_caller]
    fn check(name: &str, body: &[u8], encoding: &str) {
        let message = message(Endpoint::MeetStream, "id", body);
        let text = message.encode();
        assert!(text.chars().all(sqs_allows), "{name}: SQS would refuse it");
        assert!(text.contains(&format!(r#""encoding":"{encoding}""#)), "{name}: {text}");
        assert_eq!(QueueMessage::decode(&text).unwrap(), Carried::Whole(message), "{name}");
    }

    #[test]
    fn every_body_travels_unchanged() {
        check("a webhook", br#"{"event":"bot.joining","message":"caf\u00e9 \"x\""}"#, "text");
        check("empty", b"", "text");
        check("pretty-printed", b"{\r\n\t\"a\": 1\r\n}", "text");
        check("control characters in text", b"a text with \x00 and \x1f inside", "text");
        check("mostly control characters", &[0; 100], "base64");
        check("beyond the first plane", "🤖 \u{10FFFF}".as_bytes(), "text");
        check("noncharacters", "\u{FFFE}".as_bytes(), "base64");
        check("not UTF-8", b"{\"a\":\"\xff\"}", "base64");
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        assert!(matches!(QueueMessage::decode("hello"), Err(DecodeError::Foreign(_))));
        assert!(matches!(QueueMessage::decode("{}"), Err(DecodeError::Foreign(_))));
        assert!(matches!(QueueMessage::decode(r#"{"v":3,"new":"fields"}"#), Err(DecodeError::Version(3))));
        let text = message(Endpoint::MeetStream, "id", b"\xff").encode().replace("/w==", "/w=");
        assert!(matches!(QueueMessage::decode(&text), Err(DecodeError::Base64)));
    }

    #[test]
    fn the_wire_form_is_stable() {
        insta::assert_snapshot!(
            message(Endpoint::MeetStreamCallback, "5f0c", br#"{"a":1}"#).encode(),
            @r#"{"v":1,"accept_id":"5f0c","endpoint":"meetstream-callback","received_at":1791212102000,"encoding":"text","body":"{\"a\":1}"}"#
        );
    }

    #[test]
    fn a_senders_id_travels_only_where_there_is_one() {
        let identified = identified(message(Endpoint::MeetStream, "5f0c", b"{}"), "msg_\"1");
        let text = identified.encode();
        insta::assert_snapshot!(
            text,
            @r#"{"v":1,"accept_id":"5f0c","endpoint":"meetstream","delivery_id":"msg_\"1","received_at":1791212102000,"encoding":"text","body":"{}"}"#
        );
        assert_eq!(QueueMessage::decode(&text).unwrap(), Carried::Whole(identified));
    }

    proptest! {
        #[test]
        fn any_bytes_travel_unchanged(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let message = message(Endpoint::MeetStream, "id", &body);
            let text = message.encode();
            prop_assert!(text.chars().all(sqs_allows));
            prop_assert_eq!(QueueMessage::decode(&text).unwrap(), Carried::Whole(message));
        }

        #[test]
        fn decoding_never_panics(text in ".*") {
            let _ = QueueMessage::decode(&text);
        }
    }
}
