//! Writes the seed corpus of every target into `corpus/`, from the conformance vectors, among which every recorded delivery is.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use shared::Endpoint;
use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = fuzz.ancestors().nth(2).unwrap_or(fuzz);
    let (mut bodies, mut requests, mut envelopes, mut messages) = (vec![], vec![], vec![], vec![]);

    for vector in vectors(&project.join("testing/conformance/verification.json"))? {
        let headers: Vec<(String, String)> = serde_json::from_value(vector["headers"].clone())?;
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let now = vector["now_unix_ms"].as_i64().unwrap_or_default();
        requests.push(fuzz::request(now, vector["path_token"].as_str().unwrap_or_default(), headers, &body(&vector)?));
    }
    for vector in vectors(&project.join("testing/conformance/events.json"))? {
        let endpoint = serde_json::from_value::<Endpoint>(vector["endpoint"].clone())?;
        let body = match vector["body_file"].as_str() {
            Some(file) => fs::read(project.join(file))?,
            None => body(&vector)?,
        };
        bodies.push((endpoint, body));
    }
    for (endpoint, body) in &bodies {
        requests.push(fuzz::request(1_787_216_413_000, "p4th-token_of-24-letters", [], body));
        envelopes.push(fuzz::delivery(*endpoint, body));
        messages.push(fuzz::delivery(*endpoint, body));
        for (encoding, text) in [("text", String::from_utf8_lossy(body).into()), ("base64", BASE64_STANDARD.encode(body))] {
            messages.push(message(*endpoint, encoding, &text));
        }
    }

    for (target, seeds) in [("verification", requests), ("envelope", envelopes), ("queue_message", messages)] {
        let folder = fuzz.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), seed)?;
        }
        println!("{}: {} seeds", folder.display(), seeds.len());
    }
    Ok(())
}

fn vectors(file: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut file: Value = serde_json::from_slice(&fs::read(file)?)?;
    Ok(serde_json::from_value(file["vectors"].take())?)
}

fn body(vector: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    match vector["body"].as_str() {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => Ok(BASE64_STANDARD.decode(vector["body_base64"].as_str().ok_or("a vector without a body")?)?),
    }
}

/// A message as this code writes it.
fn message(endpoint: Endpoint, encoding: &str, body: &str) -> Vec<u8> {
    let line = serde_json::json!({
        "v": 1, "accept_id": "accepted", "endpoint": endpoint, "delivery_id": "msg_1",
        "received_at": 1_787_216_413_000_i64, "body": encoding,
    });
    format!("{line}\n{body}").into_bytes()
}
