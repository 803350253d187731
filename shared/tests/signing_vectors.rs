//! Known-answer vectors: signed deliveries, byte for byte, with the verdict that verification must reach.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use shared::auth::{AuthMode, Credentials, SignatureSecrets, SvixKeys};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    expect: String,
    why: String,
    secrets: Vec<String>,
    #[serde(default)]
    received_at_unix: i64,
    headers: BTreeMap<String, String>,
    body_base64: String,
}

#[track_caller]
fn check(file: &str, count: usize, mode: impl Fn(Vec<String>) -> AuthMode) {
    let Vectors { vectors } = serde_json::from_str(file).unwrap();
    assert_eq!(vectors.len(), count);
    for vector in vectors {
        let headers =
            vector.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let body = BASE64_STANDARD.decode(vector.body_base64).unwrap();
        let offered = Credentials { headers: &headers, path_token: None };
        let verified = mode(vector.secrets).verify(offered, body, vector.received_at_unix * 1000);
        let verdict = if verified.is_ok() { "valid" } else { "invalid" };
        assert_eq!(verdict, vector.expect, "{}: {}", vector.name, vector.why);
    }
}

#[test]
fn every_meetstream_vector_gets_its_verdict() {
    check(include_str!("../../events/signing/meetstream.json"), 17, |secrets| AuthMode::MeetStreamSignature {
        secrets: SignatureSecrets::new(secrets).unwrap(),
        window: None,
    });
}

#[test]
fn every_svix_vector_gets_its_verdict() {
    let mode = |keys| AuthMode::Svix(SvixKeys::new(keys).unwrap().unwrap());
    check(include_str!("../../events/signing/meetingbaas_svix.json"), 19, mode);
    check(include_str!("../../events/signing/standard_webhooks.json"), 19, mode);
}

#[test]
fn every_legacy_vector_gets_its_verdict() {
    check(include_str!("../../events/signing/meetingbaas_legacy.json"), 16, |secrets| {
        AuthMode::MeetingBaasSignature(SignatureSecrets::new(secrets).unwrap())
    });
}
