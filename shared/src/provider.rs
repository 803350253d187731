//! Who sends, where their deliveries arrive, and what a body says. One file for each provider's dialect.

mod bounds;
mod error;
pub mod meetingbaas;
pub mod meetstream;

pub use error::ParseError;

use crate::{
    endpoint::{Endpoint, Provider},
    event::Event,
    hash::FieldHash,
    ids::{DeliveryKey, SessionId},
    lenient::mended,
    message::QueueMessage,
};

/// What can be seen of a body without judging it: enough to queue it in its bot's group and to log it.
#[derive(Clone, PartialEq, Debug)]
pub struct Peek {
    /// The bot or calendar, if the body names a usable one.
    pub session: Option<SessionId>,
    /// The delivery key, if the body can be read as far as that.
    pub key: Option<DeliveryKey>,
    /// The group in the bucket: a hash of the bot or the calendar, or of the route where there is neither. 64 hexadecimal
    /// characters. [`group::in_queue`](crate::group::in_queue) makes the message group of it.
    pub group: String,
}

/// Looks at a body as far as queueing needs it. Never fails: whatever cannot be seen is absent.
///
/// The key is the one by which [`parse`] will know the delivery, unless something beside the body goes into that:
/// [`peek_message`] sees it all.
#[must_use]
pub fn peek(endpoint: Endpoint, body: &[u8]) -> Peek {
    look(endpoint, body, None)
}

/// Looks at a delivery of which everything is known.
#[must_use]
pub fn peek_message(message: &QueueMessage) -> Peek {
    look(message.endpoint(), message.body(), Some(message))
}

fn look(endpoint: Endpoint, body: &[u8], message: Option<&QueueMessage>) -> Peek {
    let peek = |readable: &[u8]| seen(endpoint, body, readable, message);
    let seen = peek(body).or_else(|| peek(&mended_beside_the_id(endpoint, body)?));
    let (session, key) = seen.map_or((None, None), |(session, key)| (session, Some(key)));
    let group = match &session {
        Some(session) => session.group(),
        None => FieldHash::default().field(endpoint.as_str()).hex(),
    };
    Peek { session, key, group }
}

/// The bot and the key of a body that was `sent`, from its `readable` form; `None` if that is not readable.
fn seen(
    endpoint: Endpoint,
    sent: &[u8],
    readable: &[u8],
    message: Option<&QueueMessage>,
) -> Option<(Option<SessionId>, DeliveryKey)> {
    match endpoint.provider() {
        Provider::MeetStream => meetstream::peek(sent, readable),
        Provider::MeetingBaas => meetingbaas::peek(sent, readable, message),
    }
}

/// The mended body; `None` if nothing in it needs that, or if half of a surrogate pair was in the id: what is mended is another
/// id, and may be another bot's.
fn mended_beside_the_id(endpoint: Endpoint, body: &[u8]) -> Option<Vec<u8>> {
    let is_exact = |session: &SessionId| !session.id.as_sent().contains(char::REPLACEMENT_CHARACTER);
    mended(body).filter(|readable| {
        let session = seen(endpoint, body, readable, None).and_then(|(session, _)| session);
        session.as_ref().is_none_or(is_exact)
    })
}

/// Understands a queued delivery.
///
/// # Errors
/// [`ParseError`]: the delivery is authentic, and trying again will not make it readable.
pub fn parse(message: &QueueMessage) -> Result<Event, ParseError> {
    let parse = |readable: &[u8]| match message.endpoint().provider() {
        Provider::MeetStream => meetstream::parse(message, readable),
        Provider::MeetingBaas => meetingbaas::parse(message, readable),
    };
    match parse(message.body()) {
        Err(ParseError::NotAnObject) => {
            let readable = mended_beside_the_id(message.endpoint(), message.body());
            readable.map_or(Err(ParseError::NotAnObject), |readable| parse(&readable))
        }
        parsed => parsed,
    }
}

