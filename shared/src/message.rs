//! The contract between the two functions: what travels through the queue.
//!
//! A message that fits travels whole. The body of a larger one is stored first, and the message carries a [`Claim`] to it
//! (the claim-check pattern): [`QueueMessage::pack`] decides which.
//!
//! The text of a message is a line of JSON that says how the delivery came, and after it the body as it was sent:
//!
//! ```text
//! {"v":1,"accept_id":"5f0c","endpoint":"meetstream-callback","received_at":1791212102000,"body":"text"}
//! {"a":1}
//! ```
//!
//! `received_at` is in milliseconds since the Unix epoch. `body` is `text`, `base64` where SQS does not take the bytes as they are,
//! or the claim to a stored body. The body is not a text inside of the JSON, because each quote in it would be escaped there, and
//! once more in the request to SQS.

mod claim;
mod head;

pub use claim::{Claim, ClaimError};
pub use head::Head;

use crate::{
    auth::VerifiedBody,
    endpoint::Endpoint,
    ids::{AcceptId, DeliveryId, SessionId},
    time::ReceivedAt,
    trust::Trust,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The version of the messages that this code writes, and the only one that it reads.
const VERSION: u32 = 1;

/// The largest message that SQS takes, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// The largest text of a message that travels whole, in bytes: half of what SQS takes. SQS bills by 64 KiB and three times
/// over (send, receive, delete), so from about there on an object and a short message cost less than a long one.
pub const MAX_WHOLE_BYTES: usize = MAX_MESSAGE_BYTES / 2;

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

/// Why a queue record is not one of our messages.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The record does not have the form of a message.
    #[error("the record is not a queue message: {0}")]
    Foreign(#[from] serde_json::Error),
    /// Another version of this code wrote the message.
    #[error("the queue message has version {0}, and this code reads only version {VERSION}")]
    Version(u32),
    /// The message ends before its body begins.
    #[error("the queue message has no body")]
    NoBody,
    /// The body should be base64 and is not.
    #[error("the body of the queue message is not base64")]
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

    /// The message as text that SQS accepts. The body is in the text where that has at most [`MAX_WHOLE_BYTES`]; else the text has
    /// a claim to the body, which must first be stored in the part of the bucket that belongs to `group`. `session` is what
    /// [`peek`](crate::provider::peek_message) saw of the body, for readers that have only the claim.
    #[must_use]
    pub fn pack(&self, group: &str, session: Option<&SessionId>) -> Packed {
        if self.body.len() <= MAX_WHOLE_BYTES {
            let text = self.encode();
            if text.len() <= MAX_WHOLE_BYTES {
                return Packed { text, claim: None };
            }
        }
        let claim = Claim::to(&self.head, &self.body, group, session);
        Packed { text: Line::of(&self.head, Place::of_claim(&claim)).text(&[]), claim: Some(claim) }
    }

    /// The message as text, its body inside however large it is: a line of JSON that says how the delivery came, and then the body
    /// as it is. The body is not a string in the JSON, because each quote in it would be escaped, and once more on its way to SQS.
    ///
    /// SQS refuses invalid UTF-8, most control characters, U+FFFE and U+FFFF. Bodies that have them travel as base64.
    #[must_use]
    pub fn encode(&self) -> String {
        let (place, body) = match std::str::from_utf8(&self.body) {
            Ok(text) if sqs_takes(text) => (Place::Text, Cow::Borrowed(text)),
            _ => (Place::Base64, Cow::Owned(BASE64_STANDARD.encode(&self.body))),
        };
        Line::of(&self.head, place).text(&["\n", &body])
    }

    /// Reads what [`QueueMessage::pack`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else. Nothing was lost: the record stays on the queue, then in its dead-letter queue.
    pub fn decode(text: &str) -> Result<Carried, DecodeError> {
        // JSON in one line has no line end: the first one ends the line.
        let (line, body) = text.split_once('\n').map_or((text, None), |(line, body)| (line, Some(body)));
        let Versioned { v } = serde_json::from_str(line)?;
        if v != VERSION {
            return Err(DecodeError::Version(v));
        }
        let Line { accept_id, endpoint, delivery_id, received_at, body: place, .. } = serde_json::from_str(line)?;
        let head = Head {
            accept_id: AcceptId::new(accept_id),
            endpoint,
            delivery_id: delivery_id.map(|id| DeliveryId::new(&id)),
            received_at,
        };
        let body = || body.ok_or(DecodeError::NoBody);
        let body = match place {
            Place::Text => body()?.as_bytes().to_vec(),
            Place::Base64 => BASE64_STANDARD.decode(body()?).map_err(|_| DecodeError::Base64)?,
            Place::Claim { session, group, sha256, size_bytes } => {
                let (group, sha256) = (group.into_owned(), sha256.into_owned());
                let session = session.map(Cow::into_owned);
                return Ok(Carried::Claimed(Claim { head, session, group, sha256, size_bytes }));
            }
        };
        Ok(Carried::Whole(Self { head, body }))
    }
}

impl Claim {
    /// Makes the message whole with the body that was found under the claim's key.
    ///
    /// # Errors
    /// [`ClaimError`] if that is not, to the byte, what was stored.
    pub fn redeem(&self, found: Option<Vec<u8>>) -> Result<QueueMessage, ClaimError> {
        Ok(QueueMessage { head: self.head.clone(), body: self.check(found)? })
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

/// The line of JSON that every message begins with: how the delivery came, and where its body is.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    v: u32,
    #[serde(borrow)]
    accept_id: Cow<'a, str>,
    endpoint: Endpoint,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    delivery_id: Option<Cow<'a, str>>,
    received_at: ReceivedAt,
    #[serde(borrow)]
    body: Place<'a>,
}

/// Where a message's body is: behind the line, or in the bucket.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place<'a> {
    Text,
    Base64,
    Claim {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Cow<'a, SessionId>>,
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(borrow)]
        sha256: Cow<'a, str>,
        size_bytes: u64,
    },
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl<'a> Line<'a> {
    fn of(head: &'a Head, body: Place<'a>) -> Self {
        Self {
            v: VERSION,
            accept_id: Cow::Borrowed(head.accept_id.as_str()),
            endpoint: head.endpoint,
            delivery_id: head.delivery_id.as_ref().map(|id| Cow::Borrowed(id.as_str())),
            received_at: head.received_at,
            body,
        }
    }

    /// The line with what follows it. Texts and numbers always serialise; SQS would refuse an empty message, never accept it.
    fn text(&self, rest: &[&str]) -> String {
        serde_json::to_string(self).map(|line| [&[line.as_str()], rest].concat().concat()).unwrap_or_default()
    }
}

impl<'a> Place<'a> {
    fn of_claim(claim: &'a Claim) -> Self {
        Self::Claim {
            session: claim.session.as_ref().map(Cow::Borrowed),
            group: Cow::Borrowed(&claim.group),
            sha256: Cow::Borrowed(&claim.sha256),
            size_bytes: claim.size_bytes,
        }
    }
}

/// Whether SQS takes a text as it is, from its documentation of `SendMessage`.
fn sqs_takes(text: &str) -> bool {
    // A simple count and single characters: these the compiler and the library do many bytes at a time.
    let refused = text.bytes().filter(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')).count();
    refused == 0 && !text.contains('\u{FFFE}') && !text.contains('\u{FFFF}')
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
        assert!(text.contains(&format!(r#""body":"{encoding}""#)), "{name}: {text}");
        assert_eq!(QueueMessage::decode(&text).unwrap(), Carried::Whole(message), "{name}");
    }

    #[test]
    fn every_body_travels_unchanged() {
        check("a webhook", br#"{"event":"bot.joining","message":"caf\u00e9 \"x\""}"#, "text");
        check("empty", b"", "text");
        check("pretty-printed", b"{\r\n\t\"a\": 1\r\n}", "text");
        check("line ends at both ends", b"\n\r\n{}\r\n\n", "text");
        check("a message in a message", message(Endpoint::MeetStream, "id", b"{}").encode().as_bytes(), "text");
        check("control characters in text", b"a text with \x00 and \x1f inside", "base64");
        check("delete is no control character to SQS", b"\x7f", "text");
        check("beyond the first plane", "🤖 \u{10FFFF}".as_bytes(), "text");
        check("noncharacters", "\u{FFFE}".as_bytes(), "base64");
        check("not UTF-8", b"{\"a\":\"\xff\"}", "base64");
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        assert!(matches!(QueueMessage::decode("hello"), Err(DecodeError::Foreign(_))));
        assert!(matches!(QueueMessage::decode("{}"), Err(DecodeError::Foreign(_))));
        assert!(matches!(QueueMessage::decode("hello\n{}"), Err(DecodeError::Foreign(_))));
        assert!(matches!(QueueMessage::decode(r#"{"v":2,"new":"fields"}"#), Err(DecodeError::Version(2))));
        let text = message(Endpoint::MeetStream, "id", b"\xff").encode().replace("/w==", "/w=");
        assert!(matches!(QueueMessage::decode(&text), Err(DecodeError::Base64)));
        let text = message(Endpoint::MeetStream, "id", b"").encode();
        assert!(matches!(QueueMessage::decode(text.trim_end()), Err(DecodeError::NoBody)), "cut short is not empty");
    }

    #[test]
    fn the_wire_form_is_stable() {
        insta::assert_snapshot!(
            message(Endpoint::MeetStreamCallback, "5f0c", br#"{"a":1}"#).encode(),
            @r#"
        {"v":1,"accept_id":"5f0c","endpoint":"meetstream-callback","received_at":1791212102000,"body":"text"}
        {"a":1}
        "#
        );
    }

    #[test]
    fn a_senders_id_travels_only_where_there_is_one() {
        let identified = identified(message(Endpoint::MeetStream, "5f0c", b"{}"), "msg_\"1");
        let text = identified.encode();
        insta::assert_snapshot!(
            text,
            @r#"
        {"v":1,"accept_id":"5f0c","endpoint":"meetstream","delivery_id":"msg_\"1","received_at":1791212102000,"body":"text"}
        {}
        "#
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
