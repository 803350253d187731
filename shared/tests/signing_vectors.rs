//! Known-answer vectors: signed deliveries, byte for byte, with the verdict that verification must reach.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use shared::auth::{AuthMode, Credentials, SignatureSecrets};
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
    headers: BTreeMap<String, String>,
    body_base64: String,
}

#[test]
fn every_vector_gets_its_verdict() {
    let Vectors { vectors } = serde_json::from_str(include_str!("../../events/signing/meetstream.json")).unwrap();
    assert!(vectors.len() >= 17);
    for vector in vectors {
        let secrets = SignatureSecrets::new(vector.secrets).unwrap();
        let mode = AuthMode::MeetStreamSignature { secrets, window: None };
        let headers =
            vector.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let body = BASE64_STANDARD.decode(vector.body_base64).unwrap();
        let verified = mode.verify(Credentials { headers: &headers, path_token: None }, body, 0);
        let verdict = if verified.is_ok() { "valid" } else { "invalid" };
        assert_eq!(verdict, vector.expect, "{}: {}", vector.name, vector.why);
    }
}
