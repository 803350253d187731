//! One webhook request, to the byte: proved as its sender would prove it, and sent, or written as a curl command.

use crate::{body, escape, failure::Failure};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD as BASE64},
};
use clap::ValueEnum;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Url, redirect::Policy};
use sha2::Sha256;
use shared::{Endpoint, auth::StaticHeader};
use std::{
    fmt,
    time::{Duration, Instant},
};

const SIGNATURE_HEADER: &str = "X-MeetStream-Signature";
const TIMESTAMP_HEADER: &str = "X-MeetStream-Timestamp";
const BARE_SIGNATURE_HEADER: &str = "X-MeetingBaas-Signature";

const SVIX_KEY_PREFIX: &str = "whsec_";

/// Base64 as dashboards show keys: some cut the padding.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How long an answer may take. The function answers within 5 seconds, whatever happens behind it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most of an answer that is shown, in characters. The function's own answers are short.
const MAX_SHOWN_CHARS: usize = 200;

/// The longest body that goes into a curl command as it is; arguments of commands are bounded.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// A text that must not end up on a screen by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Where deliveries go, and the proof that they carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    url: Secret,
    proof: Proof,
    method: Method,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Proof {
    /// `MeetStream`'s signature over the body.
    Signature(Secret),
    /// None but the last segment of the URL.
    Token,
    /// The secret itself, in a header.
    Header(&'static str, Secret),
    /// Svix's signature over id, time and body.
    Svix(Key),
    /// The bare digits of a signature over the body.
    BareSignature(Secret),
}

/// The bytes of a signing key.
#[derive(Clone, PartialEq, Eq)]
struct Key(Vec<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// How a delivery is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    #[default]
    Post,
    Put,
}

impl Method {
    /// As HTTP has it.
    #[must_use]
    pub fn http(self) -> reqwest::Method {
        match self {
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
        }
    }
}

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    url: Secret,
    method: Method,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, harmless and shortened.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

impl Target {
    /// A route, and what its sender proves itself with. Where a token in the URL is all the proof there is, `credential` is
    /// not used.
    ///
    /// # Errors
    /// When the credential does not have the form that the route asks for.
    pub fn new(endpoint: Endpoint, url: Secret, credential: Secret) -> Result<Self, Failure> {
        let proof = match endpoint {
            Endpoint::MeetStream => Proof::Signature(credential),
            Endpoint::MeetStreamCallback => Proof::Token,
            Endpoint::MeetingBaasV1 => Proof::Header(StaticHeader::MEETINGBAAS_API_KEY, credential),
            Endpoint::MeetingBaasV2 => Proof::Svix(Key::of_svix(&credential)?),
            Endpoint::MeetingBaasCallback => Proof::Header(StaticHeader::MEETINGBAAS_CALLBACK_SECRET, credential),
            Endpoint::MeetingBaasLegacy => Proof::BareSignature(credential),
        };
        Ok(Self { url, proof, method: Method::Post })
    }

    /// The same place by another method.
    #[must_use]
    pub fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// The same place with a proof of the right form that is worth nothing.
    #[must_use]
    pub fn forged(self) -> Self {
        let not = |secret: Secret| Secret(format!("not {}", secret.0));
        let Self { url: Secret(url), proof, method } = self;
        let (url, proof) = match proof {
            Proof::Token => {
                let (route, token) = url.rsplit_once('/').unwrap_or((&url, ""));
                (format!("{route}/{}", "x".repeat(token.len().max(22))), Proof::Token)
            }
            Proof::Signature(secret) => (url, Proof::Signature(not(secret))),
            Proof::Header(name, secret) => (url, Proof::Header(name, not(secret))),
            Proof::Svix(Key(key)) => (url, Proof::Svix(Key([b"not ", &key[..]].concat()))),
            Proof::BareSignature(secret) => (url, Proof::BareSignature(not(secret))),
        };
        Self { url: Secret(url), proof, method }
    }

    /// The place as it may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        let url = &self.url.0;
        match self.proof {
            Proof::Token => {
                let route = url.rsplit_once('/').map_or("", |(route, _)| route);
                format!("{}/<token>", escape::text(route))
            }
            _ => escape::text(url),
        }
    }
}

