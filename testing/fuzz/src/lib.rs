//! What must hold for any input: one function for each fuzz target, which panics where it does not.
//!
//! The tests of `shared` include this file and run the same functions for a bounded time.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use shared::{
    AcceptId, Endpoint, QueueMessage, ReceivedAt, Trust,
    auth::{
        AuthError, AuthMode, Credentials, PathTokens, SignatureSecrets, StaticHeader, SvixKeys, TimestampWindow,
        VerifiedBody,
    },
    message::Carried,
    provider::{self, ParseError},
};
use std::{sync::LazyLock, time::Duration};

const SIGNING_SECRETS: [&str; 2] = ["ms_test_secret_01", "mb_page_secret"];
const SVIX_KEYS: [&str; 2] = ["whsec_ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5y", "whsec_P3m7e0NbBTIWUdrv03TNxoHcBvqmXjdO"];
const STATIC_SECRETS: [&str; 2] = ["a-static-secret", "the-one-before-it"];
const PATH_TOKENS: [&str; 2] = ["p4th-token_of-24-letters", "0ther-token_of-24-letter"];
const WINDOW: TimestampWindow = TimestampWindow(Duration::from_secs(300));

/// 2026-08-20T09:00:13Z, which is near the times in the vectors.
const DEFAULT_NOW: i64 = 1_787_216_413_000;

/// A request as a fuzzer can write one: `<now> <path token>`, lines of `name: value`, an empty line, the body. Whatever is
/// not of this form is left out.
#[derive(Debug)]
struct Request<'a> {
    now: i64,
    path_token: Option<&'a str>,
    headers: HeaderMap,
    body: &'a [u8],
}

/// The bytes that [`verification`] reads as this request.
pub fn request<'a>(
    now: i64,
    path_token: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) -> Vec<u8> {
    let lines = headers.into_iter().map(|(name, value)| format!("{name}: {value}\n"));
    let head = format!("{now} {path_token}\n{}\n", lines.collect::<String>());
    [head.as_bytes(), body].concat()
}

/// Header verification never panics; it accepts what a secret signed and nothing beside that; what it lets through is what
/// came.
pub fn verification(input: &[u8]) {
    let request = Request::read(input);
    for mode in MODES.iter() {
        let Ok(verified) = verdict(mode, &request, request.body) else { continue };
        assert_eq!(verified.bytes(), request.body, "the bytes are as they came");
        let (covers_the_body, trust) = match mode {
            AuthMode::MeetStreamSignature { .. } | AuthMode::Svix(_) | AuthMode::MeetingBaasSignature(_) => {
                (true, Trust::Verified)
            }
            AuthMode::StaticHeader(_) => (false, Trust::Verified),
            AuthMode::PathToken(_) => (false, Trust::Unverified),
        };
        assert_eq!(verified.trust(), trust);
        assert_eq!(verified.delivery_id().is_some(), matches!(mode, AuthMode::Svix(_)));
        let longer = [request.body, b" "].concat();
        let other = verdict(mode, &request, &longer).map(drop);
        assert_eq!(other, if covers_the_body { Err(AuthError::Mismatch) } else { Ok(()) }, "{mode:?}");
    }
    every_genuine_request_is_accepted(request);
}

/// Looking at a body and understanding it never panics, and both say the same about which delivery it is and whose. The
/// first byte picks the endpoint.
pub fn envelope(input: &[u8]) {
    let Some((endpoint, body)) = endpoint_and_body(input) else { return };
    let message = message(endpoint, body);
    let peek = provider::peek_message(&message);
    assert!(is_hex(&peek.group, 64), "{}", peek.group);
    assert!(peek.key.as_ref().is_none_or(|key| is_hex(&key.to_string(), 32)), "{:?}", peek.key);
    let before = provider::peek(endpoint, body);
    assert_eq!((&before.session, &before.group), (&peek.session, &peek.group), "the group needs the body alone");

    let event = match provider::parse(&message) {
        Ok(event) => event,
        Err(error) => {
            assert!(peek.key.is_some() || error == ParseError::NotAnObject, "{error}");
            return;
        }
    };
    assert_eq!((peek.session.as_ref(), peek.key.as_ref()), (Some(&event.session), Some(&event.key)));
    let session = event.session.encoded();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~#".contains(&byte);
    assert!(session.len() <= 300 && session.bytes().all(plain), "{session}");
    assert!(!event.name.is_empty() && event.name.len() <= 256, "{}", event.name);
    assert!(event.reason.as_ref().is_none_or(|reason| reason.len() <= 256), "{:?}", event.reason);
    assert!(!event.facts().is_empty());
    if let Some(attributes) = &event.custom_attributes {
        assert!(attributes.len() <= 2048, "{attributes}");
        assert!(serde_json::from_str::<serde_json::Value>(attributes).is_ok_and(|value| value.is_object()));
    }
}

