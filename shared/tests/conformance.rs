//! The conformance vectors, which say in no language what this code must do; and for a bounded time what the fuzz targets
//! run for as long as one lets them.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../testing/fuzz/src/lib.rs"]
#[expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    reason = "a crate of its own, where it fails by panicking"
)]
mod properties;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use shared::{
    Endpoint, Event, EventKind, OccurredAt, QueueMessage,
    auth::{AuthMode, Credentials, PathTokens, SignatureSecrets, StaticHeader, SvixKeys, TimestampWindow},
    event::Ended,
    hash::FieldHash,
    message::Carried,
    provider,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[derive(Deserialize)]
struct Vectors<T> {
    vectors: Vec<T>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verification {
    name: String,
    why: String,
    scheme: String,
    header: Option<String>,
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    path_token: Option<String>,
    body_base64: String,
    now_unix_ms: i64,
    window_seconds: Option<u64>,
    delivery_id: Option<String>,
    expect: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    name: String,
    why: String,
    endpoint: Endpoint,
    body: Option<String>,
    body_base64: Option<String>,
    body_file: Option<PathBuf>,
    accept_id: String,
    delivery_id: Option<String>,
    expect: Map<String, Value>,
}

static VERIFICATIONS: LazyLock<Vec<Verification>> = LazyLock::new(|| read("verification.json"));
static DELIVERIES: LazyLock<Vec<Delivery>> = LazyLock::new(|| read("events.json"));

fn read<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let text = fs::read_to_string(Path::new(PROJECT).join("testing/conformance").join(file)).unwrap();
    serde_json::from_str::<Vectors<T>>(&text).unwrap().vectors
}

#[test]
fn every_request_gets_its_verdict() {
    for vector in VERIFICATIONS.iter() {
        let verified = vector.mode().verify(
            Credentials { headers: &vector.headers(), path_token: vector.path_token.as_deref() },
            vector.body(),
            vector.now_unix_ms,
        );
        let verdict = verified.as_ref().map_or_else(|error| error.code(), |_| "accepted");
        assert_eq!(verdict, vector.expect, "{}: {}", vector.name, vector.why);
        let delivery_id = verified.ok().and_then(|verified| {
            assert_eq!(verified.bytes(), vector.body(), "{}: the bytes are as they came", vector.name);
            verified.delivery_id().map(|id| id.as_str().to_owned())
        });
        assert_eq!(delivery_id, vector.delivery_id, "{}: {}", vector.name, vector.why);
    }
}

#[test]
fn every_body_is_read_as_its_event() {
    for vector in DELIVERIES.iter() {
        let mut expected = vector.expect.clone();
        let mut hash_of = |inputs: &str| match expected.remove(inputs) {
            Some(inputs) => hash(&serde_json::from_value::<Vec<(String, Option<String>)>>(inputs).unwrap()).into(),
            None => Value::Null,
        };
        let (key, group) = (hash_of("key_inputs"), hash_of("group_inputs"));
        assert_eq!(key.as_str().map(|key| &key[..32]), expected["key"].as_str(), "{}: inputs of the key", vector.name);
        assert_eq!(group, expected["group"], "{}: inputs of the group", vector.name);
        assert_eq!(Value::Object(vector.answer()), Value::Object(expected), "{}: {}", vector.name, vector.why);
    }
}

#[test]
fn the_vectors_are_many_and_each_has_a_name() {
    assert!(VERIFICATIONS.len() >= 250, "{}", VERIFICATIONS.len());
    assert!(DELIVERIES.len() >= 480, "{}", DELIVERIES.len());
    let names = VERIFICATIONS.iter().map(|v| &v.name).chain(DELIVERIES.iter().map(|v| &v.name));
    assert_eq!(names.collect::<BTreeSet<_>>().len(), VERIFICATIONS.len() + DELIVERIES.len());
}

#[test]
fn every_recorded_body_is_a_vector() {
    let mut recorded = BTreeSet::new();
    for provider in fs::read_dir(Path::new(PROJECT).join("events/provider")).unwrap() {
        for dialect in fs::read_dir(provider.unwrap().path()).unwrap() {
            let files = fs::read_dir(dialect.unwrap().path()).unwrap();
            recorded.extend(files.map(|file| file.unwrap().path().strip_prefix(PROJECT).unwrap().to_owned()));
        }
    }
    let vectors: BTreeSet<_> = DELIVERIES.iter().filter_map(|vector| vector.body_file.clone()).collect();
    assert_eq!(vectors, recorded);
}

#[test]
fn every_endpoint_scheme_and_answer_has_vectors() {
    let schemes: BTreeSet<_> = VERIFICATIONS.iter().map(|vector| (&vector.scheme, &vector.header)).collect();
    assert_eq!(schemes.len(), 6, "{schemes:?}");
    for verdict in ["accepted", "missing_header", "malformed", "expired", "mismatch"] {
        assert!(VERIFICATIONS.iter().any(|vector| vector.expect == verdict), "{verdict}");
    }
    for endpoint in Endpoint::ALL {
        assert!(DELIVERIES.iter().any(|vector| vector.endpoint == endpoint), "{endpoint:?}");
    }
    for rejected in ["not_an_object", "no_event_name", "no_bot", "bad_bot_id"] {
        assert!(DELIVERIES.iter().any(|vector| vector.expect.get("rejected") == Some(&rejected.into())), "{rejected}");
    }
}

impl Verification {
    fn mode(&self) -> AuthMode {
        let secrets = self.secrets.clone();
        match self.scheme.as_str() {
            "meetstream-signature" => AuthMode::MeetStreamSignature {
                secrets: SignatureSecrets::new(secrets).unwrap(),
                window: self.window_seconds.map(|seconds| TimestampWindow(Duration::from_secs(seconds))),
            },
            "path-token" => AuthMode::PathToken(PathTokens::new(secrets).unwrap().unwrap()),
            "svix" => AuthMode::Svix(SvixKeys::new(secrets).unwrap().unwrap()),
            "static-header" => {
                let known = [StaticHeader::MEETINGBAAS_API_KEY, StaticHeader::MEETINGBAAS_CALLBACK_SECRET];
                let name = known.into_iter().find(|name| Some(*name) == self.header.as_deref()).unwrap();
                AuthMode::StaticHeader(StaticHeader::new(name, secrets).unwrap())
            }
            "meetingbaas-signature" => AuthMode::MeetingBaasSignature(SignatureSecrets::new(secrets).unwrap()),
            scheme => panic!("{}: no scheme {scheme}", self.name),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn body(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.body_base64).unwrap()
    }
}

impl Delivery {
    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64, &self.body_file) {
            (Some(text), None, None) => text.as_bytes().to_vec(),
            (None, Some(base64), None) => BASE64_STANDARD.decode(base64).unwrap(),
            (None, None, Some(file)) => fs::read(Path::new(PROJECT).join(file)).unwrap(),
            _ => panic!("{}: a vector has one body", self.name),
        }
    }

