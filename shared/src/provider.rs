//! Who sends, where their deliveries arrive, and what a body says. One file for each provider's dialect.

pub mod meetstream;

use crate::{
    event::{DeliveryKey, Event, SessionId, Trust},
    hash::FieldHash,
    message::QueueMessage,
    sender_id::SenderIdError,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose bots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Provider {
    MeetStream,
}

impl Provider {
    /// The name in keys, in logs and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeetStream => "meetstream",
        }
    }

    /// The provider with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::MeetStream.as_str()).then_some(Self::MeetStream)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A route that deliveries arrive on. It names the sender and the way of proof; nothing is guessed from a body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Endpoint {
    /// `MeetStream`'s workspace webhooks, signed.
    #[serde(rename = "meetstream")]
    MeetStream,
    /// `MeetStream`'s per-bot `callback_url`, unsigned, with a token in the path.
    #[serde(rename = "meetstream-callback")]
    MeetStreamCallback,
}

impl Endpoint {
    /// Every endpoint there is.
    pub const ALL: [Self; 2] = [Self::MeetStream, Self::MeetStreamCallback];

    /// The endpoint that a request path names, and the token in it where the route has one. `None` for every other path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<(Self, Option<&str>)> {
        let rest = path.strip_prefix("/webhooks/")?;
        match rest.split_once('/') {
            None | Some((_, "")) if rest.trim_end_matches('/') == "meetstream" => Some((Self::MeetStream, None)),
            Some(("meetstream", token)) if !token.is_empty() && !token.contains('/') => {
                Some((Self::MeetStreamCallback, Some(token)))
            }
            _ => None,
        }
    }

    /// The name in queue messages, logs and metrics. It never holds a token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeetStream => "meetstream",
            Self::MeetStreamCallback => "meetstream-callback",
        }
    }

    /// Whose bots it is about.
    #[must_use]
    pub fn provider(self) -> Provider {
        match self {
            Self::MeetStream | Self::MeetStreamCallback => Provider::MeetStream,
        }
    }

    /// How far its deliveries can be trusted.
    #[must_use]
    pub fn trust(self) -> Trust {
        match self {
            Self::MeetStream => Trust::Verified,
            Self::MeetStreamCallback => Trust::Claimed,
        }
    }
}

/// What can be seen of a body without judging it: enough to queue it in its bot's group and to log it.
#[derive(Clone, PartialEq, Debug)]
pub struct Peek {
    /// The bot, if the body names a usable one.
    pub session: Option<SessionId>,
    /// The delivery key, if the body can be read as far as that.
    pub key: Option<DeliveryKey>,
    /// The FIFO group: a hash of the bot, or of the route where there is none. 64 hexadecimal characters.
    pub group: String,
}

/// Why an authentic body is no event. Its bytes go to quarantine.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not a JSON object, or names a field that we read twice.
    #[error("the body is not a readable JSON object")]
    NotAnObject,
    /// Nothing in it says what happened.
    #[error("the body names no event")]
    NoName,
    /// Nothing in it says which bot.
    #[error("the body names no bot")]
    NoBot,
    /// The bot's id cannot be used.
    #[error("the bot's id cannot be used: {0}")]
    BadBot(#[from] SenderIdError),
}

impl ParseError {
    /// A short name for logs, metrics and metadata.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::NoName => "no_event_name",
            Self::NoBot => "no_bot",
            Self::BadBot(_) => "bad_bot_id",
        }
    }
}

/// Looks at a body as far as queueing needs it. Never fails: whatever cannot be seen is absent.
#[must_use]
pub fn peek(endpoint: Endpoint, body: &[u8]) -> Peek {
    let (session, key) = match endpoint.provider() {
        Provider::MeetStream => meetstream::peek(body),
    };
    let group = match &session {
        Some(session) => FieldHash::default().field(session.provider.as_str()).field(session.bot_id.as_sent()),
        None => FieldHash::default().field(endpoint.as_str()),
    };
    Peek { session, key, group: group.hex() }
}

/// Understands a queued delivery.
///
/// # Errors
/// [`ParseError`]: the delivery is authentic, and trying again will not make it readable.
pub fn parse(message: &QueueMessage) -> Result<Event, ParseError> {
    match message.endpoint().provider() {
        Provider::MeetStream => meetstream::parse(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<(Endpoint, Option<&str>)>) {
        assert_eq!(Endpoint::from_path(path), expected, "{path}");
    }

    #[test]
    fn paths_name_endpoints() {
        check("/webhooks/meetstream", Some((Endpoint::MeetStream, None)));
        check("/webhooks/meetstream/", Some((Endpoint::MeetStream, None)));
        check("/webhooks/meetstream/t0ken", Some((Endpoint::MeetStreamCallback, Some("t0ken"))));
        for unknown in [
            "/",
            "",
            "/webhooks",
            "/webhooks/",
            "/webhooks/meetstreams",
            "/webhooks/meetstream//",
            "/webhooks/meetstream/t0ken/more",
            "/webhooks/other/t0ken",
            "/webhooks/other/",
            "/Webhooks/meetstream",
            "/prod/webhooks/meetstream",
        ] {
            check(unknown, None);
        }
    }

    #[test]
    fn groups_are_per_bot_and_per_route_without_one() {
        let group = |endpoint, body: &str| peek(endpoint, body.as_bytes()).group;
        let bot = group(Endpoint::MeetStream, r#"{"bot_id":"a"}"#);
        assert_eq!(bot, group(Endpoint::MeetStreamCallback, r#"{"data":{"bot":{"id":"a"}}}"#));
        assert_ne!(bot, group(Endpoint::MeetStream, r#"{"bot_id":"b"}"#));
        let none = group(Endpoint::MeetStream, "not json");
        assert_eq!(none, group(Endpoint::MeetStream, "{}"));
        assert_ne!(none, group(Endpoint::MeetStreamCallback, "{}"));
        for text in ["🤖", "\u{0}", "x/remove_bot?", "a b"] {
            let group = group(Endpoint::MeetStream, &serde_json::json!({ "bot_id": text }).to_string());
            assert!(group.len() == 64 && group.bytes().all(|b| b.is_ascii_hexdigit()), "{text}");
        }
    }
}