/// Decoding never panics, and a message that was read or made comes back from the queue as it was, in characters that the
/// queue takes. To make one, the first byte picks the endpoint.
pub fn queue_message(input: &[u8]) {
    if let Ok(Carried::Whole(message)) = QueueMessage::decode(&String::from_utf8_lossy(input)) {
        assert_eq!(QueueMessage::decode(&message.encode()).ok(), Some(Carried::Whole(message)), "read");
    }
    let Some((endpoint, body)) = endpoint_and_body(input) else { return };
    let message = message(endpoint, body);
    let text = message.encode();
    assert!(text.chars().all(sqs_takes), "{text}");
    assert!(text.len() <= body.len().div_ceil(3) * 4 + 300, "{} bytes became {}", body.len(), text.len());
    assert_eq!(QueueMessage::decode(&text).ok(), Some(Carried::Whole(message)), "made");
}

/// The bytes that [`envelope`] and [`queue_message`] read as this delivery.
pub fn delivery(endpoint: Endpoint, body: &[u8]) -> Vec<u8> {
    let number = Endpoint::ALL.iter().position(|known| *known == endpoint).and_then(|number| u8::try_from(number).ok());
    [&[b'0' + number.unwrap_or_default()], body].concat()
}

fn endpoint_and_body(input: &[u8]) -> Option<(Endpoint, &[u8])> {
    let (first, body) = input.split_first()?;
    let number = usize::from(first.wrapping_sub(b'0'));
    Endpoint::ALL.get(number % Endpoint::ALL.len()).map(|endpoint| (*endpoint, body))
}

impl<'a> Request<'a> {
    fn read(input: &'a [u8]) -> Self {
        let mut request = Self { now: DEFAULT_NOW, path_token: None, headers: HeaderMap::new(), body: b"" };
        let (first, mut rest) = line(input);
        let first = std::str::from_utf8(first).unwrap_or_default();
        let (now, path_token) = first.split_once(' ').map_or((first, None), |(now, token)| (now, Some(token)));
        request.now = now.parse().unwrap_or(DEFAULT_NOW);
        request.path_token = path_token;
        loop {
            let (header, after) = line(rest);
            rest = after;
            if header.is_empty() {
                request.body = rest;
                return request;
            }
            let Some(colon) = header.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = header.split_at(colon);
            let value = value.strip_prefix(b": ").or_else(|| value.strip_prefix(b":")).unwrap_or_default();
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                request.headers.append(name, value);
            }
        }
    }
}

fn line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (text.get(..end).unwrap_or_default(), text.get(end + 1..).unwrap_or_default()),
        None => (text, b""),
    }
}

/// Every way of proof, under secrets that the seeds know.
static MODES: LazyLock<[AuthMode; 7]> = LazyLock::new(|| {
    let owned = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
    let signing = || SignatureSecrets::new(owned(SIGNING_SECRETS)).expect("there are secrets");
    let header =
        |name| AuthMode::StaticHeader(StaticHeader::new(name, owned(STATIC_SECRETS)).expect("there are secrets"));
    [
        AuthMode::MeetStreamSignature { secrets: signing(), window: None },
        AuthMode::MeetStreamSignature { secrets: signing(), window: Some(WINDOW) },
        AuthMode::PathToken(PathTokens::new(owned(PATH_TOKENS)).ok().flatten().expect("there are tokens")),
        AuthMode::Svix(SvixKeys::new(owned(SVIX_KEYS)).ok().flatten().expect("there are keys")),
        header(StaticHeader::MEETINGBAAS_API_KEY),
        header(StaticHeader::MEETINGBAAS_CALLBACK_SECRET),
        AuthMode::MeetingBaasSignature(signing()),
    ]
});