impl Key {
    fn of_svix(secret: &Secret) -> Result<Self, Failure> {
        let key = secret.0.trim();
        let bytes = KEY_BASE64.decode(key.strip_prefix(SVIX_KEY_PREFIX).unwrap_or(key)).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Failure::usage("that is no Svix key: one is base64, usually after whsec_")
                .help("copy it from the endpoint's page in the dashboard as it is"));
        }
        Ok(Self(bytes))
    }
}

impl Delivery {
    /// A request to `target` with exactly these bytes, sent at `now`. Sent again, it is the sender's next try of the same
    /// delivery.
    #[must_use]
    pub fn new(target: &Target, body: Vec<u8>, now: jiff::Timestamp) -> Self {
        let mut headers = vec![("Content-Type", "application/json".to_owned())];
        match &target.proof {
            Proof::Signature(secret) => {
                headers.push((SIGNATURE_HEADER, format!("sha256={}", digits(secret, &body))));
                headers.push((TIMESTAMP_HEADER, body::timestamp(now)));
            }
            Proof::Token => {}
            Proof::Header(name, secret) => headers.push((*name, secret.0.clone())),
            Proof::Svix(key) => {
                let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(27).collect();
                let (id, timestamp) = (format!("msg_{id}"), now.as_second().to_string());
                let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &body].concat();
                let signature = format!("v1,{}", BASE64.encode(hmac(&key.0, &signed)));
                headers.extend([("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)]);
            }
            Proof::BareSignature(secret) => headers.push((BARE_SIGNATURE_HEADER, digits(secret, &body))),
        }
        Self { url: target.url.clone(), method: target.method, headers, body }
    }

    /// The request as a command for a shell, with its secrets.
    #[must_use]
    pub fn curl(&self) -> String {
        let headers =
            self.headers.iter().map(|(name, value)| format!(" -H {}", escape::shell(&format!("{name}: {value}"))));
        let method = if self.method == Method::Post { "" } else { "-X PUT " };
        let curl = format!("curl -i {method}{}{}", escape::shell(&self.url.0), headers.collect::<String>());
        match std::str::from_utf8(&self.body) {
            // A leading @ would be read as the name of a file.
            Ok(text) if escape::is_harmless(text) && !text.starts_with('@') && text.len() <= MAX_INLINE_BYTES => {
                format!("{curl} --data-binary {}", escape::shell(text))
            }
            _ => format!("printf %s {} | base64 -d | {curl} --data-binary @-", BASE64.encode(&self.body)),
        }
    }
}

/// HMAC-SHA256 over the bytes as they are.
fn hmac(key: &[u8], signed: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key").chain_update(signed);
    mac.finalize().into_bytes().into()
}

fn digits(secret: &Secret, body: &[u8]) -> String {
    hex::encode(hmac(secret.0.as_bytes(), body))
}

/// Sends deliveries, over one connection where it can.
#[derive(Debug)]
pub struct Courier {
    client: Client,
    place: String,
}

impl Courier {
    /// A courier for one target. A proxy is for places beyond this machine.
    ///
    /// # Errors
    /// When the URL is none, or TLS cannot be had.
    pub fn new(target: &Target) -> Result<Self, Failure> {
        let usable = Url::parse(&target.url.0).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(parsed) = usable else {
            let what = format!("\"{}\" is no http or https URL", target.shown());
            return Err(Failure::usage(what).help("give the whole URL, as in https://HOST/webhooks/meetstream"));
        };
        let is_here = parsed.host_str().is_some_and(|host| {
            host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]"
        });
        let client = Client::builder()
            .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(PATIENCE);
        let client = if is_here { client.no_proxy() } else { client };
        let client = client.build().map_err(|error| Failure::new(format!("no HTTP client: {error}")))?;
        Ok(Self { client, place: target.shown() })
    }

    /// Sends one delivery and waits for its answer.
    ///
    /// # Errors
    /// When there is none. The message has no token in it.
    pub async fn send(&self, delivery: &Delivery) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let mut request = self.client.request(delivery.method.http(), &delivery.url.0).body(delivery.body.clone());
        for (name, value) in &delivery.headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(|error| self.no_answer(error))?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| self.no_answer(error))?;
        let body = escape::text(&text).chars().take(MAX_SHOWN_CHARS).collect();
        Ok(Answer { status, body, took: begun.elapsed() })
    }

    fn no_answer(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let mut what = format!("no answer from {}: {error}", self.place);
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            what = format!("{what}: {error}");
            cause = error.source();
        }
        Failure::new(what).help("is the stack running? `make up` starts the local one, `rollcall urls` shows its URLs")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use http::HeaderMap;
    use shared::auth::{AuthError, AuthMode, Credentials, PathTokens, SignatureSecrets, SvixKeys, VerifiedBody};

    pub(crate) const NOW: &str = "2026-10-05T14:55:02.9Z";
    const TOKEN: &str = "a-token-of-22-characters";
    /// A credential that is one for every route.
    const CREDENTIAL: &str = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

    pub(crate) fn target(endpoint: Endpoint) -> Target {
        let url = match endpoint {
            Endpoint::MeetStreamCallback => format!("https://host/webhooks/meetstream/{TOKEN}"),
            other => format!("https://host/webhooks/{}", other.as_str().replace('-', "/")),
        };
        Target::new(endpoint, Secret(url), Secret(CREDENTIAL.to_owned())).unwrap()
    }

    fn delivery(target: &Target, body: &[u8]) -> Delivery {
        Delivery::new(target, body.to_vec(), NOW.parse().unwrap())
    }

    /// What the function says to it.
    pub(crate) fn verify(delivery: &Delivery) -> Result<(Endpoint, VerifiedBody), AuthError> {
        let headers: HeaderMap =
            delivery.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let (endpoint, path_token) = Endpoint::from_path(delivery.url.0.strip_prefix("https://host").unwrap()).unwrap();
        assert!(endpoint.accepts(&delivery.method.http()));
        let credentials = vec![CREDENTIAL.to_owned()];
        let secrets = SignatureSecrets::new(credentials.clone()).unwrap();
        let header = |name| AuthMode::StaticHeader(StaticHeader::new(name, credentials.clone()).unwrap());
        let mode = match endpoint {
            Endpoint::MeetStream => AuthMode::MeetStreamSignature { secrets, window: None },
            Endpoint::MeetStreamCallback => {
                AuthMode::PathToken(PathTokens::new(vec![TOKEN.to_owned()]).unwrap().unwrap())
            }
            Endpoint::MeetingBaasV1 => header(StaticHeader::MEETINGBAAS_API_KEY),
            Endpoint::MeetingBaasV2 => AuthMode::Svix(SvixKeys::new(credentials.clone()).unwrap().unwrap()),
            Endpoint::MeetingBaasCallback => header(StaticHeader::MEETINGBAAS_CALLBACK_SECRET),
            Endpoint::MeetingBaasLegacy => AuthMode::MeetingBaasSignature(secrets),
        };
        let offered = Credentials { headers: &headers, path_token };
        let now: jiff::Timestamp = NOW.parse().unwrap();
        mode.verify(offered, delivery.body.clone(), now.as_millisecond()).map(|body| (endpoint, body))
    }

    #[test]
    fn what_is_proved_here_is_accepted_there() {
        for endpoint in Endpoint::ALL {
            for body in [&b"{}"[..], b"", b"\xff\0", "{\"message\":\"caf\u{e9}\"}\n".as_bytes()] {
                let (route, verified) = verify(&delivery(&target(endpoint), body)).unwrap();
                assert_eq!((route, verified.bytes()), (endpoint, body));
                let refused = verify(&delivery(&target(endpoint).forged(), body)).unwrap_err();
                assert_eq!(refused, AuthError::Mismatch, "{endpoint:?}");
            }
        }
    }

    #[test]
    fn every_svix_delivery_has_an_id_and_keeps_it() {
        let id = |delivery: &Delivery| verify(delivery).unwrap().1.delivery_id().unwrap().as_str().to_owned();
        let (first, second) =
            (delivery(&target(Endpoint::MeetingBaasV2), b"{}"), delivery(&target(Endpoint::MeetingBaasV2), b"{}"));
        assert!(id(&first).starts_with("msg_") && id(&first).len() == 31, "{}", id(&first));
        assert_eq!(id(&first), id(&first));
        assert_ne!(id(&first), id(&second));
    }

    #[test]
    fn a_svix_key_is_base64() {
        let new = |key: &str| Target::new(Endpoint::MeetingBaasV2, Secret(String::new()), Secret(key.to_owned()));
        for good in ["whsec_c2VjcmV0", "c2VjcmV0", " whsec_c2VjcmV0cw "] {
            assert!(new(good).is_ok(), "{good}");
        }
        for bad in ["", "whsec_", "not base64!"] {
            let failure = new(bad).unwrap_err().to_string();
            assert!(failure.contains("no Svix key") && (bad.is_empty() || !failure.contains("base64!")), "{failure}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(target(Endpoint::MeetStreamCallback).shown(), "https://host/webhooks/meetstream/<token>");
        for endpoint in Endpoint::ALL {
            let target = target(endpoint);
            let debug = format!("{target:?} {}", target.shown());
            assert!(!debug.contains(TOKEN) && !debug.contains(CREDENTIAL) && !debug.contains("115, 101"), "{debug}");
        }
    }

    #[track_caller]
    fn check(name: &str, body: &[u8], end: &str) {
        let curl = delivery(&target(Endpoint::MeetStreamCallback), body).curl();
        assert!(curl.ends_with(end), "{name}: {curl}");
    }

    #[test]
    fn curl_gets_the_very_bytes() {
        check("JSON", br#"{"a":"b c"}"#, r#" --data-binary '{"a":"b c"}'"#);
        check("an apostrophe", b"{\"a\":\"it's\"}", r#" --data-binary '{"a":"it'\''s"}'"#);
        check("not a file", b"@x", " --data-binary @-");
        check("line breaks", b"{\n}", " --data-binary @-");
        let piped = delivery(&target(Endpoint::MeetStreamCallback), b"\xff\0").curl();
        assert!(piped.starts_with("printf %s /wA= | base64 -d | curl -i https://host/"), "{piped}");
        let signed = Secret("https://host/webhooks/meetstream".to_owned());
        let signed = Target::new(Endpoint::MeetStream, signed, Secret("s3cret".to_owned())).unwrap();
        assert_eq!(
            delivery(&signed, b"{}").curl(),
            "curl -i https://host/webhooks/meetstream -H 'Content-Type: application/json' \
             -H 'X-MeetStream-Signature: sha256=adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b' \
             -H 'X-MeetStream-Timestamp: 2026-10-05T14:55:02.900000+00:00' --data-binary '{}'"
        );
        assert_eq!(
            delivery(&target(Endpoint::MeetingBaasCallback).by(Method::Put), b"{}").curl(),
            format!(
                "curl -i -X PUT https://host/webhooks/meetingbaas/callback -H 'Content-Type: application/json' \
                 -H 'x-mb-secret: {CREDENTIAL}' --data-binary '{{}}'"
            )
        );
    }
}