    /// The message that would have carried it, under the ids that the vector gives it.
    fn message(&self) -> QueueMessage {
        let wire = json!({
            "v": 1, "accept_id": self.accept_id, "endpoint": self.endpoint, "delivery_id": self.delivery_id,
            "received_at": 1_791_212_102_000_i64, "body": "base64",
        });
        let text = format!("{wire}\n{}", BASE64_STANDARD.encode(self.body()));
        match QueueMessage::decode(&text).unwrap() {
            Carried::Whole(message) => message,
            Carried::Claimed(_) => panic!("it carries its body"),
        }
    }

    /// What this code makes of it, in the words of the vectors.
    fn answer(&self) -> Map<String, Value> {
        let message = self.message();
        let peek = provider::peek_message(&message);
        let mut answer = match provider::parse(&message) {
            Ok(event) => {
                assert_eq!(peek.session.as_ref(), Some(&event.session), "{}: both ends of the queue agree", self.name);
                assert_eq!(peek.key.as_ref(), Some(&event.key), "{}: both ends of the queue agree", self.name);
                told(&event)
            }
            Err(error) => Map::from_iter([("rejected".to_owned(), error.code().into())]),
        };
        answer.insert("key".to_owned(), peek.key.map(|key| key.to_string()).into());
        answer.insert("group".to_owned(), peek.group.into());
        answer
    }
}

fn told(event: &Event) -> Map<String, Value> {
    let facts: Vec<_> = event.facts().iter().map(|(kind, at)| fact(kind, at.as_ref())).collect();
    let subject = if event.session.encoded().contains("#calendar#") { "calendar_id" } else { "bot_id" };
    let attributes = event.custom_attributes.as_ref().map(|text| serde_json::from_str::<Value>(text).unwrap());
    let mut told = Map::from_iter([
        ("kind".to_owned(), event.kind.as_str().into()),
        ("name".to_owned(), event.name.as_str().into()),
        ("provider".to_owned(), event.session.provider.as_str().into()),
        (subject.to_owned(), event.session.id.as_sent().into()),
        ("session".to_owned(), event.session.encoded().into()),
        ("trust".to_owned(), event.trust.as_str().into()),
        ("occurred_at".to_owned(), event.occurred_at.as_ref().map_or(Value::Null, time)),
        ("reason".to_owned(), event.reason.clone().into()),
        ("custom_attributes".to_owned(), attributes.unwrap_or_default()),
    ]);
    let ends = facts.iter().find(|fact| fact["kind"] == "session.ended");
    for field in ["outcome", "certainty"] {
        told.extend(ends.map(|ended| (field.to_owned(), ended[field].clone())));
    }
    if let EventKind::Calendar(change) = &event.kind {
        told.insert("affected".to_owned(), json!(change.affected));
    }
    told.insert("facts".to_owned(), facts.into());
    told
}