fn verdict(mode: &AuthMode, request: &Request<'_>, body: &[u8]) -> Result<VerifiedBody, AuthError> {
    let offered = Credentials { headers: &request.headers, path_token: request.path_token };
    mode.verify(offered, body.to_vec(), request.now)
}

/// Whatever else is in the request: once it bears the credentials that its body calls for, every mode takes it.
fn every_genuine_request_is_accepted(mut request: Request<'_>) {
    // The times that a timestamp header can say.
    request.now = request.now.clamp(0, 4_102_444_800_000);
    let id = request.headers.get("svix-id").and_then(|id| id.to_str().ok()).map(str::trim).unwrap_or_default();
    let id = if id.is_empty() { "msg_1".to_owned() } else { id.to_owned() };
    let timestamp = request.now.div_euclid(1000).to_string();
    let signature = hex::encode(hmac(SIGNING_SECRETS[0].as_bytes(), &[request.body]));
    for (name, value) in [
        ("x-meetstream-signature", format!("sha256={signature}")),
        ("x-meetstream-timestamp", rfc_3339(request.now.div_euclid(1000))),
        ("x-meetingbaas-signature", signature),
        (StaticHeader::MEETINGBAAS_API_KEY, STATIC_SECRETS[0].to_owned()),
        (StaticHeader::MEETINGBAAS_CALLBACK_SECRET, STATIC_SECRETS[1].to_owned()),
        ("svix-signature", svix_signature(&id, &timestamp, request.body)),
        ("svix-timestamp", timestamp),
        ("svix-id", id.clone()),
    ] {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            request.headers.insert(name, value);
        }
    }
    request.path_token = Some(PATH_TOKENS[1]);
    for mode in MODES.iter() {
        match verdict(mode, &request, request.body) {
            Ok(verified) => {
                let sent = verified.delivery_id().filter(|_| id.len() <= 128).map_or(id.as_str(), |id| id.as_str());
                assert_eq!(sent, id);
            }
            Err(error) => panic!("{mode:?} refuses a genuine request: {error}: {request:?}"),
        }
    }
}

/// A message as ingest makes it: through verification, which gives one of Svix its id.
fn message(endpoint: Endpoint, body: &[u8]) -> QueueMessage {
    let mut headers = HeaderMap::new();
    let [_, _, path_token, svix, ..] = &*MODES;
    let mut mode = path_token;
    if endpoint == Endpoint::MeetingBaasV2 {
        let (id, timestamp) = ("msg_2nA0testSharedPlain0000001", "1787216411");
        headers.insert("svix-id", HeaderValue::from_static(id));
        headers.insert("svix-timestamp", HeaderValue::from_static(timestamp));
        let signature = HeaderValue::try_from(svix_signature(id, timestamp, body)).expect("base64 is a header's text");
        headers.insert("svix-signature", signature);
        mode = svix;
    }
    let offered = Credentials { headers: &headers, path_token: Some(PATH_TOKENS[0]) };
    let verified = mode.verify(offered, body.to_vec(), DEFAULT_NOW).expect("a genuine delivery is accepted");
    QueueMessage::new(verified, endpoint, AcceptId::new("accepted"), ReceivedAt(DEFAULT_NOW))
}

fn svix_signature(id: &str, timestamp: &str, body: &[u8]) -> String {
    static KEY: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let digits = SVIX_KEYS[0].trim_start_matches("whsec_");
        BASE64_STANDARD.decode(digits).expect("the key is base64")
    });
    let signature = hmac(&KEY, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    format!("v1,{}", BASE64_STANDARD.encode(signature))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().to_vec()
}

/// A time from 1970 on as text, by the rule of the civil calendar.
fn rfc_3339(unix_seconds: i64) -> String {
    let (days, second) = (unix_seconds.div_euclid(86_400), unix_seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The characters that SQS takes, from its documentation of `SendMessage`.
fn sqs_takes(c: char) -> bool {
    matches!(c, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}
