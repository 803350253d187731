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

/// The version of a message that travels whole as one JSON object, its body a text in it. It is read and no longer written.
const WHOLE_IN_JSON: u32 = 1;

/// The version of a message whose body is elsewhere: code that knows only the first must not take it for an empty body.
const CLAIMED: u32 = 2;

/// The version of a message that travels whole: a line of JSON, and after it the body.
const WHOLE: u32 = 3;

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
    #[error("queue message version {0}, this code reads only the versions {WHOLE_IN_JSON} to {WHOLE}")]
    Version(u32),
    /// It ends before its body begins.
    #[error("there is no body")]
    NoBody,
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

    /// The message as text, its body inside however large it is: a line of JSON that says how it came, and then the body as it
    /// is. The body is not a text in the JSON, because each quote in it would be escaped, and once more on its way to SQS.
    ///
    /// SQS refuses invalid UTF-8, most control characters, U+FFFE and U+FFFF. Bodies that have them travel as base64.
    #[must_use]
    pub fn encode(&self) -> String {
        let (encoding, body) = match std::str::from_utf8(&self.body) {
            Ok(text) if sqs_takes(text) => (Encoding::Text, Cow::Borrowed(text)),
            _ => (Encoding::Base64, Cow::Owned(BASE64_STANDARD.encode(&self.body))),
        };
        let line = Line {
            v: WHOLE,
            accept_id: Cow::Borrowed(self.head.accept_id.as_str()),
            endpoint: self.head.endpoint,
            delivery_id: self.head.delivery_id.as_ref().map(|id| Cow::Borrowed(id.as_str())),
            received_at: self.head.received_at,
            encoding,
        };
        // A struct of texts and numbers always serialises; an empty message would be refused by SQS, never accepted.
        serde_json::to_string(&line).map(|line| [&line, "\n", &body].concat()).unwrap_or_default()
    }

    /// Reads what [`QueueMessage::pack`] wrote, now or in an earlier version.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else. Nothing was lost: the record stays on the queue, then in its dead-letter queue.
    pub fn decode(text: &str) -> Result<Carried, DecodeError> {
        // JSON in one line has no line end: what has one is a whole message, or not ours.
        let (line, body) = text.split_once('\n').map_or((text, None), |(line, body)| (line, Some(body)));
        let Versioned { v } = serde_json::from_str(line)?;
        match v {
            WHOLE => Self::whole(serde_json::from_str(line)?, body.ok_or(DecodeError::NoBody)?).map(Carried::Whole),
            CLAIMED => Ok(Carried::Claimed(Claim::decode(text)?)),
            WHOLE_IN_JSON => {
                let InJson { body } = serde_json::from_str(text)?;
                Self::whole(serde_json::from_str(text)?, &body).map(Carried::Whole)
            }
            other => Err(DecodeError::Version(other)),
        }
    }

    fn whole(line: Line<'_>, body: &str) -> Result<Self, DecodeError> {
        let body = match line.encoding {
            Encoding::Text => body.as_bytes().to_vec(),
            Encoding::Base64 => BASE64_STANDARD.decode(body).map_err(|_| DecodeError::Base64)?,
        };
        let head = Head {
            accept_id: AcceptId::new(line.accept_id),
            endpoint: line.endpoint,
            delivery_id: line.delivery_id.map(|id| DeliveryId::new(&id)),
            received_at: line.received_at,
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

/// How a message came, and how its body travels.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    v: u32,
    #[serde(borrow)]
    accept_id: Cow<'a, str>,
    endpoint: Endpoint,
    // Absent where there is none, so that messages of before it existed are still read.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    delivery_id: Option<Cow<'a, str>>,
    received_at: ReceivedAt,
    encoding: Encoding,
}

/// What a message in one JSON object has beside the fields of a [`Line`].
#[derive(Deserialize)]
struct InJson<'a> {
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
        assert!(text.contains(&format!(r#""encoding":"{encoding}""#)), "{name}: {text}");
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
        assert!(matches!(QueueMessage::decode(r#"{"v":4,"new":"fields"}"#), Err(DecodeError::Version(4))));
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
        {"v":3,"accept_id":"5f0c","endpoint":"meetstream-callback","received_at":1791212102000,"encoding":"text"}
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
        {"v":3,"accept_id":"5f0c","endpoint":"meetstream","delivery_id":"msg_\"1","received_at":1791212102000,"encoding":"text"}
        {}
        "#
        );
        assert_eq!(QueueMessage::decode(&text).unwrap(), Carried::Whole(identified));
    }

    #[test]
    fn messages_of_before_are_still_read() {
        let read = |text| QueueMessage::decode(text).unwrap();
        let text = r#"{"v":1,"accept_id":"5f0c","endpoint":"meetstream","received_at":1791212102000,"encoding":"text","body":"{\"a\":\n1}"}"#;
        assert_eq!(read(text), Carried::Whole(message(Endpoint::MeetStream, "5f0c", b"{\"a\":\n1}")));
        let text = r#"{"v":1,"accept_id":"5f0c","endpoint":"meetstream","delivery_id":"msg_1","received_at":1791212102000,"encoding":"base64","body":"/w=="}"#;
        assert_eq!(read(text), Carried::Whole(identified(message(Endpoint::MeetStream, "5f0c", b"\xff"), "msg_1")));
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