fn fact(kind: &EventKind, at: Option<&OccurredAt>) -> Value {
    let mut fact = json!({"kind": kind.as_str(), "at": at.map(OccurredAt::as_sent)});
    if let EventKind::Ended(Ended { outcome, certainty }) = kind {
        fact["outcome"] = outcome.as_str().into();
        fact["certainty"] = json!(certainty);
    }
    fact
}

fn time(time: &OccurredAt) -> Value {
    json!({"text": time.as_sent(), "moment": time.moment().to_string(), "assumed_utc": time.assumed_utc()})
}

fn hash(inputs: &[(String, Option<String>)]) -> String {
    inputs.iter().fold(FieldHash::default(), |hash, (_, value)| hash.optional(value.as_ref())).hex()
}

/// What a fuzzer does to a seed, a few times over.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
    Splice(Index, Index),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let token = prop_oneof![
        vec(any::<u8>(), 1..6),
        prop_oneof![
            Just("\"bot_id\":null,"),
            Just("{}"),
            Just("[[[["),
            Just("\\ud800"),
            Just("1e999"),
            Just("-0"),
            Just("\""),
            Just("\"event\":\"bot.joining\","),
            Just("\n"),
            Just(": "),
            Just("v1,"),
            Just("\u{FFFE}"),
            Just("\0"),
        ]
        .prop_map(|token| token.as_bytes().to_vec()),
    ];
    let mutation = prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        (any::<Index>(), token).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(other, at)| Mutation::Splice(other, at)),
    ];
    vec(mutation, 0..5)
}

fn mutated(seeds: &[Vec<u8>], seed: Index, mutations: Vec<Mutation>) -> Vec<u8> {
    let mut input = seed.get(seeds).clone();
    for mutation in mutations {
        let at = |index: Index, input: &[u8]| index.index(input.len() + 1);
        match mutation {
            Mutation::Flip(index, bit) if !input.is_empty() => {
                let at = index.index(input.len());
                input[at] ^= 1 << bit;
            }
            Mutation::Flip(..) => {}
            Mutation::Remove(index, length) => {
                let from = at(index, &input);
                input.drain(from..(from + length).min(input.len()));
            }
            Mutation::Insert(index, bytes) => {
                let at = at(index, &input);
                input.splice(at..at, bytes);
            }
            Mutation::Repeat(from, to) => {
                let (from, to) = (at(from, &input), at(to, &input));
                let piece = input[from.min(to)..from.max(to)].to_vec();
                input.splice(to..to, piece);
            }
            Mutation::Splice(other, index) => {
                let other = other.get(seeds);
                let at = at(index, &input).min(other.len());
                input.truncate(at);
                input.extend_from_slice(&other[at..]);
            }
        }
    }
    input
}

static REQUESTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let request = |vector: &Verification| {
        let headers = vector.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let token = vector.path_token.as_deref().unwrap_or_default();
        properties::request(vector.now_unix_ms, token, headers, &vector.body())
    };
    VERIFICATIONS.iter().map(request).collect()
});

static BODIES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| DELIVERIES.iter().map(|vector| properties::delivery(vector.endpoint, &vector.body())).collect());

static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let encoded = DELIVERIES.iter().map(|vector| vector.message().encode().into_bytes());
    encoded.chain(BODIES.iter().cloned()).collect()
});

#[test]
fn the_seeds_of_the_fuzz_targets_hold() {
    REQUESTS.iter().for_each(|request| properties::verification(request));
    BODIES.iter().for_each(|body| properties::envelope(body));
    MESSAGES.iter().for_each(|message| properties::queue_message(message));
}

#[test]
fn the_seeds_hold_with_a_character_more_at_any_place() {
    for body in BODIES.iter().filter(|body| body.len() < 1000) {
        for place in 0..=body.len() {
            let longer = [&body[..place], b"x", &body[place..]].concat();
            properties::envelope(&longer);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_request_is_judged_without_a_panic(seed: Index, mutations in mutations()) {
        properties::verification(&mutated(&REQUESTS, seed, mutations));
    }

    #[test]
    fn any_body_is_the_same_delivery_at_both_ends(seed: Index, mutations in mutations()) {
        properties::envelope(&mutated(&BODIES, seed, mutations));
    }

    #[test]
    fn any_message_comes_back_as_it_was(seed: Index, mutations in mutations()) {
        properties::queue_message(&mutated(&MESSAGES, seed, mutations));
    }
}