/// Whether a delivery carries a transcript in its body. Most only say that there is one.
#[must_use]
pub fn carries_transcript(message: &QueueMessage) -> bool {
    match message.endpoint() {
        Endpoint::MeetingBaasV1 | Endpoint::MeetingBaasLegacy => meetingbaas::carries_transcript(message.body()),
        Endpoint::MeetStream
        | Endpoint::MeetStreamCallback
        | Endpoint::MeetingBaasV2
        | Endpoint::MeetingBaasCallback => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Certainty, Ended, EventKind, Outcome};
    use proptest::prelude::*;

    /// JSON text by the grammar of RFC 8259, and no further: what no Rust text or number can hold is in it.
    fn json_text() -> impl Strategy<Value = String> {
        let escape = prop_oneof![
            4 => "[ -!#-\\[\\]-~é🤖]{0,6}".prop_map(String::from),
            2 => any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
            2 => (0xD800..=0xDFFF_u16).prop_map(|unit| format!("\\u{unit:04X}")),
            1 => Just("\\ud83d\\ude00".to_owned()),
            1 => prop_oneof![Just("\\\\"), Just("\\\""), Just("\\/"), Just("\\n")].prop_map(str::to_owned),
        ];
        let text = proptest::collection::vec(escape, 0..6).prop_map(|parts| format!("\"{}\"", parts.concat()));
        let number = prop_oneof![
            Just("1e999".to_owned()),
            Just("-1E+400".to_owned()),
            Just("0e99999999999".to_owned()),
            Just("9".repeat(400)),
            any::<f64>()
                .prop_filter("JSON has no others", |number| number.is_finite())
                .prop_map(|number| number.to_string()),
        ];
        let word = prop_oneof![Just("true".to_owned()), Just("null".to_owned())];
        let leaf = prop_oneof![text.clone(), number, word];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            let list =
                proptest::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", ")));
            let fields = proptest::collection::vec((text.clone(), inner.clone()), 0..5).prop_map(|fields| {
                let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("{name} :{value}")).collect();
                format!("{{{}}}", fields.join(","))
            });
            let deep = (inner, 1..3000_usize)
                .prop_map(|(value, depth)| format!(r#"{}{value}{}"#, r#"{"a":["#.repeat(depth), "]}".repeat(depth)));
            prop_oneof![list, fields, deep]
        })
    }

    proptest! {
        #[test]
        fn a_genuine_end_is_read_whatever_else_is_in_its_body(attributes in json_text(), message in json_text(), name in json_text()) {
            let name = if name.starts_with('"') { name } else { r#""odd""#.to_owned() };
            let end = format!(
                r#"{{"{{name}}":1,"bot_id":"b","event":"bot.stopped","bot_event":"bot.kicked","message":{message},"custom_attributes":{attributes}}}"#
            );
            let end = end.replace(r#""{name}""#, &name);
            let event = parse(&crate::message::tests::message(Endpoint::MeetStream, "a", end.as_bytes())).unwrap();
            let kicked = Ended { outcome: Outcome::Kicked, certainty: Certainty::Final };
            prop_assert_eq!(&event.kind, &EventKind::Ended(kicked));
            let seen = peek(Endpoint::MeetStream, end.as_bytes());
            prop_assert_eq!((seen.session, seen.key), (Some(event.session), Some(event.key)), "both ends of the queue agree");

            let end = format!(
                r#"{{"event":"bot.completed","data":{{"bot_id":"b","error_message":{message},"mp4":{attributes}}},"extra":{attributes}}}"#
            );
            let event = parse(&crate::message::tests::message(Endpoint::MeetingBaasCallback, "a", end.as_bytes())).unwrap();
            prop_assert!(matches!(event.kind, EventKind::Concluded(_)));
            let seen = peek(Endpoint::MeetingBaasCallback, end.as_bytes());
            prop_assert_eq!((seen.session, seen.key), (Some(event.session), Some(event.key)), "both ends of the queue agree");
        }
    }

    #[test]
    fn attributes_fail_alone() {
        let read = |attributes: &str| {
            let body = format!(r#"{{"bot_id":"b","bot_event":"bot.kicked","custom_attributes":{attributes}}}"#);
            let event = parse(&crate::message::tests::message(Endpoint::MeetStream, "a", body.as_bytes())).unwrap();
            (event.custom_attributes, event.has_dropped_attributes)
        };
        assert_eq!(read(r#"{"note":"bye \ud83d"}"#), (Some("{\"note\":\"bye \u{FFFD}\"}".to_owned()), false));
        assert_eq!(read(r#"{"n":1e999}"#), (Some(r#"{"n":null}"#.to_owned()), false));
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        assert_eq!(read(&deep), (None, true));
    }

    #[test]
    fn groups_are_per_bot_and_per_route_without_one() {
        let group = |endpoint, body: &str| peek(endpoint, body.as_bytes()).group;
        let bot = group(Endpoint::MeetStream, r#"{"bot_id":"a"}"#);
        assert_eq!(bot, group(Endpoint::MeetStreamCallback, r#"{"data":{"bot":{"id":"a"}}}"#));
        assert_ne!(bot, group(Endpoint::MeetStream, r#"{"bot_id":"b"}"#));
        assert_ne!(bot, group(Endpoint::MeetingBaasV2, r#"{"data":{"bot_id":"a"}}"#), "another provider's bot");
        let calendar = group(Endpoint::MeetingBaasV1, r#"{"event":"calendar.x","data":{"calendar_id":"a"}}"#);
        assert_eq!(calendar, group(Endpoint::MeetingBaasV2, r#"{"event":"calendar.y","data":{"calendar_id":"a"}}"#));
        assert_ne!(calendar, group(Endpoint::MeetingBaasV2, r#"{"data":{"bot_id":"a"}}"#), "a bot of the same name");
        let none = group(Endpoint::MeetStream, "not json");
        assert_eq!(none, group(Endpoint::MeetStream, "{}"));
        assert_ne!(none, group(Endpoint::MeetStreamCallback, "{}"));
        for text in ["🤖", "\u{0}", "x/remove_bot?", "a b"] {
            let group = group(Endpoint::MeetStream, &serde_json::json!({ "bot_id": text }).to_string());
            assert!(group.len() == 64 && group.bytes().all(|b| b.is_ascii_hexdigit()), "{text}");
        }
    }
}
